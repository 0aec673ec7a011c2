import type { Settings } from "./index";
import { ownNames } from "./ownNames";
import { subnetBehind } from "./subnet";

/** One of a stack's gateways. */
export interface Instance {
  /** Nothing where the stack has one gateway without a name. */
  readonly name: string;
  /** Name of its resource, with which the names of its parts begin. */
  readonly resource: string;
  /** The stack's settings, with names and places of its own where it has a name. */
  readonly settings: Settings;
}

/** The gateways that the settings ask for. Each has its own container, network, port, data, credentials, path and tiles. */
export function instancesOf(settings: Settings): [Instance, ...Instance[]] {
  const [first, ...others] = settings.instances;
  if (first === undefined) {
    return [{ name: "", resource: "openclaw", settings }];
  }
  return [
    named(settings, first, 0),
    ...others.map((name, index) => named(settings, name, index + 1)),
  ];
}

function named(settings: Settings, name: string, index: number): Instance {
  const { basePath, networkSubnet, people, port } = settings;
  const { workspaces, ...names } = ownNames(settings, name);
  // Desktops have an OpenClaw of their own each.
  const { desktop: _, ...tiles } = workspaces;
  const own = {
    ...names,
    workspaces: tiles,
    networkSubnet: networkSubnet && subnetBehind(networkSubnet, index),
    port: port + index,
    basePath: basePath && `${basePath}/${name}`,
    people: Object.fromEntries(
      Object.entries(people).filter(([, { instances }]) => instances?.includes(name) ?? true),
    ),
  };
  return { name, resource: `openclaw-${name}`, settings: { ...settings, ...own } };
}

/** The settings for what several gateways share: the tile for desktops, which have an OpenClaw of their own each. */
export function sharedSettings(settings: Settings): Settings {
  const { instances, workspaces } = settings;
  const isShared = instances.length > 0 && workspaces.desktop !== undefined;
  return { ...settings, workspaces: isShared ? { desktop: workspaces.desktop } : {} };
}

/** A value of each gateway by its name; of one without a name the value itself. */
export function byInstance<T extends Pick<Instance, "name">, V>(
  instances: readonly T[],
  value: (instance: T) => V,
): V | Record<string, V> {
  const [first] = instances;
  return first?.name === ""
    ? value(first)
    : Object.fromEntries(instances.map((instance) => [instance.name, value(instance)]));
}
