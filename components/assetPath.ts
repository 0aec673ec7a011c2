import { join, relative } from "node:path";

/**
 * Returns the path of a folder of this package's `assets/`, relative to the folder of the Pulumi project: the state holds
 * it, and another machine has the project elsewhere.
 */
export function assetPath(folder: string): string {
  return relative(process.cwd(), join(__dirname, "../assets", folder));
}
