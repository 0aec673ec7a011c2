import { $ } from "zx";
import { scriptWith } from "../components/host/shell";
import { type Engine, openEngine, progress, runPulumi, selectStack } from "./engine";
import { ensureDocker } from "./docker";
import { recover } from "./recovery";
import type { Settings } from "../settings";
import { readSettings } from "./up";
import { UserError } from "./userError";

/** `npm run down`: everything of the stack goes; the data only with `--delete-data`. */
export async function down({
  stack,
  deleteData,
}: {
  stack: string;
  deleteData: boolean;
}): Promise<void> {
  const engine = await openEngine();
  await selectStack(engine, stack);
  const settings = await readSettings(engine, stack);
  await ensureDocker();
  await recover(engine, stack);
  await destroy(engine, stack);
  if (deleteData) {
    await removeData(settings);
  } else if (!settings.removeDataOnDestroy) {
    progress(`OpenClaw's data stays in ${place(settings)}`);
  }
}

async function destroy(engine: Engine, stack: string): Promise<void> {
  // Refresh, because what somebody removed by hand can't be removed again.
  const status = await runPulumi(engine, ["destroy", "--yes", "--refresh", "--stack", stack]);
  if (status !== 0) {
    throw new UserError(
      `Stack ${stack} could not be taken away; what Pulumi says above names the cause.`,
    );
  }
}

async function removeData(settings: Settings): Promise<void> {
  progress(`Deleting OpenClaw's data in ${place(settings)}`);
  if (settings.dataVolume) {
    await $({ quiet: true })`docker volume rm --force ${settings.dataVolume}`;
    return;
  }
  const variables = { DIRECTORY: settings.directory, OWNER: "", REMOVE_DATA: "true" };
  const input = scriptWith("data-directory.sh", variables);
  await $({ input, quiet: true })`sh -s -- remove`;
}

function place({ dataVolume, directory }: Settings): string {
  return dataVolume ? `Docker volume ${dataVolume}` : `${directory}/data`;
}
