import { titles } from "../components/tileDefaults";
import type { Settings } from "./index";
import { fileNameOf } from "./route";

/** The settings that name things on a host and in KASM. */
type Names = Pick<
  Settings,
  "containerName" | "networkName" | "directory" | "dataVolume" | "nginxRoute" | "workspaces"
>;

/** Returns the names that one of several gateways or stacks has for itself, made from the common ones. */
export function ownNames({ dataVolume, nginxRoute, ...common }: Names, name: string): Names {
  const { serverName } = nginxRoute;
  const { browser, desktop, link } = common.workspaces;
  return {
    containerName: `${common.containerName}-${name}`,
    networkName: `${common.networkName}-${name}`,
    directory: `${common.directory}-${name}`,
    dataVolume: dataVolume && `${dataVolume}-${name}`,
    nginxRoute: {
      ...nginxRoute,
      fileName: fileNameOf(nginxRoute).replace(/\.conf$/, `-${name}.conf`),
      ...(serverName === undefined ? {} : { serverName: `${name}.${serverName}` }),
    },
    workspaces: {
      ...(browser && { browser: ownTile(browser, titles.browser, name) }),
      ...(desktop && { desktop: ownTile(desktop, titles.desktop, name) }),
      ...(link && { link: ownTile(link, titles.link, name) }),
    },
  };
}

interface Tile {
  readonly friendlyName?: string | undefined;
  readonly cast?: { readonly key: string } | undefined;
}

function ownTile<T extends Tile>(tile: T, title: string, name: string): T {
  return {
    ...tile,
    friendlyName: `${tile.friendlyName ?? title} (${name})`,
    ...(tile.cast && { cast: { ...tile.cast, key: `${tile.cast.key}-${name}` } }),
  };
}
