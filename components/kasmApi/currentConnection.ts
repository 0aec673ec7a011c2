import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
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

/**
 * A resource's state with the connection of now. The engine reads and deletes with what is in the state; a key that
 * was replaced, or a certificate that was renewed, since the last run would end every further run there. Another
 * server's resources keep theirs, and so does everything where the command that wrote it has ended.
 */
export function withCurrentConnection<T extends Connection>(state: T): T {
  const file = process.env[variable];
  const current =
    file === undefined || !existsSync(file)
      ? undefined
      : connectionSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  return current?.kasmUrl === state.kasmUrl ? { ...state, ...current } : state;
}
