import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { $ } from "zx";
import { ensureCoreImage } from "../../dev/rig/images";
import { messageBox } from "../support/browser";
import { docker, dockerInventory, eventually, removeLeftovers } from "../support/docker";
import { outcome, Project } from "../support/project";
import { type Provider, startProvider } from "../support/provider";
import {
  makeHome,
  prepareConfig,
  restrictModes,
  Session,
  type SessionOptions,
} from "../support/session";

jest.setTimeout(20 * 60_000);

const settings = {
  containerName: "openclaw-e2e-desktop",
  networkName: "openclaw-e2e-desktop-net",
  dataVolume: "openclaw-e2e-desktop-data",
  port: 18182,
  publishAddresses: ["127.0.0.1"],
  memoryMb: 2048,
  kasmImage: { build: true, name: "openclaw-kasm-e2e" },
};
const coreImage = "kasmweb/core-ubuntu-jammy:1.17.0";
const latest = `${settings.kasmImage.name}:latest`;
const providerKey = "sk-desktop-provider-key-0123456789";
const startupScript = "assets/kasm-image/rootfs/dockerstartup/custom_startup.sh";
const configureScript = "assets/kasm-image/rootfs/opt/openclaw-kasm/configure.mjs";

const project = new Project();
const homes = mkdtempSync(join(tmpdir(), "openclaw-homes-"));
const sessions: Session[] = [];
const idOf = ({ name }: Session) => docker("ps", "--all", "--quiet", "--filter", `name=^${name}$`);
let provider: Provider;
let form: string;

const up = () => project.run("up");
const output = async (name: string) =>
  (await project.pulumi("stack", "output", name, "--stack", "dev")).stdout.trim();
const layers = async (image: string) =>
  JSON.parse(
    await docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image),
  ) as string[];
const size = async (image: string) =>
  Number(await docker("image", "inspect", "--format", "{{.Size}}", image));

const home = (name: string) => makeHome(homes, name);

async function start(
  name: string,
  profile: string,
  more: Partial<SessionOptions> = {},
  image = latest,
) {
  const session = await Session.start(`openclaw-e2e-desktop-${name}`, image, {
    profile,
    launchSelections: form,
    ...more,
  });
  sessions.push(session);
  return session;
}

const tokenOf = (profile: string) =>
  (
    JSON.parse(readFileSync(join(profile, ".openclaw/openclaw.json"), "utf8")) as {
      gateway: { auth: { token: string } };
    }
  ).gateway.auth.token;

/** What is on Docker by a name of these tests, or as their image; others may work beside them. */
async function ownThings(): Promise<string[]> {
  const named = await dockerInventory("openclaw-e2e-desktop", "none");
  const label = `label=openclaw-kasm.stack=dev/${settings.kasmImage.name}`;
  return [...named, await docker("image", "ls", "--quiet", "--filter", label)].filter(Boolean);
}

/** A script's words for what the startup script has started under a name. */
const childOf = (name: string) =>
  `pgrep --parent $(cat /tmp/openclaw-kasm-*/supervisor) --exact ${name}`;

/** Replaces the browser by one that is stopped before it has read its page; returns its process group. */
async function stoppedBrowser(session: Session): Promise<string> {
  // In the session, where nothing comes between the browser's start and its stop.
  const pid = await session.tell(`
    old=$(${childOf("chromium")})
    kill -9 $old
    until pid=$(${childOf("chromium")}) && [ $pid != $old ]; do sleep 0.02; done
    kill -STOP -- -$pid
    echo $pid`);
  expect(pid).toMatch(/^\d+$/);
  return pid;
}

const gatewayPid = (session: Session) => session.tell("pgrep --oldest openclaw-gatewa");

beforeAll(async () => {
  await project.checkout("real");
  await restrictModes(project.folder);
  await removeLeftovers("openclaw-e2e-desktop", "none");
  await docker("tag", await ensureCoreImage("jammy"), coreImage);
  provider = await startProvider();
  form = join(homes, "launch_selections.json");
  writeFileSync(form, JSON.stringify({ anthropic_api_key: providerKey }), { mode: 0o644 });
  project.settings("dev", settings);
  await project.pulumi("stack", "init", "dev");
});

afterAll(async () => {
  await Promise.all(sessions.map((session) => session.remove().catch(() => undefined)));
  await project.run("down", "--delete-data");
  await docker("image", "rm", coreImage).catch(() => undefined);
  project.remove();
  provider.stop();
  rmSync(homes, { recursive: true });
});

describe("the image", () => {
  test("npm run up builds it and tags it with both names", async () => {
    expect(outcome(await up())).toBe("ok");
    const reference = await output("kasmImage");

    expect(reference).toMatch(/^openclaw-kasm-e2e:2026\.9\.6-[0-9a-f]{12}$/);
    expect(await layers(latest)).toEqual(await layers(reference));
  });

  test("a second npm run up changes nothing", async () => {
    expect((await up()).text).toMatch(/Resources:\s+\d+ unchanged\s/);
  });

  test("adds less than 1.4 GB to KASM's own", async () => {
    const [all, core] = [await size(latest), await size(coreImage)];
    console.log(
      `image: ${(all / 1e9).toFixed(2)} GB, of which our layers ${((all - core) / 1e9).toFixed(2)} GB`,
    );

    expect(all - core).toBeLessThan(1.4e9);
  });

  test("belongs to group 0 where a session's user needs access, and runs as uid 1000", async () => {
    const run = (script: string) =>
      docker("run", "--rm", "--network", "none", "--entrypoint", "bash", latest, "-c", script);

    expect(await run("id -u")).toBe("1000");
    expect(
      await run(
        "find /dockerstartup /opt/openclaw-kasm /home/kasm-default-profile ! -group 0 ! -path '/dockerstartup/kasmrx/*' | head -n 3",
      ),
    ).toBe("");
    expect(await run("docker --version && docker compose version && node --version")).toMatch(
      /^Docker version \d+.*\nDocker Compose version .*\nv26\./,
    );
  });

  test("holds neither secrets nor the builder's certificate authorities", async () => {
    const history = await docker("history", "--no-trunc", latest);
    const inspected = await docker("image", "inspect", latest);
    const secrets = await docker(
      ...["run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "bash", latest],
      ...[
        "-c",
        "find /run/secrets -type f -size +0; grep -l debian.org /etc/apt/sources.list.d/*; env | grep -c NODE_EXTRA_CA || true",
      ],
    );

    expect(history + inspected).not.toContain(providerKey);
    expect(secrets).toBe("0");
  });
});

describe("a session", () => {
  let profile: string;
  let session: Session;

  beforeAll(() => {
    profile = home("first");
    prepareConfig(profile, provider.openclawConfig);
  });

  test("shows the dashboard, logged in", async () => {
    const begin = performance.now();
    session = await start("one", profile);
    await session.connected();
    const seconds = (performance.now() - begin) / 1000;
    console.log(`dashboard connected ${seconds.toFixed(1)} s after the session's start`);
    await session.inBrowser((page) => messageBox(page).waitFor());
    await session.screenshot("test-results/kasm-session.png");

    expect(await session.tell("stat --format %a ~/.openclaw/openclaw.json")).toBe("600");
  });

  test("answers a chat with the key from the launch form", async () => {
    await session.chat("hello from a KASM session");
    await session.screenshot("test-results/kasm-session-chat.png");

    expect(provider.keysSeen()).toEqual([providerKey]);
  });

  test("runs as uid 1000 and listens on loopback only", async () => {
    expect(await session.tell("ps axo uid= | sort -u | tr -d ' '")).toBe("1000");
    const address = await docker(
      "inspect",
      "--format",
      "{{.NetworkSettings.IPAddress}}",
      session.name,
    );
    const ask = (port: number) =>
      $({
        quiet: true,
        nothrow: true,
      })`curl -s -o /dev/null --max-time 5 http://${address}:${port}/`;

    expect((await ask(18789)).exitCode).toBe(7); // curl: connection refused
    expect((await ask(8081)).exitCode).toBe(0);

    // State 0A is a listening socket; of the address 127.0.0.0/8 ends in 7F, and ::1 in 01000000.
    const sockets = (await session.tell("cat /proc/net/tcp /proc/net/tcp6")).split("\n");
    const open = sockets
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local = "", , state]) => state === "0A" && !/(7F|0{24}01000000):/.test(local))
      .map(([, local = ""]) => parseInt(local.replace(/.*:/, ""), 16));
    // KASM's own.
    expect([...new Set(open)].sort()).toEqual([4901, 6901, 8081]);
  });

  test("keeps secrets out of arguments, shell history and other processes", async () => {
    const token = tokenOf(profile);
    expect(token.length).toBeGreaterThan(40);

    const inArguments = await session.tell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    expect(inArguments).toContain("page.html");
    expect(inArguments).not.toMatch(new RegExp(`${token}|${providerKey}|bootstrapToken`));
    expect(await session.tell(`grep -rlF ${token} ~/.config ~/.cache /tmp`)).toBe("");
    expect(await docker("inspect", session.name)).not.toMatch(
      new RegExp(`${token}|${providerKey}`),
    );

    // The gateway and what it started itself are the ones that may have the key.
    const holders = await session.tell(
      `for pid in $(grep -lsF ${providerKey} /proc/[0-9]*/environ | cut -d/ -f3); do ps -o sid= -p $pid; done | sort -u`,
    );
    const gatewaySession = await session.tell("ps -o sid= -p $(pgrep --oldest openclaw-gatewa)");
    expect(holders.split("\n").map((sid) => sid.trim())).toContain(gatewaySession.trim());
    expect(await session.tell(`grep -csF ${providerKey} /proc/1/environ || true`)).toBe("0");
    const others = "$(cat /tmp/openclaw-kasm-*/supervisor) $(pgrep 'chromium|xfce')";
    expect((await session.tell(`echo ${others}`)).split(" ").length).toBeGreaterThan(4);
    expect(
      await session.tell(
        `for pid in ${others}; do grep -lsF ${providerKey} /proc/$pid/environ; done`,
      ),
    ).toBe("");
  });

  test("restarts every other child of the startup script when it is killed", async () => {
    const children = async () =>
      (await session.tell("ps -o comm= --ppid $(cat /tmp/openclaw-kasm-*/supervisor)"))
        .split("\n")
        .sort();
    const expected = ["chromium", "openclaw-gatewa", "sleep"];
    const before = await session.lastConnection();
    for (const name of ["chromium", "sleep"]) {
      await eventually("all are there", children, (found) => found.join() === expected.join());
      await session.tell(`kill -9 $(${childOf(name)})`);
    }
    await eventually("all are back", children, (found) => found.join() === expected.join());
    await session.connected(90, before);
  });

  test("restarts the gateway when it is killed, and logs a browser in that has not read its page by then", async () => {
    const browser = await stoppedBrowser(session);
    const pid = await gatewayPid(session);
    await session.tell(`kill -9 ${pid}`);
    const before = await session.lastConnection();
    await sleep(3000);
    await session.tell(`kill -CONT -- -${browser}`);

    await session.connected(90, before);
    expect(await gatewayPid(session)).not.toBe(pid);
    expect(await session.tell(childOf("chromium"))).toBe(browser);
  });

  test("opens the dashboard again in the same browser if a page does not reach it", async () => {
    const browser = await stoppedBrowser(session);
    const before = await session.lastConnection();
    await session.tell(
      `echo 'an answer of a gateway that was not ready' >$(echo /tmp/openclaw-kasm-*/page.html); kill -CONT -- -${browser}`,
    );

    await session.connected(90, before);
    expect(await session.tell(childOf("chromium"))).toBe(browser);
    await session.until("no code is left", "grep -q 'is starting' /tmp/openclaw-kasm-*/page.html");
  });

  test("opens an address that KASM passes in addition to the dashboard", async () => {
    await session.tell(
      "/dockerstartup/custom_startup.sh --go --url http://127.0.0.1:8081/vnc.html",
    );

    await session.inBrowser(async (page) => {
      await eventually(
        "a second page",
        () =>
          Promise.resolve(
            page
              .context()
              .pages()
              .map((each) => each.url()),
          ),
        (urls) => urls.includes("http://127.0.0.1:8081/vnc.html"),
        60,
      );
    });
  });

  test("shows a message in a second session with the same home, which takes over when the first one is killed", async () => {
    const token = tokenOf(profile);
    const address = "http://127.0.0.1:8081/index.html";
    const second = await start("two", profile, { environment: { KASM_URL: address } });
    await second.inBrowser((page) =>
      page.getByRole("heading", { name: "OpenClaw runs in another session of yours" }).waitFor(),
    );
    await second.screenshot("test-results/kasm-session-second.png");
    expect(await gatewayPid(second)).toBe("");

    await session.remove();
    await second.connected();
    session = second;
    await session.inBrowser(async (page) => {
      await page.getByText("hello from a KASM session").first().waitFor();
    });
    expect(tokenOf(profile)).toBe(token);
    await eventually(
      "the address that KASM gave is open too",
      () => session.pages(),
      (pages) => pages.includes(address),
    );
  });

  test("stops cleanly when KASM ends it: the gateway completes its shutdown and the exit status is 0", async () => {
    const begin = performance.now();
    await session.tell("/dockerstartup/kasm_pre_shutdown_user.sh");
    console.log(`the hook took ${((performance.now() - begin) / 1000).toFixed(1)} s`);

    expect(await gatewayPid(session)).toBe("");
    expect(await session.tell("tail -n 3 /tmp/openclaw-kasm-*/gateway.log")).toContain(
      "completed cleanly",
    );
    await docker("stop", "--time", "20", session.name);
    expect(await docker("inspect", "--format", "{{.State.ExitCode}}", session.name)).toBe("0");
    await session.remove();
  });
});

describe("a change", () => {
  let profile: string;
  let old: Session;

  beforeAll(async () => {
    profile = home("second");
    old = await start("old", profile, { launchSelections: undefined });
  });

  test("shows where to set a provider key in a session without one", async () => {
    await old.connected();
    await old.inBrowser((page) =>
      page.getByRole("heading", { name: "Connect a verified AI model" }).waitFor(),
    );
  });

  test("of the startup script rebuilds only the last layers, keeps the image in use and names its container", async () => {
    const first = await output("kasmImage");
    const [core, previous] = [await layers(coreImage), await layers(first)];
    appendFileSync(join(project.folder, startupScript), "# another line\n");
    const configure = join(project.folder, configureScript);
    const newDefaults = readFileSync(configure, "utf8").replace(
      "browser: { noSandbox: true }",
      "browser: { noSandbox: true, headless: true }",
    );
    writeFileSync(configure, newDefaults);
    const begin = performance.now();
    const { text, exitCode } = await up();
    console.log(
      `a changed startup script: up took ${((performance.now() - begin) / 1000).toFixed(0)} s`,
    );
    const now = await layers(latest);
    const same = now.findIndex((layer, index) => layer !== previous[index]);

    expect(exitCode).toBe(0);
    expect(text).toMatch(
      new RegExp(
        `The image .*${first}.* is kept, because these containers still use it: ${await idOf(old)}`,
      ),
    );
    expect(now).toHaveLength(previous.length);
    // Below them: packages, browser, Node, npm, OpenClaw and what was compiled of it.
    expect(now.length - same).toBeLessThanOrEqual(5);
    expect(same).toBeGreaterThan(core.length + 6);
  });

  test("of the image keeps the home of an earlier session and applies the new defaults", async () => {
    const token = tokenOf(profile);
    await old.tell("kill -TERM $(cat /tmp/openclaw-kasm-*/supervisor)");
    await old.until(
      "the startup script has ended",
      "! kill -0 $(cat /tmp/openclaw-kasm-*/supervisor)",
    );
    expect(await gatewayPid(old)).toBe("");
    const check = `const { DatabaseSync } = require("node:sqlite");
      console.log(new DatabaseSync(process.env.HOME + "/.openclaw/state/openclaw.sqlite").prepare("PRAGMA integrity_check").get().integrity_check)`;
    expect(await old.tell(`node --no-warnings --eval '${check}'`)).toBe("ok");
    await old.remove();
    const session = await start("new", profile, {
      // A session that ends when the startup script does.
      environment: { DLP_PROCESS_FAIL_SECURE: "1" },
    });
    await session.connected();

    expect(tokenOf(profile)).toBe(token);
    expect(
      await session.tell(
        `node -p 'JSON.stringify(JSON.parse(fs.readFileSync(os.homedir() + "/.openclaw/openclaw.json")).browser)'`,
      ),
    ).toBe('{"noSandbox":true,"headless":true}');
    await session.inBrowser((page) =>
      page.getByRole("heading", { name: "Connect a verified AI model" }).waitFor(),
    );
  });

  test("to a configuration that the gateway refuses is reported on the desktop, without restarts", async () => {
    const session = sessions.at(-1) as Session;
    const file = join(profile, ".openclaw/openclaw.json");
    const good = readFileSync(file, "utf8");
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(good) as object), nonsense: 1 }));
    await session.tell(`kill -9 ${await gatewayPid(session)}`);
    const before = await session.lastConnection();
    await session.inBrowser(() => Promise.resolve());
    await eventually(
      "the message is shown",
      () => session.tell("wmctrl -l"),
      (windows) => windows.includes("OpenClaw does not accept its configuration"),
      90,
    );
    await session.screenshot("test-results/kasm-session-refused.png");
    await sleep(10_000);
    expect((await session.log()).match(/STOPPED/g)).toHaveLength(1);

    writeFileSync(file, good);
    await session.connected(90, before);
  });
});

describe("npm run down", () => {
  test("removes everything except an image in use, which it names", async () => {
    const session = sessions.at(-1) as Session;
    const reference = await output("kasmImage");
    const down = await project.run("down", "--delete-data");

    expect(outcome(down)).toBe("ok");
    expect(down.text).toContain(
      `The image ${reference} is kept, because these containers still use it: ${await idOf(session)}`,
    );
    await session.end();
    await docker("image", "rm", reference);
    expect(await ownThings()).toEqual([]);
  });
});
