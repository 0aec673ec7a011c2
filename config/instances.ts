import type { Settings } from "./index";
import {
  desktopImageHosts,
  hostNames,
  hostOf,
  isOnKasmsHost,
  kasmHost,
  routeServers,
} from "./host";
import { ownNames } from "./ownNames";
import { withSizes } from "./plans";
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

/**
 * The gateways that the settings ask for, on one host if they are narrowed to it. Each has its own container, network, port,
 * data, credentials, path and tiles.
 */
export function instancesOf(settings: Settings): Instance[] {
  const { instances, onHost } = settings;
  if (instances.length === 0) {
    return isOnKasmsHost(settings) ? [{ name: "", resource: "openclaw", settings }] : [];
  }
  return instances.flatMap(({ name }, index) =>
    onHost === undefined || hostOf(settings, name) === onHost ? named(settings, name, index) : [],
  );
}

/** Returns the gateways with those of one host far from each other: what the engine does at a time is on several hosts. */
export function acrossHosts(settings: Settings): Instance[] {
  const ranks = new Map<string, number>();
  const ranked = instancesOf(settings).map((instance) => {
    const host = hostOf(settings, instance.name);
    const rank = ranks.get(host) ?? 0;
    ranks.set(host, rank + 1);
    return { instance, rank };
  });
  return ranked.sort((one, other) => one.rank - other.rank).map(({ instance }) => instance);
}

/** Gateways on other hosts to which the nginx of KASM's leads on the host that settings are narrowed to, if one does. */
export function routedElsewhere(settings: Settings): Instance[] {
  const { onHost: server = kasmHost } = settings;
  const others = hostNames(settings).filter((name) => name !== server);
  return routeServers(settings).includes(server)
    ? others.flatMap((onHost) => instancesOf({ ...settings, onHost }))
    : [];
}

/**
 * Returns a stack's settings as far as they concern one host: its server and the gateways there, what desktops need on KASM's
 * agents, and all else that is KASM's on its own host only.
 */
export function settingsOn(settings: Settings, onHost: string): Settings {
  if (onHost === kasmHost) {
    return withSizes({ ...settings, onHost });
  }
  const { kasmAgents, kasmImage, workspaces } = settings;
  const isAgent = kasmAgents.includes(onHost);
  return withSizes({
    ...settings,
    onHost,
    host: settings.hosts[onHost],
    workspaces: isAgent && workspaces.desktop ? { desktop: workspaces.desktop } : {},
    desktopPlan: "none",
    kasmImage: { ...kasmImage, build: desktopImageHosts(settings).includes(onHost) },
  });
}

/** Returns the settings of each of a stack's hosts, KASM's first. */
export function settingsByHost(settings: Settings): [Settings, ...Settings[]] {
  const [, ...others] = hostNames(settings);
  return [settingsOn(settings, kasmHost), ...others.map((name) => settingsOn(settings, name))];
}

function named(settings: Settings, name: string, index: number): Instance {
  const { basePath, networkSubnet, offsite, people, port } = settings;
  const { workspaces, ...names } = ownNames(settings, name);
  // Desktops have an OpenClaw of their own each.
  const { desktop: _, ...tiles } = workspaces;
  const own = {
    ...names,
    workspaces: tiles,
    networkSubnet: networkSubnet && subnetBehind(networkSubnet, index),
    port: port + index,
    basePath: basePath && `${basePath}/${name}`,
    offsite: offsite && { ...offsite, prefix: offsite.prefix && `${offsite.prefix}/${name}` },
    people: Object.fromEntries(
      Object.entries(people).filter(([, { instances }]) => instances?.includes(name) ?? true),
    ),
  };
  const onHost = hostOf(settings, name);
  // Its tiles and its route are KASM's, wherever it is.
  const { host, cpus, memoryMb } = settingsOn(settings, onHost);
  const place = Object.keys(settings.hosts).length === 0 ? {} : { host, cpus, memoryMb, onHost };
  return { name, resource: `openclaw-${name}`, settings: { ...settings, ...own, ...place } };
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
