import { $ } from "zx";

const quiet = $({ quiet: true });

/** Output of a Docker command, without the last line end. */
export async function docker(...args: string[]): Promise<string> {
  return (await quiet`docker ${args}`).stdout.trim();
}

/**
 * What there is of one test's stack on this machine's Docker, by kind and name: containers, networks and volumes whose
 * names start with `prefix`, and the stack's images. Others work on the same Docker meanwhile.
 */
export async function dockerInventory(prefix: string, stack: string): Promise<string[]> {
  const images = new RegExp(`^openclaw-kasm(/[a-z]+)?-${stack}:`);
  const list = async (kind: string, format: string, isOwn: (name: string) => boolean) =>
    (await docker(kind, "ls", ...(kind === "container" ? ["--all"] : []), "--format", format))
      .split("\n")
      .filter(isOwn)
      .map((name) => `${kind} ${name}`)
      .sort();
  const byPrefix = (name: string) => name.startsWith(prefix);
  return (
    await Promise.all([
      list("container", "{{.Names}}", byPrefix),
      list("network", "{{.Name}}", byPrefix),
      list("volume", "{{.Name}}", byPrefix),
      list("image", "{{.Repository}}:{{.Tag}}", (name) => images.test(name)),
    ])
  ).flat();
}

/** Removes what a killed run of the same test left; see {@link dockerInventory}. */
export async function removeLeftovers(prefix: string, stack: string): Promise<void> {
  for (const entry of await dockerInventory(prefix, stack)) {
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

/** Asks until the answer is as wanted, or fails with the last one. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  isWanted: (answer: T) => boolean,
  seconds = 60,
): Promise<T> {
  // Not Date.now(): a corrected clock is no reason to give up.
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) {
      return answer;
    }
    if (performance.now() > end) {
      throw new Error(
        `${what}: not within ${seconds.toString()} s, last ${JSON.stringify(answer)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
