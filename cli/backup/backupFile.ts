import { closeSync, createReadStream, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { z } from "zod";
import { UserError } from "../../host/userError";

/** What a backup says about itself: backup.json in the archive. */
const metadataSchema = z.object({
  /** Of the archive: backup.json, SHA256SUMS (of all files in data/) and data/, as a gzipped tar. */
  format: z.literal(1),
  date: z.iso.datetime(),
  stack: z.string(),
  /** Version of OpenClaw that wrote the data. */
  openclawVersion: z.string(),
});
export type Metadata = z.output<typeof metadataSchema>;

/** A backup's backup.json, or nothing where it is of a format that is not known here. */
export function readMetadata(text: string): Metadata | undefined {
  try {
    return metadataSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** First bytes of a file in the format of age-encryption.org. */
const ageHeader = "age-encryption.org/v1\n";

/**
 * The passphrase of backups from a file, `-` for standard input, or else from the file that
 * OPENCLAW_BACKUP_PASSPHRASE_FILE names; nothing where neither is given.
 */
export function readPassphrase(
  file = process.env.OPENCLAW_BACKUP_PASSPHRASE_FILE || undefined,
): string | undefined {
  if (file === undefined) {
    return undefined;
  }
  if (file !== "-" && !existsSync(file)) {
    throw new UserError(`There is no file ${file} with the backup's passphrase.`);
  }
  const passphrase = readFileSync(file === "-" ? process.stdin.fd : file, "utf8").replace(
    /\r?\n$/,
    "",
  );
  if (passphrase === "") {
    throw new UserError(
      `The passphrase in ${file === "-" ? "standard input" : file} is empty: expected one line of text.`,
    );
  }
  return passphrase;
}

/** Loaded as it is: what tsx makes of it for a static import derives a key ten times as slowly (measured). */
const age = () => import("age-encryption");

/** A stream as a file holds it: encrypted where there is a passphrase. */
export async function sealed(content: Readable, passphrase: string | undefined): Promise<Readable> {
  if (passphrase === undefined) {
    return content;
  }
  const { Encrypter } = await age();
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  return fromWeb(await encrypter.encrypt(toWeb(content)));
}

/**
 * The archive in a backup's file.
 * @throws UserError when there is no such file, or the passphrase is missing or wrong
 */
export async function opened(file: string, passphrase: string | undefined): Promise<Readable> {
  if (!existsSync(file)) {
    throw new UserError(`There is no file ${file}.`);
  }
  if (!isEncrypted(file)) {
    return createReadStream(file);
  }
  if (passphrase === undefined) {
    throw new UserError(
      `${file} is encrypted: give its passphrase with --passphrase-file, or name the file that holds it in OPENCLAW_BACKUP_PASSPHRASE_FILE.`,
    );
  }
  const { Decrypter } = await age();
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  const source = createReadStream(file);
  try {
    return fromWeb(await decrypter.decrypt(toWeb(source)));
  } catch (error) {
    source.destroy();
    const { message } = error as Error;
    throw new UserError(
      message.startsWith("no identity matched")
        ? `The passphrase is not the one that ${file} was encrypted with.`
        : `${file} can't be decrypted: ${message}`,
    );
  }
}

function isEncrypted(file: string): boolean {
  const start = Buffer.alloc(ageHeader.length);
  const handle = openSync(file, "r");
  readSync(handle, start);
  closeSync(handle);
  return start.toString("latin1") === ageHeader;
}

// Node's types and the web's differ in what they call the same streams.
const toWeb = (stream: Readable) => Readable.toWeb(stream) as globalThis.ReadableStream<Uint8Array>;
const fromWeb = (stream: globalThis.ReadableStream<Uint8Array>) =>
  Readable.fromWeb(stream as ReadableStream);

/**
 * Compares two versions of OpenClaw, such as 2026.9.6, 2026.9.1-beta.1 (before 2026.9.1) and 2026.7.1-2 (after 2026.7.1).
 * @returns less than 0 when the first is older, more than 0 when it is newer
 */
export function compareVersions(first: string, second: string): number {
  const [one, other] = [versionParts(first), versionParts(second)];
  const length = Math.max(one.length, other.length);
  const differences = Array.from({ length }, (_, index) => (one[index] ?? 0) - (other[index] ?? 0));
  return differences.find((difference) => difference !== 0) ?? 0;
}

function versionParts(version: string): number[] {
  const [release = "", suffix = ""] = version.split(/-(.*)/);
  const isBeta = /^[a-z]/.test(suffix);
  const numbers = (text: string) => (text.match(/\d+/g) ?? []).map(Number);
  return [...numbers(release), isBeta ? -1 : 0, ...numbers(suffix)];
}
