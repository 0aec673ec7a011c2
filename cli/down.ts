import { z } from "zod";
import { dataOwner } from "../components/gateway/container";
import type { HostTarget } from "../host/target";
import { notOwn, ownLabel, stackKey } from "../components/stackLabel";
import { namespace, type Settings } from "../config";
import { instancesOf } from "../config/instances";
import {
  type Deployment,
  type HostDeployment,
  onHostOf,
  onHosts,
  withDeployment,
} from "../pulumi/deployment";
import { hostOfProvider } from "../config/host";
import { type Engine, importState, pulumiJson, runPulumi } from "../pulumi/engine";
import { withHostLocks } from "../host/lock";
import { forgetKeptImages } from "../host/keptImages";
import { dockerOn, runHostScript } from "../host/run";
import { prepareHost } from "../pulumi/recovery";
import { keepOffsitePassword } from "./backup/offsitePassword";
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
    const state = await prepareHost(deployment);
    await refuseToDelete(deployment, deleteData);
    await withHostLocks(onHosts(deployment), "down", async () => {
      await keepOffsitePassword(deployment, state);
      await destroy(deployment);
      for (const there of onHosts(deployment)) {
        // Of an upgrade that was killed.
        await forgetKeptImages(there);
      }
      for (const instance of instancesOf(deployment.settings)) {
        const { settings } = instance;
        await settleData({ ...onHostOf(deployment, instance), settings }, deleteData);
      }
      const { offsite } = deployment.settings;
      if (offsite !== undefined) {
        progress(
          `The off-site backups stay in the bucket ${offsite.bucket} of ${offsite.endpoint}`,
        );
      }
    });
  });
}

/**
 * The engine destroys by what the last `up` wrote down, and the settings may have changed since.
 * @throws UserError where that would delete data that the settings keep, or a volume that the stack did not create
 */
async function refuseToDelete(deployment: Deployment, deleteData: boolean): Promise<void> {
  const { engine, stack, settings } = deployment;
  const state = await pulumiJson(engine, ["stack", "export", "--show-secrets", "--stack", stack]);
  const deletes = deleteData || settings.removeDataOnDestroy;
  const doomed = deletes ? [] : doomedData(state);
  if (doomed.length > 0) {
    throw new UserError(
      `${namespace}:removeDataOnDestroy: found false, and the last up of stack ${stack} was told to delete the data with it (${doomed.join(", ")}); expected another up first, after which the data is kept, or npm run down -- --delete-data --stack ${stack}. Nothing has been changed.`,
    );
  }
  const doomedOf = doomedVolumes(state);
  for (const there of onHosts(deployment)) {
    await refuseForeignVolumes(there, [
      ...doomedOf.flatMap(({ name, host }) => (host === there.host ? [name] : [])),
      ...(deletes ? configuredVolumes(there) : []),
    ]);
  }
}

function configuredVolumes({ settings }: HostDeployment): string[] {
  return instancesOf(settings).flatMap(({ settings: own }) => own.dataVolume || []);
}

/** @throws UserError if a volume exists and does not carry the stack's label */
export async function refuseForeignVolumes(
  { stack, target }: Pick<Deployment, "stack" | "target">,
  names: readonly string[],
): Promise<void> {
  for (const name of new Set(names)) {
    const reason = await whyNotDeleted(target, name, stack);
    if (reason !== undefined) {
      throw new UserError(
        `The Docker volume ${name} can't be deleted: ${reason}. Nothing has been changed.`,
      );
    }
  }
}

const dataSchema = z.object({
  urn: z.string().regex(/-data$/),
  retainOnDelete: z.boolean().default(false),
  inputs: z.object({ stdin: z.object({ plaintext: z.string() }).optional() }),
});

/** Names of the resources of an exported state, secrets in clear, with which OpenClaw's data would go. */
export function doomedData(exported: unknown): string[] {
  return resourcesOf(exported).flatMap((resource) => {
    const { data } = dataSchema.safeParse(resource);
    const isDoomed =
      data?.inputs.stdin?.plaintext.includes("REMOVE_DATA='true'") ??
      data?.retainOnDelete === false;
    return data && isDoomed ? [data.urn.slice(data.urn.lastIndexOf("::") + 2)] : [];
  });
}

const volumeSchema = z.object({
  type: z.literal("docker:index/volume:Volume"),
  id: z.string(),
  provider: z.string().optional(),
  retainOnDelete: z.boolean().default(false),
});

/** The volumes of an exported state that the engine would delete, with the names of their hosts. */
export function doomedVolumes(exported: unknown): { name: string; host: string }[] {
  return resourcesOf(exported).flatMap((resource) => {
    const { data } = volumeSchema.safeParse(resource);
    return data === undefined || data.retainOnDelete
      ? []
      : [{ name: data.id, host: hostOfProvider(data.provider) }];
  });
}

function resourcesOf(exported: unknown): unknown[] {
  const { deployment } = z
    .object({ deployment: z.object({ resources: z.array(z.unknown()).default([]) }).nullable() })
    .parse(exported);
  return deployment?.resources ?? [];
}

async function destroy({ engine, stack }: Deployment): Promise<void> {
  await removeHooks(engine, stack);
  // Refresh, because what was removed by hand can't be removed again. No preview, as for `up`.
  const args = ["destroy", "--yes", "--refresh", "--skip-preview", "--stack", stack];
  const status = await runPulumi(engine, args);
  if (status !== 0) {
    throw new UserError(`Stack ${stack} could not be destroyed; see the Pulumi output above.`);
  }
}

/**
 * Removes the hooks from a stack's state with which the engine refuses a destroy without the program (components/host.ts):
 * this command has brought the key, and the program can't run for a stack of which parts were never created.
 */
export async function removeHooks(engine: Engine, stack: string): Promise<void> {
  const state = await pulumiJson(engine, ["stack", "export", "--stack", stack]);
  const text = JSON.stringify(state);
  const without = JSON.stringify(state, (key, value: unknown) =>
    key === "resourceHooks" ? undefined : value,
  );
  if (without !== text) {
    await importState(engine, stack, without);
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

/** Deletes OpenClaw's data, as far as the stack created it. */
export async function removeData({
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

/** Removes a volume that carries the stack's label. */
async function removeVolume(target: HostTarget, name: string, stack: string) {
  const reason = await whyNotDeleted(target, name, stack);
  return reason === undefined
    ? await dockerOn(target, "volume", "rm", "--force", name)
    : { exitCode: 1, stderr: reason };
}

/** Returns why a volume must not be deleted; nothing if it is the stack's own or does not exist. */
async function whyNotDeleted(target: HostTarget, name: string, stack: string) {
  const format = ["--format", `{{with .Labels}}{{index . "${stackKey}"}}{{end}}`];
  const { exitCode, stdout, stderr } = await dockerOn(target, "volume", "inspect", ...format, name);
  if (exitCode !== 0) {
    return /no such volume/i.test(stderr) ? undefined : stderr.trim();
  }
  const reason = notOwn(stdout.trim(), stack);
  const { key, value } = ownLabel(stack, name);
  return reason && `it ${reason}, its label is not ${key}=${value}`;
}

function place({ dataVolume, directory }: Settings): string {
  return dataVolume ? `Docker volume ${dataVolume}` : `${directory}/data`;
}
