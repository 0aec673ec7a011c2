import { namespace, type Settings } from "../../config";
import { hostSetting, kasmHost, overlayHosts } from "../../config/host";
import { subnetsOverlap } from "../../config/subnet";
import { runHostScript } from "../../host/run";
import { type Deployment, type HostDeployment, onHosts } from "../../pulumi/deployment";
import { first, type HostFacts, parseFacts } from "./host";

/** The settings of the network between hosts. */
export type Overlay = NonNullable<Settings["overlay"]>;

/** What assets/host/swarm.sh says of a host. */
export interface SwarmHost {
  /** Name of the host. */
  readonly host: string;
  readonly facts: HostFacts;
}

/** A host of a deployment and what it says of its part in a swarm. */
export type There = HostDeployment & SwarmHost;

/** A node as the swarm's manager knows it. */
export interface Member {
  readonly id: string;
  readonly isReady: boolean;
  /** ADDRESS:PORT at which others join, of a manager. */
  readonly joinedAt: string | undefined;
  /** Value of the label of what a stack made: it joined this node. */
  readonly owner: string;
  /** Whether Docker's bridge for swarms came with the node. */
  readonly hasOwnBridge: boolean;
}

/** What a host's firewall has to let through from the other hosts. */
export const swarmPorts = "2377/tcp, 7946/tcp, 7946/udp and 4789/udp";
const encryptedPorts = `${swarmPorts}, and IP protocol 50 (ESP)`;

/** Returns the hosts of a deployment that have to be in one swarm. */
export function onOverlayHosts(deployment: Deployment): HostDeployment[] {
  const names = overlayHosts(deployment.settings);
  return onHosts(deployment).filter(({ host }) => names.includes(host));
}

/** Asks a host for its part in a swarm. Without Docker or an answer there are no facts. */
export async function swarmFacts(
  { target }: Pick<HostDeployment, "target">,
  { encrypted }: Pick<Overlay, "encrypted">,
): Promise<HostFacts> {
  const { stdout } = await runHostScript(target, {
    script: "swarm.sh",
    action: "look",
    variables: { ENCRYPTED: encrypted ? "yes" : "" },
    asRoot: true,
    seconds: 15,
  });
  return parseFacts(stdout);
}

/** Returns hosts with what they say of their part in a swarm. */
export async function withSwarmFacts(
  hosts: readonly HostDeployment[],
  overlay: Pick<Overlay, "encrypted">,
): Promise<There[]> {
  return await Promise.all(
    hosts.map(async (each) => ({ ...each, facts: await swarmFacts(each, overlay) })),
  );
}

/** Checks the swarm that `openclaw:overlay` needs as {@link swarmProblems} does; without that setting nothing is wrong. */
export async function overlayProblems(deployment: Deployment): Promise<string[]> {
  const { settings, stack } = deployment;
  const { overlay } = settings;
  if (overlay === undefined) {
    return [];
  }
  return await swarmProblems(
    await withSwarmFacts(onOverlayHosts(deployment), overlay),
    overlay,
    stack,
  );
}

/**
 * Checks the swarm of the hosts of an overlay network, and changes nothing.
 * @returns everything that keeps the hosts from being joined by it, in words
 */
export async function swarmProblems(
  found: readonly There[],
  overlay: Overlay,
  stack: string,
): Promise<string[]> {
  const problems = [
    ...found.flatMap((each) => [...engineProblems(each, overlay), ...mtuProblems(each, overlay)]),
    ...membershipProblems(found, stack),
  ];
  return problems.length > 0 ? problems : await portProblems(found, overlay);
}

/** What a host's Docker or kernel lacks for a swarm. */
export function engineProblems({ host, facts }: SwarmHost, { encrypted }: Overlay): string[] {
  const instead = host === kasmHost ? "" : `, or ${hostSetting(host)}.privateAddress`;
  const lacks = facts.get("lacks") ?? [];
  const reasons = [
    ...(one(facts, "docker") === "" ? ["Docker does not answer"] : []),
    ...(facts.has("missing") ? ["the command ip is needed and not there"] : []),
    ...(one(facts, "liveRestore") === "true"
      ? [
          `Docker runs with live-restore, which excludes a swarm: expected "live-restore": false in its daemon.json${instead}`,
        ]
      : []),
    ...(lacks.includes("vxlan")
      ? [`its kernel has no VXLAN, by which ${namespace}:overlay joins hosts${instead}`]
      : []),
    ...(encrypted && lacks.includes("esp")
      ? [
          `its kernel can't encrypt by ESP: expected ${namespace}:overlay without encrypted; the route encrypts by TLS in any case`,
        ]
      : []),
  ];
  return reasons.map((reason) => `${hostSetting(host)}: ${reason}`);
}

/** Bytes of a packet's own that an overlay network adds to it; encrypted ones are padded. */
function overheadOf({ encrypted }: Overlay): number {
  return encrypted ? 100 : 50;
}

/** What Docker gives an overlay network, whatever its hosts' network takes. */
const dockersMtu = 1450;

function mtuProblems({ host, facts }: SwarmHost, overlay: Overlay): string[] {
  const own = addressesOf(facts).find(({ address }) => address === one(facts, "nodeAddress"));
  const { mtu = dockersMtu } = overlay;
  const largest = (own?.mtu ?? Infinity) - overheadOf(overlay);
  return mtu <= largest
    ? []
    : [
        `${hostSetting(host)}: its network takes packets of ${(own?.mtu ?? 0).toString()} bytes: expected ${namespace}:overlay with mtu ${largest.toString()} or less`,
      ];
}

/** What keeps hosts from being nodes of one swarm that KASM's host manages. */
export function membershipProblems(found: readonly SwarmHost[], stack: string): string[] {
  const kasm = found.find(({ host }) => host === kasmHost);
  const members = new Map(membersOf(kasm?.facts).map((member) => [member.id, member]));
  const join = `npm run hosts -- join --stack ${stack}`;
  return found.flatMap(({ host, facts }) => {
    const setting = hostSetting(host);
    const state = one(facts, "state");
    const member = members.get(one(facts, "node"));
    if (state !== "active") {
      const error = one(facts, "error");
      return [
        state === "inactive"
          ? `${setting}: it is in no Docker swarm, which ${namespace}:overlay needs: ${join}`
          : `${setting}: its Docker swarm is ${state || "not known"}${error && ` (${error})`}, expected active`,
      ];
    }
    if (host === kasmHost) {
      return one(facts, "manager") === "true" ? [] : [noManager];
    }
    if (kasm === undefined || one(kasm.facts, "manager") !== "true") {
      return [];
    }
    if (member === undefined) {
      return [otherSwarm(host)];
    }
    return member.isReady
      ? []
      : [
          `${setting}: the swarm's manager does not hear from it: is 2377/tcp open from there to openclaw:host?`,
        ];
  });
}

const noManager = `openclaw:host: it is a worker of its Docker swarm: expected a manager, which makes the network of ${namespace}:overlay`;

/** Returns the problem of a host that is in a swarm without KASM's. */
export function otherSwarm(host: string): string {
  return `${hostSetting(host)}: it is in another Docker swarm than openclaw:host, and can be in one only: expected the same for ${namespace}:overlay, or ${hostSetting(host)}.privateAddress`;
}

/** Tries the ports by TCP between KASM's host and the others; none of UDP says whether it is open. */
export async function portProblems(
  found: readonly There[],
  { encrypted }: Overlay,
): Promise<string[]> {
  const addressOf = new Map(found.map(({ host, facts }) => [host, one(facts, "nodeAddress")]));
  const others = found.filter(({ host }) => host !== kasmHost).map(({ host }) => host);
  const problems = await Promise.all(
    found.map(async ({ host, target }) => {
      const peers = (host === kasmHost ? others : [kasmHost]).map((peer) => ({
        peer,
        socket: `${addressOf.get(peer) ?? ""}:7946`,
      }));
      const { stdout } = await runHostScript(target, {
        script: "swarm.sh",
        action: "check",
        variables: { PEERS: peers.map(({ socket }) => socket).join(" ") },
        seconds: 15,
      });
      const blocked = stdout.split("\n");
      return peers
        .filter(({ socket }) => blocked.includes(socket))
        .map(
          ({ peer, socket }) =>
            `${hostSetting(host)}: it does not reach ${socket} of ${hostSetting(peer)}: between the hosts of ${namespace}:overlay ${encrypted ? encryptedPorts : swarmPorts} have to be open`,
        );
    }),
  );
  return problems.flat();
}

/** Returns the one value of a fact, or nothing. */
export function one(facts: HostFacts, name: string): string {
  return first(facts, name) ?? "";
}

/** Returns the nodes of a swarm, which only a manager knows. */
export function membersOf(facts: HostFacts | undefined): Member[] {
  return (facts?.get("member") ?? []).map((line) => {
    const [id = "", status, joinedAt = "-", owner = "", bridge] = line.split(" ");
    return {
      id,
      isReady: status === "ready",
      joinedAt: joinedAt === "-" ? undefined : joinedAt,
      owner,
      hasOwnBridge: bridge === "made",
    };
  });
}

interface Address {
  readonly interface: string;
  readonly address: string;
  readonly mtu: number;
}

function addressesOf(facts: HostFacts): Address[] {
  return (facts.get("address") ?? []).map((line) => {
    const [name = "", subnet = "", mtu] = line.split(" ");
    return { interface: name, address: subnet.split("/")[0] ?? "", mtu: Number(mtu) || Infinity };
  });
}

/**
 * Returns the address at which the others are to reach a host, or why there is none.
 * @param overlay in the subnet that it names; without one the only address that is not of Docker's bridges
 */
export function advertisedAddress(
  { host, facts }: SwarmHost,
  { hostSubnet }: Overlay,
): { readonly address: string } | { readonly problem: string } {
  const all = addressesOf(facts).filter(({ interface: name }) => !/^(docker|br-|veth)/.test(name));
  const fitting = all.filter(
    ({ address }) => hostSubnet === undefined || subnetsOverlap(address, hostSubnet),
  );
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) {
    return { address: only.address };
  }
  const known = all.map(({ address }) => address).join(", ") || "none";
  return {
    problem: `${hostSetting(host)}: it has the addresses ${known}: expected ${namespace}:overlay with ${hostSubnet === undefined ? "" : "another "}hostSubnet, in which each host has one`,
  };
}

/** Returns a subnet for a new swarm's networks that no host has a route to. Docker's own choice, 10.0.0.0/8, often is the hosts'. */
export function freePool(found: readonly SwarmHost[]): string | undefined {
  const routes = found.flatMap(({ facts }) => facts.get("route") ?? []);
  const pools = Array.from({ length: 55 }, (_, index) => `10.${(200 + index).toString()}.0.0/16`);
  return pools.find((pool) => !routes.some((route) => subnetsOverlap(pool, route)));
}
