import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Instance } from "../../config/instances";
import { UserError } from "../../host/userError";
import type { Deployment } from "../../pulumi/deployment";
import { backupFolder } from "../backup";
import type { Metadata } from "./backupFile";
import { type GatewayData, stage } from "./gatewayData";

/** A backup that data is taken from. */
export interface Backup {
  /** What messages call it. */
  readonly name: string;
  readonly file: string;
}

/**
 * Returns a backup by its file, or the last one of a gateway in this user's folder.
 * @throws UserError if there is none
 */
export function chooseBackup(
  { stack }: Pick<Deployment, "stack">,
  { name }: Pick<Instance, "name">,
  given: string | true,
): Backup {
  const file = given === true ? lastBackup(stack, name) : given;
  if (file === undefined || !existsSync(file)) {
    throw new UserError(
      file === undefined
        ? `There is no backup of ${name} in ${backupFolder(stack)}; nothing has been changed. Name one: --from-backup FILE`
        : `There is no file ${file}; nothing has been changed.`,
    );
  }
  return { name: file, file };
}

/** Start of the occasion in the names of backups of data that was left on a host. */
export const left = "left-";

/** Returns the newest backup of a gateway's own data in this user's folder. */
export function lastBackup(stack: string, instance: string): string | undefined {
  const folder = backupFolder(stack);
  const own = new RegExp(
    `^${stack}-(?!${left})(?:.+-)?${instance}-(\\d{4}-\\d\\d-\\d\\dT[\\d-]+Z)\\.tar\\.gz(?:\\.age)?$`,
  );
  const found = (existsSync(folder) ? readdirSync(folder) : []).flatMap((file) => {
    const time = own.exec(file)?.[1];
    return time === undefined ? [] : [{ file: join(folder, file), time }];
  });
  return found.sort((one, other) => (one.time < other.time ? 1 : -1))[0]?.file;
}

/** Checks a backup and puts it beside the present data, as {@link stage} does. */
export async function stageBackup(
  data: GatewayData,
  backup: Backup,
  passphrase: string | undefined,
): Promise<Metadata> {
  return await stage(data, backup.file, passphrase);
}
