import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { issue } from "../../providers/tls/certificateProvider";

jest.setTimeout(30_000);

const serverName = "openclaw-bob-door";
const [own, other] = [issue(serverName), issue(serverName)];
const secret = "Basic c2VjcmV0LXRoYXQtbm8tb25lLXNlZXM=";

let base: string;
let gateway: Server;
let wire: import("node:net").Server;
/** What passes between the two hosts. */
let captured: Buffer[];
let processes: ChildProcess[];
let doorPort: number;

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

/** Starts the program, with a file of what it shows and expects. */
function start(name: string, credentials: object, ...args: string[]): void {
  const program = readFileSync("assets/forwarder/forward.mjs", "utf8");
  const file = join(base, `${name}.json`);
  writeFileSync(file, JSON.stringify(credentials));
  const options = ["--input-type=module", "--eval", program, ...args, file];
  processes.push(spawn(process.execPath, options, { stdio: "ignore" }));
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  return port;
}

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "door-"));
  mkdirSync(join(base, "nginx"));
  [processes, captured] = [[], []];
  gateway = createServer((asked, answer) =>
    answer.end(`gateway ${asked.headers.authorization ?? ""}`),
  );
  gateway.on("upgrade", (_, stream) => {
    stream.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
    );
    stream.pipe(stream);
  });
  gateway.listen(0, "127.0.0.1");
  await once(gateway, "listening");
  doorPort = await freePort();
  start(
    "door",
    { ca: own.authority, cert: own.serverCertificate, key: own.serverKey },
    ...["door", doorPort.toString(), "127.0.0.1", portOf(gateway).toString()],
  );
  wire = createTcpServer((socket) => {
    const on = connect(doorPort, "127.0.0.1");
    for (const [from, to] of [
      [socket, on],
      [on, socket],
    ] as const) {
      from.on("data", (chunk: Buffer) => captured.push(chunk));
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  }).listen(0, "127.0.0.1");
  await once(wire, "listening");
});

afterEach(() => {
  processes.forEach((each) => each.kill("SIGKILL"));
  gateway.closeAllConnections();
  gateway.close();
  wire.close();
  rmSync(base, { recursive: true });
});

function startForwarder({ authority, clientCertificate, clientKey } = own): void {
  start(
    "forwarder",
    { ca: authority, cert: clientCertificate, key: clientKey, servername: serverName },
    ...[join(base, "nginx/sockets"), "route.sock", "127.0.0.1", portOf(wire).toString()],
  );
}

const socketPath = () => join(base, "nginx/sockets/route.sock");

/** What is answered at the socket, or why nothing is. */
function ask(): Promise<string> {
  return new Promise((resolve) => {
    request({ socketPath: socketPath(), agent: false, headers: { authorization: secret } }, (got) =>
      got.setEncoding("utf8").on("data", resolve),
    )
      .on("error", (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? "");
      })
      .end();
  });
}

async function answered(): Promise<string> {
  const end = Date.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (answer.startsWith("gateway") || Date.now() > end) {
      return answer;
    }
    await sleep(50);
  }
}

/** How a client's TLS connection to the door ends: with what it reads, or an error. */
function knock(options: object): Promise<string> {
  return new Promise((resolve) => {
    const client = connectTls({
      port: doorPort,
      host: "127.0.0.1",
      servername: serverName,
      ...options,
    });
    client.on("secureConnect", () => client.write("GET / HTTP/1.0\r\n\r\n"));
    client.on("data", (chunk: Buffer) => {
      resolve(chunk.toString());
    });
    client.on("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    client.on("close", () => {
      resolve("closed");
    });
  });
}

async function doorOpens(): Promise<void> {
  const end = Date.now() + 10_000;
  while ((await knock({ ca: own.authority })) === "ECONNREFUSED") {
    expect(Date.now()).toBeLessThan(end);
    await sleep(50);
  }
}

describe("the forwarder and the door of a gateway on another host", () => {
  test("forward to the gateway, and nothing of it passes in clear", async () => {
    startForwarder();

    expect(await answered()).toBe(`gateway ${secret}`);
    const passed = Buffer.concat(captured).toString("latin1");
    expect(passed.length).toBeGreaterThan(1000);
    expect(passed).not.toMatch(/GET|HTTP|authorization|gateway|c2VjcmV0/i);
  });

  test("forward WebSockets until one side closes them", async () => {
    startForwarder();
    await answered();
    const headers = { Connection: "Upgrade", Upgrade: "echo" };
    const asked = request({ socketPath: socketPath(), headers }).end();
    const [, stream] = (await once(asked, "upgrade")) as [unknown, import("node:net").Socket];
    stream.write("hello");

    expect(String((await once(stream, "data"))[0])).toBe("hello");
    gateway.closeAllConnections();
    stream.end();
    await once(stream, "close");
  });

  test.each<[who: string, options: object]>([
    ["without a certificate", {}],
    [
      "with a certificate of another authority",
      { cert: other.clientCertificate, key: other.clientKey },
    ],
    ["with the door's own certificate", { cert: own.serverCertificate, key: own.serverKey }],
    [
      "with an older TLS",
      { cert: own.clientCertificate, key: own.clientKey, maxVersion: "TLSv1.2" },
    ],
  ])("refuse a client %s", async (_, options) => {
    await doorOpens();
    let asked = 0;
    gateway.on("connection", () => asked++);

    expect(await knock({ ca: own.authority, ...options })).toMatch(/ALERT|ECONNRESET|^closed$/);
    expect(asked).toBe(0);
  });

  test("take a client with the right certificate", async () => {
    await doorOpens();
    const { authority: ca, clientCertificate: cert, clientKey: key } = own;

    expect(await knock({ ca, cert, key })).toMatch(/^HTTP\/1.1 200/);
  });

  test("pass nothing to a door of another authority", async () => {
    await doorOpens();
    startForwarder(other);
    await sleep(1000);

    expect(["ECONNRESET", "EPIPE"]).toContain(await ask());
    expect(Buffer.concat(captured).toString("latin1")).not.toMatch(/GET|HTTP/);
  });

  test("refuse a connection without TLS", async () => {
    await doorOpens();
    const plain = request({ port: doorPort, host: "127.0.0.1" }).end();

    const [error] = (await once(plain, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
  });
});
