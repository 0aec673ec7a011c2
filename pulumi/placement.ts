import { z } from "zod";
import { hostOfProvider, kasmHost } from "../config/host";
import { containerType, networkType } from "./networks";

/** Types of the resources that are on a host and go with their gateway; its credentials and its route's certificates stay. */
const placedTypes: readonly string[] = [
  containerType,
  networkType,
  "docker:index/volume:Volume",
  "command:local:Command",
  "pulumi-nodejs:dynamic/openclaw:DataDirectory",
];

const resourceSchema = z.looseObject({
  urn: z.string(),
  type: z.string(),
  id: z.string().optional(),
  parent: z.string().optional(),
  provider: z.string().optional(),
  dependencies: z.array(z.string()).optional(),
  propertyDependencies: z.record(z.string(), z.array(z.string()).nullable()).optional(),
  deletedWith: z.string().optional(),
});
type Resource = z.output<typeof resourceSchema>;

const exportSchema = z.looseObject({
  deployment: z.looseObject({ resources: z.array(resourceSchema).default([]) }).nullable(),
});

/** What of a gateway is meant: all that it has on hosts, that of its route and what is set aside, or the latter alone. */
type Part = "all" | "route" | "aside";

/** Start of the names of resources that are set aside: none of the engine's targets for a gateway covers them. */
const aside = "aside~";

/** The engine's pattern for all of them. */
export const allAside = `**::${aside}*`;

/** Name of a resource, and of the web server beside KASM's own that its name begins with, if it does. */
function namesIn(urn: string) {
  const [, server = kasmHost, name = ""] =
    /::(?:aside~)?(?:host-([a-z0-9]+)-)?([^:]+)$/.exec(urn) ?? [];
  return { server, name };
}

const isAside = ({ urn }: Resource) => urn.includes(`::${aside}`);
const isOfRoute = ({ urn }: Resource) => urn.includes(":KasmNginxRoute$");
const isPlacedOf = (resource: string, { urn, type }: Resource) =>
  placedTypes.includes(type) && `${namesIn(urn).name}-`.startsWith(`${resource}-`);

/**
 * Takes what a gateway has on hosts out of an exported state: the engine then creates it where the settings place it, and deletes
 * nothing on the host before. What was set aside goes too.
 * @param resource name of the gateway's resource
 * @param leftOut names of the hosts on which everything stays as it is
 * @returns the changed state, or nothing if it has none of it
 */
export function withoutPlaced(
  exported: unknown,
  resource: string,
  part: Part = "all",
  leftOut: readonly string[] = [],
): object | undefined {
  return changed(exported, (resources) =>
    without(
      resources,
      (each) =>
        isPlacedOf(resource, each) &&
        !leftOut.includes(namesIn(each.urn).server) &&
        (part === "all" || isAside(each) || (part === "route" && isOfRoute(each))),
    ),
  );
}

/**
 * Sets what a gateway has on its host aside in an exported state, under other names: the engine, led to the gateway by its targets,
 * then creates it on another host, and deletes nothing. Its route stays as it is.
 * @param to name of the other host. On a web server of KASM's the network of the way to a gateway elsewhere becomes the gateway's
 */
export function withPlacedAside(exported: unknown, resource: string, to: string): object {
  const state = exportSchema.parse(exported);
  const resources = state.deployment?.resources ?? [];
  const isMoved = (each: Resource) => isPlacedOf(resource, each) && !isOfRoute(each);
  const names = new Map(
    resources
      .filter((each) => isMoved(each) && !isAside(each))
      .map(({ urn }) => [urn, urn.replace(/::(?!.*::)/, `::${aside}`)]),
  );
  // The engine keeps what the program does not declare on the other host at the end of the state, where nothing may depend on it.
  const ofRoute = `${resource}-route-`;
  const outside = without(
    resources,
    isMoved,
    (each) => isMoved(each) || (isOfRoute(each) && namesIn(each.urn).name.startsWith(ofRoute)),
  );
  const kept = withAdoptedNetwork(outside, resource, to);
  const put = resources.filter(({ urn }) => names.has(urn)).map((each) => renamed(each, names));
  return replaced(state, [...kept, ...put]);
}

/**
 * Returns the engine's targets for what a gateway has on its host. Nothing that is set aside depends on them, which the engine would
 * have to delete.
 */
export function placedTargets(resource: string): string[] {
  return placedTypes.flatMap((type) => [
    "--target",
    `**:OpenClawStandalone$**${type}::${resource}-*`,
  ]);
}

/** The network of the way to a gateway on another host, as the gateway's own on its new one. */
function withAdoptedNetwork(
  resources: readonly Resource[],
  resource: string,
  to: string,
): Resource[] {
  const network = resources.find(({ urn, type }) => {
    const { server, name } = namesIn(urn);
    return type === networkType && server === to && name === `${resource}-route-network`;
  });
  const gateway = resources.find(({ urn }) => urn.endsWith(`:OpenClawStandalone::${resource}`));
  if (network === undefined || gateway === undefined) {
    return [...resources];
  }
  const urn = `${gateway.urn.slice(0, gateway.urn.lastIndexOf("::"))}$${networkType}::${resource}-network`;
  const names = new Map([[network.urn, urn]]);
  return resources.map((each) =>
    each === network ? { ...each, urn, parent: gateway.urn } : renamed(each, names),
  );
}

/** A gateway's container in a state. */
interface GatewayContainer {
  readonly id: string;
  readonly host: string;
}

/** A gateway that is set aside in a state. */
interface Aside {
  /** Name of its resource. */
  readonly resource: string;
  /** On the host that it was on. */
  readonly previous: GatewayContainer;
  /** On the host that it was to move to, if it is known there. */
  readonly current: GatewayContainer | undefined;
}

/** Returns the gateways that are set aside in an exported state. */
export function asideIn(exported: unknown): Aside[] {
  const resources = exportSchema.parse(exported).deployment?.resources ?? [];
  const containerOf = (name: string) => {
    const path = `:OpenClawStandalone$${containerType}::${name}`;
    const found = resources.find(({ urn }) => urn.endsWith(path));
    return found && { id: found.id ?? "", host: hostOfProvider(found.provider) };
  };
  return resources.flatMap(({ urn }) => {
    const [, name = "", resource = ""] = /::(aside~(.+)-container)$/.exec(urn) ?? [];
    const previous = containerOf(name);
    return previous === undefined
      ? []
      : [{ resource, previous, current: containerOf(`${resource}-container`) }];
  });
}

/** Puts what was set aside of a gateway back in its place, and forgets what it has on the host that it was to move to. */
export function withAsideBack(exported: unknown, resource: string): object | undefined {
  return changed(exported, (resources) => {
    const names = new Map(
      resources
        .filter((each) => isAside(each) && isPlacedOf(resource, each))
        .map(({ urn }) => [urn, urn.replace(`::${aside}`, "::")]),
    );
    const kept = without(
      resources,
      (each) => isPlacedOf(resource, each) && !isOfRoute(each) && !isAside(each),
    );
    return kept.map((each) => renamed(each, names));
  });
}

/** Leaves resources out, and all references to them or to those that are named. */
function without(
  resources: readonly Resource[],
  isGone: (resource: Resource) => boolean,
  isUnreferenced = isGone,
): Resource[] {
  const gone = new Set(resources.filter(isUnreferenced).map(({ urn }) => urn));
  const stays = (urn: string) => !gone.has(urn);
  return resources
    .filter((each) => !isGone(each))
    .map((each) => ({
      ...each,
      ...(each.dependencies && { dependencies: each.dependencies.filter(stays) }),
      ...(each.propertyDependencies && {
        propertyDependencies: Object.fromEntries(
          Object.entries(each.propertyDependencies).map(([key, urns]) => [
            key,
            urns?.filter(stays) ?? null,
          ]),
        ),
      }),
      ...(each.deletedWith !== undefined &&
        gone.has(each.deletedWith) && { deletedWith: undefined }),
    }));
}

/** A resource under its new name if it has one, and with the new names in all its references. */
function renamed(resource: Resource, names: ReadonlyMap<string, string>): Resource {
  let text = JSON.stringify(resource);
  for (const [from, to] of names) {
    text = text.replaceAll(JSON.stringify(from), JSON.stringify(to));
  }
  return resourceSchema.parse(JSON.parse(text));
}

type State = z.output<typeof exportSchema>;

function replaced(state: State, resources: readonly Resource[]): object {
  return { ...state, deployment: { ...state.deployment, resources } };
}

function changed(
  exported: unknown,
  change: (resources: readonly Resource[]) => readonly Resource[],
): object | undefined {
  const state = exportSchema.parse(exported);
  const before = state.deployment?.resources ?? [];
  const after = change(before);
  const isSame = JSON.stringify(after) === JSON.stringify(before);
  return isSame ? undefined : replaced(state, after);
}
