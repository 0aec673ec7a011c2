import { withData } from "./backup";
import { compareVersions, readPassphrase } from "./backup/backupFile";
import type { Deployment } from "../pulumi/deployment";
import {
  act,
  type GatewayData,
  stage,
  stageFrom,
  startGateway,
  stopGateway,
} from "./backup/gatewayData";
import { afterRestore, dumpCommand, offsiteBackups, offsitePlace } from "./backup/offsite";
import { awaitReady } from "./up";
import { onTarget } from "../host/target";
import { UserError } from "../host/userError";
import { progress, say } from "../host/terminal";

interface RestoreOptions {
  readonly stack: string;
  readonly instance?: string;
  readonly passphraseFile?: string;
}

/** `npm run restore -- FILE`: a backup in the place of the gateway's data, or the data as it was. */
export async function restore(
  file: string,
  { stack, instance, passphraseFile }: RestoreOptions,
): Promise<void> {
  const passphrase = readPassphrase(passphraseFile);
  const place = offsitePlace(file);
  await withData(stack, { instance, command: "restore" }, async (deployment, data) => {
    if (place?.id === "list") {
      say((await offsiteBackups(data)).map(({ id, time }) => `${id}  ${time}`).join("\n"));
      return;
    }
    await settle(deployment, data);
    const backup = place
      ? await stageFrom(data, file, onTarget(data.target, await dumpCommand(data, place.id)))
      : await stage(data, file, passphrase);
    if (compareVersions(backup.openclawVersion, data.openclawVersion) > 0) {
      await act(data, "discard");
      throw new UserError(
        `${file} is of OpenClaw ${backup.openclawVersion}, which is newer than the ${data.openclawVersion} of stack ${stack}; nothing has been changed. First: npm run upgrade -- ${backup.openclawVersion} --stack ${stack}`,
      );
    }
    progress("Putting it in the place of the present data");
    await stopGateway(data);
    try {
      await act(data, "swap");
      await startGateway(data);
      await awaitReady(deployment, [data.instance]);
    } catch (error) {
      const problem = `The gateway does not come up with ${file}: ${(error as Error).message}`;
      await goBack(deployment, data).catch((failure: unknown) => {
        throw new UserError(
          `${problem}\nGoing back failed too: ${(failure as Error).message}\nThe previous data is kept beside it; the next npm run restore goes back first.`,
        );
      });
      throw new UserError(`${problem}\nThe previous data is back.`);
    }
    await act(data, "discard");
    if (data.instance.settings.offsite !== undefined) {
      await afterRestore(data);
    }
    say(
      `The data of ${backup.date} is back, saved by OpenClaw ${backup.openclawVersion} of stack ${backup.stack}.`,
    );
  });
}

/** Puts the data in place that a restore put aside. */
async function goBack(deployment: Deployment, data: GatewayData): Promise<void> {
  progress("Going back to the previous data");
  await stopGateway(data);
  await act(data, "undo");
  await startGateway(data);
  await awaitReady(deployment, [data.instance]);
}

/** Ends a restore that was cut short, as it would have ended itself. */
export async function settle(deployment: Deployment, data: GatewayData): Promise<void> {
  const state = await act(data, "look");
  if (state === "") {
    return;
  }
  progress("An earlier restore was cut short");
  const isUp = state === "swapped" && (await isReady(deployment, data));
  await (isUp ? act(data, "discard") : goBack(deployment, data));
}

async function isReady(deployment: Deployment, data: GatewayData): Promise<boolean> {
  try {
    await awaitReady(deployment, [data.instance]);
    return true;
  } catch {
    return false;
  }
}
