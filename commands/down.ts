import type { HostTarget } from "../components/host/target";
import type { Settings } from "../settings";
import { instancesOf } from "../settings/instances";
import { type Deployment, withDeployment } from "./deployment";
import { progress, runPulumi } from "./engine";
import { dockerOn, runHostScript } from "./onHost";
import { prepareHost } from "./recovery";
import { forgetKeptImage } from "./upgrade";
import { UserError } from "./userError";

/** `npm run down`: everything of the stack goes; the data only with `--delete-data`. */
export async function down({
  stack,
  deleteData,
}: {
  stack: string;
  deleteData: boolean;
}): Promise<void> {
  await withDeployment(stack, async (deployment) => {
    await prepareHost(deployment);
    await destroy(deployment);
    // Of an upgrade that was killed.
    await forgetKeptImage(deployment);
    for (const { settings } of instancesOf(deployment.settings)) {
      if (deleteData) {
        await removeData(settings, deployment.target);
      } else if (!settings.removeDataOnDestroy) {
        progress(`OpenClaw's data stays in ${place(settings)}`);
      }
    }
  });
}

async function destroy({ engine, stack }: Deployment): Promise<void> {
  // Refresh, because what somebody removed by hand can't be removed again.
  const status = await runPulumi(engine, ["destroy", "--yes", "--refresh", "--stack", stack]);
  if (status !== 0) {
    throw new UserError(
      `Stack ${stack} could not be taken away; what Pulumi says above names the cause.`,
    );
  }
}

async function removeData(settings: Settings, target: HostTarget): Promise<void> {
  progress(`Deleting OpenClaw's data in ${place(settings)}`);
  const { exitCode, stderr } = settings.dataVolume
    ? await dockerOn(target, "volume", "rm", "--force", settings.dataVolume)
    : await runHostScript(target, {
        script: "data-directory.sh",
        action: "remove",
        variables: { DIRECTORY: settings.directory, OWNER: "", REMOVE_DATA: "true" },
        asRoot: true,
      });
  if (exitCode !== 0) {
    throw new UserError(`The data in ${place(settings)} could not be deleted: ${stderr.trim()}`);
  }
}

function place({ dataVolume, directory }: Settings): string {
  return dataVolume ? `Docker volume ${dataVolume}` : `${directory}/data`;
}
