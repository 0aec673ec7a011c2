import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { WebSocket } from "undici";

/** What the gateway answered to a request. */
interface Answer {
  readonly ok: boolean;
  readonly payload?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** A connection to the gateway as the dashboard has one. */
export interface GatewayClient {
  /** What the gateway lets this person do. */
  readonly scopes: readonly string[];
  /** When the connection was closed, in milliseconds; undefined while it is open. */
  closedAt(): number | undefined;
  call(method: string, params?: object): Promise<Answer>;
  close(): void;
}

const client = {
  id: "openclaw-control-ui",
  version: "dev",
  buildId: "dev",
  platform: "linux",
  mode: "webchat",
};
const role = "operator";
/** What the dashboard asks for, whoever opens it. */
const asked = ["admin", "read", "write", "approvals", "pairing", "questions"].map(
  (scope) => `operator.${scope}`,
);

/**
 * Opens the dashboard's WebSocket with a login, as a new browser.
 * @throws Error if the door or the gateway refuses it
 */
export function connectAs(
  dashboard: string,
  { username, password }: { username: string; password: string },
): Promise<GatewayClient> {
  return connectWith(dashboard, username, {
    authorization: `Basic ${btoa(`${username}:${password}`)}`,
  });
}

/**
 * Opens the dashboard's WebSocket with what the browser of a person sends.
 * @throws Error if the door or the gateway refuses it
 */
export function connectWith(
  dashboard: string,
  username: string,
  headers: Record<string, string>,
): Promise<GatewayClient> {
  const { origin } = new URL(dashboard);
  const socket = new WebSocket(dashboard.replace(/^http/, "ws"), {
    headers: { origin, ...headers },
  });
  const waiting = new Map<string, (answer: Answer) => void>();
  let count = 0;
  let closedAt: number | undefined;
  const call = (method: string, params: object = {}) =>
    new Promise<Answer>((resolve) => {
      const id = (count += 1).toString();
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ type: "req", id, method, params }));
    });
  return new Promise((resolve, reject) => {
    socket.onerror = () => {
      reject(new Error(`${username} is refused`));
    };
    socket.onclose = ({ code, reason }) => {
      closedAt = Date.now();
      for (const answer of waiting.values()) {
        answer({ ok: false, error: { message: `closed: ${reason}` } });
      }
      reject(new Error(`${username}: closed with ${code.toString()} ${reason}`));
    };
    socket.onmessage = async ({ data }) => {
      const frame = JSON.parse(String(data)) as Answer & {
        id: string;
        type: string;
        event?: string;
        payload: { nonce: string; ts: number };
      };
      if (frame.type === "res") {
        waiting.get(frame.id)?.(frame);
        waiting.delete(frame.id);
      } else if (frame.event === "connect.challenge") {
        const hello = await call("connect", {
          ...{ minProtocol: 4, maxProtocol: 4, client, role, scopes: asked, caps: [] },
          ...{ auth: {}, device: deviceFor(frame.payload) },
        });
        const { auth } = (hello.payload ?? {}) as { auth?: { scopes?: string[] } };
        if (!hello.ok) {
          reject(new Error(hello.error?.message));
        }
        resolve({
          scopes: auth?.scopes ?? [],
          closedAt: () => closedAt,
          call,
          close: () => {
            socket.close();
          },
        });
      }
    };
  });
}

/** A device of its own that signs the gateway's challenge, as each browser has one. */
function deviceFor({ nonce, ts }: { nonce: string; ts: number }) {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const id = createHash("sha256").update(key).digest("hex");
  const said = [
    "v3",
    id,
    client.id,
    client.mode,
    role,
    asked.join(","),
    ts,
    "",
    nonce,
    "linux",
    "",
  ];
  const signature = sign(null, Buffer.from(said.join("|")), privateKey).toString("base64url");
  return { id, publicKey: key.toString("base64url"), signature, signedAt: ts, nonce };
}
