import { z } from "zod";
import { dataOwner } from "../components/gateway/container";
import type { HostTarget } from "../host/target";
import { otherStack, stackKey } from "../components/stackLabel";
import { namespace, type Settings } from "../config";
import { instancesOf } from "../config/instances";
import { type Deployment, withDeployment } from "../pulumi/deployment";
import { pulumiJson, runPulumi } from "../pulumi/engine";
import { withHostLock } from "../host/lock";
import { forgetKeptImages } from "../host/keptImages";
import { dockerOn, runHostScript } from "../host/run";
import { prepareHost } from "../pulumi/recovery";
import { UserError } from "../host/userError";
import { progress } from "../host/terminal";

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
    if (!deleteData) {
      await refuseToDelete(deployment);
    }
    await withHostLock(deployment, "down", async () => {
      await destroy(deployment);
      // Of an upgrade that was killed.
      await forgetKeptImages(deployment);
      for (const { settings } of instancesOf(deployment.settings)) {
        await settleData({ ...deployment, settings }, deleteData);
      }
    });
  });
}

/**
 * The engine destroys by what the last `up` wrote down, and the settings may have changed since.
 * @throws UserError where that would delete data that the settings keep
 */
async function refuseToDelete({ engine, stack, settings }: Deployment): Promise<void> {
  const state = await pulumiJson(engine, ["stack", "export", "--show-secrets", "--stack", stack]);
  const doomed = settings.removeDataOnDestroy ? [] : doomedData(state);
  if (doomed.length > 0) {
    throw new UserError(
      `${namespace}:removeDataOnDestroy: found false, and the last up of stack ${stack} was told to delete the data with it (${doomed.join(", ")}); expected another up first, after which the data is kept, or npm run down -- --delete-data --stack ${stack}. Nothing has been changed.`,
    );
  }
}

const dataSchema = z.object({
  urn: z.string().regex(/-data$/),
  retainOnDelete: z.boolean().default(false),
  inputs: z.object({ stdin: z.object({ plaintext: z.string() }).optional() }),
});

/** Names of the resources of an exported state, secrets in clear, with which OpenClaw's data would go. */
export function doomedData(exported: unknown): string[] {
  const { deployment } = z
    .object({ deployment: z.object({ resources: z.array(z.unknown()).default([]) }).nullable() })
    .parse(exported);
  return (deployment?.resources ?? []).flatMap((resource) => {
    const { data } = dataSchema.safeParse(resource);
    const isDoomed =
      data?.inputs.stdin?.plaintext.includes("REMOVE_DATA='true'") ??
      data?.retainOnDelete === false;
    return data && isDoomed ? [data.urn.slice(data.urn.lastIndexOf("::") + 2)] : [];
  });
}

async function destroy({ engine, stack }: Deployment): Promise<void> {
  // Refresh, because what was removed by hand can't be removed again.
  const status = await runPulumi(engine, ["destroy", "--yes", "--refresh", "--stack", stack]);
  if (status !== 0) {
    throw new UserError(`Stack ${stack} could not be destroyed; see the Pulumi output above.`);
  }
}

/** Does with the data of a stack that is gone what the command and the settings say, and tells it. */
export async function settleData(
  gateway: Pick<Deployment, "settings" | "stack" | "target">,
  deleteData: boolean,
): Promise<void> {
  const { settings } = gateway;
  if (deleteData || settings.removeDataOnDestroy) {
    await removeData(gateway);
  } else {
    progress(`OpenClaw's data stays in ${place(settings)}`);
  }
}

async function removeData({
  settings,
  stack,
  target,
}: Pick<Deployment, "settings" | "stack" | "target">): Promise<void> {
  progress(`Deleting OpenClaw's data in ${place(settings)}`);
  const { exitCode, stderr } = settings.dataVolume
    ? await removeVolume(target, settings.dataVolume, stack)
    : await runHostScript(target, {
        script: "data-directory.sh",
        action: "remove",
        variables: {
          DIRECTORY: settings.directory,
          OWNER: dataOwner,
          STACK: stack,
          REMOVE_DATA: "true",
        },
        asRoot: true,
      });
  if (exitCode !== 0) {
    throw new UserError(`The data in ${place(settings)} could not be deleted: ${stderr.trim()}`);
  }
}

/** Removes a volume unless its label says that it is another stack's. */
async function removeVolume(target: HostTarget, name: string, stack: string) {
  const format = ["--format", `{{with .Labels}}{{index . "${stackKey}"}}{{end}}`];
  const { stdout } = await dockerOn(target, "volume", "inspect", ...format, name);
  const other = otherStack(stdout.trim(), stack);
  return other === undefined
    ? await dockerOn(target, "volume", "rm", "--force", name)
    : { exitCode: 1, stderr: `it is of stack ${other}` };
}

function place({ dataVolume, directory }: Settings): string {
  return dataVolume ? `Docker volume ${dataVolume}` : `${directory}/data`;
}
