import { dataOwner } from "../../components/gateway/container";
import { ownLabel } from "../../components/stackLabel";
import { hostSetting } from "../../config/host";
import { type Hold, whileHeld } from "../../host/held";
import { dockerOn, runHostScript } from "../../host/run";
import { lostConnection } from "../../host/sshProblem";
import { progress } from "../../host/terminal";
import { UserError } from "../../host/userError";
import type { HostDeployment } from "../../pulumi/deployment";
import { readState } from "../../pulumi/stackState";
import { backupFile } from "../backup";
import { compareVersions } from "../backup/backupFile";
import { type Backup, left, offsiteOutputs } from "../backup/chosenBackup";
import { act, type GatewayData, openDataWith, save } from "../backup/gatewayData";
import { removeData } from "../down";
import { type Placed, removePlaced } from "./placed";
import { instanceAt, type Move, thereOf } from "./task";

/** Returns a function that finds the id of the gateway's image on a host: in it the data is read and written. */
export async function gatewayImages({
  current: { engine, stack },
}: Pick<Move, "current">): Promise<(host: string) => string> {
  const { images } = await readState(engine, stack);
  return (host) => {
    const image = images.find((each) => each.kind === "gateway" && each.host === host);
    if (image === undefined) {
      throw new UserError(
        `${hostSetting(host)} does not have the gateway's image yet; nothing has been changed. First: npm run up -- --stack ${stack}`,
      );
    }
    return image.id;
  };
}

/** Returns where the gateway of a move is restored, and what reads backups off the machine there. */
export async function destination(task: Move) {
  const { current, stack, to } = task;
  const { images, outputs } = await readState(current.engine, stack);
  const { target, settings } = thereOf(task, to);
  const image = images.find((each) => each.kind === "offsite" && each.host === to)?.id;
  const { offsitePassword } = offsiteOutputs.parse(outputs);
  const password = settings.offsitePassword || offsitePassword;
  return { stack, instance: instanceAt(task, to), target, image, password };
}

/**
 * Keeps a gateway stopped for the time of `work`. However this process ends, the host then starts it again, unless it was told
 * "given" by then: it has removed the gateway's container in that case. The destination hears of either.
 */
export async function whileStopped<T>(
  { target, settings, host }: HostDeployment,
  container: { readonly name: string; readonly id: string } | undefined,
  heardBy: Hold | undefined,
  work: (stopped: Hold | undefined) => Promise<T>,
): Promise<T> {
  if (container === undefined) {
    return await work(undefined);
  }
  progress(`Stopping ${container.name} on ${hostSetting(host)}`);
  const refusal = (exitCode: number | null, stderr: string) =>
    new UserError(
      lostConnection(settings.host, host, exitCode, stderr) ??
        `${container.name} can't be stopped: ${stderr.trim()}`,
    );
  const variables = { CONTAINER: container.id };
  const script = { target, script: "keep-stopped.sh", variables, asRoot: false, refusal, heardBy };
  return await whileHeld(script, work);
}

/**
 * Removes what the destination has of the gateway from an earlier time: its containers, and its data, which is saved to a file
 * before.
 */
export async function clearDestination(
  task: Move,
  placed: readonly Placed[],
  image: string,
): Promise<void> {
  const { current, to } = task;
  const found = placed.find(({ host }) => host === to);
  if (found !== undefined && found.containers.length > 0) {
    await removePlaced(current, instanceAt(task, to), to, "gateway");
  }
  if (found?.data !== undefined) {
    await removeCopy(task, image, true);
  }
}

/** Saves data that is left on a host to a file. */
export async function archive(task: Move, host: string, image: string): Promise<string> {
  const there = thereOf(task, host);
  const data = await openDataWith(there, instanceAt(task, host), image);
  await undoInterrupted(data);
  const file = backupFile(data, task.passphrase, left);
  await save(data, file, task.passphrase, "start");
  return file;
}

/** Puts the data of a backup in place on the destination, where no gateway is yet. */
export async function placeData(task: Move, backup: Backup, image: string): Promise<void> {
  const { passphrase, stack, to } = task;
  const there = thereOf(task, to);
  await makePlace(task);
  const data = await openDataWith(there, instanceAt(task, to), image);
  await undoInterrupted(data);
  const { openclawVersion } = await backup.stage(data, passphrase);
  if (compareVersions(openclawVersion, data.openclawVersion) > 0) {
    await act(data, "discard");
    throw new UserError(
      `${backup.name} is of OpenClaw ${openclawVersion}, which is newer than the ${data.openclawVersion} of stack ${stack}.`,
    );
  }
  progress(`Putting the data in place on ${hostSetting(to)}`);
  await act(data, "swap");
  await act(data, "discard");
}

/** Puts back what a move or a restore has put aside that was interrupted while it put data in place. */
async function undoInterrupted(data: GatewayData): Promise<void> {
  if ((await act(data, "look")) !== "") {
    await act(data, "undo");
  }
}

/** Creates the directory or volume for the data as the deployment would. */
async function makePlace(task: Move): Promise<void> {
  const { to, stack } = task;
  const { target } = thereOf(task, to);
  const { dataVolume, directory } = instanceAt(task, to).settings;
  const { key, value } = ownLabel(stack, dataVolume);
  const { exitCode, stderr } = dataVolume
    ? await dockerOn(target, "volume", "create", "--label", `${key}=${value}`, dataVolume)
    : await runHostScript(target, {
        script: "data-directory.sh",
        action: "apply",
        variables: { DIRECTORY: directory, OWNER: dataOwner, STACK: stack, REMOVE_DATA: "false" },
        asRoot: true,
      });
  if (exitCode !== 0) {
    throw new UserError(`There is no place for the data on ${hostSetting(to)}: ${stderr.trim()}`);
  }
}

/** Deletes the copy of the data on the destination; what a gateway may have written there is saved to a file before. */
export async function removeCopy(task: Move, image: string, isWritten: boolean): Promise<void> {
  if (isWritten) {
    const file = await archive(task, task.to, image);
    progress(`The data that was on ${hostSetting(task.to)} is in ${file}`);
  }
  await removeRest(task, task.to);
}

/** Deletes the data on a host that does not have the gateway any more. */
export async function removeRest(task: Move, host: string): Promise<void> {
  const { stack, target } = thereOf(task, host);
  await removeData({ settings: instanceAt(task, host).settings, stack, target });
}
