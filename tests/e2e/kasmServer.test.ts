import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { $ } from "zx";
import type { Rig } from "../../dev/rig/rig";
import { launchBrowser, messageBox, shown, visit } from "../support/browser";
import { eventually } from "../support/docker";
import { dataFolders, KasmServer } from "../support/kasmServer";
import { useLightOpenclaw } from "../support/lightOpenclaw";
import { outcome, Project, unchanged } from "../support/project";
import { type Provider, startProvider } from "../support/provider";
import {
  hostAddress,
  kasmDirectory,
  kasmUrl,
  removeWorkerRig,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(15 * 60_000);

const dashboard = `${kasmUrl}/openclaw/`;
const providerKey = "sk-kasm-server-provider-0123456789";
const password = "kasm-server-password-0123";

// The tests build on each other, as the days of a server do: an `up` that puts one thing right shows a second one too.
const project = new Project();
let rig: Rig;
let server: KasmServer;
let provider: Provider;
let hostBefore: Record<string, string[]>;
let servicesBefore: string;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "kasm", ...options);
const up = () => run("up");
const login = { username: "admin", password };
const basic = Buffer.from(`admin:${password}`).toString("base64");
const authorization = `Basic ${basic}`;

function settings(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    host: rig.host,
    kasmUrl,
    kasmDirectory,
    nginxRoute: { mode: "path" },
    memoryMb: 2048,
    readyTimeoutSeconds: 120,
    openclawConfig: provider.openclawConfig,
    ...changes,
  };
}

function configure(changes?: Record<string, unknown>): void {
  project.settings("kasm", settings(changes));
}

beforeAll(async () => {
  await project.checkout("real");
  const rigStarted = startWorkerRig({});
  project.settings("kasm", {});
  await project.pulumi("stack", "init", "kasm");
  await project.setSecret("kasm", "providerKeys.ANTHROPIC_API_KEY", providerKey);
  await project.setSecret("kasm", "password", password);
  rig = await rigStarted;
  server = new KasmServer(rig, project);
  provider = await startProvider(await hostAddress(rig));
  configure();
  [hostBefore, servicesBefore] = await Promise.all([rig.inventory(), server.services()]);
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
  provider.stop();
});

describe("a KASM server", () => {
  test("npm run up ends with a dashboard behind KASM's own nginx", async () => {
    expect(outcome(await up())).toBe("ok");
    expect(await server.statusOf("/openclaw/")).toBe(401);
    expect((await up()).text).toMatch(unchanged);
  });

  test("in a browser the dashboard connects with TLS on KASM's port, and its WebSocket survives 20 reloads", async () => {
    const browser = await launchBrowser();
    try {
      const { page, refused, sockets } = await visit(browser, dashboard, login);
      await shown(messageBox(page));
      await chat(page, "hello through KASM");
      await page.screenshot({ path: "test-results/kasm-route.png" });
      // On a busy machine the dashboard gives a connection up that is slow to be answered, and makes
      // another: the one that chats has the most frames.
      const socket = sockets
        .filter(({ open }) => open)
        .sort((one, other) => other.frames - one.frames)[0];
      const frames = socket?.frames ?? 0;
      // Two reloads each.
      await rig.churn(10);
      await chat(page, "hello after 20 reloads");

      expect(refused.filter((answer) => /^(401|403) |^failed wss?:/.test(answer))).toEqual([]);
      expect(socket?.open).toBe(true);
      expect(socket?.frames).toBeGreaterThan(frames);
    } finally {
      await browser.close();
    }
    expect(provider.keysSeen()).toEqual([providerKey]);
  });

  /** Says something to the agent and waits for its answer. */
  async function chat(page: Page, text: string): Promise<void> {
    await messageBox(page).fill(text);
    await messageBox(page).press("Enter");
    await page.getByText(`stand-in heard: ${text}`).first().waitFor();
  }
});

describe("with coollabsio's image", () => {
  const image = "coollabsio/openclaw:2026.9.6";

  beforeAll(async () => {
    // From the gateway's image, which the server has: real OpenClaw and nginx, put together as that image does it.
    const folder = join(__dirname, "../../dev/rig/coollabsio-image");
    const gateway = await rig.exec("docker inspect --format '{{.Config.Image}}' openclaw");
    // BuildKit takes no image by its id, by which the container knows it.
    await $({
      quiet: true,
    })`tar --create --directory ${folder} . | docker exec --interactive --env DOCKER_BUILDKIT=0 openclaw-kasm-rig-${rig.name} docker build --quiet --build-arg GATEWAY_IMAGE=${gateway} --tag ${image} -`;
  });

  test("npm run up deploys a dashboard that answers, and says that browsers need approval", async () => {
    // That image listens on one port only.
    configure({ gatewayImage: image, publishAddresses: ["172.17.0.1"] });
    const { text, exitCode } = await up();

    expect(text).toContain("OpenClaw is up.");
    expect(exitCode).toBe(0);
    expect(text).toContain("npm run approve");
    await project.wellStatus("--stack", "kasm");
    expect((await up()).text).toMatch(/Resources:\s+\d+ unchanged\s/);
  });

  test("a browser with the token waits for approval, then a chat is answered", async () => {
    const token = await project.secretOutput("kasm", "gatewayToken");
    const browser = await launchBrowser();
    try {
      const { page } = await visit(browser, `${dashboard}#token=${token}`, login);
      const waiting = await eventually(
        "a browser waits",
        async () => (await run("approve")).stdout,
        (list) => !list.includes("No browser waits"),
      );
      const [id = ""] = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(waiting) ?? [];
      expect(outcome(await run("approve", id))).toBe("ok");
      await shown(messageBox(page));
      await messageBox(page).fill("hello after the approval");
      await messageBox(page).press("Enter");
      await page.getByText("stand-in heard: hello after the approval").first().waitFor();
    } finally {
      await browser.close();
    }
  });

  test("status reports a gateway that hangs, although the image's health check passes", async () => {
    const signal = (name: string) =>
      rig.exec(
        `docker exec openclaw sh -c 'kill -${name} $(grep -l ^openclaw /proc/[0-9]*/comm | cut -d/ -f3)'`,
      );
    await signal("STOP");
    const { exitCode } = await run("status").finally(() => signal("CONT"));

    expect(exitCode).toBe(1);
  });
});

describe("npm run down", () => {
  test("with --delete-data removes everything of OpenClaw", async () => {
    expect(outcome(await run("down", "--delete-data"))).toBe("ok");

    const left = Object.values(await rig.inventory()).flat();
    expect(left.filter((line) => /openclaw/i.test(line))).toEqual([]);
    expect((await rig.tryExec("test -e /opt/openclaw")).exitCode).toBe(1);
  });
});

describe("after SSH is cut or the engine is killed at each step", () => {
  beforeAll(async () => {
    // It is about the server here, and each step starts a gateway.
    useLightOpenclaw(join(project.folder, "assets/gateway-image"));
    configure();
    // What these tests put coollabsio's image together from.
    await rig.exec("docker image prune --force");
  });

  test("of a deployment, KASM works, and the next up converges", async () => {
    const agent = agentAtWork();
    await server.killAt(/openclaw-network creating/, "up");
    await server.cutAt(/openclaw-image creating/, "up");
    // Where a step was done before the end came, the next one has its turn.
    await server.killAt(/openclaw-(container|ready) creating/, "up");
    await server.killAt(/openclaw-(ready|route-nginx) creating/, "up");
    await server.killAt(/openclaw-route-nginx creating/, "up");
    expect(outcome(await up())).toBe("ok");
    await agent.stop();

    expect(await server.statusOf("/openclaw/", { authorization })).toBe(200);
    expect(await server.containersFiles()).toBe("openclaw.conf");
  });

  test("of a change of the path, KASM works, the next up converges, and the old path is removed", async () => {
    configure({ basePath: "/ai/claw" });
    await server.cutAt(/openclaw-container (creating|deleting)/, "up");
    await server.cutAt(/openclaw-ready creating/, "up");
    await server.cutAt(/openclaw-route-nginx (creating|updating)/, "up");

    expect(outcome(await up())).toBe("ok");
    expect(await server.statusOf("/ai/claw/")).toBe(401);
    expect([401, 502]).not.toContain(await server.statusOf("/openclaw/"));
    expect(await server.containersFiles()).toBe("openclaw.conf");
  });

  test("of down, KASM works, and the next down restores the host except for the data", async () => {
    configure();
    const agent = agentAtWork();
    await server.cutAt(/openclaw-route-nginx deleting/, "down");
    await server.killAt(/openclaw-container deleting/, "down");
    expect(outcome(await run("down"))).toBe("ok");
    await agent.stop();

    expect(await rig.inventory()).toEqual(hostBefore);
    expect(await rig.exec("ls /opt/openclaw")).toBe("data");
    expect(await server.dataModes()).toBe(dataFolders);
  });

  test("KASM was never stopped", async () => {
    expect(await server.services()).toBe(servicesBefore);
  });

  /** Has KASM's agent write and remove sessions' files until `stop`, at least 50, which fails if one of them was refused. */
  function agentAtWork() {
    let running = true;
    const work = async () => {
      for (let rounds = 0; running || rounds < 50; rounds += 5) {
        await rig.churn(5);
        // Whole processors for it would be more than a server's sessions ever take.
        await sleep(200);
      }
    };
    const done = work();
    // Told by `stop`.
    done.catch(() => undefined);
    return {
      stop: () => {
        running = false;
        return done;
      },
    };
  }
});
