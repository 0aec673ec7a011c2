import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { $ } from "zx";
import { ensureDocker } from "../../commands/docker";
import { launchBrowser, messageBox, visit } from "./browser";
import { docker, dockerInventory, eventually, get, removeLeftovers } from "./docker";
import { type Finished, Project } from "./project";
import { watchProcesses } from "./processes";
import { type Provider, startProvider } from "./provider";

jest.setTimeout(15 * 60_000);

const port = 18180;
const dashboard = `http://127.0.0.1:${port.toString()}`;
const settings = {
  containerName: "openclaw-e2e",
  networkName: "openclaw-e2e-net",
  dataVolume: "openclaw-e2e-data",
  port,
  publishAddresses: ["127.0.0.1"],
  memoryMb: 2048,
};
const providerKey = "sk-e2e-provider-key-0123456789";

const project = new Project();
let provider: Provider;
let before: Record<string, string[]>;
let login: { username: string; password: string };
let token: string;

const up = () => project.npm("up");

/** "ok", or everything that a failed command said. */
const outcome = ({ exitCode, text }: Finished) => (exitCode === 0 ? "ok" : text);

async function currentLogin() {
  return { username: "admin", password: await project.secretOutput("dev", "password") };
}

const healthz = () => get(`${dashboard}/healthz`);

beforeAll(async () => {
  await project.checkout();
  await removeLeftovers();
  before = await dockerInventory();
  provider = await startProvider();
  project.settings("dev", { ...settings, openclawConfig: provider.openclawConfig });
  await project.pulumi("stack", "init", "dev");
  await project.setSecret("dev", "providerKeys.ANTHROPIC_API_KEY", providerKey);
});

afterAll(async () => {
  await project.npm("down", "--", "--delete-data");
  project.remove();
  provider.stop();
});

describe("first deployment", () => {
  test("npm run up ends with an address, a user name, and the way to the password", async () => {
    const { text, exitCode } = await up();

    expect(text).toContain("OpenClaw is up.");
    expect(exitCode).toBe(0);
    expect(text).toContain(`Dashboard     ${dashboard}/`);
    expect(text).toContain("User name     admin");
    expect(text).toContain("npm run pulumi -- stack output password --show-secrets --stack dev");
    expect(text).toContain("Provider key  ANTHROPIC_API_KEY");
    expect(text).not.toMatch(/warning/i);
    login = await currentLogin();
    token = await project.secretOutput("dev", "gatewayToken");
  });

  test("a second npm run up changes nothing", async () => {
    const { text, exitCode } = await up();

    expect(exitCode).toBe(0);
    expect(text).toMatch(/Resources:\s+\d+ unchanged\s/);
  });

  test("refresh, and a preview after it, find no difference", async () => {
    const refresh = await project.pulumi(
      "refresh",
      "--yes",
      "--stack",
      "dev",
      "--expect-no-changes",
    );
    const preview = await project.pulumi("preview", "--stack", "dev", "--expect-no-changes");

    expect([refresh.exitCode, preview.exitCode]).toEqual([0, 0]);
  });
});

describe("the door", () => {
  test("is shut without the login and open with it", async () => {
    expect((await get(`${dashboard}/`)).status).toBe(401);
    expect((await get(`${dashboard}/`, { ...login, password: "wrong-password" })).status).toBe(401);
    expect((await get(`${dashboard}/`, login)).status).toBe(200);
  });

  test("the gateway's own port leads nowhere, from the host and from its network", async () => {
    const address = await docker(
      "inspect",
      "--format",
      `{{(index .NetworkSettings.Networks "${settings.networkName}").IPAddress}}`,
      settings.containerName,
    );
    const image = await docker("inspect", "--format", "{{.Image}}", settings.containerName);
    const fromNeighbour = $({ quiet: true, nothrow: true });
    const ask = (at: number) =>
      fromNeighbour`docker run --rm --network ${settings.networkName} --entrypoint curl ${image} -s -o /dev/null --max-time 5 http://${settings.containerName}:${at}/healthz`;

    expect(await accepts("127.0.0.1", 18789)).toBe(false);
    expect(await accepts(address, 18789)).toBe(false);
    expect((await ask(18789)).exitCode).toBe(7); // curl: connection refused
    expect((await ask(8080)).exitCode).toBe(0);
  });

  test("is on the addresses that were asked for and on no others", async () => {
    const others = (await $({ quiet: true })`hostname -I`).stdout.trim().split(/\s+/);

    expect(await accepts("127.0.0.1", port)).toBe(true);
    for (const address of others.filter((other) => other.includes("."))) {
      expect([address, await accepts(address, port)]).toEqual([address, false]);
    }
  });
});

describe("in a browser", () => {
  test("the dashboard connects with the login alone, and a chat is answered", async () => {
    const browser = await launchBrowser();
    try {
      const { page, refused, sockets } = await visit(browser, `${dashboard}/`, login);
      await messageBox(page).fill("hello from the end-to-end test");
      await page.screenshot({ path: "test-results/dashboard.png" });
      await messageBox(page).press("Enter");
      await page
        .getByText("stand-in heard: hello from the end-to-end test")
        .first()
        .waitFor({ timeout: 60_000 });
      await page.screenshot({ path: "test-results/chat.png" });

      // Without the Internet OpenClaw has no picture of the user (502); what counts is that nobody is turned away.
      expect(refused.filter((answer) => /^(401|403) |^failed wss?:/.test(answer))).toEqual([]);
      // A browser on a busy machine may have connected anew.
      expect(sockets.filter(({ open, frames }) => open && frames > 0)).not.toHaveLength(0);
      expect(await page.locator("body").innerText()).not.toMatch(/pairing required|unauthorized/i);
    } finally {
      await browser.close();
    }
    expect(provider.keysSeen()).toEqual([providerKey]);
  });
});

const inContainer = (script: string) => docker("exec", settings.containerName, "sh", "-c", script);
// The oldest process of that name; the kernel cuts names after 15 characters.
const pidOf = (name: string) =>
  inContainer(`grep -l '^${name}' /proc/[0-9]*/comm | cut -d/ -f3 | sort -n | head -n 1`);

describe("npm run status", () => {
  interface Look {
    readonly bad: readonly string[];
    readonly exitCode: number | null;
    readonly milliseconds: number;
  }

  async function look(): Promise<Look> {
    const begin = performance.now();
    const { stdout, exitCode } = await project.command("status", "--json");
    const milliseconds = performance.now() - begin;
    const { checks } = JSON.parse(stdout) as {
      checks: { name: string; value: string; state: string }[];
    };
    const bad = checks
      .filter(({ state }) => state === "bad")
      .map(({ name, value }) => `${name}: ${value}`);
    return { bad, exitCode, milliseconds };
  }

  /** The fastest of three: how long the program takes, and not what else this machine does. */
  async function fastest(what: string): Promise<Look> {
    const looks = [await look(), await look(), await look()];
    const [first] = looks.sort((one, other) => one.milliseconds - other.milliseconds) as [Look];
    console.log(
      `status of a gateway that is ${what}: ${Math.round(first.milliseconds).toString()} ms`,
    );
    return first;
  }

  // 3 s are wanted, and reported; the rest is for this machine's slow days.
  const limit = 8000;

  test("tells in time that all is well", async () => {
    const { bad, exitCode, milliseconds } = await fastest("well");

    expect(bad).toEqual([]);
    expect(exitCode).toBe(0);
    expect(milliseconds).toBeLessThan(limit);
  });

  test("tells in time that the gateway's container is paused", async () => {
    await docker("pause", settings.containerName);
    const { bad, exitCode, milliseconds } = await fastest("paused").finally(() =>
      docker("unpause", settings.containerName),
    );

    expect(bad).toContain("container: paused");
    expect(exitCode).toBe(1);
    expect(milliseconds).toBeLessThan(limit);
  });

  test("tells in time that the gateway hangs, and that it is well again", async () => {
    const pid = await pidOf("openclaw");
    await inContainer(`kill -STOP ${pid}`);
    const { bad, exitCode, milliseconds } = await fastest("stopped").finally(() =>
      inContainer(`kill -CONT ${pid}`),
    );

    expect(bad).toEqual(
      expect.arrayContaining([
        "gateway: no answer within 1 s",
        "dashboard: with its login: no answer within 1 s",
      ]),
    );
    expect(exitCode).toBe(1);
    expect(milliseconds).toBeLessThan(limit);
    await eventually("all is well", look, (now) => now.exitCode === 0);
  });
});

describe("recovery", () => {
  const startedAt = () =>
    docker("inspect", "--format", "{{.State.StartedAt}}", settings.containerName);

  async function backAgain(): Promise<void> {
    await eventually("healthz is 200", healthz, ({ status }) => status === 200);
    expect((await get(`${dashboard}/`, login)).status).toBe(200);
  }

  test("a killed gateway comes back, and healthz says so meanwhile", async () => {
    await inContainer(`kill -9 ${await pidOf("openclaw")}`);

    const down = await eventually(
      "healthz tells of it",
      healthz,
      ({ status }) => status === 503,
      10,
    );
    expect(JSON.parse(down.body)).toMatchObject({ ok: false });
    await backAgain();
  });

  test("a killed nginx comes back", async () => {
    const pid = await pidOf("nginx");
    await inContainer(`kill -9 ${pid}`);

    await eventually(
      "another nginx",
      () => pidOf("nginx"),
      (now) => now !== "" && now !== pid,
      20,
    );
    await backAgain();
  });

  test("a container whose first process is killed is started again", async () => {
    const first = await startedAt();
    const pid = Number(
      await docker("inspect", "--format", "{{.State.Pid}}", settings.containerName),
    );
    process.kill(pid, "SIGKILL");

    await eventually("started again", startedAt, (now) => now !== first);
    await backAgain();
  });

  test("it is back and healthy within 15 s of a start", async () => {
    await docker("restart", settings.containerName);
    const started = Date.parse(await startedAt());
    await eventually("healthz is 200", healthz, ({ status }) => status === 200);

    // Reported, not asserted at its edge: this machine's speed varies.
    const seconds = (Date.now() - started) / 1000;
    console.log(`ready ${seconds.toFixed(1)} s after the container's start`);
    expect(seconds).toBeLessThan(45);
  });

  test("Docker itself restarted: back without anybody's help", async () => {
    const pid = dockerPid();
    await $({
      quiet: true,
      nothrow: true,
    })`systemctl stop docker 2>/dev/null || kill -TERM ${pid}`;
    await eventually(
      "Docker is gone",
      () => $({ quiet: true, nothrow: true })`ps -o comm= -p ${pid}`,
      ({ stdout }) => !/^dockerd$/m.test(stdout),
    );
    await ensureDocker();

    await backAgain();
  });
});

/** Of the engine at the usual socket; others on this machine are nobody's business here. */
function dockerPid(): number {
  return Number(readFileSync("/var/run/docker.pid", "utf8"));
}

describe("secrets", () => {
  const secrets = () => [login.password, token, providerKey];
  const leaked = (text: string) => secrets().filter((secret) => text.includes(secret));

  test("are in clear in no state, preview or log of the engine", async () => {
    const state = await project.pulumi("stack", "export", "--stack", "dev");
    await project.pulumi("config", "set", "openclaw:cpus", "1", "--stack", "dev");
    const preview = await project.pulumi("preview", "--diff", "--stack", "dev");
    await project.pulumi("config", "rm", "openclaw:cpus", "--stack", "dev");
    const run = await project.pulumi(
      ...["up", "--yes", "--refresh", "--diff", "--show-sames", "--show-config"],
      ...["--stack", "dev", "--debug", "-v=11"],
    );

    expect(state.stdout).toContain("openclaw-container");
    expect(preview.stdout).toContain("openclaw-container");
    expect(run.stdout).toContain(
      "debug: RegisterResource RPC finished: resource:openclaw-password",
    );
    for (const { text } of [state, preview, run]) {
      expect(leaked(text)).toEqual([]);
    }
  });

  test("are not in what Docker tells of container and image", async () => {
    const image = await docker("inspect", "--format", "{{.Image}}", settings.containerName);

    expect(leaked(await docker("inspect", settings.containerName))).toEqual([]);
    expect(leaked(await docker("image", "inspect", image))).toEqual([]);
    expect(leaked(await docker("history", "--no-trunc", image))).toEqual([]);
    const { stdout, stderr } = await $({ quiet: true })`docker logs ${settings.containerName}`;
    expect(leaked(stdout + stderr)).toEqual([]);
  });

  test("are in no process argument, and in no environment but the gateway's", async () => {
    const { stdout: argumentsOfAll } = await $({
      quiet: true,
    })`cat /proc/[0-9]*/cmdline 2>/dev/null || true`;
    expect(leaked(argumentsOfAll)).toEqual([]);

    const processes = (await docker("top", settings.containerName, "-o", "pid,uid,comm"))
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/) as [pid: string, uid: string, name: string]);
    expect(processes.length).toBeGreaterThan(5);
    for (const [pid, uid, name] of processes) {
      const { stdout } = await $({ quiet: true, nothrow: true })`cat /proc/${pid}/environ`;
      // The gateway and its helpers are all that runs as uid 1000.
      const allowed = uid === "1000" ? [token, providerKey] : [];
      expect([name, leaked(stdout).filter((secret) => !allowed.includes(secret))]).toEqual([
        name,
        [],
      ]);
    }
  });

  test("a rotated password works at once, and the old one no more; no process shows any of them on the way", async () => {
    const old = login;
    const shell = async (script: string) => (await $({ quiet: true })`sh -c ${script}`).stdout;
    const stopWatching = watchProcesses(shell);
    await project.setSecret("dev", "password", "a-new-password-by-hand");
    const { exitCode } = await up();
    // By it Pulumi itself gives a program its settings; processes of nobody else have it.
    const seen = (await stopWatching()).replaceAll(/^PULUMI_CONFIG=.*$/gm, "");
    login = await currentLogin();

    expect(exitCode).toBe(0);
    expect(seen).toContain("PULUMI_BACKEND_URL=");
    expect([...leaked(seen), ...(seen.includes(old.password) ? [old.password] : [])]).toEqual([]);
    expect(login.password).toBe("a-new-password-by-hand");
    expect((await get(`${dashboard}/`, old)).status).toBe(401);
    expect((await get(`${dashboard}/`, login)).status).toBe(200);
  });
});

describe("change", () => {
  test("one changed setting changes what hangs on it and nothing else", async () => {
    const { exitCode: configured } = await project.pulumi(
      "config",
      "set",
      "openclaw:memoryMb",
      "2560",
      "--stack",
      "dev",
    );
    const containerBefore = await docker("inspect", "--format", "{{.Id}}", settings.containerName);
    const { text, exitCode } = await up();

    expect([configured, exitCode]).toEqual([0, 0]);
    expect(text).toMatch(/Resources:\s+~ 1 updated\s+\d+ unchanged/);
    // A new limit is set on the running container: nobody's conversation is cut.
    expect(await docker("inspect", "--format", "{{.Id}}", settings.containerName)).toBe(
      containerBefore,
    );
    expect(
      await docker("inspect", "--format", "{{.HostConfig.Memory}}", settings.containerName),
    ).toBe((2560 * 1024 * 1024).toString());
  });

  test("an engine killed in the middle of an up: the next one converges", async () => {
    await project.pulumi("config", "set", "openclaw:username", "operator", "--stack", "dev");
    const running = project.start("up");
    const old = await docker("inspect", "--format", "{{.Id}}", settings.containerName);
    await eventually(
      "the container is being replaced",
      () =>
        $({
          quiet: true,
          nothrow: true,
        })`docker inspect --format ${"{{.Id}}"} ${settings.containerName}`,
      ({ stdout }) => stdout.trim() !== old,
      120,
    );
    await running.kill("SIGKILL");
    await running;
    const { exitCode } = await up();

    expect(exitCode).toBe(0);
    expect((await get(`${dashboard}/`, { ...login, username: "operator" })).status).toBe(200);
    expect((await up()).text).toMatch(/Resources:\s+\d+ unchanged\s/);
  });

  test("a container removed by hand is noticed and made again", async () => {
    await docker("rm", "--force", settings.containerName);
    const { exitCode } = await up();

    expect(exitCode).toBe(0);
    expect((await healthz()).status).toBe(200);
  });

  test("a dashboard that does not answer is red, and red again on the next up", async () => {
    await docker("pause", settings.containerName);
    await project.pulumi("config", "set", "openclaw:readyTimeoutSeconds", "10", "--stack", "dev");
    const [first, second] = [await up(), await up()];
    await docker("unpause", settings.containerName);
    const healed = await up();
    await project.pulumi("config", "rm", "openclaw:readyTimeoutSeconds", "--stack", "dev");

    expect([first.exitCode, second.exitCode, healed.exitCode]).toEqual([1, 1, 0]);
    expect(first.text).toContain("OpenClaw did not get ready within 10 s");
  });
});

describe("refusals, before anything changes", () => {
  test("a taken port and other problems of host and settings are named", async () => {
    const other = new Project();
    await other.checkout();
    other.settings("dev", {
      containerName: "openclaw-e2e-other",
      networkName: "openclaw-e2e-other",
      port,
      memoryMb: 900000,
    });
    const { text, exitCode } = await other.npm("up");
    other.remove();

    expect(exitCode).toBe(1);
    expect(text).toContain(`port ${port.toString()} on 127.0.0.1 is taken by another program`);
    expect(text).toContain("openclaw:memoryMb asks for 900000 MiB");
    expect(await docker("network", "ls", "--format", "{{.Name}}")).not.toContain(
      "openclaw-e2e-other",
    );
  });

  test("a Docker that hangs is named within seconds", async () => {
    const pid = dockerPid();
    process.kill(pid, "SIGSTOP");
    try {
      const started = Date.now();
      const { text, exitCode } = await up();

      expect(exitCode).toBe(1);
      expect(text).toContain("Docker does not answer: no reply within 9 s");
      // Ten seconds for Docker; the rest is this machine's start of npm and the engine's reading of the settings.
      expect(Date.now() - started).toBeLessThan(40_000);
    } finally {
      process.kill(pid, "SIGCONT");
    }
  });

  test("settings that are not usable stop a plain pulumi preview too", async () => {
    const other = new Project();
    await other.checkout();
    other.settings("dev", { username: "a:b", basePath: "x/" });
    await other.pulumi("stack", "init", "dev");
    const { text, exitCode } = await other.pulumi("preview", "--stack", "dev");
    other.remove();

    expect(exitCode).not.toBe(0);
    expect(text).toContain("2 settings are not usable");
    expect(text).not.toMatch(/at .*settings\/index\.ts/);
  });
});

describe("taking it away", () => {
  test("npm run down leaves the data and nothing else", async () => {
    const { exitCode } = await project.npm("down");
    const after = await dockerInventory();

    expect(exitCode).toBe(0);
    expect(after).toEqual({
      ...before,
      volumes: [...(before.volumes ?? []), settings.dataVolume].filter(Boolean).sort(),
    });
  });

  test("the next up finds the data again, and down --delete-data leaves nothing at all", async () => {
    const marker = "left-by-the-first-deployment";
    await $({ quiet: true })`docker volume inspect ${settings.dataVolume}`;
    const mountpoint = await docker(
      "volume",
      "inspect",
      "--format",
      "{{.Mountpoint}}",
      settings.dataVolume,
    );
    await $({ quiet: true })`touch ${mountpoint}/workspace/${marker}`;
    expect(outcome(await up())).toBe("ok");
    expect(
      await docker("exec", "--user", "1000", settings.containerName, "ls", "/data/workspace"),
    ).toContain(marker);
    expect(outcome(await project.npm("down", "--", "--delete-data"))).toBe("ok");

    const after = await dockerInventory();
    expect(after).toEqual(before);
  });
});

/** Whether something takes a connection there. */
function accepts(host: string, at: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: at, timeout: 3000 });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => {
      done(true);
    });
    socket.once("error", () => {
      done(false);
    });
    socket.once("timeout", () => {
      done(false);
    });
  });
}
