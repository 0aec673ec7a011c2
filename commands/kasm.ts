import { defaultPatience, withKasm } from "../components/kasmApi/client";
import { KasmError } from "../components/kasmApi/errors";
import { kasmConnection, neededPermissions } from "../settings/workspaces";
import type { Deployment } from "./deployment";
import { progress } from "./engine";
import { UserError } from "./userError";

/** Fails before anything is changed where KASM can't be reached, or its API key may not do what the tiles need. */
export async function checkKasm({ settings }: Pick<Deployment, "settings">): Promise<void> {
  const connection = kasmConnection(settings);
  if (connection === undefined) {
    return;
  }
  progress("Asking KASM what the API key may do");
  try {
    await withKasm(connection, defaultPatience, (client) =>
      client.requirePermissions(neededPermissions(settings)),
    );
  } catch (error) {
    throw error instanceof KasmError ? new UserError(error.message) : error;
  }
}
