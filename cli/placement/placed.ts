import { browserName, offsiteName, pauseName } from "../../components/gateway/container";
import { doorName, forwarderName } from "../../components/nginxRouteFile";
import { hostSetting, kasmServers } from "../../config/host";
import type { Instance } from "../../config/instances";
import { type Hold, whileHeld } from "../../host/held";
import { type Look, runHostScript } from "../../host/run";
import { lostConnection } from "../../host/sshProblem";
import { UserError } from "../../host/userError";
import type { Deployment, HostDeployment } from "../../pulumi/deployment";
import { type HostFacts, parseFacts } from "../preflight/host";

/** What a host has of a gateway, by names and labels: Pulumi's state may say otherwise. */
export interface Placed {
  readonly host: string;
  /** Its own containers there. */
  readonly containers: readonly PlacedContainer[];
  /** Whether the gateway itself is among them. */
  readonly hasGateway: boolean;
  /** Where its data is, if there is any. */
  readonly data: string | undefined;
  /** A place for data that is empty. */
  readonly empty: string | undefined;
}

interface PlacedContainer {
  readonly name: string;
  readonly id: string;
  readonly state: string;
}

/**
 * What of a gateway is meant: all that is on its host, on a web server of KASM's the way to a gateway elsewhere, or of that the
 * forwarder alone.
 */
type Part = "gateway" | "way" | "forwarder";

/** Names of what a gateway has on a host. */
function namesOf({ settings }: Instance, part: Part, host: string) {
  const { containerName, networkName, dataVolume, directory } = settings;
  const isServer = kasmServers(settings).includes(host);
  const way = isServer ? [forwarderName(containerName)] : [];
  const networks = part === "way" ? [networkName] : [];
  return part !== "gateway"
    ? { containers: way, networks, directories: [], volumes: [], pauses: [] }
    : {
        containers: [
          containerName,
          ...[browserName, offsiteName, doorName].map((name) => name(containerName)),
        ],
        // On a web server the forwarder to a gateway elsewhere has a network of the same name.
        networks: isServer ? [] : [networkName],
        directories: dataVolume ? [] : [`${directory}/data`],
        volumes: dataVolume ? [dataVolume] : [],
        pauses: [pauseName(containerName)],
      };
}

/** Returns what assets/host/placed.sh is asked about gateways that are not placed on a host. */
export function placedLook(stack: string, instances: readonly Instance[], host: string): Look {
  const names = instances.map((instance) => namesOf(instance, "gateway", host));
  const all = (key: "containers" | "networks" | "directories" | "volumes") =>
    names.flatMap((each) => each[key]).join(" ");
  return {
    script: "placed.sh",
    variables: {
      STACK: stack,
      CONTAINERS: all("containers"),
      NETWORKS: all("networks"),
      DIRECTORIES: all("directories"),
      VOLUMES: all("volumes"),
      STOPPED: "",
      LOCK: "",
    },
    asRoot: true,
  };
}

/** Reads what assets/host/placed.sh printed as far as it is about one gateway. */
export function placedIn(facts: HostFacts, instance: Instance, host: string): Placed {
  const { containers: names, directories, volumes } = namesOf(instance, "gateway", host);
  const places: readonly string[] = [...directories, ...volumes];
  const containers = (facts.get("container") ?? []).flatMap((line) => {
    const [name = "", id = "", state = ""] = line.split(" ");
    return names.includes(name) ? [{ name, id, state }] : [];
  });
  return {
    host,
    containers,
    hasGateway: containers.some(({ name }) => name === instance.settings.containerName),
    data: facts.get("data")?.find((place) => places.includes(place)),
    empty: facts.get("empty")?.find((place) => places.includes(place)),
  };
}

/** Finds what a host has of gateways, in their order. */
export async function findPlaced(
  { stack, targetOf }: Pick<Deployment, "stack" | "targetOf">,
  instances: readonly Instance[],
  host: string,
): Promise<Placed[]> {
  const look = placedLook(stack, instances, host);
  const call = { ...look, action: "look", seconds: 60 } as const;
  const { stdout, stderr, exitCode } = await runHostScript(targetOf(host), call);
  if (exitCode !== 0) {
    throw new UserError(
      `${hostSetting(host)}: what is left of gateways there can't be found: ${stderr.trim()}`,
    );
  }
  const facts = parseFacts(stdout);
  return instances.map((instance) => placedIn(facts, instance, host));
}

/**
 * Removes a gateway's containers and networks from a host, or from a web server of KASM's the way to it; its data stays.
 * @param isStopped whether the gateway has to be stopped already, because what it writes now would be lost
 * @throws UserError if something is left of them
 */
export async function removePlaced(
  { stack, targetOf }: Pick<Deployment, "stack" | "targetOf">,
  instance: Instance,
  host: string,
  part: Part,
  isStopped = false,
): Promise<void> {
  const { exitCode, stderr } = await runHostScript(targetOf(host), {
    script: "placed.sh",
    action: "remove",
    variables: {
      ...removalOf(stack, instance, part, host),
      STOPPED: isStopped ? instance.settings.containerName : "",
    },
    asRoot: true,
  });
  if (exitCode !== 0) {
    throw new UserError(
      `${hostSetting(host)}: ${instance.settings.containerName} can't be removed there: ${stderr.trim()}`,
    );
  }
}

function removalOf(stack: string, instance: Instance, part: Part, host: string) {
  const { containers, networks, pauses } = namesOf(instance, part, host);
  return {
    STACK: stack,
    CONTAINERS: containers.join(" "),
    NETWORKS: networks.join(" "),
    DIRECTORIES: "",
    VOLUMES: pauses.join(" "),
    STOPPED: "",
    LOCK: "",
  };
}

/**
 * Has a host remove what it gets of a gateway in the time of `work`, unless it hears "given" by then: also if this process is killed
 * or the connection is lost.
 */
export async function whileRevocable<T>(
  { stack, target, settings, host }: HostDeployment,
  instance: Instance,
  work: (revocable: Hold) => Promise<T>,
): Promise<T> {
  const refusal = (exitCode: number | null, stderr: string) =>
    new UserError(
      lostConnection(settings.host, host, exitCode, stderr) ??
        `${hostSetting(host)} does not hold what is created there: ${stderr.trim()}`,
    );
  const variables = {
    ...removalOf(stack, instance, "gateway", host),
    LOCK: settings.containerName,
  };
  const holding = { target, script: "placed.sh", variables, asRoot: true, refusal };
  return await whileHeld(holding, work);
}

/**
 * Returns the host on which a gateway is now: a container counts more than data, and what the settings say more than what is
 * left elsewhere. A copy of the data on the host that it moves to counts only once the settings say so.
 * @returns nothing if it is on none of them
 * @throws UserError if it is on several, of which none is in the settings
 */
export function ownerOf(
  placed: readonly Placed[],
  configured: string,
  destination: string,
): string | undefined {
  const kinds = [
    placed.filter(({ hasGateway }) => hasGateway),
    placed.filter(
      ({ data, host }) => data !== undefined && (host !== destination || host === configured),
    ),
  ];
  for (const found of kinds) {
    const hosts = found.map(({ host }) => host);
    if (hosts.includes(configured)) {
      return configured;
    }
    if (hosts.length > 1) {
      throw new UserError(
        `The gateway is on several hosts, and on none where the settings place it: ${hosts.map(hostSetting).join(", ")}. Set its host in openclaw:instances to the one that counts, then try again.`,
      );
    }
    if (hosts[0] !== undefined) {
      return hosts[0];
    }
  }
  return undefined;
}
