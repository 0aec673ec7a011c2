import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { KasmError } from "./errors";
import type { Connection } from "./transport";

/** The variable in which a command tells the providers that its engine starts where it is written how KASM is reached now. */
const variable = "OPENCLAW_KASM_CONNECTION_FILE";

const connectionSchema = z.object({
  kasmUrl: z.string(),
  apiKey: z.string(),
  apiSecret: z.string(),
  caPem: z.string(),
  fingerprint: z.string(),
});

/**
 * Writes a connection for the providers, readable by this user only.
 * @returns the environment that leads them to it
 */
export function handOver(connection: Connection, stack: string): Record<string, string> {
  const file = connectionFile(stack);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, JSON.stringify(connectionSchema.parse(connection)), { mode: 0o600 });
  return { [variable]: file };
}

/** Removes what {@link handOver} wrote for the time of a command. */
export function forgetConnection(stack: string): void {
  rmSync(connectionFile(stack), { force: true });
}

/** The engine starts providers in a folder of its own choice, hence the whole path. */
function connectionFile(stack: string): string {
  return resolve(".build", "kasm", `${stack}.json`);
}

function currentConnection(): Connection | undefined {
  const file = process.env[variable];
  // The command that wrote it may have ended.
  return file === undefined || !existsSync(file)
    ? undefined
    : connectionSchema.parse(JSON.parse(readFileSync(file, "utf8")));
}

/**
 * A resource's state with the connection of now. The engine reads and deletes with what is in the state; a key that
 * was replaced, a certificate that was renewed, or a name that KASM has no more would end every further run there.
 * At another address the resource is looked for only when the one of the state fails: it may be another KASM's.
 *
 * @param isThere whether the KASM of a connection has the resource
 */
export async function withCurrentConnection<T extends Connection>(
  state: T,
  isThere: (connection: T) => Promise<boolean>,
): Promise<T> {
  const current = currentConnection();
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
    const hint = `Nor is it in KASM at ${current.kasmUrl}, which openclaw:kasmUrl names now; if the old one is gone for good, see README.md, Runbook`;
    throw new KasmError(error.failure, `${error.message}. ${hint}`, error.status);
  }
}
