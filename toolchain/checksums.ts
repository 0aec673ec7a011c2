import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { archiveName, fetchTo, patience, pluginArchiveName, vendorSite } from "./download";
import { type Checksums, checksumsFile, sha256 } from "./knownChecksums";
import { versions } from "./versions";

const machines = [
  ["linux", "x64"],
  ["linux", "arm64"],
  ["darwin", "x64"],
  ["darwin", "arm64"],
] as const;

/** Downloads the vendor's archives for all kinds of machines and returns their checksums. */
export async function fetchChecksums(site: string, limits = patience): Promise<Checksums> {
  const folder = await mkdtemp(join(tmpdir(), "toolchain-checksums-"));
  const sums: Record<string, string> = {};
  const add = async (path: string, archive: string) => {
    const fetched = join(folder, archive);
    await fetchTo(`${site}/releases/${path}/${archive}`, fetched, limits);
    sums[archive] = await sha256(fetched);
    await rm(fetched);
  };
  try {
    for (const machine of machines) {
      await add("sdk", archiveName(...machine));
      for (const name of Object.keys(versions.plugins) as (keyof typeof versions.plugins)[]) {
        await add("plugins", pluginArchiveName(name, ...machine));
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return sums;
}

if (require.main === module) {
  fetchChecksums(vendorSite)
    .then((sums) => writeFile(checksumsFile, `${JSON.stringify(sums, undefined, 2)}\n`))
    .catch((problem: unknown) => {
      process.stderr.write(`${problem instanceof Error ? problem.message : String(problem)}\n`);
      process.exitCode = 1;
    });
}
