import { readdir, rename, rm } from "node:fs/promises";
import { basename, delimiter, dirname, join } from "node:path";
import { buildPart, goFolder } from "./build";
import {
  archiveName,
  downloadCli,
  downloadPlugins,
  patience,
  pluginArchiveName,
  reach,
  reason,
  vendorSite,
  type Patience,
} from "./download";
import { findGo, type Go } from "./golang";
import { type Checksums, checksumOf, readChecksums } from "./knownChecksums";
import { findOnPath, unchanged, type FoundCli } from "./path";
import {
  cacheFolder,
  checkRoom,
  draftFolder,
  folderName,
  locked,
  readMarker,
  writeMarker,
  type Marker,
} from "./store";
import { cliParts, pluginParts, versions, type Part } from "./versions";

/** A Pulumi engine that is ready to use. */
export interface Toolchain {
  /** Pulumi's home (`PULUMI_HOME`), which holds the plugins. */
  home: string;
  /** The CLI. */
  pulumi: string;
  /** Folder of the CLI, to be put first on PATH. */
  path: string;
  /** Where the CLI comes from. */
  source: "path" | "download" | "build";
}

/** What the choice of a toolchain depends on; tests replace some of it. */
export interface Setup {
  /** Environment to read PATH, HOME and XDG_CACHE_HOME from. Default: this process's. */
  readonly env: NodeJS.ProcessEnv;
  /** Address of the vendor's downloads. Default: get.pulumi.com. */
  readonly site: string;
  /** What the downloads have to be. Default: those in the repository. */
  readonly checksums: Checksums;
  /** Time limits of downloads. */
  readonly patience: Patience;
  /** Bytes of room that a toolchain takes. */
  readonly room: { readonly download: number; readonly build: number };
  /** Finds a Go to build with, or gets one into a folder; throws when there is none. */
  readonly findGo: typeof findGo;
  /** Builds one part into a home. */
  readonly build: (part: Part, home: string, go: Go) => Promise<void>;
}

/** Measured, with a margin. A build also fills Go's caches. */
const room = { download: 1.5e9, build: 7e9 };

/** How often a running build reports that it goes on. */
const heartbeat = 15_000;

/**
 * Makes sure that there is a Pulumi engine with all plugins installed, and tells where. In this order: a CLI on PATH
 * (3.248 or newer of major version 3), the vendor's download, a build from the pinned Go modules. The plugins come
 * from the vendor where they can be had, else from a build. The result is kept in the cache folder: the first call
 * takes minutes, later ones no time. Calls in several processes at once are safe, and so is killing one.
 *
 * @param report gets one line per step
 * @throws when no way works; the message says what to do about it
 */
export async function ensureToolchain(
  report: (line: string) => void,
  changes: Partial<Setup> = {},
): Promise<Toolchain> {
  const setup: Setup = {
    env: process.env,
    site: vendorSite,
    checksums: readChecksums(),
    patience,
    room,
    findGo,
    build: buildPart,
    ...changes,
  };
  const cache = cacheFolder(setup.env);
  const home = join(cache, folderName(goFolder));
  const ready = async () => finished(home, await readMarker(home));
  return (
    (await ready()) ??
    (await locked(
      `${home}.lock`,
      () => {
        report("Another run is preparing the Pulumi engine: waiting for it");
      },
      async () => (await ready()) ?? (await prepare(home, setup, report)),
    ))
  );
}

/**
 * The environment in which the CLI and the Automation API use a toolchain: without plugins that happen to lie on PATH,
 * without asking for newer versions, with the engine's own connections on this machine outside of any proxy, and with an SDK that
 * loads no more than is used.
 */
export function toolchainEnv(
  toolchain: Toolchain,
  base: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const set = Object.entries(base).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return {
    ...Object.fromEntries(set),
    PULUMI_HOME: toolchain.home,
    PATH: [toolchain.path, base.PATH].filter(Boolean).join(delimiter),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
    NODE_OPTIONS: [base.NODE_OPTIONS, `--require ${JSON.stringify(lateModules)}`]
      .filter(Boolean)
      .join(" "),
    ...withoutProxy(base),
  };
}

const lateModules = join(__dirname, "lateModules.cjs");

/** The engine, its language host and its plugins talk to each other by gRPC at these addresses. */
const loopback = ["localhost", "127.0.0.1", "::1"];

/** The variables that name what no proxy is asked for, by all their names, with this machine among it. */
function withoutProxy(base: NodeJS.ProcessEnv): Record<string, string> {
  const list = (...given: (string | undefined)[]) => {
    const hosts = given.flatMap((value) => value?.split(",") ?? []).map((host) => host.trim());
    return [...new Set([...hosts.filter(Boolean), ...loopback])].join(",");
  };
  const hosts = list(base.NO_PROXY, base.no_proxy);
  // Where it is set, gRPC for Node reads this one alone.
  const grpc = base.no_grpc_proxy && { no_grpc_proxy: list(base.no_grpc_proxy) };
  return { NO_PROXY: hosts, no_proxy: hosts, ...grpc };
}

async function finished(home: string, marker: Marker | undefined): Promise<Toolchain | undefined> {
  if (marker === undefined) {
    return undefined;
  }
  if (marker.source !== "path") {
    const path = join(home, "bin");
    return { home, pulumi: join(path, "pulumi"), path, source: marker.source };
  }
  if (marker.cli === undefined || !(await unchanged(marker.cli))) {
    return undefined; // the user's CLI was removed or replaced
  }
  return { home, pulumi: marker.cli.file, path: dirname(marker.cli.file), source: "path" };
}

async function prepare(
  home: string,
  setup: Setup,
  report: (line: string) => void,
): Promise<Toolchain> {
  const started = Date.now();
  await removeDrafts(home);
  const draft = await draftFolder(home);
  try {
    const marker = await fill(draft, setup, report);
    await writeMarker(draft, marker);
    await rm(home, { recursive: true, force: true });
    await rename(draft, home);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  const toolchain = await finished(home, await readMarker(home));
  if (toolchain === undefined) {
    throw new Error(`The toolchain in ${home} was changed while it was made: try again.`);
  }
  report(`The Pulumi engine is ready in ${home} (${elapsed(started)})`);
  return toolchain;
}

/** Puts CLI and plugins into an empty home, each from the best place that has it. */
async function fill(home: string, setup: Setup, report: (line: string) => void): Promise<Marker> {
  const onPath = await findOnPath(setup.env.PATH ?? "", cacheFolder(setup.env), report);
  if (onPath !== undefined) {
    report(`Using the Pulumi CLI ${onPath.version} at ${onPath.file}`);
  }
  const downloaded = await download(home, onPath, setup, report);
  const parts = [
    ...(onPath === undefined && !downloaded.cli ? cliParts : []),
    ...(downloaded.plugins ? [] : pluginParts),
  ];
  await build(parts, home, setup, report);
  const source = onPath ? "path" : downloaded.cli ? "download" : "build";
  const files = [...(onPath ? [] : cliParts), ...pluginParts].map((part) => part.target);
  return { source, files, cli: onPath };
}

async function download(
  home: string,
  onPath: FoundCli | undefined,
  setup: Setup,
  report: (line: string) => void,
): Promise<{ cli: boolean; plugins: boolean }> {
  const instead = (problem: unknown) => {
    report(`${reason(problem)}; building from Go modules instead`);
  };
  try {
    checksumOf(setup.checksums, onPath ? pluginArchiveName("docker") : archiveName());
    await reach(setup.site, setup.patience);
  } catch (problem) {
    instead(problem);
    return { cli: false, plugins: false };
  }
  // A build would need more room still.
  await checkRoom(dirname(home), setup.room.download, "Downloading the Pulumi engine");
  let cli = false;
  try {
    if (onPath === undefined) {
      report(`Downloading the Pulumi CLI ${versions.cli} from ${setup.site}`);
      await downloadCli(setup.site, home, setup.checksums, setup.patience);
      cli = true;
    }
    await downloadPlugins(
      onPath?.file ?? join(home, "bin", "pulumi"),
      home,
      setup.checksums,
      report,
      setup.patience,
    );
    return { cli, plugins: true };
  } catch (problem) {
    instead(problem);
    await rm(join(home, "plugins"), { recursive: true, force: true });
    return { cli, plugins: false };
  }
}

async function build(
  parts: readonly Part[],
  home: string,
  setup: Setup,
  report: (line: string) => void,
): Promise<void> {
  if (parts.length === 0) {
    return;
  }
  await checkRoom(dirname(home), setup.room.build, "Building the Pulumi engine");
  const goHome = join(home, "go");
  const go = await setup.findGo(goHome, setup.env, report);
  report(
    `Building ${parts.length} programs; on two processors this takes about ten minutes, and is done once`,
  );
  for (const [index, part] of parts.entries()) {
    const started = Date.now();
    const step = `${index + 1} of ${parts.length}: ${part.name}`;
    report(`Building ${step}`);
    const alive = setInterval(() => {
      report(`Building ${step}, ${elapsed(started)} so far`);
    }, heartbeat);
    try {
      await setup.build(part, home, go);
    } finally {
      clearInterval(alive);
    }
    report(`Built ${step}, in ${elapsed(started)}`);
  }
  await rm(goHome, { recursive: true, force: true });
}

/** Drafts of runs that were killed. Only the holder of the lock comes here, so none of them is in use. */
async function removeDrafts(home: string): Promise<void> {
  const folder = dirname(home);
  const old = (await readdir(folder)).filter((name) => name.startsWith(`${basename(home)}.draft-`));
  await Promise.all(old.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

function elapsed(since: number): string {
  const seconds = Math.round((Date.now() - since) / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

async function main(): Promise<void> {
  const toolchain = await ensureToolchain((line) => {
    process.stderr.write(`${line}\n`);
  });
  process.stdout.write(`${toolchain.home}\n`);
}

if (require.main === module) {
  main().catch((problem: unknown) => {
    process.stderr.write(`${problem instanceof Error ? problem.message : String(problem)}\n`);
    process.exitCode = 1;
  });
}
