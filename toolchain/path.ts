import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { delimiter, dirname, join, resolve, sep } from "node:path";
import { $ } from "../host/shellCommand";
import { versions } from "./versions";

/** A Pulumi CLI on PATH, with data to check later whether it is still the same file. */
export interface FoundCli {
  readonly file: string;
  readonly version: string;
  readonly size: number;
  readonly modified: number;
}

/**
 * Whether a CLI of this version can run our program: the same major version as the one that we pin, and not older than
 * the SDK. Anything that is no version fits nowhere.
 */
export function fits(version: string): boolean {
  const found = numbers(version);
  const oldest = numbers(versions.oldestCli);
  const pinned = numbers(versions.cli);
  return (
    found !== undefined &&
    oldest !== undefined &&
    found[0] === pinned?.[0] &&
    compare(found, oldest) >= 0
  );
}

/** Compares two dotted versions: negative, zero or positive, as sorting functions do. Missing numbers count as 0. */
export function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

/** The numbers of a version as "v3.250.0", without a pre-release part; undefined when it is none. */
export function numbers(version: string): number[] | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version.trim());
  return match?.slice(1).map((part: string | undefined) => Number(part ?? 0));
}

/**
 * Looks for a fitting CLI on PATH. A CLI counts only with its language host and the launcher of dynamic providers
 * beside it, as the vendor installs them.
 *
 * @param searchPath value of PATH
 * @param ours folder with programs that are skipped: the toolchains that we made ourselves
 * @param note called with a sentence for a CLI that does not fit
 */
export async function findOnPath(
  searchPath: string,
  ours: string,
  note: (line: string) => void,
): Promise<FoundCli | undefined> {
  for (const folder of searchPath.split(delimiter).filter(Boolean)) {
    const file = join(folder, "pulumi");
    if (!(await executable(file)) || resolve(file).startsWith(ours + sep)) {
      continue;
    }
    const beside = dirname(await realpath(file));
    const companions = ["pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"].map((name) =>
      join(beside, name),
    );
    if (!(await Promise.all(companions.map(executable))).every(Boolean)) {
      note(`${file} is passed over: its language host is not beside it`);
      continue;
    }
    const result = await $({
      quiet: true,
      nothrow: true,
      timeout: "10s",
      env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    })`${file} version`;
    const version = result.stdout.trim();
    if (result.exitCode !== 0 || !fits(version)) {
      const wanted = `${versions.oldestCli} or newer of major version 3 is needed`;
      note(
        `${file} is passed over: it is ${version === "" ? "of an unknown version" : version}, ${wanted}`,
      );
      continue;
    }
    return { file, version, ...(await identity(file)) };
  }
  return undefined;
}

/** Whether the file that was found earlier is still there unchanged. */
export async function unchanged(cli: FoundCli): Promise<boolean> {
  try {
    const now = await identity(cli.file);
    return now.size === cli.size && now.modified === cli.modified;
  } catch {
    return false;
  }
}

async function identity(file: string): Promise<{ size: number; modified: number }> {
  const { size, mtimeMs } = await stat(file);
  return { size, modified: mtimeMs };
}

/** Returns whether a file exists and is executable. */
export async function executable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
