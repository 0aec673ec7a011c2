import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { lookOnHost } from "../../host/run";
import { scriptWith } from "../../host/shell";
import { ProxyTrap } from "./proxyTrap";

jest.setTimeout(30_000);

/** How a dashboard answers; a healthy one by default. */
interface Dashboard {
  health?: [status: number, body: string];
  withoutLogin?: number;
  /** Without a login, if a page is asked for. */
  pageWithoutLogin?: number;
  page?: [status: number, body: string];
  /** Statuses in turn; the last one stays. */
  webSocket?: number[];
}

const password = `it's a "pass\\word" \\" #$(id)`;
const page = "<openclaw-app></openclaw-app>";

let server: Server;
let port: string;
let dashboard: Dashboard;
let logins: Set<string>;
let folder: string;

beforeAll(async () => {
  server = createServer(answer).listen(0, "127.0.0.1");
  server.on("upgrade", (asked: IncomingMessage, socket) => {
    noteLogin(asked);
    const status = next(dashboard.webSocket ?? [101]);
    const accept = createHash("sha1")
      .update(`${asked.headers["sec-websocket-key"] ?? ""}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 ${status.toString()} X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    // An accepted one says nothing for as long as it is asked.
    if (status !== 101) {
      socket.end();
    }
  });
  await once(server, "listening");
  port = (server.address() as AddressInfo).port.toString();
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  dashboard = {};
  logins = new Set();
  folder = mkdtempSync(join(tmpdir(), "openclaw-ready-"));
  // Between two rounds nothing happens.
  has("sleep", `exec '${realSleep}' 0.05`);
  docker({});
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const realSleep = spawnSync("sh", ["-c", "command -v sleep"], { encoding: "utf8" }).stdout.trim();

/** Puts a command on the host. */
function has(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** A fake Docker: the gateway's container in one state after the other, the last one stays, and its log. */
function docker({ states = ["running 0 0 false "], log = "" }): void {
  writeFileSync(join(folder, "log"), log);
  writeFileSync(join(folder, "states"), `${states.join("\n")}\n`);
  has(
    "docker",
    `case $* in
  inspect*' openclaw '*)
    head -n 1 '${folder}/states'
    [ "$(wc -l <'${folder}/states')" -eq 1 ] || sed -i 1d '${folder}/states' ;;
  'logs --tail 200 openclaw') cat '${folder}/log' >&2 ;;
  *) echo "what is $*?" >&2; exit 1 ;;
esac`,
  );
}

function answer(asked: IncomingMessage, response: ServerResponse): void {
  const {
    health = [200, '{"ok":true}'],
    withoutLogin = 401,
    page: shown = [200, page],
  } = dashboard;
  if (asked.url === "/healthz") {
    response.writeHead(health[0]).end(health[1]);
  } else if (asked.headers.authorization === undefined) {
    const isPage = asked.headers.accept === "text/html";
    response.writeHead((isPage && dashboard.pageWithoutLogin) || withoutLogin).end();
  } else {
    noteLogin(asked);
    response.writeHead(shown[0]).end(shown[1]);
  }
}

/** Takes the first of several statuses, and leaves the last one. */
function next(statuses: number[]): number {
  return (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 0;
}

function noteLogin({ url, headers }: IncomingMessage): void {
  const [, login = ""] = headers.authorization?.split(" ") ?? [];
  logins.add(`${url ?? ""} ${Buffer.from(login, "base64").toString()}`);
}

const variables = () => ({
  ADDRESSES: "127.0.0.1 localhost",
  BASE_PATH: "/openclaw",
  PORT: port,
  USERNAME: "admin",
  PASSWORD: password,
  HEALTH: "json",
  TIMEOUT_SECONDS: "0",
  CONTAINER: "openclaw",
  SECRETS: "",
  SIGN_ON: "",
});

async function run(changes: Record<string, string> = {}, more: NodeJS.ProcessEnv = {}) {
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}`, ...more };
  const child = spawn("sh", ["-s", "--", "apply"], { stdio: "pipe", env });
  child.stdin.end(scriptWith("ready.sh", { ...variables(), ...changes }));
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit") as Promise<[number]>,
  ]);
  return { status, stdout, stderr };
}

test("is ready if page and WebSocket answer with the login, with any characters in the password", async () => {
  expect(await run()).toEqual({
    status: 0,
    stdout: `the dashboard answers on http://127.0.0.1:${port}/openclaw/ http://localhost:${port}/openclaw/ \n`,
    stderr: "",
  });
  expect([...logins]).toEqual([`/openclaw/ admin:${password}`, `/openclaw admin:${password}`]);
});

test("with an organisation's login is ready only if a page leads there", async () => {
  const signOn = { SIGN_ON: "https://sso.example.com", TIMEOUT_SECONDS: "0" };
  dashboard = { pageWithoutLogin: 302 };
  const good = await run(signOn);
  dashboard = { pageWithoutLogin: 500 };
  const bad = await run(signOn);

  expect(good.status).toBe(0);
  expect(bad.status).toBe(1);
  expect(bad.stderr).toContain("does not lead to the login of https://sso.example.com");
});

test("says of several at a time only which are ready", async () => {
  const looks = [{}, { PORT: "1" }, {}].map((changes) => ({
    script: "ready.sh",
    variables: { ...variables(), ...changes },
  }));
  const { said } = await lookOnHost({}, looks, 10);

  expect(said).toEqual(["ready=yes", "", "ready=yes"]);
});

test("is ready with the dashboard at the root", async () => {
  expect((await run({ BASE_PATH: "" })).status).toBe(0);
  expect([...logins]).toEqual([`/ admin:${password}`]);
});

test.each<[what: string, dashboard: Dashboard, problem: string]>([
  [
    "a gateway that is not well",
    { health: [503, '{"ok":false}'] },
    '/healthz on ADDRESS says: {"ok":false} 503',
  ],
  [
    "a health check that is a page",
    { health: [200, "<html>"] },
    "/healthz on ADDRESS says: <html> 200",
  ],
  [
    "no login",
    { withoutLogin: 200 },
    "the dashboard on ADDRESS answers 200 without a login, expected 401",
  ],
  [
    "a page that is refused",
    { page: [403, "not\nyou"] },
    "the dashboard on ADDRESS answers with 403: not you 403",
  ],
  [
    "another page",
    { page: [200, "Welcome to nginx!"] },
    "the dashboard on ADDRESS answers with 200: Welcome to nginx! 200",
  ],
  [
    "a WebSocket that is refused",
    { webSocket: [403] },
    "the dashboard's WebSocket on ADDRESS answers: 403",
  ],
])("%s is not ready, with the reason", async (_, given, problem) => {
  dashboard = given;
  const { status, stdout, stderr } = await run();

  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr.trim()).toBe(
    `OpenClaw did not get ready within 0 s: ${problem.replace("ADDRESS", `127.0.0.1:${port}`)}`,
  );
  expect(stderr).not.toContain(password);
});

test("checks every address", async () => {
  const { status, stderr } = await run({ ADDRESSES: "127.0.0.1 127.0.0.2" });

  expect([status, stderr]).toEqual([
    1,
    expect.stringContaining(`/healthz on 127.0.0.2:${port} says: `),
  ]);
});

test("uses no proxy, and ignores .curlrc", async () => {
  const trap = new ProxyTrap();
  await trap.start();
  const { status, stderr } = await run({}, trap.env);
  trap.stop();

  expect([status, stderr, trap.connections]).toEqual([0, "", 0]);
});

test("checks page and WebSocket of an image without a usable health check", async () => {
  dashboard = { health: [404, ""] };

  expect((await run({ HEALTH: "page" })).status).toBe(0);
});

test("waits for a dashboard that gets ready before the timeout", async () => {
  dashboard = { page: [502, ""] };
  const running = run({ TIMEOUT_SECONDS: "20" });
  setTimeout(() => (dashboard = {}), 300);

  expect((await running).status).toBe(0);
});

test("gives the WebSocket check little time first, and more if that was not enough", async () => {
  const { PATH = "" } = process.env;
  has("curl", `echo "$*" >>${folder}/asked\nPATH='${PATH}' exec curl "$@"`);
  const pages = [502, 502, 200];
  dashboard = {
    get page(): [number, string] {
      return [next(pages), page];
    },
    webSocket: [403, 403, 101],
  };
  const { status } = await run({ TIMEOUT_SECONDS: "20" });
  const asked = readFileSync(join(folder, "asked"), "utf8");

  expect(status).toBe(0);
  expect(asked.match(/(?<=--http1\.1 --max-time )\S+/g)).toEqual(["0.3", "1", "2"]);
});

describe("a final state", () => {
  const refused = '{"ok":false,"status":"refused","reason":"see the container log"}';
  const started = performance.now();

  test.each<[what: string, health: string, states: string[], reason: string]>([
    [
      "a configuration that OpenClaw refuses",
      refused,
      ["running 0 0 false "],
      "OpenClaw refuses its configuration or its data",
    ],
    [
      "a gateway that crashes in a container that runs",
      '{"ok":false,"status":"crashing"}',
      ["running 0 0 false "],
      "OpenClaw ends soon after each start",
    ],
    [
      "a container that Docker starts again and again",
      "",
      ["restarting 3 78 false "],
      "its container ends soon after each start (exit code 78)",
    ],
    [
      "a container that is never seen between two starts",
      "",
      [5, 6, 6, 7, 8].map((restarts) => `running ${restarts.toString()} 0 true `),
      "its container ends soon after each start (exit code 0) it ran out of memory",
    ],
    [
      "a container that can't start",
      "",
      ['created 0 127 false exec: "start-gateway": not found'],
      'its container is created (exit code 127) exec: "start-gateway": not found',
    ],
    ["a stopped container", "", ["exited 0 0 false "], "its container is exited (exit code 0)"],
  ])("%s ends the wait at once", async (_, health, states, reason) => {
    dashboard = { health: [503, health] };
    docker({ states, log: "nginx: 127.0.0.1 - GET /\nthe reason\n" });
    const { status, stderr } = await run({ TIMEOUT_SECONDS: "20" });

    expect(status).toBe(1);
    expect(stderr.replace(/ +$/gm, "")).toBe(
      `OpenClaw can't get ready: ${reason}\nThe end of the log of container openclaw:\n  the reason\n`,
    );
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  test("a missing container ends the wait at once", async () => {
    dashboard = { health: [503, ""] };
    has("docker", "echo 'Error: No such container: openclaw' >&2; exit 1");

    expect((await run({ TIMEOUT_SECONDS: "20" })).stderr).toBe(
      "OpenClaw can't get ready: there is no container openclaw\nThe end of the log of container openclaw:\n  Error: No such container: openclaw\n",
    );
  });

  test("one restart, and earlier restarts, do not end the wait", async () => {
    dashboard = { health: [503, ""] };
    docker({ states: ["running 7 0 false ", "running 8 0 false "] });
    const running = run({ TIMEOUT_SECONDS: "20" });
    setTimeout(() => (dashboard = {}), 500);

    expect((await running).status).toBe(0);
  });

  test("shows the end of the log, without secrets and control characters", async () => {
    dashboard = { health: [503, refused] };
    const lines = Array.from({ length: 40 }, (_, index) => `line ${index.toString()}`);
    const last = `key sk-a.b*c twice sk-a.b*c, \u001b[31mtoken\u0007 the-token ${"x".repeat(900)}`;
    docker({ log: [...lines, last.replace("twice", "\u009btwice\u202e")].join("\n") });
    const { stderr } = await run({ SECRETS: "sk-a.b*c\nthe-token\ntoken" });
    const shown = stderr.trimEnd().split("\n").slice(2);

    expect(shown).toHaveLength(20);
    expect(shown[0]).toBe("  line 21");
    expect(shown.at(-1)).toMatch(
      /^ {2}key \[secret\] twice \[secret\], \[31m\[secret\] \[secret\] x+$/,
    );
    expect(shown.at(-1)?.length).toBe(502);
  });

  test("shows the dashboard's answer without control characters", async () => {
    dashboard = { health: [503, "\u001b[2J{\u009b2J\u202eü}\u0007"] };
    docker({});
    const { stderr } = await run({ TIMEOUT_SECONDS: "0" });

    expect(stderr).toContain("says: [2J{2Jü} 503");
  });
});
