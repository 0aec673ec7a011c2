import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { scriptWith } from "../../components/host/shell";
import { ProxyTrap } from "./proxyTrap";

jest.setTimeout(30_000);

/** How a dashboard answers; a healthy one unless told otherwise. */
interface Dashboard {
  health?: [status: number, body: string];
  withoutLogin?: number;
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
});

function answer(asked: IncomingMessage, response: ServerResponse): void {
  const {
    health = [200, '{"ok":true}'],
    withoutLogin = 401,
    page: shown = [200, page],
  } = dashboard;
  if (asked.url === "/healthz") {
    response.writeHead(health[0]).end(health[1]);
  } else if (asked.headers.authorization === undefined) {
    response.writeHead(withoutLogin).end();
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

async function run(changes: Record<string, string> = {}, env = process.env) {
  const child = spawn("sh", ["-s", "--", "apply"], { stdio: "pipe", env });
  child.stdin.end(
    scriptWith("ready.sh", {
      ADDRESSES: "127.0.0.1 localhost",
      BASE_PATH: "/openclaw",
      PORT: port,
      USERNAME: "admin",
      PASSWORD: password,
      HEALTH: "json",
      TIMEOUT_SECONDS: "1",
      ...changes,
    }),
  );
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit") as Promise<[number]>,
  ]);
  return { status, stdout, stderr };
}

test("ready is where the page and a WebSocket are there for whoever has the login, whatever is in the password", async () => {
  expect(await run()).toEqual({
    status: 0,
    stdout: `the dashboard answers on http://127.0.0.1:${port}/openclaw/ http://localhost:${port}/openclaw/ \n`,
    stderr: "",
  });
  expect([...logins]).toEqual([`/openclaw/ admin:${password}`, `/openclaw admin:${password}`]);
});

test("at the root too", async () => {
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
])("%s is not ready, and it is said why", async (_, given, problem) => {
  dashboard = given;
  const { status, stdout, stderr } = await run();

  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr.trim()).toBe(
    `OpenClaw did not get ready within 1 s: ${problem.replace("ADDRESS", `127.0.0.1:${port}`)}`,
  );
  expect(stderr).not.toContain(password);
});

test("every address is asked", async () => {
  const { status, stderr } = await run({ ADDRESSES: "127.0.0.1 127.0.0.2" });

  expect([status, stderr]).toEqual([
    1,
    expect.stringContaining(`/healthz on 127.0.0.2:${port} says: `),
  ]);
});

test("no proxy gets a request, nor does a .curlrc count", async () => {
  const trap = new ProxyTrap();
  await trap.start();
  const { status, stderr } = await run({}, { ...process.env, ...trap.env });
  trap.stop();

  expect([status, stderr, trap.connections]).toEqual([0, "", 0]);
});

test("an image that can't be asked for its health is asked for the rest", async () => {
  dashboard = { health: [404, ""] };

  expect((await run({ HEALTH: "page" })).status).toBe(0);
});

test("what gets ready in time is ready", async () => {
  dashboard = { page: [502, ""] };
  const running = run({ TIMEOUT_SECONDS: "20" });
  setTimeout(() => (dashboard = {}), 1500);

  expect((await running).status).toBe(0);
});

test("a WebSocket, which takes all of its time, gets little, and more only where that was not enough", async () => {
  const folder = mkdtempSync(join(tmpdir(), "openclaw-ready-"));
  const { PATH = "" } = process.env;
  writeFileSync(
    join(folder, "curl"),
    `#!/bin/sh\necho "$*" >>${folder}/asked\nPATH='${PATH}' exec curl "$@"\n`,
    { mode: 0o755 },
  );
  const pages = [502, 502, 200];
  dashboard = {
    get page(): [number, string] {
      return [next(pages), page];
    },
    webSocket: [403, 403, 101],
  };
  const { status } = await run(
    { TIMEOUT_SECONDS: "20" },
    { ...process.env, PATH: `${folder}:${PATH}` },
  );
  const asked = readFileSync(join(folder, "asked"), "utf8");
  rmSync(folder, { recursive: true });

  expect(status).toBe(0);
  expect(asked.match(/(?<=--http1\.1 --max-time )\S+/g)).toEqual(["0.3", "1", "2"]);
});
