import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { unzipSync } from "fflate";
import { $ } from "../host/shellCommand";
import { goFolder } from "./build";
import { fetchTo, patience, reason } from "./download";
import { compare, numbers } from "./path";
import { goRelease, type GoRelease } from "./versions";

/** A Go to build with. */
export interface Go {
  readonly command: string;
  /** What it needs in its environment. */
  readonly env: NodeJS.ProcessEnv;
}

/** A proxy that does not have Go yet fetches it first, hence the long wait for an answer. */
const limits = { ...patience, connect: 60_000 };

/**
 * Finds the Go on PATH, if it is new enough for the modules; else fetches one into a folder.
 *
 * @param folder folder that is made if Go is fetched, and that the caller removes
 * @param env environment to read PATH and GOPROXY from
 * @throws with what is missing and how to get on
 */
export async function findGo(
  folder: string,
  env: NodeJS.ProcessEnv,
  report: (line: string) => void,
  release: GoRelease = goRelease,
): Promise<Go> {
  const found = await onPath(env);
  const needed = neededGo();
  if (found !== undefined && compare(numbers(found) ?? [], numbers(needed) ?? []) >= 0) {
    return { command: "go", env: {} };
  }
  const missing = `Building the engine needs Go ${needed}, and ${
    found === undefined ? `there is no working "go" on PATH` : `"go" on PATH is ${found}`
  }`;
  report(`${missing}: fetching Go ${release.version}`);
  try {
    await fetchGo(folder, env, release);
  } catch (problem) {
    throw new Error(
      `${missing}. Go ${release.version} can't be fetched: ${reason(problem)}. ` +
        `Install Go ${needed} or newer, set GOPROXY to a Go module proxy, or let this machine reach the vendor's site.`,
      { cause: problem },
    );
  }
  return { command: join(folder, "bin", "go"), env: { GOROOT: folder } };
}

/** The oldest Go that can build: the CLI's module says it. */
export function neededGo(): string {
  const manifest = readFileSync(join(goFolder, "cli", "go.mod"), "utf8");
  const [, version] = /^go (\S+)$/m.exec(manifest) ?? [];
  if (version === undefined) {
    throw new Error("toolchain/go/cli/go.mod names no version of Go");
  }
  return version;
}

/** The version of the Go on PATH, as it is in a module of ours: since 1.21, Go itself fetches one that fits if it may. */
async function onPath(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return (await goSetting("GOVERSION", env))?.replace(/^go/, "");
}

/** What the Go on PATH has for one of its variables; nothing without a Go that works. */
async function goSetting(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const cwd = join(goFolder, "cli");
  const { exitCode, stdout } = await $({ quiet: true, nothrow: true, cwd, env })`go env ${name}`;
  return exitCode === 0 ? stdout.trim() : undefined;
}

/** Go is a module like others on a proxy, by which Go updates itself. Its checksum, not its place, says that it is right. */
async function fetchGo(folder: string, env: NodeJS.ProcessEnv, release: GoRelease): Promise<void> {
  const platform = `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;
  const sum = release.sums[platform];
  if (sum === undefined) {
    throw new Error(`no checksum is known for ${platform}`);
  }
  const version = `v0.0.1-go${release.version}.${platform}`;
  await mkdir(folder, { recursive: true });
  const archive = join(folder, "go.zip");
  await fetchFromProxy(`golang.org/toolchain/@v/${version}.zip`, archive, env);
  const files = unzipSync(await readFile(archive));
  await rm(archive);
  const found = moduleSum(files);
  if (found !== sum) {
    throw new Error(`the checksum of golang.org/toolchain@${version} is ${found}, expected ${sum}`);
  }
  for (const [name, content] of Object.entries(files)) {
    await install(content, folder, name.slice(name.indexOf("@")).replace(/^[^/]*\//, ""));
  }
}

/** Modules know neither which files are programs nor may they contain another go.mod; this puts both right as Go does. */
async function install(content: Uint8Array, folder: string, path: string): Promise<void> {
  const file = join(folder, dirname(path), path.endsWith("/_go.mod") ? "go.mod" : basename(path));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content, { mode: /^(bin|pkg\/tool)\//.test(path) ? 0o755 : 0o644 });
}

async function fetchFromProxy(path: string, file: string, env: NodeJS.ProcessEnv): Promise<void> {
  const known = env.GOPROXY || (await goSetting("GOPROXY", env));
  const proxies = (known ?? "").split(/[,|]/).filter((proxy) => /^https?:/.test(proxy));
  const problems: string[] = [];
  for (const proxy of proxies) {
    try {
      await fetchTo(`${proxy.replace(/\/$/, "")}/${path}`, file, limits);
      return;
    } catch (problem) {
      problems.push(reason(problem));
    }
  }
  const named = known ? `is ${known}, which names no proxy` : "is not set";
  throw new Error(problems.join("; ") || `GOPROXY ${named}`);
}

/** Checksum of a module's files, as go.sum has it (golang.org/x/mod/sumdb/dirhash). */
function moduleSum(files: Readonly<Record<string, Uint8Array>>): string {
  const sha256 = (content: Uint8Array | string) => createHash("sha256").update(content);
  const lines = Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, content]) => `${sha256(content).digest("hex")}  ${name}\n`);
  return `h1:${sha256(lines.join("")).digest("base64")}`;
}
