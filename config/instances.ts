import { titles } from "../components/tileDefaults";
import type { Settings } from "./index";
import { fileNameOf } from "./route";
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
  const own = { ...ownPlaces(settings, name, index), workspaces: ownTiles(settings, name) };
  return { name, resource: `openclaw-${name}`, settings: { ...settings, ...own } };
}

/** The settings for what several gateways share: the tile for desktops, which have an OpenClaw of their own each. */
export function sharedSettings(settings: Settings): Settings {
  const { instances, workspaces } = settings;
  const isShared = instances.length > 0 && workspaces.desktop !== undefined;
  return { ...settings, workspaces: isShared ? { desktop: workspaces.desktop } : {} };
}

function ownPlaces(settings: Settings, name: string, index: number): Partial<Settings> {
  const { basePath, dataVolume, nginxRoute } = settings;
  const { serverName } = nginxRoute;
  return {
    containerName: `${settings.containerName}-${name}`,
    networkName: `${settings.networkName}-${name}`,
    networkSubnet: settings.networkSubnet && subnetBehind(settings.networkSubnet, index),
    port: settings.port + index,
    basePath: basePath && `${basePath}/${name}`,
    directory: `${settings.directory}-${name}`,
    dataVolume: dataVolume && `${dataVolume}-${name}`,
    nginxRoute: {
      ...nginxRoute,
      fileName: fileNameOf(nginxRoute).replace(/\.conf$/, `-${name}.conf`),
      ...(serverName === undefined ? {} : { serverName: `${name}.${serverName}` }),
    },
  };
}

function ownTiles(
  { workspaces: { browser, link } }: Settings,
  name: string,
): Settings["workspaces"] {
  const own = <Tile extends OwnTile>(tile: Tile, title: string): Tile => ({
    ...tile,
    friendlyName: `${tile.friendlyName ?? title} (${name})`,
    ...(tile.cast && { cast: { ...tile.cast, key: `${tile.cast.key}-${name}` } }),
  });
  return {
    ...(browser && { browser: own(browser, titles.browser) }),
    ...(link && { link: own(link, titles.link) }),
  };
}

interface OwnTile {
  readonly friendlyName?: string | undefined;
  readonly cast?: { readonly key: string } | undefined;
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
