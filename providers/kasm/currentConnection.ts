import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { KasmError } from "./errors";
import type { Connection } from "./transport";

/** The variable in which a command tells the providers that its engine starts where they ask how KASM is reached now. */
const variable = "OPENCLAW_KASM_CONNECTION_SOCKET";

const connectionSchema = z.object({
  kasmUrl: z.string(),
  apiKey: z.string(),
  apiSecret: z.string(),
  caPem: z.string(),
  fingerprint: z.string(),
});

/** A connection that the providers may ask for. */
export interface HandedOver {
  /** The environment that leads them to it. */
  readonly env: Record<string, string>;
  /** Ends that. */
  readonly end: () => void;
}

/**
 * Tells the providers how KASM is reached, over a socket in a folder of this user's: no file holds the key, and when
 * this process ends, even killed, it answers no more.
 */
export async function handOver(connection: Connection): Promise<HandedOver> {
  const answer = JSON.stringify(connectionSchema.parse(connection));
  const folder = mkdtempSync(join(tmpdir(), "openclaw-kasm-"));
  const socket = join(folder, "socket");
  const server = createServer((client) => {
    client.on("error", () => undefined);
    client.end(answer);
  });
  server.listen(socket);
  await once(server, "listening");
  server.unref();
  const end = () => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { env: { [variable]: socket }, end };
}

async function currentConnection(): Promise<Connection | undefined> {
  const socket = process.env[variable];
  if (socket === undefined) {
    return undefined;
  }
  try {
    return connectionSchema.parse(JSON.parse(await text(createConnection(socket))));
  } catch (error) {
    // The command that answered there may have ended.
    if (["ENOENT", "ECONNREFUSED"].includes((error as NodeJS.ErrnoException).code ?? "")) {
      return undefined;
    }
    throw error;
  }
}

/**
 * A resource's state with the current connection. The engine reads and deletes with what is in the state; a key that
 * was replaced, a certificate that was renewed, or a name that KASM has no more would end every further run there.
 * At another address the resource is looked for only when the one of the state fails: it may be another KASM's.
 *
 * @param isThere whether the KASM of a connection has the resource
 */
export async function withCurrentConnection<T extends Connection>(
  state: T,
  isThere: (connection: T) => Promise<boolean>,
): Promise<T> {
  const current = await currentConnection();
  if (current === undefined) {
    return state;
  }
  const renewed = { ...state, ...current };
  if (current.kasmUrl === state.kasmUrl) {
    return renewed;
  }
  try {
    await isThere(state);
    return state;
  } catch (error) {
    if (!(error instanceof KasmError)) {
      throw error;
    }
    if (await isThere(renewed)) {
      return renewed;
    }
    const hint = `Nor is it in KASM at ${current.kasmUrl}, which openclaw:kasmUrl names now; if the old one is gone for good, see docs/operations.md#runbook`;
    throw new KasmError(error.failure, `${error.message}. ${hint}`, error.status);
  }
}
