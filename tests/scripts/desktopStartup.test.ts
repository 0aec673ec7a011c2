import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/docker";

jest.setTimeout(60_000);

const image = "assets/kasm-image/rootfs";
let folder: string;
let supervisor: ChildProcess | undefined;
const at = (...path: string[]) => join(folder, ...path);
const text = (file: string) => (existsSync(at(file)) ? readFileSync(at(file), "utf8") : "");
const program = (file: string, content: string) => {
  writeFileSync(at(file), content, { mode: 0o755 });
};

/** A fake gateway: reports that it answers once a file "answers" exists; exits with the status in a file "status", if any. */
const gateway = `#!/bin/bash
echo $$ >>FOLDER/gateways
if [ -e FOLDER/status ]; then sleep 1; exit "$(cat FOLDER/status)"; fi
exec sleep 1000`;
/** As Chromium does it: the first on a profile has a socket there, another one hands its address over. */
const chromium = `#!/usr/bin/env node
const fs = require("node:fs");
const profile = process.argv.find((each) => each.startsWith("--user-data-dir=")).split("=")[1];
const call = { pid: process.pid, address: process.argv.at(-1), page: fs.readFileSync("FOLDER/run/page.html", "utf8") };
fs.appendFileSync("FOLDER/browsers", JSON.stringify(call) + "\\n");
if (fs.existsSync(profile + "/SingletonSocket")) process.exit();
fs.mkdirSync(profile, { recursive: true });
setTimeout(() => require("node:net").createServer().listen(profile + "/SingletonSocket"), 1000);`;
const dashboardPage = `
import fs from "node:fs";
if (fs.existsSync("FOLDER/page-hangs")) {
  fs.writeFileSync("FOLDER/page-hangs", "now");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}
fs.appendFileSync("FOLDER/codes", "x");
fs.writeFileSync(process.argv[2], "code " + fs.statSync("FOLDER/codes").size);`;

/** Notes which of the gateways are there; fails as "hook-status" says, and takes until there is "hook-ends". */
const kasmsHook = `#!/bin/bash
for pid in $(cat FOLDER/gateways); do [ -d /proc/$pid ] && echo $pid; done >FOLDER/seen
touch FOLDER/hook-copies
until [ -e FOLDER/hook-ends ]; do sleep 0.1; done
exit "$(cat FOLDER/hook-status)"`;

const pids = () => text("gateways").trim().split("\n").filter(Boolean).map(Number);
const page = () => text("run/page.html");
const hasCode = () => page().startsWith("code");
const browsers = () =>
  text("browsers")
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { pid: number; address: string; page: string });
const dashboards = () => browsers().filter(({ address }) => address.endsWith("/page.html"));
const connect = () => {
  appendFileSync(at("run/gateway.log"), "webchat connected\n");
};
const answer = () => {
  writeFileSync(at("answers"), "");
};
const killGateway = () => process.kill(pids().at(-1) as number, "SIGKILL");
const isSo = (what: string, condition: () => boolean) =>
  eventually(what, () => Promise.resolve(condition()), Boolean, 20);

/** The startup script with what it starts replaced, its files in the test's folder, and less patience. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "desktop-startup-"));
  for (const each of ["bin", "site", "home"]) {
    mkdirSync(at(each));
  }
  cpSync(join(image, "opt/openclaw-kasm"), at("tools"), { recursive: true });
  const here = (content: string) => content.replaceAll("FOLDER", folder);
  program("bin/chromium", here(chromium));
  program("bin/curl", here("#!/bin/sh\ntest -e FOLDER/answers"));
  program("tools/run-gateway", here(gateway));
  program("tools/dashboard-page.mjs", here(dashboardPage));
  program("tools/forget-dead-session.mjs", "");
  const adapted = (file: string) =>
    readFileSync(join(image, file), "utf8")
      .replaceAll("/opt/openclaw-kasm", at("tools"))
      .replaceAll("/etc/openclaw-kasm", at("site"))
      .replaceAll(/\/tmp\/openclaw-kasm-(\$UID|1000)/g, at("run"));
  const script = adapted("dockerstartup/custom_startup.sh")
    .replaceAll("/usr/bin/filter_ready", at("bin/filter_ready"))
    .replace("SHARED=/mnt/openclaw-shared", `SHARED=${at("shared")}`)
    .replace("FILTER_SECONDS=60", "FILTER_SECONDS=3")
    .replace("REST_SECONDS=120", "REST_SECONDS=3")
    .replace(/CONNECT_SECONDS=30 RECONNECT_SECONDS=75/, "CONNECT_SECONDS=3 RECONNECT_SECONDS=7")
    .replace("LONG_START_SECONDS=90", "LONG_START_SECONDS=4")
    .replace("--kill-after 2 20", "--kill-after 2 3")
    .replace("sleep 1 &", "sleep 0.2 &");
  program("custom_startup.sh", script);
  program("tools/ask-for-rest", adapted("opt/openclaw-kasm/ask-for-rest"));
  // The files belong to the user that runs the tests, root or not.
  const hook = adapted("opt/openclaw-kasm/hook.sh").replace("UID == 0", "0");
  program("kasm_end_session.sh", hook);
  program("kasm_end_session.kasm.sh", here(kasmsHook));
});

afterEach(async () => {
  if (supervisor !== undefined) {
    supervisor.kill();
    await once(supervisor, "exit");
    supervisor = undefined;
  }
  rmSync(folder, { recursive: true });
});

const env = () => ({ PATH: `${at("bin")}:${process.env.PATH ?? ""}`, HOME: at("home") });

function start(more: Record<string, string> = {}): void {
  supervisor = spawn(at("custom_startup.sh"), { env: { ...env(), ...more }, stdio: "ignore" });
}

/** Starts a session and connects its dashboard. */
async function startConnected(): Promise<void> {
  start();
  await isSo("the gateway is started", () => pids().length === 1);
  answer();
  await isSo("there is a code", hasCode);
  connect();
  await isSo("the code is gone", () => page().includes("starting"));
}

describe("a gateway that dies after a long run", () => {
  test("leaves the browser open, which reconnects to the next gateway", async () => {
    await startConnected();
    await sleep(4500);
    rmSync(at("answers"));
    killGateway();
    await isSo("another gateway is started", () => pids().length === 2);
    await sleep(1000);
    answer();
    await isSo("there is another code", hasCode);

    expect(browsers()).toHaveLength(1);
  });
});

test("the desktop shows a message while the gateway starts slowly", async () => {
  start();

  await isSo("a message is open", () => browsers().at(-1)?.address.startsWith("--app=") === true);
  expect(page()).toContain("<h1>OpenClaw does not start</h1>");
});

describe("a dashboard that does not connect", () => {
  test("is opened again with another code, three times at most", async () => {
    start();
    await isSo("the browser is there", () => browsers().length === 1);
    answer();
    await isSo("it was opened again", () => dashboards().length === 4);
    await sleep(4000);

    expect(dashboards().map((each) => each.page.replace(/^<.*/s, "starting"))).toEqual([
      "starting",
      "code 2",
      "code 3",
      "code 4",
    ]);
  });

  test("is not opened again once it has connected", async () => {
    await startConnected();
    await sleep(4000);

    expect(dashboards()).toHaveLength(1);
  });

  test("of a killed gateway gets no code in the page until another gateway runs", async () => {
    start();
    await isSo("the gateway is started", () => pids().length === 1);
    answer();
    await isSo("there is a code", hasCode);
    rmSync(at("answers"));
    killGateway();
    await isSo("the code is gone", () => page().includes("starting"));
    answer();

    await isSo("there is another code", hasCode);
  });

  test("but was connected before has more time to reconnect", async () => {
    await startConnected();
    killGateway();
    await isSo("there is another code", hasCode);
    await sleep(4000);
    expect(dashboards()).toHaveLength(1);

    await isSo("it was opened again", () => dashboards().length === 2);
  });
});

test("restarts the gateway although a tool of the dashboard hangs", async () => {
  writeFileSync(at("page-hangs"), "");
  start();
  await isSo("the gateway is started", () => pids().length === 1);
  answer();
  await isSo("the tool hangs", () => text("page-hangs") === "now");
  killGateway();

  await isSo("another gateway is started", () => pids().length === 2);
  expect(page()).toContain("starting");
});

describe("a configuration that the gateway refuses", () => {
  const config = () => at("home/.openclaw/openclaw.json");

  beforeEach(() => {
    mkdirSync(at("home/.openclaw"));
    writeFileSync(config(), "wrong");
    writeFileSync(at("status"), "78");
  });

  test("stops the restarts", async () => {
    start();
    await isSo("a message", () => page().includes("does not accept its configuration"));
    await sleep(2000);

    expect(pids()).toHaveLength(1);
  });

  test("is tried again if it was corrected while the gateway stopped", async () => {
    start();
    await isSo("the gateway is started", () => pids().length === 1);
    writeFileSync(config(), "right");

    await isSo("it is tried again", () => pids().length === 2);
  });

  test("is tried again when the site's defaults change", async () => {
    writeFileSync(at("site/openclaw.json"), "wrong");
    start();
    await isSo("a message", () => page().includes("does not accept its configuration"));
    writeFileSync(at("site/openclaw.json"), "right");

    await isSo("it is tried again", () => pids().length === 2);
  });
});

describe("an address in addition to the dashboard", () => {
  const ask = (...args: string[]) =>
    spawnSync(at("custom_startup.sh"), args, { env: env() }).status;

  test("waits until the browser runs", async () => {
    start({ KASM_URL: "https://example.com/first" });
    await isSo("it is opened", () => browsers().length === 2);

    expect(browsers().map(({ address }) => address)).toEqual([
      `file://${at("run/page.html")}`,
      "https://example.com/first",
    ]);
  });

  test.each([
    [["--go", "--url", "https://example.com/"], "https://example.com/\n"],
    [["--go", "https://example.com/"], "https://example.com/\n"],
    [["--assign", "--url", "http://127.0.0.1:18789/"], ""],
    [["--assign", "--url", "http://127.0.0.1:18789"], ""],
    [["--go", "--url", "--renderer-cmd-prefix=xterm"], ""],
    [["--go", "--url", "http://a/\n--no-proxy-server"], "http://a/--no-proxy-server\n"],
    [["--go"], ""],
  ])("%j opens %j", (args, asked) => {
    expect(ask(...args)).toBe(0);
    expect(text("run/addresses")).toBe(asked);
  });
});

test("truncates a large log", async () => {
  await startConnected();
  truncateSync(at("run/gateway.log"), 11 * 1024 * 1024);

  await isSo("it is small", () => statSync(at("run/gateway.log")).size < 1000);
});

describe("a hook that KASM runs at the end of a session", () => {
  const hook = () => spawn(at("kasm_end_session.sh"), { env: env(), stdio: "ignore" });
  const ended = async (running: ChildProcess) =>
    ((await once(running, "exit")) as [number | null])[0];
  const endsWith = (status: number) => {
    writeFileSync(at("hook-status"), status.toString());
    writeFileSync(at("hook-ends"), "");
  };

  test("keeps gateway and browser stopped while it runs", async () => {
    await startConnected();
    const running = hook();
    await isSo("it copies the home", () => existsSync(at("hook-copies")));
    await sleep(4000);
    endsWith(0);

    expect(await ended(running)).toBe(0);
    expect(text("seen")).toBe("");
    expect(pids()).toHaveLength(1);
    expect(() => process.kill(browsers()[0]?.pid ?? 0, 0)).toThrow("ESRCH");
  });

  test("that fails keeps its exit status, and the session continues at once", async () => {
    await startConnected();
    const running = hook();
    await isSo("it copies the home", () => existsSync(at("hook-copies")));
    endsWith(74);

    expect(await ended(running)).toBe(74);
    await isSo("there is a gateway again", () => pids().length === 2);
  });

  test("starts the gateway again if the session goes on after the hook", async () => {
    await startConnected();
    endsWith(0);
    expect(await ended(hook())).toBe(0);

    await isSo("there is a gateway again", () => pids().length === 2);
    await isSo("and a browser", () => browsers().length === 2);
  });

  test("is not confused with another process that has its process id", async () => {
    await startConnected();
    const other = spawn("sleep", ["60"]);
    writeFileSync(at(`run/hooks/rests-${String(other.pid)}`), "");
    await sleep(3000);

    expect(pids()).toHaveLength(1);
    expect(existsSync(at(`run/hooks/rests-${String(other.pid)}`))).toBe(false);
    other.kill();
  });

  test("stops gateway and browser also after a stop and start of the container", async () => {
    await startConnected();
    endsWith(0);
    await ended(hook());
    supervisor?.kill("SIGKILL");
    await once(supervisor as ChildProcess, "exit");
    rmSync(at("seen"));
    await startConnected();
    expect(await ended(hook())).toBe(0);

    expect(text("seen")).toBe("");
  });

  test("does not wait if OpenClaw does not run, and signals no other process", async () => {
    endsWith(0);
    expect(await ended(hook())).toBe(0);
    const other = spawn("sleep", ["60"]);
    mkdirSync(at("run/hooks"), { recursive: true });
    writeFileSync(at("run/supervisor"), String(other.pid));
    expect(await ended(hook())).toBe(0);

    expect(other.signalCode).toBeNull();
    other.kill();
  });
});

describe("a web filter", () => {
  test("is waited for before the gateway starts", async () => {
    program("bin/filter_ready", `#!/bin/sh\nuntil [ -e ${at("filtered")} ]; do sleep 0.1; done`);
    start();
    await sleep(1500);
    expect(text("gateways")).toBe("");
    writeFileSync(at("filtered"), "");

    await isSo("the gateway is started", () => pids().length === 1);
  });

  test("that never answers is no longer waited for after a timeout", async () => {
    program("bin/filter_ready", "#!/bin/sh\nsleep 60");
    start();

    await isSo("the gateway is started", () => pids().length === 1);
  });
});

test.each([
  [{}, "localhost,127.0.0.1,::1"],
  [{ no_proxy: "intranet" }, "intranet,localhost,127.0.0.1,::1"],
  [{ no_proxy: "127.0.0.1,intranet" }, "127.0.0.1,intranet,localhost,::1"],
])("with %j requests to local addresses use no proxy", async (given, expected) => {
  program("tools/run-gateway", `#!/bin/sh\necho "$no_proxy" >${at("asked-without")}; sleep 1000`);
  start({ http_proxy: "http://127.0.0.1:9", ...given });
  await isSo("the gateway is started", () => text("asked-without") !== "");

  expect(text("asked-without").trim()).toBe(expected);
});

describe("the directory that sessions share", () => {
  const link = () => at("home/openclaw-shared");

  beforeEach(() => {
    mkdirSync(at("shared"));
    writeFileSync(at("shared/live"), "");
  });

  test("is outside the home, which has a link to it", async () => {
    start();
    await isSo("there is the link", () => existsSync(join(link(), "live")));

    expect(lstatSync(link()).isSymbolicLink()).toBe(true);
  });

  test("replaces old copies from a profile, which are kept", async () => {
    mkdirSync(link());
    writeFileSync(join(link(), "old copy"), "");
    start();
    await isSo("there is the link", () => existsSync(join(link(), "live")));

    const kept = readdirSync(at("home")).filter((name) => name.startsWith("openclaw-shared-copy-"));
    expect(kept.map((name) => readdirSync(at("home", name)))).toEqual([["old copy"]]);
    expect(readdirSync(at("shared"))).toEqual(["live"]);
  });

  test.each([
    [
      "a file",
      () => {
        writeFileSync(link(), "mine");
      },
    ],
    [
      "a link to elsewhere",
      () => {
        symlinkSync(at("gone"), link());
      },
    ],
  ])("replaces %s, which is kept", async (_, make) => {
    make();
    const before = lstatSync(link()).ino;
    start();
    await isSo("there is the link", () => existsSync(join(link(), "live")));

    const kept = readdirSync(at("home")).filter((name) => name.startsWith("openclaw-shared-copy-"));
    expect(kept.map((name) => lstatSync(at("home", name)).ino)).toEqual([before]);
  });
});
