import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { $ } from "zx";
import { forwardThrough } from "../../dev/rig/forward";
import { connectBrowser, messageBox } from "./browser";
import { docker, eventually } from "./docker";

/** How a session is started beside its image and the user's profile. */
export interface SessionOptions {
  /** Directory of the host that is the user's home. */
  readonly profile: string;
  /** More of the container's environment, as a workspace's run configuration gives it. */
  readonly environment?: Record<string, string>;
  /** What the user filled in before the start, as KASM's launch form hands it over: a file of the host. */
  readonly launchSelections?: string;
  /** More directories of the host, by their places in the session. */
  readonly volumes?: Record<string, string>;
}

/**
 * Gives the desktop image of a checkout the modes of a clone under umask 077: the image's user must be able to read the
 * files all the same. Docker builds once what has the same modes in several checkouts.
 */
export async function restrictModes(checkout: string): Promise<void> {
  await $({ quiet: true })`chmod -R go= ${join(checkout, "assets/kasm-image")}`;
}

/** Port of the browser's DevTools inside the session. */
const devToolsPort = 9222;

/** A desktop session on this machine's Docker, started with what KASM's agent passes to Docker. */
export class Session {
  private constructor(readonly name: string) {}

  static async start(
    name: string,
    image: string,
    { profile, environment = {}, launchSelections, volumes = {} }: SessionOptions,
  ): Promise<Session> {
    const variables = {
      KASM_ID: name,
      KASM_USER: "user_at_kasm.local",
      VNC_PW: "vnc-password-of-the-session",
      APP_ARGS: `--remote-debugging-port=${devToolsPort}`,
      ...environment,
    };
    const form = launchSelections
      ? ["--volume", `${launchSelections}:/tmp/launch_selections.json:ro`]
      : [];
    await docker(
      ...[
        "run",
        "--detach",
        "--name",
        name,
        "--hostname",
        "kasm",
        "--shm-size",
        "512m",
        "--memory",
        "4096m",
        "--cpus",
        "2",
      ],
      ...Object.entries(variables).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      ...Object.entries(volumes).flatMap(([place, host]) => ["--volume", `${host}:${place}`]),
      ...["--volume", `${profile}:/home/kasm-user`, ...form, image],
    );
    return new Session(name);
  }

  /** Runs a bash script as the session's user and gives its output, whatever the exit status is. */
  async tell(script: string): Promise<string> {
    return (
      await $({ quiet: true, nothrow: true })`docker exec ${this.name} bash -c ${script}`
    ).stdout.trim();
  }

  /** Runs a bash script as root, as KASM's agent does, and gives its output. */
  async asRoot(script: string): Promise<string> {
    return await docker("exec", "--user", "0", this.name, "bash", "-c", script);
  }

  /** What the session has written to its log. */
  async log(): Promise<string> {
    const { stdout, stderr } = await $({ quiet: true })`docker logs ${this.name}`;
    return stdout + stderr;
  }

  /** A picture of its screen, put into `file`. */
  async screenshot(file: string): Promise<void> {
    const script = readFileSync(join(__dirname, "../image/screenshot.mjs"));
    mkdirSync(dirname(file), { recursive: true });
    await $({
      quiet: true,
      input: script,
    })`docker exec --interactive ${this.name} node --input-type=module - >${file}`;
  }

  /** Waits until something is so inside the session: `script` ends with status 0. */
  async until(what: string, script: string, seconds = 180): Promise<void> {
    await eventually(
      what,
      async () =>
        (await $({ quiet: true, nothrow: true })`docker exec ${this.name} bash -c ${script}`)
          .exitCode,
      (code) => code === 0,
      seconds,
    );
  }

  /** How the gateway that runs has told of the last browser that showed the dashboard, logged in; nothing if none has. */
  async lastConnection(): Promise<string> {
    return await this.tell("grep 'webchat connected' /tmp/openclaw-kasm-*/gateway.log | tail -n 1");
  }

  /** Waits until a browser shows the dashboard, logged in, by another connection than `before`. */
  async connected(seconds = 180, before = ""): Promise<void> {
    try {
      await eventually(
        `${this.name} is connected`,
        () => this.lastConnection(),
        (last) => last !== "" && last !== before,
        seconds,
      );
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\n${await this.report()}`, { cause });
    }
  }

  /** Addresses of the browser's pages, without what comes after the #: it lets in. */
  async pages(): Promise<string[]> {
    const answer = await this.tell(`curl -s http://127.0.0.1:${devToolsPort.toString()}/json/list`);
    return (JSON.parse(answer || "[]") as { type: string; url: string }[])
      .filter(({ type }) => type === "page")
      .map(({ url }) => url.replace(/#.*/, ""));
  }

  /** What helps to see why a dashboard does not connect; a picture goes beside those of the tests. */
  private async report(): Promise<string> {
    const picture = `test-results/${this.name}-not-connected.png`;
    await this.screenshot(picture).catch(() => undefined);
    return [
      `picture: ${picture}`,
      `pages: ${(await this.pages()).join(" ")}`,
      `log:\n${await this.log()}`,
      `gateway.log:\n${await this.tell("tail -n 40 /tmp/openclaw-kasm-*/gateway.log")}`,
    ].join("\n");
  }

  /** Hands the dashboard in the session's browser to `look`, or its first page where there is none yet. */
  async inBrowser(look: (page: Page) => Promise<void>): Promise<void> {
    await this.until("the browser is there", `exec 3<>/dev/tcp/127.0.0.1/${devToolsPort}`);
    const devTools = await forwardThrough(this.name, "127.0.0.1", devToolsPort);
    let browser: Browser | undefined;
    try {
      browser = await connectBrowser(devTools.port);
      const pages = browser.contexts()[0]?.pages() ?? [];
      const isDashboard = (each: Page) => each.url().startsWith("http://127.0.0.1:18789/");
      const page = pages.find(isDashboard) ?? pages[0];
      if (page === undefined) {
        throw new Error(`${this.name}: the browser has no page`);
      }
      await look(page);
    } finally {
      await browser?.close();
      devTools.close();
    }
  }

  /** Says something in the dashboard; returns as soon as the dashboard shows it. */
  async say(text: string): Promise<void> {
    await this.inBrowser(async (page) => {
      await messageBox(page).fill(text);
      await messageBox(page).press("Enter");
      await page.getByText(text).first().waitFor();
    });
  }

  /** Sends a message and waits for the answer of the provider's stand-in. */
  async chat(text: string): Promise<void> {
    await this.say(text);
    await this.shows(`stand-in heard: ${text}`);
  }

  /** Waits until the dashboard shows a text. */
  async shows(text: string): Promise<void> {
    await this.inBrowser((page) => page.getByText(text).first().waitFor());
  }

  /** Ends it as KASM does: the hook, then the container. */
  async end(): Promise<void> {
    await this.tell("/dockerstartup/kasm_pre_shutdown_user.sh");
    await this.remove();
  }

  /** Power off. */
  async remove(): Promise<void> {
    await docker("rm", "--force", this.name);
  }
}

/** A user's home as KASM's agent makes it below `homes`: an empty directory of uid 1000. */
export function makeHome(homes: string, name: string): string {
  const folder = join(homes, name);
  mkdirSync(folder);
  chownSync(folder, 1000, 1000);
  return folder;
}

/** What a user has in openclaw.json beside what the session puts there. */
export function prepareConfig(home: string, config: object): void {
  const folder = join(home, ".openclaw");
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, "openclaw.json"), JSON.stringify(config), { mode: 0o600 });
  for (const path of [folder, join(folder, "openclaw.json")]) {
    chownSync(path, 1000, 1000);
  }
}
