import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

jest.setTimeout(30_000);

let base: string;
let gateway: Server;
let forwarder: ChildProcess;
const at = (...path: string[]) => join(base, ...path);
const sockets = () => at("current/nginx/.openclaw-kasm");
const socket = () => join(sockets(), "openclaw-route.sock");

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "forwarder-"));
  for (const version of ["1.17.0", "1.17.1"]) {
    mkdirSync(at(version, "nginx"), { recursive: true });
  }
  symlinkSync("1.17.0", at("current"));
  gateway = createServer((asked, answer) => answer.end(`gateway ${asked.url ?? ""}`));
  gateway.on("upgrade", (_, stream) => {
    stream.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
    );
    stream.pipe(stream);
  });
  gateway.listen(0, "127.0.0.1");
  await once(gateway, "listening");
  forwarder = start();
});
afterEach(() => {
  forwarder.kill("SIGKILL");
  gateway.closeAllConnections();
  gateway.close();
  rmSync(base, { recursive: true });
});

function start(): ChildProcess {
  const program = readFileSync("assets/forwarder/forward.mjs", "utf8");
  const { port } = gateway.address() as AddressInfo;
  const args = [sockets(), "openclaw-route.sock", "127.0.0.1", port.toString()];
  return spawn(process.execPath, ["--input-type=module", "--eval", program, ...args], {
    stdio: "ignore",
  });
}

/** What is answered at the socket, or why nothing is. */
function ask(): Promise<string> {
  return new Promise((resolve) => {
    request({ socketPath: socket(), path: "/a%20b?c", agent: false }, (answer: IncomingMessage) => {
      answer.setEncoding("utf8").on("data", resolve);
    })
      .on("error", (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? "");
      })
      .end();
  });
}

async function answers(): Promise<void> {
  const end = Date.now() + 10_000;
  while ((await ask()) !== "gateway /a%20b?c") {
    expect(Date.now()).toBeLessThan(end);
    await sleep(50);
  }
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  const exited = once(forwarder, "exit");
  forwarder.kill(signal);
  await exited;
}

describe("the forwarder", () => {
  test("forwards connections of every account from the socket to the gateway", async () => {
    await answers();

    expect(lstatSync(socket()).mode & 0o666).toBe(0o666);
    expect(lstatSync(sockets()).mode & 0o022).toBe(0);
  });

  test("forwards WebSockets until one side closes them", async () => {
    await answers();
    const asked = request({
      socketPath: socket(),
      headers: { Connection: "Upgrade", Upgrade: "echo" },
    }).end();
    const [, stream] = (await once(asked, "upgrade")) as [
      IncomingMessage,
      import("node:net").Socket,
    ];
    stream.write("hello");

    expect(String((await once(stream, "data"))[0])).toBe("hello");
    gateway.closeAllConnections();
    stream.end();
    await once(stream, "close");
  });

  test("closes a connection at once while no gateway runs, and serves the next one", async () => {
    await answers();
    const { port } = gateway.address() as AddressInfo;
    gateway.closeAllConnections();
    gateway.close();
    await once(gateway, "close");
    // By whether the request was written before the end came.
    expect(["ECONNRESET", "EPIPE"]).toContain(await ask());
    gateway.listen(port, "127.0.0.1");

    await answers();
  });

  test.each<[what: string, change: () => void]>([
    [
      "its socket was deleted",
      () => {
        rmSync(socket());
      },
    ],
    [
      "KASM's directory was recreated",
      () => {
        rmSync(at("1.17.0"), { recursive: true });
        mkdirSync(at("1.17.0/nginx"), { recursive: true });
      },
    ],
    [
      "KASM was upgraded",
      () => {
        symlinkSync("1.17.1", at("next"));
        renameSync(at("next"), at("current"));
      },
    ],
  ])("serves again by itself after %s", async (_, change) => {
    await answers();
    change();
    expect(existsSync(socket())).toBe(false);

    await answers();
  });

  test("removes its socket from KASM's previous version, and when it is stopped", async () => {
    await answers();
    rmSync(at("current"));
    symlinkSync("1.17.1", at("current"));
    await answers();
    expect(readdirSync(at("1.17.0/nginx"))).toEqual([]);

    await stop("SIGTERM");
    expect(readdirSync(at("1.17.1/nginx"))).toEqual([]);
  });

  test("replaces the socket of a killed forwarder", async () => {
    await answers();
    await stop("SIGKILL");
    expect(await ask()).toBe("ECONNREFUSED");
    forwarder = start();

    await answers();
  });
});
