import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";

/** SHA-256 of the vendor's archives, in hexadecimal digits, by their names. */
export type Checksums = Readonly<Record<string, string>>;

/** The file in the repository. */
export const checksumsFile = join(__dirname, "checksums.json");

/** Reads the checksums in the repository. */
export function readChecksums(): Checksums {
  const sum = z.string().regex(/^[0-9a-f]{64}$/);
  return z.record(z.string(), sum).parse(JSON.parse(readFileSync(checksumsFile, "utf8")));
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
