/** An IPv4 subnet in numbers. */
export interface Subnet {
  /** Its first address. */
  readonly first: number;
  readonly bits: number;
  /** How many addresses it has. */
  readonly size: number;
}

/** Reads `ADDRESS/BITS`. */
export function parseSubnet(text: string): Subnet {
  const [address = "", bits = ""] = text.split("/");
  const first = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return { first, bits: Number(bits), size: 2 ** (32 - Number(bits)) };
}

/** Returns the subnet of the same size that comes `count` places behind one. */
export function subnetBehind(text: string, count: number): string {
  const { first, bits, size } = parseSubnet(text);
  const address = first + count * size;
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256);
  return `${parts.join(".")}/${bits.toString()}`;
}

/** Whether two subnets, or a subnet and an address, have an address in common. */
export function subnetsOverlap(one: string, other: string): boolean {
  const [a, b] = [parseSubnet(withBits(one)), parseSubnet(withBits(other))];
  const [larger, smaller] = a.size > b.size ? [a, b] : [b, a];
  return Math.floor(smaller.first / larger.size) === Math.floor(larger.first / larger.size);
}

function withBits(text: string): string {
  return text.includes("/") ? text : `${text}/32`;
}
