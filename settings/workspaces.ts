import { readFileSync } from "node:fs";
import {
  castPermissions,
  type Permission,
  workspacePermissions,
} from "../components/kasmApi/permissions";
import type { Connection } from "../components/kasmApi/transport";
import { fromHome, type Settings } from "./index";

/** The kinds of tiles that the settings ask for. */
export function askedKinds({ workspaces }: Pick<Settings, "workspaces">) {
  return (["browser", "desktop", "link"] as const).filter((kind) => workspaces[kind]);
}

/** How KASM's API is reached, where the settings ask for tiles. Its key and secret are in clear. */
export function kasmConnection(settings: Settings): Connection | undefined {
  const { kasmUrl, kasmApiKey, kasmApiSecret, kasmCaFile, kasmFingerprint } = settings;
  if (askedKinds(settings).length === 0) {
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

/** What the API key has to be allowed for the tiles that the settings ask for. */
export function neededPermissions(settings: Settings): Permission[] {
  const needed = askedKinds(settings).flatMap((kind) => {
    const { cast } = settings.workspaces[kind] ?? {};
    return [
      ...workspacePermissions(kind === "link" ? "Link" : "Container"),
      ...(cast ? castPermissions(cast.group ?? "") : []),
    ];
  });
  return [...new Set(needed)];
}
