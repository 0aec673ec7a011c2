import { z } from "zod";
import type { Connection } from "./transport";

/** The variable in which a command tells the providers that its engine starts how KASM is reached now. */
const variable = "OPENCLAW_KASM_CONNECTION";

const connectionSchema = z.object({
  kasmUrl: z.string(),
  apiKey: z.string(),
  apiSecret: z.string(),
  caPem: z.string(),
  fingerprint: z.string(),
});

/** The environment that hands a connection over. */
export function connectionEnvironment(connection: Connection): Record<string, string> {
  return { [variable]: JSON.stringify(connectionSchema.parse(connection)) };
}

/**
 * A resource's state with the connection of now. The engine reads and deletes with what is in the state; a key that
 * was replaced, or a certificate that was renewed, since the last run would end every further run there. Another
 * server's resources keep theirs.
 */
export function withCurrentConnection<T extends Connection>(state: T): T {
  const given = process.env[variable];
  const current = given === undefined ? undefined : connectionSchema.parse(JSON.parse(given));
  return current?.kasmUrl === state.kasmUrl ? { ...state, ...current } : state;
}
