import { connect } from "node:net";
import { $ } from "zx";
import {
  docker,
  dockerInventory,
  eventually,
  get,
  pause,
  removeLeftovers,
} from "../support/docker";
import { expectContract } from "../support/imageContract";
import { watchProcesses } from "../support/processes";
import { localSettings } from "../support/localGateway";
import { outcome, Project, refusal, unchanged } from "../support/project";
import { type Provider, startProvider } from "../support/provider";

jest.setTimeout(5 * 60_000);

const stack = "standalone";
const prefix = "openclaw-e2e-standalone";
const port = 18180;
const dashboard = `http://127.0.0.1:${port.toString()}`;
const settings = localSettings(prefix, port);
const { containerName } = settings;
const providerKey = "sk-e2e-provider-key-0123456789";
const password = "standalone-password-0123";

// The tests build on each other, as the days of a gateway do.
const project = new Project();
let provider: Provider;
let token: string;
let login = { username: "admin", password };

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", stack, ...options);
const up = () => run("up");
const healthz = () => get(`${dashboard}/healthz`);
const inspect = (format: string) => docker("inspect", "--format", format, containerName);
const inContainer = (script: string) => docker("exec", containerName, "sh", "-c", script);
// The oldest process of that name; the kernel cuts names after 15 characters.
const pidOf = (name: string) =>
  inContainer(`grep -l '^${name}' /proc/[0-9]*/comm | cut -d/ -f3 | sort -n | head -n 1`);

function configure(changes: Record<string, unknown> = {}): void {
  project.settings(stack, {
    ...settings,
    openclawConfig: provider.openclawConfig,
    ...changes,
  });
}

beforeAll(async () => {
  await project.checkout("light");
  await removeLeftovers(prefix, stack);
  provider = await startProvider();
  configure();
  await project.pulumi("stack", "init", stack);
  await project.setSecret(stack, "providerKeys.ANTHROPIC_API_KEY", providerKey);
  await project.setSecret(stack, "password", password);
  expect(outcome(await up())).toBe("ok");
  token = await project.secretOutput(stack, "gatewayToken");
});

afterAll(async () => {
  await run("down", "--delete-data");
  project.remove();
  provider.stop();
});

test("a second up, a refresh and a preview change nothing", async () => {
  expect((await up()).text).toMatch(unchanged);
  const refresh = await project.pulumi(
    ...["refresh", "--yes", "--stack", stack, "--expect-no-changes"],
  );
  const preview = await project.pulumi("preview", "--stack", stack, "--expect-no-changes");

  expect([outcome(refresh), outcome(preview)]).toEqual(["ok", "ok"]);
});

describe("the published port", () => {
  test("asks for the login", async () => {
    expect((await get(`${dashboard}/`)).status).toBe(401);
    expect((await get(`${dashboard}/`, { ...login, password: "wrong-password" })).status).toBe(401);
    expect((await get(`${dashboard}/`, login)).status).toBe(200);
  });

  test("has its own realm, so that browsers keep the logins of several gateways apart", async () => {
    const { headers } = await fetch(`${dashboard}/`);

    expect(headers.get("www-authenticate")).toBe(`Basic realm="OpenClaw ${containerName}"`);
  });

  test("refuses a client that guesses, but not a browser that has logged in", async () => {
    const ask = async (given: string, cookie = "") =>
      await fetch(`${dashboard}/`, {
        headers: {
          authorization: `Basic ${btoa(`${login.username}:${given}`)}`,
          // This host is a neighbour on the gateway's network, and names the client as KASM's proxy does.
          "x-forwarded-for": "198.51.100.9",
          cookie,
        },
      });
    const cookie = (await ask(login.password)).headers.get("set-cookie")?.split(";")[0];
    const guesses = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => (await ask(`wrong-${String(index)}`)).status),
    );

    expect(new Set(guesses)).toEqual(new Set([401, 429]));
    expect((await ask(login.password, cookie)).status).toBe(200);
    expect((await get(`${dashboard}/`, login)).status).toBe(200);
  });

  test("limits core dumps to 0 bytes for all processes of the gateway, docker exec included", async () => {
    const gateway = await pidOf("openclaw");

    expect(
      await inContainer(
        `ulimit -Hc; awk '/core file/ { print $5, $6 }' /proc/1/limits /proc/${gateway}/limits`,
      ),
    ).toBe("0\n0 0\n0 0");
  });

  test("is published on the chosen addresses only, and the gateway's internal port on none", async () => {
    const others = (await $({ quiet: true })`hostname -I`).stdout.trim().split(/\s+/);
    const address = await inspect(
      `{{(index .NetworkSettings.Networks "${settings.networkName}").IPAddress}}`,
    );
    const image = await inspect("{{.Image}}");
    const fromNeighbour = (at: number) =>
      $({
        quiet: true,
        nothrow: true,
      })`docker run --rm --network ${settings.networkName} --entrypoint curl ${image} -s -o /dev/null --max-time 5 http://${containerName}:${at}/healthz`;

    expect(await accepts("127.0.0.1", port)).toBe(true);
    for (const other of others.filter((each) => each.includes("."))) {
      expect([other, await accepts(other, port)]).toEqual([other, false]);
    }
    expect(await accepts("127.0.0.1", 18789)).toBe(false);
    expect(await accepts(address, 18789)).toBe(false);
    expect((await fromNeighbour(18789)).exitCode).toBe(7); // curl: connection refused
    expect((await fromNeighbour(8080)).exitCode).toBe(0);
  });
});

test("the image keeps its contract with the light OpenClaw", async () => {
  await expectContract(containerName);
});

/** Status of a path that is asked for with a token in place of a login. */
const statusWith = async (path: string, bearer = "") =>
  (
    await fetch(`${dashboard}${path}`, {
      method: path.startsWith("/hooks") ? "POST" : "GET",
      headers: {
        "x-forwarded-for": "198.51.100.9",
        ...(bearer === "" ? {} : { authorization: `Bearer ${bearer}` }),
      },
    })
  ).status;

describe("paths without the login", () => {
  const hookToken = "hook-token-0123456789";
  test("are none by default", async () => {
    expect([
      await statusWith("/hooks/wake", hookToken),
      await statusWith("/v1/models", token),
    ]).toEqual([401, 401]);
  });

  test("are those of openPaths, at which the gateway checks a token; everything else keeps the login", async () => {
    configure({
      openPaths: { webhooks: ["/hooks"], api: ["/v1"] },
      openclawConfig: { ...provider.openclawConfig, hooks: { enabled: true } },
    });
    await project.setSecret(stack, "openclawConfig.hooks.token", hookToken);
    expect(outcome(await up())).toBe("ok");

    expect(await statusWith("/hooks/wake", hookToken)).toBe(200);
    expect(await statusWith("/hooks/wake", "wrong")).toBe(401);
    expect(await statusWith("/hooks/wake")).toBe(401);
    expect(await statusWith("/v1/models", token)).toBe(200);
    expect(await statusWith("/v1/models", "wrong")).toBe(401);
    expect(await statusWith("/v1/models")).toBe(401);
    expect(await statusWith("/hooksandmore", hookToken)).toBe(401);
    expect(await statusWith("/", token)).toBe(401);
    // Closed again by the next `up`, which is that of the secrets.
    configure();
  });
});

describe("status", () => {
  async function bad(): Promise<{ bad: string[]; exitCode: number | null }> {
    const { stdout, exitCode } = await run("status", "--json");
    const { checks } = JSON.parse(stdout) as {
      checks: { name: string; value: string; state: string }[];
    };
    return {
      bad: checks
        .filter(({ state }) => state === "bad")
        .map(({ name, value }) => `${name}: ${value}`),
      exitCode,
    };
  }

  test("exits with 0 when all checks pass, tells the age of the image's packages, and asks the npm registry for a newer OpenClaw", async () => {
    const { stdout } = await project.wellStatus("--json", "--stack", stack);
    const { checks } = JSON.parse(stdout) as { checks: { name: string; value: string }[] };
    const value = (name: string) => checks.find((check) => check.name === name)?.value;

    expect(value("gateway image")).toMatch(/^packages of \d{4}-\d\d-\d\d, \d+ days old$/);
    expect(value("newer OpenClaw")).toMatch(
      /^(none|\d{4}\.\S+ \(.*\)|not known: the npm registry does not answer)$/,
    );
  });

  test("reports a paused container", async () => {
    await pause(containerName);
    // A busy Docker takes longer for this one than status waits.
    const found = await eventually("status knows the container", bad, (seen) =>
      seen.bad.some((line) => line.startsWith("container: ") && !line.includes("unknown")),
    ).finally(() => docker("unpause", containerName));

    expect(found).toEqual({
      bad: expect.arrayContaining(["container: paused"]) as string[],
      exitCode: 1,
    });
  });

  test("reports a gateway that hangs", async () => {
    const pid = await pidOf("openclaw");
    await inContainer(`kill -STOP ${pid}`);
    const found = await bad().finally(() => inContainer(`kill -CONT ${pid}`));

    expect(found).toEqual({
      bad: expect.arrayContaining([expect.stringMatching(/^gateway: /)]) as string[],
      exitCode: 1,
    });
  });
});

describe("secrets", () => {
  const configSecret = "secret-in-openclaws-configuration";
  const leaked = (text: string) =>
    [login.password, token, providerKey, configSecret].filter((secret) => text.includes(secret));

  test("are encrypted or hidden in state, preview and debug log of the engine", async () => {
    const state = await project.pulumi("stack", "export", "--stack", stack);
    configure({ cpus: 1 });
    await project.setSecret(stack, "openclawConfig.ui.assistant.name", configSecret);
    const preview = await project.pulumi("preview", "--diff", "--stack", stack);
    configure();
    const debug = await project.pulumi(
      ...["up", "--yes", "--refresh", "--diff", "--show-sames", "--show-config"],
      ...["--stack", stack, "--debug", "-v=11"],
    );

    expect(state.stdout).toContain("openclaw-container");
    expect(preview.stdout).toContain("openclaw-container");
    expect(debug.stdout).toContain("debug: RegisterResource RPC finished: resource:openclaw-token");
    for (const { text } of [state, preview, debug]) {
      expect(leaked(text)).toEqual([]);
    }
    expect(await statusWith("/v1/models", token)).toBe(401);
  });

  test("are not shown by docker inspect of container and image", async () => {
    const image = await inspect("{{.Image}}");
    const { stdout, stderr } = await $({ quiet: true })`docker logs ${containerName}`;
    const texts = [
      await docker("inspect", containerName),
      await docker("image", "inspect", image),
      await docker("history", "--no-trunc", image),
      stdout + stderr,
    ];

    expect(texts.flatMap(leaked)).toEqual([]);
  });

  test("are in no process argument, and in no environment but the gateway's", async () => {
    const { stdout: argumentsOfAll } = await $({
      quiet: true,
    })`cat /proc/[0-9]*/cmdline 2>/dev/null || true`;
    expect(leaked(argumentsOfAll)).toEqual([]);

    const processes = (await docker("top", containerName, "-o", "pid,uid,comm"))
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/) as [pid: string, uid: string, name: string]);
    expect(processes.length).toBeGreaterThan(4);
    for (const [pid, uid, name] of processes) {
      const { stdout } = await $({ quiet: true, nothrow: true })`cat /proc/${pid}/environ`;
      // Only the gateway and its helpers run as uid 1000.
      const allowed = uid === "1000" ? [token, providerKey] : [];
      expect([name, leaked(stdout).filter((secret) => !allowed.includes(secret))]).toEqual([
        name,
        [],
      ]);
    }
  });

  test("are not visible in any process while the password is changed; only the new one is accepted", async () => {
    const previous = login;
    const shell = async (script: string) => (await $({ quiet: true })`sh -c ${script}`).stdout;
    const stopWatching = watchProcesses(shell);
    await project.setSecret(stack, "password", "a-new-password-by-hand");
    const changed = await up();
    // Pulumi hands a program its settings in this variable; no other process has it.
    const seen = (await stopWatching()).replaceAll(/^PULUMI_CONFIG=.*$/gm, "");
    login = { ...login, password: "a-new-password-by-hand" };

    expect(outcome(changed)).toBe("ok");
    expect(seen).toContain("PULUMI_BACKEND_URL=");
    expect([
      ...leaked(seen),
      ...(seen.includes(previous.password) ? [previous.password] : []),
    ]).toEqual([]);
    expect((await get(`${dashboard}/`, previous)).status).toBe(401);
    expect((await get(`${dashboard}/`, login)).status).toBe(200);
  });
});

describe("drift and recovery", () => {
  // Needs another container.
  const allowedOrigins = ["https://other.example.com"];

  test("a changed memory limit is set on the running container", async () => {
    const id = await inspect("{{.Id}}");
    configure({ memoryMb: 2560 });
    const { text } = await up();

    expect(text).toMatch(/Resources:\s+~ 1 updated\s+\d+ unchanged/);
    expect(await inspect("{{.Id}} {{.HostConfig.Memory}}")).toBe(`${id} ${2560 * 2 ** 20}`);
  });

  test("an up after a killed engine converges", async () => {
    configure({ memoryMb: 2560, username: "operator", allowedOrigins });
    const [killed] = await project.actAt(
      /openclaw-container (creating|deleting)/,
      (group) => process.kill(-group, "SIGKILL"),
      ...["up", "--stack", stack],
    );

    expect(killed.exitCode).toBeNull();
    expect(outcome(await up())).toBe("ok");
    login = { ...login, username: "operator" };
    expect((await get(`${dashboard}/`, login)).status).toBe(200);
  });

  test("a container that was removed by hand is recreated, and no other resource is new", async () => {
    await docker("rm", "--force", containerName);
    const { text, exitCode } = await up();

    expect(exitCode).toBe(0);
    expect(text).toMatch(/Resources:\s+\+ 1 created\s/);
    expect((await healthz()).status).toBe(200);
  });

  test("up fails while the dashboard does not answer, and succeeds once it does", async () => {
    await pause(containerName);
    configure({ memoryMb: 2560, username: "operator", allowedOrigins, readyTimeoutSeconds: 10 });
    const [first, second] = [await up(), await up()];
    await docker("unpause", containerName);
    const healed = await up();

    expect([first.exitCode, second.exitCode, healed.exitCode]).toEqual([1, 1, 0]);
    expect(first.text).toContain("OpenClaw can't get ready: its container is paused");
  });
});

describe("a refused up", () => {
  test("reports every problem of host and settings, and creates nothing", async () => {
    const other = new Project();
    await other.checkout("light");
    const names = { containerName: `${prefix}-other`, networkName: `${prefix}-other` };
    other.settings("other", { ...names, port, memoryMb: 900000 });
    const refused = await other.run("up", "--stack", "other");
    other.remove();

    expect(refusal(refused)).toContain(
      `port ${port.toString()} on 127.0.0.1 is taken by another program`,
    );
    expect(refusal(refused)).toContain("openclaw:memoryMb asks for 900000 MiB");
    expect(await dockerInventory(`${prefix}-other`, "other")).toEqual([]);
  });

  test("does not use a volume without a stack's label, and down does not delete it", async () => {
    const dataVolume = `${prefix}-foreign`;
    await docker("volume", "create", dataVolume);
    const other = new Project();
    await other.checkout("light");
    const names = { containerName: `${prefix}-other`, networkName: `${prefix}-other` };
    other.settings("other", { ...names, port: port + 1, dataVolume });
    const refused = await other.run("up", "--stack", "other");
    const kept = await other.run("down", "--delete-data", "--stack", "other");
    other.remove();
    const reason = "was not created by this stack";

    expect(refusal(refused)).toContain(`the volume ${dataVolume} ${reason}: change`);
    expect(refusal(kept)).toContain(
      `The Docker volume ${dataVolume} can't be deleted: it ${reason}`,
    );
    expect(await dockerInventory(`${prefix}-other`, "other")).toEqual([]);
    await docker("volume", "rm", dataVolume);
  });

  test("reports every invalid setting, with the plain CLI too", async () => {
    const other = new Project();
    await other.checkout("light");
    other.settings("other", { username: "a:b", basePath: "x/" });
    await other.pulumi("stack", "init", "other");
    const { text, exitCode } = await other.pulumi("preview", "--stack", "other");
    other.remove();

    expect(exitCode).not.toBe(0);
    expect(text).toContain("2 settings are not usable");
    expect(text).not.toMatch(/at .*\.ts:\d/);
  });
});

describe("down", () => {
  test("keeps only the data", async () => {
    expect(outcome(await run("down"))).toBe("ok");
    expect(await dockerInventory(prefix, stack)).toEqual([`volume ${settings.dataVolume}`]);
  });

  test("with --delete-data deletes the data that a later up reused", async () => {
    const marker = "left-by-the-first-deployment";
    const volume = ["volume", "inspect", "--format", "{{.Mountpoint}}", settings.dataVolume];
    await $({ quiet: true })`touch ${await docker(...volume)}/workspace/${marker}`;
    expect(outcome(await up())).toBe("ok");
    expect(
      await docker("exec", "--user", "1000", containerName, "ls", "/data/workspace"),
    ).toContain(marker);
    expect(outcome(await run("down", "--delete-data"))).toBe("ok");

    expect(await dockerInventory(prefix, stack)).toEqual([]);
  });
});

/** Returns whether the address accepts a connection. */
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
