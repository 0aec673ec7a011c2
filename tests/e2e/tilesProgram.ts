// The tiles of tiles.draft.ts, imported by index.ts of its checkout; tiles.json beside it says where KASM is.
import { readFileSync } from "node:fs";
import { KasmCastConfig } from "../../components/kasmApi/kasmCastConfig";
import { KasmWorkspace } from "../../components/kasmApi/kasmWorkspace";
import type { Connection } from "../../components/kasmApi/transport";
import { cast, desktop, link } from "../unit/kasmApi/declared";

/** What tiles.json holds. */
export interface Tiles {
  readonly connection: Connection;
  /** What a browser in a session opens, and what one outside does. */
  readonly inside: string;
  readonly outside: string;
}

const { connection, inside, outside } = JSON.parse(readFileSync("tiles.json", "utf8")) as Tiles;

const browser = new KasmWorkspace(
  "browser",
  desktop(connection, {
    friendlyName: "OpenClaw Browser",
    image: "kasmweb/chrome:1.17.0",
    memoryMb: 2768,
    persistentProfilePath: "",
    runConfig: {
      hostname: "kasm",
      environment: { LAUNCH_URL: inside },
      extra_hosts: { "host.docker.internal": "host-gateway" },
    },
    execConfig: {},
    volumeMappings: {},
    launchConfig: {},
    availableWithinSeconds: 30,
  }),
);
new KasmWorkspace(
  "link",
  link(connection, {
    friendlyName: "OpenClaw Link",
    linkUrl: outside,
  }),
);
new KasmCastConfig("cast", {
  ...cast(connection, "", { configName: "openclaw-kasm: e2e/browser", opens: inside }),
  workspaceId: browser.id,
});
