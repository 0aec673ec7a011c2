import { $ } from "zx";

const quiet = $({ quiet: true });

/** Output of a Docker command, without the last line end. */
export async function docker(...args: string[]): Promise<string> {
  return (await quiet`docker ${args}`).stdout.trim();
}

/**
 * What is on the Docker host, to be compared before and after. Others work beside a test: rigs come and go, builds leave
 * layers without a name, and helpers have names of Docker's choosing. A base is its stack's, and stacks that are called
 * the same share it: that it goes is for the rigs' own Docker to show.
 */
export async function dockerInventory(): Promise<Record<string, string[]>> {
  const others =
    /^$|^openclaw-kasm[-/]rig-|^<none>|^[a-z]+_[a-z]+\d* |^openclaw-kasm\/(base|node)-/;
  const list = async (...args: string[]) =>
    (await docker(...args))
      .split("\n")
      .filter((line) => !others.test(line))
      .sort();
  return {
    containers: await list("ps", "--all", "--format", "{{.Names}} {{.Image}}"),
    networks: await list("network", "ls", "--format", "{{.Name}} {{.Driver}}"),
    volumes: await list("volume", "ls", "--format", "{{.Name}}"),
    images: await list("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"),
  };
}

/**
 * Takes away what a killed run left: what the tests make on this machine's Docker is named openclaw-e2e and something,
 * or is an image of a stack `dev`. A person's stack of that name keeps its images.
 */
export async function removeLeftovers(): Promise<void> {
  const remove = async (list: string[], how: string[]) => {
    const found = (await docker(...list)).split("\n").filter(Boolean);
    if (found.length > 0) {
      await docker(...how, ...found);
    }
  };
  const ours = ["--quiet", "--filter", "name=^openclaw-e2e"];
  await remove(["ps", "--all", ...ours], ["rm", "--force", "--volumes"]);
  await remove(["network", "ls", ...ours], ["network", "rm"]);
  await remove(["volume", "ls", ...ours], ["volume", "rm"]);
  if (!/^openclaw-kasm.*-dev:/m.test(await docker("ps", "--all", "--format", "{{.Image}}"))) {
    const images = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter"];
    await remove([...images, "reference=openclaw-kasm/*-dev:*"], ["image", "rm"]);
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
