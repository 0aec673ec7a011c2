import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
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

/** Tells that it answers once there is a file "answers"; ends as "status" says where there is one. */
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
  const script = readFileSync(join(image, "dockerstartup/custom_startup.sh"), "utf8")
    .replaceAll("/opt/openclaw-kasm", at("tools"))
    .replaceAll("/etc/openclaw-kasm", at("site"))
    .replaceAll("/tmp/openclaw-kasm-$UID", at("run"))
    .replace(/CONNECT_SECONDS=30 RECONNECT_SECONDS=75/, "CONNECT_SECONDS=3 RECONNECT_SECONDS=7")
    .replace("LONG_START_SECONDS=90", "LONG_START_SECONDS=4")
    .replace("--kill-after 2 20", "--kill-after 2 3")
    .replace("sleep 1 &", "sleep 0.2 &");
  program("custom_startup.sh", script);
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

/** A session whose dashboard has connected. */
async function startConnected(): Promise<void> {
  start();
  await isSo("the gateway is started", () => pids().length === 1);
  answer();
  await isSo("there is a code", hasCode);
  connect();
  await isSo("the code is gone", () => page().includes("starting"));
}

describe("a gateway that has run for long and dies", () => {
  test("leaves the browser open, which waits for the next one", async () => {
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

test("a gateway that takes long to start is told on the desktop", async () => {
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

  test("is left alone once it has", async () => {
    await startConnected();
    await sleep(4000);

    expect(dashboards()).toHaveLength(1);
  });

  test("of a gateway that was killed finds no code in the page until there is another gateway", async () => {
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

  test("but was connected before has more time to do so", async () => {
    await startConnected();
    killGateway();
    await isSo("there is another code", hasCode);
    await sleep(4000);
    expect(dashboards()).toHaveLength(1);

    await isSo("it was opened again", () => dashboards().length === 2);
  });
});

test("a tool that hangs keeps nobody from watching the gateway", async () => {
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

  test("is not tried again", async () => {
    start();
    await isSo("a message", () => page().includes("does not accept its configuration"));
    await sleep(2000);

    expect(pids()).toHaveLength(1);
  });

  test("is tried again when it was corrected while the gateway was still ending", async () => {
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

describe("an address beside the dashboard", () => {
  const ask = (...args: string[]) =>
    spawnSync(at("custom_startup.sh"), args, { env: env() }).status;

  test("waits until the browser takes it", async () => {
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
  ])("%j asks for %j", (args, asked) => {
    expect(ask(...args)).toBe(0);
    expect(text("run/addresses")).toBe(asked);
  });
});

test("a log that has grown large starts anew", async () => {
  await startConnected();
  truncateSync(at("run/gateway.log"), 11 * 1024 * 1024);

  await isSo("it is small", () => statSync(at("run/gateway.log")).size < 1000);
});
