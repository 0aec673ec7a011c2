import { setTimeout as sleep } from "node:timers/promises";
import { $ } from "zx";

const quiet = $({ quiet: true });

/** Output of a Docker command, without the last line end. */
export async function docker(...args: string[]): Promise<string> {
  return (await quiet`docker ${args}`).stdout.trim();
}

/**
 * A shell command that pauses a container. Docker fails to while a process is coming into it, such as that of a health check,
 * and is asked again.
 */
export const pausing = (name: string): string =>
  `timeout 30 sh -c 'until docker pause ${name}; do sleep 0.2; done'`;

/** Pauses a container of this machine's Docker. */
export async function pause(name: string): Promise<void> {
  await quiet`sh -c ${pausing(name)}`;
}

const listings = [
  ["container", "{{.Names}}", "--all"],
  ["network", "{{.Name}}"],
  ["volume", "{{.Name}}"],
  ["image", "{{.Repository}}:{{.Tag}}"],
] as const;

/** A kind of thing in Docker and a name, as `volume openclaw-data`. */
type Entry = string;

async function find(isWanted: Record<(typeof listings)[number][0], RegExp>): Promise<Entry[]> {
  const found = await Promise.all(
    listings.map(async ([kind, format, ...options]) =>
      (await docker(kind, "ls", ...options, "--format", format))
        .split("\n")
        .filter((name) => isWanted[kind].test(name))
        .map((name) => `${kind} ${name}`)
        .sort(),
    ),
  );
  return found.flat();
}

/**
 * Lists what one test's stack has on this machine's Docker: containers, networks and volumes with names that start with
 * `prefix`, and the stack's images. Other tests use the same Docker at the same time.
 */
export async function dockerInventory(prefix: string, stack: string): Promise<Entry[]> {
  const named = new RegExp(`^${prefix}`);
  const image = new RegExp(`^openclaw-kasm(/[a-z]+)?-${stack}:`);
  return await find({ container: named, network: named, volume: named, image });
}

/** Removes what a killed run of the same test left; see {@link dockerInventory}. */
export async function removeLeftovers(prefix: string, stack: string): Promise<void> {
  await remove(await dockerInventory(prefix, stack));
}

/**
 * Removes the containers, networks and volumes that killed runs left, of whatever test: such a container comes back with
 * Docker, and holds its port.
 * @param named what all their names are like
 */
export async function removeEarlierRuns(named = /^openclaw-(e2e|kasm-rig-e2e)-/): Promise<void> {
  await remove(await find({ container: named, network: named, volume: named, image: /^$/ }));
}

async function remove(entries: readonly Entry[]): Promise<void> {
  for (const entry of entries) {
    const [kind = "", name = ""] = entry.split(" ");
    const force = kind === "network" ? [] : ["--force"];
    await docker(kind, "rm", ...force, ...(kind === "container" ? ["--volumes"] : []), name);
  }
}

/** Status and body of an HTTP request, as text; status 0 when there is no answer. */
export async function get(
  url: string,
  login?: { username: string; password: string },
): Promise<{ status: number; body: string }> {
  const authorization =
    login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
  try {
    const answer = await fetch(url, {
      headers: authorization ? { authorization } : {},
      signal: AbortSignal.timeout(5000),
      redirect: "manual",
    });
    return { status: answer.status, body: await answer.text() };
  } catch {
    return { status: 0, body: "" };
  }
}

/** Asks until the answer is as wanted, or fails with the last one; the longer it takes, the less often. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  isWanted: (answer: T) => boolean,
  seconds = 60,
): Promise<T> {
  // Not Date.now(): a corrected clock is no reason to give up.
  const begin = performance.now();
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) {
      return answer;
    }
    const passed = performance.now() - begin;
    if (passed > seconds * 1000) {
      throw new Error(
        `${what}: not within ${seconds.toString()} s, last ${JSON.stringify(answer)}`,
      );
    }
    // Most questions start a program in a container, which takes from what is waited for.
    await sleep(Math.min(Math.max(200, passed / 5), 2000));
  }
}
