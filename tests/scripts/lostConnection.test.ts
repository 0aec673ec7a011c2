import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openData } from "../../cli/backup/gatewayData";
import { whileStopped } from "../../cli/placement/data";
import { checkHost } from "../../cli/preflight/host";
import { parseSettings } from "../../config";
import { instancesOf } from "../../config/instances";
import { withHostLock } from "../../host/lock";
import { onHostOf } from "../../pulumi/deployment";
import { deploymentOf } from "../support/deployment";

const server = { hostKey: `ssh-ed25519 ${Buffer.from("key").toString("base64")}` };
const settings = parseSettings({
  values: {
    host: JSON.stringify({ ...server, address: "kasm" }),
    hosts: JSON.stringify({ two: { ...server, address: "second", privateAddress: "10.0.0.2" } }),
    instances: '[{"name":"bob","host":"two"}]',
  },
  encrypted: [],
});
const target = { ssh: { options: [], alias: "server", needsSudo: false } };
const deployment = deploymentOf({ settings, stack: "dev", target });
const there = onHostOf(deployment, { name: "bob" });
const [bob] = instancesOf(settings);
const path = process.env.PATH;
let folder: string;

beforeEach(() => {
  jest.spyOn(console, "error").mockImplementation();
  folder = mkdtempSync(join(tmpdir(), "lost-connection-"));
  writeFileSync(join(folder, "ssh"), "#!/bin/sh\necho 'Connection refused' >&2\nexit 255\n", {
    mode: 0o755,
  });
  process.env.PATH = `${folder}:${path ?? ""}`;
});
afterEach(() => {
  jest.restoreAllMocks();
  process.env.PATH = path;
  rmSync(folder, { recursive: true });
});

const work = () => Promise.resolve();

test.each<[string, () => Promise<unknown>]>([
  ["the lock on it", () => withHostLock(there, "up", work)],
  ["the check of it", () => checkHost({ ...deployment, leftOut: [""] }, [])],
  [
    "a gateway that is held stopped",
    () => whileStopped(there, { name: "bob", id: "b" }, undefined, work),
  ],
  ["a gateway's data", () => (bob === undefined ? work() : openData(there, bob))],
])("of a host that does not answer, %s names its own setting and address", async (_, ask) => {
  await expect(ask()).rejects.toThrow(/second.*Check openclaw:hosts\.two,/);
});
