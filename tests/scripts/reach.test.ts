import { spawnSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Duplex } from "node:stream";
import { parseFacts } from "../../cli/preflight/host";
import { seeByBrowser } from "../../cli/reach/browser";
import { parseSettings } from "../../config";
import { lookOnHost } from "../../host/run";
import { ConnectProxy } from "./connectProxy";

let folder: string;
let server: Server;
let port: string;
let fingerprint: string;
/** Requests with a login, and the origins of WebSockets. */
let logins: string[];
let origins: string[];
let answer: RequestListener;
let webSocketStatus: number;

const login = { username: "admin", password: 'pass"word\\' };
const basic = `Basic ${Buffer.from(`admin:${login.password}`).toString("base64")}`;
const wellAnswer: RequestListener = ({ url, headers }, response) => {
  if (headers.authorization === undefined) {
    response.writeHead(401).end();
    return;
  }
  logins.push(`${url ?? ""} ${headers.authorization}`);
  response
    .writeHead(headers.authorization === basic ? 200 : 401)
    .end("<openclaw-app></openclaw-app>");
};

function upgrade({ headers }: IncomingMessage, socket: Duplex): void {
  origins.push(String(headers.origin));
  const accept = createHash("sha1")
    .update(`${headers["sec-websocket-key"] ?? ""}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  socket.write(
    webSocketStatus === 101
      ? `HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
      : `HTTP/1.1 ${webSocketStatus.toString()} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  );
  if (webSocketStatus !== 101) {
    socket.end();
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-reach-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const ofName = ["-subj", "/CN=kasm", "-addext", "subjectAltName=IP:127.0.0.1"];
  spawnSync(
    "openssl",
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ${key} -out ${cert}`
      .split(" ")
      .concat(ofName),
  );
  const pem = readFileSync(cert, "utf8");
  fingerprint = new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
  server = createServer({ key: readFileSync(key), cert: pem }, (request, response) => {
    answer(request, response);
  }).listen(0, "127.0.0.1");
  server.on("upgrade", upgrade);
  await once(server, "listening");
  port = (server.address() as AddressInfo).port.toString();
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  [logins, origins] = [[], []];
  answer = wellAnswer;
  webSocketStatus = 101;
});

describe("a browser on this machine", () => {
  const see = (
    values: Record<string, string> = {},
    ownCertificate?: string,
    url = `https://127.0.0.1:${port}`,
  ) =>
    seeByBrowser(
      parseSettings({
        values: { kasmUrl: url, nginxRoute: '{"mode":"path"}', ...values },
        encrypted: [],
      }),
      { login, seconds: 1, ownCertificate: Promise.resolve(ownCertificate) },
    );

  test("opens page and WebSocket with the login, from the origin of the address", async () => {
    const seen = await see({ kasmCaFile: join(folder, "cert.pem") });

    expect(seen).toMatchObject({ status: 401, page: "opens", webSocket: "101" });
    expect(seen?.certificateEnd?.getTime()).toBeGreaterThan(Date.now());
    expect(logins).toEqual([`/openclaw/ ${basic}`]);
    expect(origins).toEqual([`https://127.0.0.1:${port}`]);
  });

  test("trusts the certificate of the settings and the one that the server itself shows", async () => {
    expect(await see({ kasmFingerprint: fingerprint })).toMatchObject({ page: "opens" });
    expect(await see({}, fingerprint)).toMatchObject({ page: "opens" });
  });

  test("sends no login to a server with another certificate", async () => {
    const seen = await see({}, "0".repeat(64));

    expect(seen).toMatchObject({
      status: 401,
      distrust: expect.stringMatching(/self.signed/i) as string,
    });
    expect(seen).not.toHaveProperty("page");
    expect([logins, origins]).toEqual([[], []]);
  });

  test("tells a refused WebSocket from a page that opens", async () => {
    webSocketStatus = 400;

    expect(await see({}, fingerprint)).toMatchObject({ page: "opens", webSocket: "400" });
  });

  test("tells where a redirect leads, and sends no login there", async () => {
    answer = (_, response) => response.writeHead(302, { location: "https://x.example/" }).end();

    expect(await see({}, fingerprint)).toMatchObject({
      status: 302,
      location: "https://x.example/",
    });
    expect(logins).toEqual([]);
  });

  test("does not wait for a server that hangs", async () => {
    answer = () => undefined;

    expect(await see()).toMatchObject({ problem: "no answer within 1 s" });
  });

  test.each([
    ["https://127.0.0.1:1", "connection refused"],
    ["https://no-such-host.invalid", "its name has no address here"],
  ])("names why %s gives no answer", async (url, problem) => {
    expect(await see({}, undefined, url)).toMatchObject({ problem });
  });

  describe("behind a proxy of the environment", () => {
    const { https_proxy } = process.env;
    let proxy: ConnectProxy;
    const start = async (login: string, status?: number) => {
      proxy = new ConnectProxy(Number(port), status);
      process.env.https_proxy = `http://${login}${await proxy.start()}`;
    };
    afterEach(() => {
      proxy.stop();
      if (https_proxy === undefined) {
        Reflect.deleteProperty(process.env, "https_proxy");
      } else {
        process.env.https_proxy = https_proxy;
      }
    });

    test("goes through it, to a name that only the proxy knows", async () => {
      await start("jane:p%40ss@");

      expect(await see({}, fingerprint, "https://kasm.invalid")).toMatchObject({
        page: "opens",
        webSocket: "101",
      });
      expect(new Set(proxy.asked)).toEqual(new Set(["kasm.invalid:443 jane:p@ss"]));
    });

    test("names a proxy that refuses, without its login", async () => {
      await start("jane:secret@", 407);
      const seen = await see({}, undefined, "https://kasm.invalid");

      expect(seen?.problem).toMatch(
        /^the proxy 127\.0\.0\.1:\d+ answers 407 for kasm\.invalid:443$/,
      );
    });
  });

  test("is not asked about a gateway without an address behind KASM", async () => {
    expect(await see({ nginxRoute: "{}" })).toBeUndefined();
  });
});

describe("reach.sh", () => {
  const { PATH } = process.env;
  let bin: string;
  const has = (name: string, script: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  };
  /** Docker with a gateway and KASM's proxy; `nsenter` and `curl` write down what they are asked. */
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), "openclaw-reach-bin-"));
    process.env.PATH = `${bin}${delimiter}${PATH ?? ""}`;
    writeFileSync(join(bin, "hosts"), "127.0.0.1 localhost\n172.20.0.1\thost.docker.internal\n");
    has(
      "docker",
      `case $* in
  ps*) ;;
  *--type*) printf '%s\\n' 'state /openclaw running' 'hosts /openclaw ${bin}/hosts' 'state /kasm_proxy running' \\
    'pid /kasm_proxy 4711' 'port /kasm_proxy ${port}/tcp' 'network /kasm_proxy kasm_default_network' ;;
  'network inspect'*kasm_default_network) echo 172.18.0.0/16 ;;
  *) exit 1 ;;
esac`,
    );
    has("nsenter", `echo "$1" >>'${bin}/entered'; shift; exec "$@"`);
    has(
      "curl",
      `cat >>'${bin}/config'; printf '%s\\n' "$*" >>'${bin}/asked'
case $* in *websocket*) printf 101; exit 28 ;; *) printf '<openclaw-app>\\n200' ;; esac`,
    );
  });
  afterEach(() => {
    process.env.PATH = PATH;
    rmSync(bin, { recursive: true });
  });
  const read = (name: string) => readFileSync(join(bin, name), "utf8");

  async function look(changes: Record<string, string> = {}) {
    const variables = {
      PROXY: "kasm_proxy",
      PORT: "8180",
      BASE_PATH: "/openclaw",
      USERNAME: login.username,
      PASSWORD: login.password,
      CERTIFICATE: "ask",
      CERTIFICATE_NAME: "",
      PATIENCE: "1",
      SOCKET_PATIENCE: "1",
      ...changes,
    };
    const containers = ["openclaw"];
    const { said } = await lookOnHost({}, [{ script: "reach.sh", variables, containers }], 5);
    return Object.fromEntries(parseFacts(said[0] ?? ""));
  }

  test("asks from the network of KASM's proxy, at the address that sessions have for the host", async () => {
    expect(await look()).toEqual({
      proxy: ["running"],
      sessionAddress: ["172.20.0.1"],
      sessionSubnet: ["172.18.0.0/16"],
      sessionPage: ["opens"],
      sessionSocket: ["101"],
      certificate: [fingerprint],
    });
    expect(new Set(read("entered").trim().split("\n"))).toEqual(
      new Set(["--net=/proc/4711/ns/net"]),
    );
    expect(read("asked")).toContain("--resolve host.docker.internal:8180:172.20.0.1");
    expect(read("asked")).toContain("Origin: http://host.docker.internal:8180 ");
  });

  test("gives curl the login on standard input, and no argument has it", async () => {
    await look();

    expect(read("config")).toBe('user = "admin:pass\\"word\\\\"\n'.repeat(2));
    expect(read("asked")).not.toContain("word");
  });

  test.each([
    ["exit 28", "curl 28"],
    ["printf 'no\\n502'", "502"],
  ])("tells what it got in place of the page: %s", async (script, said) => {
    has("curl", `cat >/dev/null; ${script}`);

    expect(await look()).toMatchObject({ sessionPage: [said] });
  });

  test("asks nothing where KASM's proxy does not run, or its network can't be entered", async () => {
    has("nsenter", "exit 1");
    expect(await look()).toEqual({ proxy: ["running"], session: ["refused"] });
    has("docker", "case $* in ps*) ;; *) exit 1 ;; esac");
    expect(await look()).toEqual({ proxy: ["missing"] });
    has("docker", "exit 1");
    expect(await look()).toEqual({});
  });
});
