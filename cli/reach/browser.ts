import { readFileSync } from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { namespace, type Settings } from "../../config";
import { routeUrl } from "../../config/route";
import { fromHome } from "../../host/files";
import { fingerprintOf } from "../../host/fingerprint";
import { proxyFor, tunnel } from "../../host/proxy";
import type { Check } from "../status";
import type { Login } from "./session";

/** What a browser on this machine finds at the address at which people open the dashboard. */
export interface SeenByBrowser {
  /** Why there was no answer without a login; undefined if there was one. */
  readonly problem?: string | undefined;
  /** Status of the answer without a login. */
  readonly status?: number | undefined;
  /** Where that answer leads to, if it is a redirect. */
  readonly location?: string | undefined;
  readonly certificateEnd?: Date | undefined;
  /** Why the certificate is not trusted, so that the login was not sent; undefined if it was. */
  readonly distrust?: string | undefined;
  /** `"opens"`, or in its place the status of the page with the login, or why there was no answer. */
  readonly page?: string | undefined;
  /** Status of the WebSocket's handshake with the login and this address's origin, or why there was no answer. */
  readonly webSocket?: string | undefined;
}

/** How a browser asks. */
export interface BrowserOptions {
  readonly login: Login;
  /** Seconds that each question may take. */
  readonly seconds: number;
  /** SHA-256 of the certificate that KASM's nginx shows on the server itself, if that could be asked. */
  readonly ownCertificate: Promise<string | undefined>;
}

/** Asks as a browser on this machine does; undefined if the gateway has no address behind KASM. */
export async function seeByBrowser(
  settings: Settings,
  options: BrowserOptions,
): Promise<SeenByBrowser | undefined> {
  const address = routeUrl(settings);
  return address === undefined
    ? undefined
    : await new Browser(settings, options).open(new URL(address));
}

/** A connection before anything is sent on it. */
interface Connected {
  readonly socket: Socket;
  readonly certificateEnd?: Date;
  /** Why its certificate is not trusted by an authority or the settings. */
  readonly distrust?: string;
  readonly fingerprint?: string;
}

class Browser {
  constructor(
    private readonly settings: Pick<Settings, "kasmCaFile" | "kasmFingerprint">,
    private readonly options: BrowserOptions,
  ) {}

  async open(url: URL): Promise<SeenByBrowser> {
    let certificateEnd: Date | undefined;
    try {
      const connected = await this.connected(url);
      certificateEnd = connected.certificateEnd;
      const { statusCode: status, headers } = await this.ask(connected, url.pathname, url);
      const seen = { status, location: headers.location, certificateEnd };
      if (status !== 401 || this.options.login.password === "") {
        return seen;
      }
      const distrust = await this.distrust(connected);
      return distrust === undefined
        ? { ...seen, ...(await this.withLogin(url)) }
        : { ...seen, distrust };
    } catch (error) {
      return { problem: this.told(error as NodeJS.ErrnoException), certificateEnd };
    }
  }

  /** Checks each connection before the login is sent on it. */
  private async withLogin(url: URL): Promise<Pick<SeenByBrowser, "page" | "webSocket">> {
    const { username, password } = this.options.login;
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    const answered = async (path: string, headers: Record<string, string>) => {
      const connected = await this.connected(url);
      const distrust = await this.distrust(connected);
      if (distrust !== undefined) {
        connected.socket.destroy();
        throw new Error(distrust);
      }
      return await this.ask(connected, path, url, { authorization, ...headers });
    };
    const [page, webSocket] = await Promise.allSettled([
      answered(url.pathname, {}).then(({ statusCode, body }) =>
        statusCode === 200 && body.includes("openclaw-app") ? "opens" : String(statusCode),
      ),
      // The dashboard opens it at its path without the slash.
      answered(url.pathname.replace(/(?<=.)\/$/, ""), {
        connection: "Upgrade",
        upgrade: "websocket",
        origin: url.origin,
        "sec-websocket-version": "13",
        "sec-websocket-key": "b3BlbmNsYXctcmVhY2gtMQ==",
      }).then(({ statusCode }) => String(statusCode)),
    ]);
    const told = (end: PromiseSettledResult<string>) =>
      end.status === "fulfilled" ? end.value : this.told(end.reason as NodeJS.ErrnoException);
    return { page: told(page), webSocket: told(webSocket) };
  }

  private async connected(url: URL): Promise<Connected> {
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    const isTls = url.protocol === "https:";
    const port = Number(url.port || (isTls ? 443 : 80));
    const proxy = proxyFor(url);
    const way = proxy && (await tunnel(proxy, url, this.options.seconds * 1000));
    if (!isTls) {
      if (way !== undefined) {
        return { socket: way };
      }
      const socket = connect({ host, port });
      await this.within(socket, (done) => socket.once("connect", done));
      return { socket };
    }
    const { kasmCaFile } = this.settings;
    const socket = connectTls({
      ...(way === undefined ? { host, port } : { socket: way }),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(kasmCaFile === "" ? {} : { ca: readFileSync(fromHome(kasmCaFile)) }),
      // Whether it is trusted is decided before the login is sent, and not before the rest.
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
    });
    await this.within(socket, (done) => socket.once("secureConnect", done));
    const { valid_to } = socket.getPeerCertificate();
    return {
      socket,
      certificateEnd: new Date(valid_to),
      fingerprint: fingerprintOf(socket),
      ...(socket.authorized ? {} : { distrust: reasonOf(socket) }),
    };
  }

  /** Why the login is not sent on a connection; undefined if it may be. */
  private async distrust({ distrust, fingerprint }: Connected): Promise<string | undefined> {
    const isKnown =
      distrust === undefined ||
      fingerprint === this.settings.kasmFingerprint ||
      // What the server itself shows has come from there over SSH.
      fingerprint === (await this.options.ownCertificate);
    return isKnown ? undefined : distrust;
  }

  private async ask(
    { socket }: Connected,
    path: string,
    { host }: URL,
    headers: Record<string, string> = {},
  ): Promise<Pick<IncomingMessage, "statusCode" | "headers"> & { body: string }> {
    const asked = request({ createConnection: () => socket, path, headers: { host, ...headers } });
    let body = "";
    let answer: IncomingMessage | undefined;
    try {
      await this.within(socket, (done, fail) => {
        asked.once("error", fail);
        asked.once("upgrade", (upgraded) => {
          answer = upgraded;
          done();
        });
        asked.once("response", (response) => {
          answer = response;
          response.on("data", (chunk: Buffer) => (body += chunk.toString()));
          response.once("end", done).once("error", fail);
        });
        asked.end();
      });
    } finally {
      socket.destroy();
    }
    return { statusCode: answer?.statusCode, headers: answer?.headers ?? {}, body };
  }

  /** Waits for a step of a connection, and not too long: a server may take its time at each of them. */
  private async within(
    socket: Socket,
    step: (done: () => void, fail: (error: Error) => void) => void,
  ): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => {
          reject(new NoAnswer());
        }, this.options.seconds * 1000);
        socket.once("error", reject);
        socket.once("close", () => {
          reject(new Error("the connection was closed"));
        });
        step(resolve, reject);
      });
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private told(error: NodeJS.ErrnoException): string {
    if (error instanceof NoAnswer) {
      return `no answer within ${this.options.seconds.toString()} s`;
    }
    const { code = "", message } = error;
    switch (code) {
      case "ENOTFOUND":
      case "EAI_AGAIN":
        return unknownName;
      case "ECONNREFUSED":
        return "connection refused";
      default:
        return /^(EPROTO|ERR_SSL_)/.test(code) ? `no TLS server (${code})` : message || code;
    }
  }
}

class NoAnswer extends Error {}

/** The answer of a name without an address. */
export const unknownName = "its name has no address here";

function reasonOf({ authorizationError }: TLSSocket): string {
  const error: unknown = authorizationError;
  return error instanceof Error ? error.message : String(error);
}

/** Judges whether people reach the dashboard at its address behind KASM. */
export function browserCheck(settings: Settings, seen: SeenByBrowser): Check {
  const address = routeUrl(settings) ?? "";
  const wrong = wrongAnswer(settings, seen);
  return wrong === undefined
    ? { name: "address", value: `${address} opens with its login, its WebSocket too`, state: "ok" }
    : {
        name: "address",
        value: `${address}, asked from this machine: ${wrong.answer}; ${wrong.todo}`,
        state: "bad",
      };
}

/** What is wrong with what a browser found, and what to do about it; undefined if nothing is. */
function wrongAnswer(
  { nginxRoute }: Settings,
  { problem, status, location, distrust, page, webSocket }: SeenByBrowser,
): { readonly answer: string; readonly todo: string } | undefined {
  const byName = nginxRoute.mode === "serverName";
  const setting = `${namespace}:${byName ? "nginxRoute.serverName" : "kasmUrl"}`;
  if (problem === unknownName) {
    return { answer: problem, todo: `create its DNS entry, or correct ${setting}` };
  }
  if (problem !== undefined) {
    return {
      answer: problem,
      todo: `check ${setting}, and whether a firewall lets this machine reach that port`,
    };
  }
  if (status !== 401) {
    const answer = `answers ${String(status)} without a login, expected 401`;
    if (location !== undefined && (status ?? 0) >= 300) {
      return {
        answer: `is redirected to ${location}`,
        todo: `set ${setting} to the address at which people end up`,
      };
    }
    return {
      answer,
      todo: [502, 503, 504].includes(status ?? 0)
        ? "the gateway or the route's container is down, which npm run up repairs; a proxy in front of KASM may be the cause too"
        : `check that ${setting} leads to this KASM and not to another server`,
    };
  }
  if (distrust !== undefined) {
    return {
      answer: `its certificate is not trusted (${distrust}) and is not the one that KASM's nginx shows on the server, so the login was not sent`,
      todo: `set ${namespace}:kasmCaFile to a PEM file of its authority, or ${namespace}:kasmFingerprint to its SHA-256`,
    };
  }
  if (page !== "opens") {
    const answer = page === undefined ? "asks for a login that the stack does not know" : page;
    return {
      answer: /^\d+$/.test(answer) ? `answers ${answer} with the login` : answer,
      todo:
        answer === "401"
          ? "npm run up sets the login; if that does not help, a proxy in front of KASM takes the header Authorization away"
          : "npm run logs has the cause",
    };
  }
  return webSocket === "101"
    ? undefined
    : {
        answer: `the page opens, and its WebSocket ${/^\d+$/.test(webSocket ?? "") ? "answers " : "has "}${webSocket ?? "no answer"}`,
        todo: "a proxy in front of KASM has to pass WebSockets on: the headers Upgrade and Connection, and HTTP/1.1",
      };
}
