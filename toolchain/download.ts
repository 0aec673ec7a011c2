import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { $ } from "../host/shellCommand";
import type * as Undici from "undici";
import { proxyFor } from "../host/proxy";
import { type Checksums, checksumOf, sha256 } from "./knownChecksums";
import { executable } from "./path";
import { cliParts, pluginFile, versions } from "./versions";

/** The vendor's site. */
export const vendorSite = "https://get.pulumi.com";

/** How long each step of a download may take before it is given up, in milliseconds. */
export interface Patience {
  /** Until the site answers. */
  readonly connect: number;
  /** Without a single byte during the transfer. */
  readonly stall: number;
  /** For the installation of one plugin. */
  readonly plugin: number;
}

/** A site that can't be reached costs a few seconds, a slow line is waited for. */
export const patience: Patience = { connect: 4_000, stall: 30_000, plugin: 300_000 };

/** Name of the vendor's archive for this kind of machine. */
export function archiveName(
  platform: string = process.platform,
  arch: string = process.arch,
): string {
  return `pulumi-v${versions.cli}-${platform}-${arch}.tar.gz`;
}

type Plugin = keyof typeof versions.plugins;

/** Name of the vendor's archive with a plugin for this kind of machine. */
export function pluginArchiveName(
  name: Plugin,
  platform: string = process.platform,
  arch: string = process.arch,
): string {
  const machine = `${platform}-${arch === "x64" ? "amd64" : arch}`;
  return `pulumi-resource-${name}-v${versions.plugins[name]}-${machine}.tar.gz`;
}

/**
 * Downloads the vendor's CLI with its language host into `home/bin`.
 *
 * @throws when the site can't be reached, has no such archive, or the archive is not the one of the checksum or does not
 * hold a working CLI; `home/bin` is not there then
 */
export async function downloadCli(
  site: string,
  home: string,
  checksums: Checksums,
  limits: Patience,
): Promise<void> {
  const expected = checksumOf(checksums, archiveName());
  const url = `${site}/releases/sdk/${archiveName()}`;
  const archive = join(home, "cli.tar.gz");
  const unpacked = join(home, "unpacked");
  try {
    await mkdir(unpacked, { recursive: true });
    await fetchTo(url, archive, limits);
    const found = await sha256(archive);
    if (found !== expected) {
      throw new Error(`${url} has the SHA-256 ${found}, expected ${expected}`);
    }
    await $({ quiet: true })`tar -xzf ${archive} -C ${unpacked}`;
    const bin = join(unpacked, "pulumi");
    const programs = cliParts.map((part) => part.target.replace("bin/", ""));
    for (const program of programs) {
      if (!(await executable(join(bin, program)))) {
        throw new Error(`${url} does not hold ${program}`);
      }
    }
    const { stdout } = await $({ quiet: true, timeout: "30s" })`${join(bin, "pulumi")} version`;
    if (stdout.trim() !== `v${versions.cli}`) {
      throw new Error(`${url} holds version ${stdout.trim()}, not v${versions.cli}`);
    }
    await rename(bin, join(home, "bin"));
  } finally {
    await rm(archive, { force: true });
    await rm(unpacked, { recursive: true, force: true });
  }
}

/**
 * Lets the CLI install the vendor's plugins into a Pulumi home, which checks their checksums.
 *
 * @throws when one can't be had, or is not the one of the checksum
 */
export async function downloadPlugins(
  pulumi: string,
  home: string,
  checksums: Checksums,
  report: (line: string) => void,
  limits: Patience,
): Promise<void> {
  const env = { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" };
  const plugins = Object.entries(versions.plugins).map(
    ([name, version]) =>
      [name, version, checksumOf(checksums, pluginArchiveName(name as Plugin))] as const,
  );
  for (const [name, version, sum] of plugins) {
    report(`Downloading the ${name} plugin ${version}`);
    const install = $({ quiet: true, nothrow: true, env, timeout: limits.plugin });
    const result =
      await install`${pulumi} plugin install resource ${name} ${version} --checksum ${sum}`;
    if (result.exitCode !== 0 || !(await executable(join(home, pluginFile(name as Plugin))))) {
      throw new Error(
        `the ${name} plugin can't be had: ${lastLine(result.stderr) ?? "no reason was given"}`,
      );
    }
  }
}

/**
 * Fetches the start of an address to see whether a site answers at all.
 *
 * @throws when it does not within the time limit
 */
export async function reach(site: string, limits: Patience): Promise<void> {
  const response = await fetched(site, {
    method: "HEAD",
    signal: AbortSignal.timeout(limits.connect),
  }).catch((problem: unknown) => {
    throw new Error(`${site} can't be reached: ${reason(problem)}`);
  });
  await response.body?.cancel();
}

/** Fetches an address, by the proxy of the environment if it names one: Node's own `fetch` reads none. */
async function fetched(
  address: string | URL,
  options: { method?: string; headers?: Record<string, string>; signal: AbortSignal },
): Promise<Response | Undici.Response> {
  const proxy = proxyFor(new URL(address));
  if (proxy === undefined) {
    return await fetch(address, options);
  }
  // Every command loads this file, and few need the package.
  const undici = await import("undici");
  return await undici.fetch(address, { ...options, dispatcher: new undici.ProxyAgent(proxy.href) });
}

/**
 * Fetches an address, which may hold user and password, into a file.
 *
 * @throws with the address, but without user and password
 */
export async function fetchTo(address: string, file: string, limits: Patience): Promise<void> {
  const { url, headers } = withCredentialsApart(address);
  const abort = new AbortController();
  const give = (milliseconds: number, what: string) =>
    setTimeout(() => {
      abort.abort(new Error(what));
    }, milliseconds);
  const connecting = give(limits.connect, `no answer within ${limits.connect / 1000} s`);
  const response = await fetched(url, { headers, signal: abort.signal })
    .catch((problem: unknown) => {
      throw new Error(`${url} can't be reached: ${reason(problem)}`);
    })
    .finally(() => {
      clearTimeout(connecting);
    });
  if (!response.ok || response.body === null) {
    throw new Error(`${url} answers ${response.status}`);
  }
  let stall = give(limits.stall, "the transfer stopped");
  const watch = new Transform({
    transform(chunk, _encoding, next) {
      clearTimeout(stall);
      stall = give(limits.stall, "the transfer stopped");
      next(null, chunk);
    },
  });
  try {
    await pipeline(Readable.from(response.body), watch, createWriteStream(file), {
      signal: abort.signal,
    });
  } catch (problem) {
    const why = reason(abort.signal.aborted ? abort.signal.reason : problem);
    throw new Error(`${url} could not be fetched: ${why}`, { cause: problem });
  } finally {
    clearTimeout(stall);
  }
}

/** fetch refuses an address with user and password. */
function withCredentialsApart(address: string): { url: string; headers: Record<string, string> } {
  const url = new URL(address);
  const login = [url.username, url.password].map(decodeURIComponent).join(":");
  url.username = url.password = "";
  const headers = { authorization: `Basic ${Buffer.from(login).toString("base64")}` };
  return { url: url.href, headers: login === ":" ? {} : headers };
}

/** The innermost explanation of an error, which is where fetch puts what really happened. */
export function reason(problem: unknown): string {
  if (!(problem instanceof Error)) {
    return String(problem);
  }
  return problem.cause instanceof Error ? reason(problem.cause) : problem.message;
}

function lastLine(text: string): string | undefined {
  return text.trim().split("\n").at(-1)?.trim() || undefined;
}
