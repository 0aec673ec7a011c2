import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Rig } from "../../dev/rig/rig";

/** Returns the project's settings for a rig (Pulumi.rig.yaml), with names that do not collide with a developer's rig. */
export function rigSettings({
  name,
  sshPort,
  httpsPort,
  kasmDirectory,
  coreImage,
}: Rig): Record<string, unknown> & { workspaces: Record<string, object> } {
  const text = readFileSync(join(__dirname, "../../Pulumi.rig.yaml"), "utf8")
    .replaceAll("/rig/rig/", `/rig/${name}/`)
    .replaceAll("2222", sshPort.toString())
    .replaceAll("8443", httpsPort.toString());
  const { config } = parse(text) as { config: Record<string, unknown> };
  const entries = Object.entries(config).map(([key, value]) => [
    key.replace(/^openclaw:/, ""),
    value,
  ]);
  const ofItsKind = { kasmDirectory, kasmImage: { build: true, baseImage: coreImage } };
  return { ...Object.fromEntries(entries), ...ofItsKind } as ReturnType<typeof rigSettings>;
}
