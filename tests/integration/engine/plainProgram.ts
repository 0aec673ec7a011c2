import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/**
 * Writes a Pulumi program of one plain file, with this project's packages.
 * @returns its folder, which the caller removes, and a backend of files in there
 */
export function plainProgram(name: string, text: string): { folder: string; files: string } {
  const folder = mkdtempSync(join(tmpdir(), `openclaw-${name}-`));
  mkdirSync(join(folder, "state"));
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "Pulumi.yaml"), `name: ${name}\nruntime: nodejs\n`);
  writeFileSync(join(folder, "package.json"), '{ "main": "index.js" }');
  writeFileSync(join(folder, "index.js"), text);
  return { folder, files: `file://${join(folder, "state")}` };
}
