import { refuseTakenKey } from "../../providers/kasm/castProvider";
import { defaultPatience, type KasmClient, withKasm } from "../../providers/kasm/client";
import { KasmError, WorkspaceError } from "../../providers/kasm/errors";
import { namespace } from "../../config";
import {
  askedCasts,
  askedTiles,
  kasmConnection,
  neededGroups,
  neededPermissions,
} from "../../config/workspaces";
import type { Deployment } from "../../pulumi/deployment";
import { UserError } from "../../host/userError";
import { progress } from "../../host/terminal";

/**
 * Fails before anything is changed where KASM can't be reached, its API key may not do what the tiles need, or KASM has
 * not what they name.
 */
export async function checkKasm({
  settings,
  stack,
}: Pick<Deployment, "settings" | "stack">): Promise<void> {
  const connection = kasmConnection(settings);
  const { kasmGroups } = settings;
  if (connection === undefined || (askedTiles(settings).length === 0 && kasmGroups.length === 0)) {
    return;
  }
  progress("Asking KASM what the API key may do");
  try {
    await withKasm(connection, defaultPatience, async (client) => {
      await client.requirePermissions(neededPermissions(settings));
      await requireGroups(client, "workspaces", neededGroups(settings));
      const ofPeople = kasmGroups.map(({ group }) => group);
      await requireGroups(client, "kasmGroups", ofPeople);
      await requireKeys(client, askedCasts(settings, stack));
    });
  } catch (error) {
    const isForPeople = error instanceof KasmError || error instanceof WorkspaceError;
    throw isForPeople ? new UserError(error.message) : error;
  }
}

async function requireGroups(
  client: KasmClient,
  setting: string,
  needed: readonly string[],
): Promise<void> {
  if (needed.length === 0) {
    return;
  }
  const names = (await client.groups()).map(({ name }) => name);
  const unknown = needed.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new WorkspaceError(
      `KASM has no group named ${quoted(unknown)}, which ${namespace}:${setting} names; it has ${quoted(names)}`,
    );
  }
}

async function requireKeys(
  client: KasmClient,
  casts: ReturnType<typeof askedCasts>,
): Promise<void> {
  const rows = casts.length > 0 ? await client.castConfigs() : [];
  for (const cast of casts) {
    refuseTakenKey(rows, cast);
  }
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
