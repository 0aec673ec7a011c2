import { z } from "zod";
import { optionsKey, ownLabel, stackKey } from "../components/stackLabel";
import { forwarderName } from "../components/nginxRouteFile";
import { hostOfProvider, kasmHost, overlayOf, routeServers } from "../config/host";
import { instancesOf, routedElsewhere } from "../config/instances";
import { askDocker } from "../host/run";
import type { HostDeployment } from "./deployment";

/** Type of a container in Pulumi's state. */
export const containerType = "docker:index/container:Container";
/** Type of a network in Pulumi's state. */
export const networkType = "docker:index/network:Network";
/** Its type in a state of the version before, in which a script kept it (docs/decisions/0027). */
const formerType = "pulumi-nodejs:dynamic/openclaw:Network";

/** Type of the component of the network between hosts. */
const overlayType = "openclaw:index:OverlayNetwork";

/** The network of one gateway of a stack, or of the forwarder to a gateway elsewhere. */
export interface GatewayNetwork {
  /** Name of the host that it is on. */
  readonly host: string;
  /** Name of a container on it. */
  readonly containerName: string;
  readonly networkName: string;
  /** Value of its label. */
  readonly owner: string;
  /** Docker's id of the network that has this label; none if there is no such network. */
  readonly id: string | undefined;
  /** Value of the label with its options, which a network between hosts has. */
  readonly options?: string | undefined;
}

/** Finds a stack's networks on a host by their labels. Returns none of them if Docker does not answer. */
export async function gatewayNetworks({
  settings,
  stack,
  target,
  host,
}: Pick<HostDeployment, "settings" | "stack" | "target" | "host">): Promise<GatewayNetwork[]> {
  const format = `{{.ID}} {{.Label "${stackKey}"}} {{.Label "${optionsKey}"}}`;
  const filter = `label=${stackKey}`;
  const list = ["network", "ls", "--no-trunc", "--filter", filter, "--format", format];
  const { stdout, exitCode } = await askDocker(target, ...list);
  if (exitCode !== 0) {
    return [];
  }
  const found = stdout.split("\n").map((line) => line.split(" "));
  const own = instancesOf(settings).map(({ settings: { containerName, networkName } }) => ({
    containerName,
    networkName,
  }));
  const ofForwarders = routedElsewhere(settings).flatMap(({ settings: narrowed }) => {
    const containerName = forwarderName(narrowed.containerName);
    const overlay = overlayOf(narrowed);
    const networkName = overlay ?? narrowed.networkName;
    // The network between hosts is KASM's host's.
    return overlay !== undefined && host !== kasmHost ? [] : [{ containerName, networkName }];
  });
  // After a move that was killed, the settings may still place a gateway here of which only the forwarder is.
  const ofMoved = (routeServers(settings).includes(host) ? own : []).map(
    ({ containerName, networkName }) => ({
      containerName: forwarderName(containerName),
      networkName,
    }),
  );
  return [...own, ...ofForwarders, ...ofMoved].map(({ containerName, networkName }) => {
    const owner = ownLabel(stack, networkName).value;
    const [id, , options = ""] = found.find(([, label]) => label === owner) ?? [];
    return { host, containerName, networkName, owner, id, ...(options === "" ? {} : { options }) };
  });
}

const resourceSchema = z.looseObject({
  urn: z.string(),
  type: z.string(),
  id: z.string().optional(),
  parent: z.string().optional(),
  provider: z.string().optional(),
  delete: z.boolean().optional(),
  dependencies: z.array(z.string()).nullish(),
  inputs: z.record(z.string(), z.unknown()).optional(),
});
type Resource = z.output<typeof resourceSchema>;

const exportSchema = z.looseObject({
  deployment: z.looseObject({ resources: z.array(resourceSchema).default([]) }).nullable(),
});

/**
 * Adds networks to an exported state that it does not have as `docker.Network`: those of the version before, and those that
 * it lost when a connection was cut off. A network is added only if its gateway is in the state.
 * @returns the changed state, or nothing if it has them all
 */
export function withNetworks(
  exported: unknown,
  networks: readonly GatewayNetwork[],
): object | undefined {
  const state = exportSchema.parse(exported);
  const known = state.deployment?.resources ?? [];
  const resources = networks.reduce(withNetwork, known);
  return resources === known
    ? undefined
    : { ...state, deployment: { ...state.deployment, resources } };
}

function withNetwork(
  resources: Resource[],
  { host, containerName, networkName, owner, id, options }: GatewayNetwork,
): Resource[] {
  const former = resources.find((each) => each.type === formerType && each.id === owner);
  const isKnown = resources.some((each) => each.type === networkType && each.id === id);
  const container = resources.find(
    (each) =>
      each.type === containerType &&
      !each.delete &&
      each.inputs?.name === containerName &&
      hostOfProvider(each.provider) === host,
  );
  const place = former ?? (id === undefined || isKnown ? undefined : container);
  const overlay = options && resources.find(({ type }) => type === overlayType);
  if (place === undefined || (options !== undefined && !overlay)) {
    return resources;
  }
  const urn = overlay
    ? `${overlay.urn.replace(overlayType, () => `${overlayType}$${networkType}`)}-network`
    : place.urn.replace(place.type, networkType).replace(/-(container|forwarder)$/, "-network");
  const provider =
    container?.provider ?? resources.find(({ type }) => type.startsWith("docker:"))?.provider;
  const labels = [{ __defaults: [], label: stackKey, value: owner }];
  const inputs = {
    __defaults: ["ipamDriver"],
    driver: "bridge",
    ipamDriver: "default",
    labels,
    name: networkName,
    ...(options && {
      attachable: true,
      driver: "overlay",
      labels: [...labels, { __defaults: [], label: optionsKey, value: options }],
      options: JSON.parse(options) as object,
    }),
  };
  const network = {
    urn,
    custom: true,
    type: networkType,
    // A refresh finds no network by the owner, so that `up` creates one.
    id: id ?? owner,
    inputs,
    // As Docker's provider reads it: without them a plan would replace it.
    outputs: { options: {}, ...inputs },
    parent: overlay ? overlay.urn : place.parent,
    provider,
  };
  // A state without Docker's provider has no container either: nothing depends on the network.
  const added = provider === undefined ? [] : [network];
  // The doors on other hosts may be in front of the forwarder.
  const next = resources.find((each) => each === place || each.dependencies?.includes(urn));
  return resources
    .filter((each) => each.urn !== urn)
    .flatMap((each) => [
      ...(each === next ? added : []),
      ...(each === former ? [] : [withReferences(each, former?.urn, urn)]),
    ]);
}

/** Returns a resource that depends on another one by its new URN. */
function withReferences(resource: Resource, from: string | undefined, to: string): Resource {
  return from === undefined
    ? resource
    : resourceSchema.parse(JSON.parse(JSON.stringify(resource).replaceAll(`"${from}"`, `"${to}"`)));
}
