import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../../host/userError";
import { backupFolder } from "../backup";
import type { Metadata } from "./backupFile";
import { type GatewayData, stage, stageFrom } from "./gatewayData";
import { offsitePlace, offsiteSource } from "./offsite";

/** A backup that data is taken from. */
export interface Backup {
  /** What messages call it. */
  readonly name: string;
  readonly stage: (data: GatewayData, passphrase: string | undefined) => Promise<Metadata>;
}

/** Returns the backup that a file is. */
export function backupIn(file: string): Backup {
  return { name: file, stage: (data, passphrase) => stage(data, file, passphrase) };
}

/** The host that a backup is restored on, and what reads backups off the machine there. */
interface Destination extends Pick<GatewayData, "stack" | "instance" | "target"> {
  /** Id of the image of the backups off the machine, if the host has it. */
  readonly image: string | undefined;
  /** Password of those backups. */
  readonly password: string | undefined;
}

/**
 * Returns the backup that a command line names as `restore` does, or the last one: in this user's folder or off the machine.
 * @throws UserError if there is none
 */
export async function chooseBackup(there: Destination, given: string | true): Promise<Backup> {
  const { stack, instance } = there;
  const place = given === true ? undefined : offsitePlace(given);
  if (place !== undefined) {
    return await offsiteBackup(there, place.id);
  }
  if (given !== true) {
    if (!existsSync(given)) {
      throw new UserError(`There is no file ${given}; nothing has been changed.`);
    }
    return backupIn(given);
  }
  const last = lastBackup(stack, instance.name);
  const offsite = instance.settings.offsite && (await offsiteBackup(there, undefined));
  if (offsite !== undefined && (last === undefined || last.time < offsite.time)) {
    return offsite;
  }
  if (last === undefined) {
    throw new UserError(
      `There is no backup of ${instance.name} in ${backupFolder(stack)}; nothing has been changed. Name one: --from-backup FILE`,
    );
  }
  return backupIn(last.file);
}

async function offsiteBackup(
  there: Destination,
  id: string | undefined,
): Promise<Backup & { readonly time: string }> {
  const { image, password, stack } = there;
  if (image === undefined || password === undefined) {
    throw new UserError(
      `The destination can't read backups off the machine yet; nothing has been changed. First: npm run up -- --stack ${stack}`,
    );
  }
  const { time, command, input } = await offsiteSource(there, { image, password }, id);
  const name = `the backup of ${time} off the machine`;
  return { name, time, stage: (data) => stageFrom(data, name, command, input) };
}

/** Start of the occasion in the names of backups of data that was left on a host. */
export const left = "left-";

/** Returns the newest backup of a gateway's own data in this user's folder, and its time. */
export function lastBackup(
  stack: string,
  instance: string,
): { readonly file: string; readonly time: string } | undefined {
  const folder = backupFolder(stack);
  const own = new RegExp(
    `^${stack}-(?!${left})(?:.+-)?${instance}-(\\d{4}-\\d\\d-\\d\\dT)([\\d-]+)Z\\.tar\\.gz(?:\\.age)?$`,
  );
  const found = (existsSync(folder) ? readdirSync(folder) : []).flatMap((file) => {
    const [, day, time] = own.exec(file) ?? [];
    return day === undefined || time === undefined
      ? []
      : [{ file: join(folder, file), time: `${day}${time.replaceAll("-", ":")}Z` }];
  });
  return found.sort((one, other) => (one.time < other.time ? 1 : -1))[0];
}

/** The output of a stack with the password of backups off the machine. */
export const offsiteOutputs = z.object({ offsitePassword: z.string().optional().catch(undefined) });
