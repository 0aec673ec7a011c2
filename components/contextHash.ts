import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/**
 * Twelve hex digits that change when anything that an image is made from changes: a file's name, its content, whether
 * it is executable, or one of `inputs`. Texts for people (`*.md`) do not count.
 */
export function contextHash(folder: string, inputs: Record<string, string> = {}): string {
  const hash = createHash("sha256");
  for (const file of filesBelow(folder)) {
    const executable = (statSync(file).mode & 0o100) !== 0;
    hash.update(`${relative(folder, file)}\0${executable.toString()}\0`);
    hash.update(createHash("sha256").update(readFileSync(file)).digest());
  }
  for (const name of Object.keys(inputs).sort()) {
    hash.update(`${name}\0${inputs[name] ?? ""}\0`);
  }
  return hash.digest("hex").slice(0, 12);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".md"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
