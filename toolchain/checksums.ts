import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { archiveName, fetchTo, patience, pluginArchiveName, vendorSite } from "./download";
import { versions } from "./versions";

/** SHA-256 of the vendor's archives, in hexadecimal digits, by their names. */
export type Checksums = Readonly<Record<string, string>>;

const file = join(__dirname, "checksums.json");

/** Reads the checksums in the repository. */
export function readChecksums(): Checksums {
  const sum = z.string().regex(/^[0-9a-f]{64}$/);
  return z.record(z.string(), sum).parse(JSON.parse(readFileSync(file, "utf8")));
}

/**
 * Looks up an archive's checksum.
 *
 * @throws when there is none: what can't be checked is not used
 */
export function checksumOf(checksums: Checksums, archive: string): string {
  const sum = checksums[archive];
  if (sum === undefined) {
    throw new Error(`${archive} has no checksum in toolchain/checksums.json`);
  }
  return sum;
}

/** Returns the SHA-256 of a file in hexadecimal digits. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

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
    .then((sums) => writeFile(file, `${JSON.stringify(sums, undefined, 2)}\n`))
    .catch((problem: unknown) => {
      process.stderr.write(`${problem instanceof Error ? problem.message : String(problem)}\n`);
      process.exitCode = 1;
    });
}
