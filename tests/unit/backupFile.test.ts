import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import {
  compareVersions,
  opened,
  readMetadata,
  readPassphrase,
  sealed,
} from "../../cli/backup/backupFile";

// The key's derivation is meant to take long.
jest.setTimeout(60_000);

let folder: string;
const file = (name: string, text: string | Buffer) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "backup-file-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  delete process.env.OPENCLAW_BACKUP_PASSPHRASE_FILE;
});

describe("an encrypted backup", () => {
  const content = Buffer.alloc(200_000, "some data ");
  let bytes: Buffer;
  let sealedFile: string;

  beforeAll(async () => {
    bytes = await buffer(await sealed(Readable.from([content]), "right"));
  });
  beforeEach(() => {
    sealedFile = file("a.age", bytes);
  });

  test("hides its content, and opens with its passphrase", async () => {
    expect(bytes.toString("latin1")).not.toContain("some data");
    expect(content.equals(await buffer(await opened(sealedFile, "right")))).toBe(true);
  });

  test("reports a wrong or missing passphrase", async () => {
    await expect(opened(sealedFile, "wrong")).rejects.toThrow(/^The passphrase is not the one/);
    await expect(opened(sealedFile, undefined)).rejects.toThrow(
      /is encrypted: give its passphrase/,
    );
  });

  test("is refused if it is truncated or a byte is changed", async () => {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(100_000) ^ 1, 100_000);

    const damaged = [bytes.subarray(0, 150_000), changed].map((damage, index) =>
      file(`damaged-${index.toString()}`, damage),
    );
    for (const each of damaged) {
      await expect(opened(each, "right").then((stream) => buffer(stream))).rejects.toThrow();
    }
  });
});

test("reads a backup that is not encrypted, with or without a passphrase", async () => {
  const plain = file("plain", "archive");

  expect((await buffer(await opened(plain, undefined))).toString()).toBe("archive");
  expect((await buffer(await opened(plain, "any"))).toString()).toBe("archive");
});

test("reports a missing file", async () => {
  await expect(opened("/nowhere/a.tar.gz", undefined)).rejects.toThrow(
    "There is no file /nowhere/a.tar.gz.",
  );
});

describe("the passphrase", () => {
  test.each([
    ["from a file, without its line end", "secret words\n", "secret words"],
    ["with Windows' line end", "secret\r\n", "secret"],
    ["with blanks that belong to it", " a b ", " a b "],
  ])("%s", (_, text, passphrase) => {
    expect(readPassphrase(file("passphrase", text))).toBe(passphrase);
  });

  test("comes from the file in the environment unless another is named", () => {
    process.env.OPENCLAW_BACKUP_PASSPHRASE_FILE = file("one", "one");

    expect(readPassphrase()).toBe("one");
    expect(readPassphrase(file("two", "two"))).toBe("two");
  });

  test.each([undefined, ""])("is undefined with %j in the environment", (value) => {
    if (value !== undefined) {
      process.env.OPENCLAW_BACKUP_PASSPHRASE_FILE = value;
    }

    expect(readPassphrase()).toBeUndefined();
  });

  test("is refused if it is empty or its file is missing", () => {
    expect(() => readPassphrase(file("empty", "\n"))).toThrow(/is empty/);
    expect(() => readPassphrase("/nowhere/passphrase")).toThrow(/There is no file/);
  });
});

test.each([
  ["not JSON", undefined],
  ['{"format":2}', undefined],
  [
    '{"format":1,"date":"2026-11-24T02:20:10.317Z","stack":"dev","openclawVersion":"2026.9.6"}',
    "2026.9.6",
  ],
])("of a backup.json %s the version is %s", (text, version) => {
  expect(readMetadata(text)?.openclawVersion).toBe(version);
});

test.each([
  ["2026.9.6", "2026.9.6", 0],
  ["2026.9.5", "2026.9.6", -1],
  ["2026.9.10", "2026.9.9", 1],
  ["2026.10.1", "2026.9.30", 1],
  ["2026.9.1-beta.1", "2026.9.1", -1],
  ["2026.9.1-beta.2", "2026.9.1-beta.1", 1],
  ["2026.9.1", "2026.8.2", 1],
  ["2026.7.1-2", "2026.7.1", 1],
  ["2026.7.1-2", "2026.7.2-beta.1", -1],
])("%s compared with %s: %d", (first, second, sign) => {
  expect(Math.sign(compareVersions(first, second))).toBe(sign);
  expect(Math.sign(compareVersions(second, first))).toBe(sign === 0 ? 0 : -sign);
});
