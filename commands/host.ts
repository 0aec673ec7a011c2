import { $ } from "zx";
import { scriptWith } from "../components/host/shell";
import { namespace, type Settings } from "../settings";

/** A host that can't take the deployment: every reason at once. */
export class HostError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      [
        "This host is not ready; nothing has been changed:",
        ...problems.map((problem) => `  - ${problem}`),
      ].join("\n"),
    );
    this.name = "HostError";
  }
}

/** What assets/host/facts.sh prints: every value by its name, in order. */
export type HostFacts = ReadonlyMap<string, readonly string[]>;

/** How long a host may take to describe itself; a Docker engine that hangs never ends. */
const factsTimeout = "9s";

/**
 * Looks at the host on which the stack is to run, and changes nothing.
 * @param ownIds ids of the containers and networks that are the stack's own already
 * @throws HostError with all that stands in the way
 */
export async function checkHost(settings: Settings, ownIds: readonly string[]): Promise<void> {
  const problems = hostProblems(settings, ownIds, await hostFacts(settings));
  if (problems.length > 0) {
    throw new HostError(problems);
  }
}

async function hostFacts(settings: Settings): Promise<HostFacts> {
  const variables = { CONTAINER: settings.containerName, NETWORK: settings.networkName };
  const input = scriptWith("facts.sh", variables);
  const { stdout } = await $({
    input,
    quiet: true,
    nothrow: true,
    timeout: factsTimeout,
  })`sh -s -- apply`;
  return parseFacts(stdout);
}

/** The lines of assets/host/facts.sh as values by name. */
export function parseFacts(output: string): HostFacts {
  const facts = new Map<string, string[]>();
  for (const line of output.split("\n")) {
    const [name, value] = [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)];
    if (line.includes("=")) {
      facts.set(name, [...(facts.get(name) ?? []), value]);
    }
  }
  return facts;
}

/** Everything about the host that stands in the way of what the settings ask for, in words. */
export function hostProblems(
  settings: Settings,
  ownIds: readonly string[],
  facts: HostFacts,
): string[] {
  const error = facts.get("dockerError")?.[0];
  if (error !== undefined) {
    return [`Docker can't be used: ${error}`];
  }
  if (!facts.has("complete")) {
    return [
      "Docker does not answer: no reply within 9 s. Restart the Docker service, then try again",
    ];
  }
  const number = (name: string) => Number(facts.get(name)?.[0] ?? Infinity);
  const isOurs = ownIds.includes(facts.get("containerId")?.[0] ?? "");
  const problems: string[] = [];

  if (number("cores") < settings.cpus) {
    problems.push(
      `${namespace}:cpus asks for ${settings.cpus.toString()} processor cores, Docker has ${number("cores").toString()}`,
    );
  }
  if (number("memoryMb") < settings.memoryMb) {
    problems.push(
      `${namespace}:memoryMb asks for ${settings.memoryMb.toString()} MiB, the machine has ${number("memoryMb").toString()} MiB`,
    );
  }
  if (!isOurs && number("availableMb") < leastAvailableMb) {
    problems.push(
      `OpenClaw needs ${leastAvailableMb.toString()} MiB of free memory to start, ${number("availableMb").toString()} MiB are available`,
    );
  }
  if (!isOurs && number("freeMb") < leastFreeMb) {
    problems.push(
      `Docker's disk needs ${leastFreeMb.toString()} MiB of free space for the image and its build, ${number("freeMb").toString()} MiB are free`,
    );
  }
  for (const [what, name] of [
    ["container", settings.containerName],
    ["network", settings.networkName],
  ] as const) {
    const id = facts.get(`${what}Id`)?.[0];
    if (id !== undefined && !ownIds.includes(id)) {
      problems.push(
        `there is a ${what} named ${name} already that this stack did not make: remove it or change ${namespace}:${what}Name`,
      );
    }
  }
  return [...problems, ...portProblems(settings, isOurs, facts)];
}

/** The gateway at rest takes about 1 GiB (measured); below this it would be killed while it starts. */
const leastAvailableMb = 1536;

/** Base image, gateway image and the layers between them, with room to spare. */
const leastFreeMb = 5120;

function portProblems(settings: Settings, isOurs: boolean, facts: HostFacts): string[] {
  const own = isOurs ? (facts.get("published") ?? []) : [];
  const listening = (facts.get("listening") ?? [])
    .map(decodeSocket)
    .filter((socket) => !own.includes(socket));
  const addresses = facts.get("address") ?? [];
  const problems: string[] = [];
  for (const address of settings.publishAddresses) {
    if (address !== "0.0.0.0" && !address.startsWith("127.") && !addresses.includes(address)) {
      problems.push(
        `${namespace}:publishAddresses has ${address}, which is not an address of this host (${addresses.join(", ")})`,
      );
    }
    const port = settings.port.toString();
    const taken = listening.find(
      (socket) =>
        socket.endsWith(`:${port}`) &&
        (address === "0.0.0.0" || socket === `${address}:${port}` || socket === `0.0.0.0:${port}`),
    );
    if (taken !== undefined) {
      problems.push(
        `port ${port} on ${address} is taken by another program (listening on ${taken}): free it or change ${namespace}:port`,
      );
    }
  }
  return problems;
}

/**
 * `127.0.0.1:8180` from the kernel's `0100007F:1FF4`. The any-address of IPv6 reads as 0.0.0.0, because it takes the
 * port of IPv4 too; other IPv6 addresses are of no interest here.
 */
export function decodeSocket(socket: string): string {
  const [address = "", port = ""] = socket.split(":");
  const bytes = (address.match(/../g) ?? []).map((byte) => parseInt(byte, 16));
  const isAny = bytes.every((byte) => byte === 0);
  const readable = isAny ? "0.0.0.0" : bytes.length === 4 ? bytes.reverse().join(".") : "[ipv6]";
  return `${readable}:${parseInt(port, 16).toString()}`;
}
