import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { docker } from "./docker";

// A packet socket on the network's bridge, which takes what the bridge forwards too. The program says so once it listens, and at its
// end it shows all that has arrived.
const program = String.raw`
  my ($interface, $machine) = @ARGV;
  my $own = pack("C4", split /\./, $machine);
  socket(my $wire, 17, 3, unpack("n", pack("S", 3))) or die "socket: $!";
  bind($wire, pack("S n i x12", 17, 3, $interface)) or die "bind: $!";
  setsockopt($wire, 263, 1, pack("i S S x8", $interface, 1, 0)) or die "setsockopt: $!";
  binmode STDOUT;
  $| = 1;
  sub show {
    my ($flags) = @_;
    while (defined recv($wire, my $frame, 65536, $flags)) {
      print $frame unless $own eq substr($frame, 26, 4) or $own eq substr($frame, 30, 4);
    }
  }
  $SIG{TERM} = sub { show(64); exit };
  print "listening\n";
  show(0);`;

/**
 * Captures what containers in a Docker network of this machine send each other while something is done.
 * @param machine this machine's own address there
 * @returns the packets, one after the other
 */
export async function capture(
  network: string,
  machine: string,
  work: () => Promise<unknown>,
): Promise<Buffer> {
  const id = await docker("network", "inspect", "--format", "{{.Id}}", network);
  const index = readFileSync(`/sys/class/net/br-${id.slice(0, 12)}/ifindex`, "utf8").trim();
  const perl = spawn("perl", ["-e", program, index, machine], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const packets: Buffer[] = [];
  perl.stdout.on("data", (packet: Buffer) => packets.push(packet));
  const ended = once(perl.stdout, "close");
  try {
    await once(perl.stdout, "data");
    await work();
  } finally {
    perl.kill();
    await ended;
  }
  return Buffer.concat(packets);
}
