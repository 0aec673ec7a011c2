import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import {
  mkdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { versions } from "./versions";

const markerName = "toolchain.json";

/** What a finished toolchain says about itself. */
const markerSchema = z.object({
  source: z.enum(["path", "download", "build"]),
  /** Files that have to be there. */
  files: z.array(z.string()),
  /** The CLI on PATH, when that is the one to use. */
  cli: z
    .object({ file: z.string(), version: z.string(), size: z.number(), modified: z.number() })
    .optional(),
});

/** Content of the marker file. */
export type Marker = z.infer<typeof markerSchema>;

/** The folder that holds all toolchains: `$XDG_CACHE_HOME/openclaw-kasm`, by default below `~/.cache`. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "openclaw-kasm");
}

/** Name of a toolchain's folder: it changes with every source file, every version and the kind of machine. */
export function folderName(goFolder: string): string {
  const hash = createHash("sha256").update(
    JSON.stringify([versions, process.platform, process.arch]),
  );
  for (const file of filesBelow(goFolder)) {
    hash.update(`\0${relative(goFolder, file)}\0`).update(readFileSync(file));
  }
  return `toolchain-${hash.digest("hex").slice(0, 16)}`;
}

/** Go sources that end up in a program, in a fixed order; tests don't. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const file = join(folder, name);
      if (statSync(file).isDirectory()) {
        return filesBelow(file);
      }
      return name.endsWith("_test.go") || !/\.go$|^go\.(mod|sum)$/.test(name) ? [] : [file];
    });
}

/** Reads the marker of a toolchain; undefined when there is none, or when files that it names are gone. */
export async function readMarker(home: string): Promise<Marker | undefined> {
  try {
    const marker = markerSchema.parse(JSON.parse(await readFile(join(home, markerName), "utf8")));
    await Promise.all(marker.files.map((file) => stat(join(home, file))));
    return marker;
  } catch {
    return undefined;
  }
}

/** Writes the marker, which makes a toolchain a finished one. */
export async function writeMarker(home: string, marker: Marker): Promise<void> {
  const draft = join(home, `${markerName}.${randomBytes(4).toString("hex")}`);
  await writeFile(draft, JSON.stringify(marker, undefined, 2) + "\n");
  await rename(draft, join(home, markerName));
}

/**
 * Checks the room on the disk that will hold a folder.
 *
 * @throws when there is less than needed, with both numbers
 */
export async function checkRoom(folder: string, needed: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free < needed) {
    const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
    throw new Error(
      `${what} needs ${gigabytes(needed)} of room in ${folder}, and ${gigabytes(free)} are free.`,
    );
  }
}

/** How often the holder of a lock shows that it is alive, and after which silence others take it over. */
const beat = 3_000;
const silence = 20_000;

/**
 * Runs `work` while no other process does. A holder that was killed is noticed at once on its own machine, else by its
 * silence. The lock only saves double work: what the work leaves behind has to be right without it.
 *
 * @param waiting called once if another process holds the lock
 */
export async function locked<T>(
  file: string,
  waiting: () => void,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  let told = false;
  while (!(await create(file))) {
    if (Date.now() - (await modified(file)) > silence || (await holderIsGone(file))) {
      await rm(file, { force: true });
      continue;
    }
    if (!told) {
      told = true;
      waiting();
    }
    await sleep(500);
  }
  const alive = setInterval(() => {
    utimes(file, new Date(), new Date()).catch(() => undefined);
  }, beat);
  try {
    return await work();
  } finally {
    clearInterval(alive);
    await rm(file, { force: true });
  }
}

async function create(file: string): Promise<boolean> {
  try {
    await writeFile(file, `${hostname()} ${process.pid}`, { flag: "wx" });
    return true;
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "EEXIST") {
      return false;
    }
    throw problem;
  }
}

async function holderIsGone(file: string): Promise<boolean> {
  try {
    const [host, pid] = (await readFile(file, "utf8")).split(" ");
    if (host === hostname() && pid !== undefined) {
      process.kill(Number(pid), 0);
    }
    return false;
  } catch (problem) {
    return (problem as NodeJS.ErrnoException).code === "ESRCH";
  }
}

async function modified(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch {
    return Date.now(); // gone since: the next try will get it
  }
}

/**
 * A folder of one's own beside `home`, to be renamed to it when everything is in place. Which stack is selected, which
 * Pulumi keeps in its home too, is shared by all toolchains: a new one must not forget it.
 */
export async function draftFolder(home: string): Promise<string> {
  const draft = `${home}.draft-${process.pid}-${randomBytes(4).toString("hex")}`;
  await mkdir(draft, { recursive: true });
  await mkdir(join(dirname(home), "workspaces"), { recursive: true });
  await symlink(join("..", "workspaces"), join(draft, "workspaces"));
  return draft;
}
