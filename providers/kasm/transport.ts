import type { TLSSocket } from "node:tls";
import { Agent, buildConnector, request } from "undici";
import { fingerprintOf } from "../../host/fingerprint";
import { proxyFor, tunnel } from "../../host/proxy";
import { KasmError } from "./errors";

/** Where KASM's API is, who asks, and what proves that it is the right server. */
export interface Connection {
  /** Address at which people open KASM, without a path. */
  readonly kasmUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** PEM of the only authorities to trust; `""` for Node's own and NODE_EXTRA_CA_CERTS. */
  readonly caPem: string;
  /** SHA-256 of the only certificate to accept, 64 hexadecimal digits; `""` to go by authorities. */
  readonly fingerprint: string;
}

/** What of a connection may change without leading to another KASM. */
export const connectionKeys = ["apiKey", "apiSecret", "caPem", "fingerprint"] as const;

/** An answer in JSON, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const certificateCommand =
  "openssl x509 -noout -fingerprint -sha256 -in /opt/kasm/current/certs/kasm_nginx.crt";

/**
 * Carries calls of KASM's Developer API: POST with key and secret in the body, JSON back. What is thrown is a
 * {@link KasmError}; nothing of key, secret or `moreSecrets` is in its message.
 */
export class Transport {
  private readonly agent: Agent;
  private readonly secrets: readonly string[];

  constructor(
    private readonly connection: Connection,
    private readonly timeoutMs: number,
    moreSecrets: readonly string[],
  ) {
    this.secrets = [connection.apiKey, connection.apiSecret, ...moreSecrets]
      .filter((secret) => secret.length > 3)
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
      // One that begins with another leaves nothing behind.
      .sort((one, other) => other.length - one.length);
    // A request that waits for its connection is not ended by its signal.
    const timeout = Math.min(timeoutMs, 10_000);
    this.agent = new Agent({ connect: connector(connection, timeout), keepAliveTimeout: 1000 });
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  async post(call: string, body: object): Promise<Answer> {
    const { kasmUrl, apiKey, apiSecret } = this.connection;
    try {
      const response = await request(`${kasmUrl}/api/public/${call}`, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify({ api_key: apiKey, api_key_secret: apiSecret, ...body }),
        dispatcher: this.agent,
        signal: AbortSignal.timeout(this.timeoutMs),
      });
      const text = await response.body.text();
      const { statusCode: status, headers } = response;
      return { status, body: this.parse(call, status, String(headers["content-type"]), text) };
    } catch (error) {
      throw error instanceof KasmError ? error : this.broken(call, error as Error);
    }
  }

  /** A failure in words; `what` is KASM's own text or the like and may repeat what it was sent. */
  error(failure: KasmError["failure"], call: string, what: string, status?: number): KasmError {
    return new KasmError(failure, this.redact(`${call}: ${what}`), status);
  }

  private parse(call: string, status: number, type: string, text: string): Answer["body"] {
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      // Told below: kasm_proxy puts a page of its own in place of every error of the API.
    }
    if (typeof body === "object" && body !== null && !Array.isArray(body)) {
      return body as Answer["body"];
    }
    if (status >= 500) {
      const what = `KASM answered with an error page (status ${status}); "docker logs kasm_api" on its server names the cause`;
      throw this.error("crashed", call, what, status);
    }
    const what = `${this.connection.kasmUrl} did not answer as KASM's API does (status ${status}, ${type}); check that openclaw:kasmUrl is KASM's own address`;
    throw this.error("notKasm", call, what, status);
  }

  private broken(call: string, error: ErrorWithCode): KasmError {
    const { kasmUrl } = this.connection;
    if (error instanceof NotConnected) {
      return this.notConnected(call, error.reason);
    }
    if (error.name === "TimeoutError") {
      const what = `KASM at ${kasmUrl} gave no answer within ${this.timeoutMs / 1000} s; it may still carry it out, and the next run looks. Check the load of the server and "docker logs kasm_api"`;
      return this.error("late", call, what);
    }
    const what = `the connection to KASM at ${kasmUrl} ended before the answer (${told(error)}); it may have been carried out, and the next run looks. Check "docker logs kasm_api" and "docker logs kasm_proxy" on the server`;
    return this.error("lost", call, what);
  }

  private notConnected(call: string, error: ErrorWithCode): KasmError {
    const { kasmUrl } = this.connection;
    const { code = "" } = error;
    if (error instanceof WrongCertificate) {
      const what = `${kasmUrl} shows another certificate than openclaw:kasmFingerprint names (found ${error.found}, expected ${error.expected}). If it was renewed on purpose, set the new one, as shown on the server by "${certificateCommand}"; otherwise something stands between you and KASM`;
      return this.error("certificate", call, what);
    }
    if (/CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code)) {
      const what = `the certificate of ${kasmUrl} is not trusted (${error.message}). Set openclaw:kasmCaFile to a PEM file of its authority, or openclaw:kasmFingerprint to its SHA-256, as shown on the server by "${certificateCommand}"`;
      return this.error("certificate", call, what);
    }
    const isTls = /^(EPROTO|ERR_SSL_)/.test(code);
    const found = isTls ? `what answers there is no TLS server (${code})` : told(error);
    const what = `KASM at ${kasmUrl} can't be reached (${found}); check that it runs and that openclaw:kasmUrl is its address`;
    return this.error("unreachable", call, what);
  }

  /** A text of KASM's without what it may repeat of what it was sent. */
  redact(text: string): string {
    return this.secrets.reduce((clean, secret) => clean.replaceAll(secret, "[secret]"), text);
  }
}

type ErrorWithCode = Error & { readonly code?: string };

/** What an error says; one of several addresses at once says nothing itself. */
function told(error: ErrorWithCode): string {
  const [first] = error instanceof AggregateError ? (error.errors as Error[]) : [];
  return error.message || first?.message || (error.code ?? "no reason given");
}

/** Nothing was sent. */
class NotConnected extends Error {
  constructor(readonly reason: ErrorWithCode) {
    super(reason.message);
  }
}

class WrongCertificate extends Error {
  constructor(
    readonly found: string,
    readonly expected: string,
  ) {
    super("wrong certificate");
  }
}

/** Opens connections, and tells what goes wrong there from what goes wrong later, when something may have been done. */
function connector(connection: Connection, timeout: number): buildConnector.connector {
  const connect = trustingConnector(connection, timeout);
  return (options, callback) => {
    const connected: buildConnector.Callback = (...[error, socket]) => {
      if (error) {
        callback(new NotConnected(error), null);
      } else {
        callback(null, socket);
      }
    };
    const proxy = proxyFor(new URL(connection.kasmUrl));
    const way = proxy && tunnel(proxy, new URL(connection.kasmUrl), timeout);
    Promise.resolve(way)
      .then((httpSocket) => {
        connect(httpSocket ? { ...options, httpSocket } : options, connected);
      })
      .catch((error: unknown) => {
        connected(error as Error, null);
      });
  };
}

/** With a fingerprint, a connection that shows another certificate ends before anything is sent on it. */
function trustingConnector(
  { caPem, fingerprint }: Connection,
  timeout: number,
): buildConnector.connector {
  if (fingerprint === "") {
    return buildConnector(caPem === "" ? { timeout } : { timeout, ca: caPem });
  }
  const connect = buildConnector({
    timeout,
    // The fingerprint takes the place of authorities, names and dates.
    rejectUnauthorized: false,
    // A resumed session shows no certificate.
    maxCachedSessions: 0,
  });
  return (options, callback) => {
    connect(options, (...[error, socket]) => {
      if (error) {
        callback(error, null);
        return;
      }
      const found = fingerprintOf(socket as TLSSocket);
      if (found === fingerprint) {
        callback(null, socket);
      } else {
        socket.destroy();
        callback(new WrongCertificate(found, fingerprint), null);
      }
    });
  };
}
