import { readFileSync } from "node:fs";
import {
  castPermissions,
  membersPermissions,
  type Permission,
  workspacePermissions,
} from "../providers/kasm/permissions";
import type { Connection } from "../providers/kasm/transport";
import { castConfigName } from "../providers/kasm/marker";
import { defaultGroups } from "../components/tileDefaults";
import { type Settings } from "./index";
import { instancesOf, sharedSettings } from "./instances";
import { fromHome } from "../host/files";

/** The kinds of tiles that the settings ask for. */
export function askedKinds({ workspaces }: Pick<Settings, "workspaces">) {
  return (["browser", "desktop", "link"] as const).filter((kind) => workspaces[kind]);
}

/** A tile that the settings ask for. */
export interface AskedTile {
  /** Its kind, with the instance's name before it where each instance has its own. */
  readonly name: string;
  readonly kind: ReturnType<typeof askedKinds>[number];
  /** Those of its instance. */
  readonly settings: Settings;
}

/** All tiles of a stack. */
export function askedTiles(settings: Settings): AskedTile[] {
  const owners = [...instancesOf(settings), { name: "", settings: sharedSettings(settings) }];
  return owners.flatMap(({ name, settings: own }) =>
    askedKinds(own).map((kind) => ({
      name: name === "" ? kind : `${name}-${kind}`,
      kind,
      settings: own,
    })),
  );
}

/** Name of a tile's resource. */
export function tileResource(name: string): string {
  return `openclaw-${name}`;
}

/**
 * How KASM's API is reached, where the settings say it: without tiles too, because earlier ones may have to be
 * deleted. Key and secret are in clear.
 */
export function kasmConnection(settings: Settings): Connection | undefined {
  const { kasmUrl, kasmApiKey, kasmApiSecret, kasmCaFile, kasmFingerprint } = settings;
  if (!kasmUrl.startsWith("https://") || kasmApiKey === "" || kasmApiSecret === "") {
    return undefined;
  }
  return {
    kasmUrl,
    apiKey: kasmApiKey,
    apiSecret: kasmApiSecret,
    caPem: kasmCaFile === "" ? "" : readFileSync(fromHome(kasmCaFile), "utf8"),
    fingerprint: kasmFingerprint,
  };
}

/** Origins of the addresses that tiles open, where the settings name one. */
export function tileOrigins({
  workspaces: { browser, link },
}: Pick<Settings, "workspaces">): string[] {
  return [browser?.address, link?.address].flatMap((address) =>
    address === undefined ? [] : [new URL(address).origin],
  );
}

/** What the API key has to be allowed for the tiles and the people that the settings ask for. */
export function neededPermissions(settings: Settings): Permission[] {
  const needed = askedKinds(settings).flatMap((kind) => {
    const { cast } = settings.workspaces[kind] ?? {};
    return [
      ...workspacePermissions(kind === "link" ? "Link" : "Container"),
      ...(cast ? castPermissions(cast.group ?? "") : []),
    ];
  });
  const ofPeople = settings.kasmGroups.length > 0 ? membersPermissions : [];
  return [...new Set([...needed, ...ofPeople])];
}

/** Names of the groups that the tiles name, those of tiles without any included. */
export function neededGroups(settings: Settings): string[] {
  const needed = askedKinds(settings).flatMap((kind) => {
    const { groups = defaultGroups, cast } = settings.workspaces[kind] ?? {};
    return [...groups, ...(cast?.group === undefined ? [] : [cast.group])];
  });
  return [...new Set(needed)].sort();
}

/** The cast links that the settings ask for, each by its key and the name by which the stack knows it. */
export function askedCasts(
  settings: Settings,
  stack: string,
): { readonly key: string; readonly configName: string }[] {
  return askedTiles(settings).flatMap(({ name, kind, settings: own }) => {
    const { cast } = own.workspaces[kind] ?? {};
    return cast ? [{ key: cast.key, configName: castConfigName(stack, tileResource(name)) }] : [];
  });
}

/** Directory of the host that all sessions share, `""` for none. */
export function sharedDirectory(
  settings: Pick<Settings, "directory">,
  desktop: { readonly sharedDirectory?: string | undefined },
): string {
  return desktop.sharedDirectory ?? `${settings.directory}/shared`;
}
