import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Instance } from "../config/instances";
import { readPassphrase } from "./backup/backupFile";
import { type Deployment, withDeployment } from "../pulumi/deployment";
import { stateHome } from "../pulumi/engine";
import { type GatewayData, openData, save } from "./backup/gatewayData";
import { saveOffsite } from "./backup/offsite";
import { checkOwner } from "./preflight/host";
import { withHostLock } from "../host/lock";
import { chosenInstance } from "./instance";
import { prepareHost } from "../pulumi/recovery";
import { say } from "../host/terminal";

interface BackupOptions {
  readonly stack: string;
  readonly instance?: string;
  readonly output?: string;
  readonly passphraseFile?: string;
  readonly offsite?: boolean;
}

/** `npm run backup`: the gateway's data in one file on this machine. */
export async function backup({
  stack,
  instance,
  output,
  passphraseFile,
  offsite = false,
}: BackupOptions): Promise<void> {
  if (offsite) {
    await withData(stack, { instance, command: "backup" }, async (_, data) => saveOffsite(data));
    return;
  }
  const passphrase = readPassphrase(passphraseFile);
  await withData(stack, { instance, command: "backup" }, async (_, data) => {
    const file = output ?? backupFile(data, passphrase);
    const { openclawVersion } = await save(data, file, passphrase, "start");
    say(
      [
        `The data of ${data.container}, of OpenClaw ${openclawVersion}, is saved in`,
        `  ${file}`,
        passphrase === undefined
          ? "It is not encrypted, and holds all that OpenClaw knows: conversations, and the credentials of its channels."
          : "It is encrypted; without its passphrase it can't be read.",
      ].join("\n"),
    );
  });
}

/**
 * Opens a stack and a gateway's data for the time of `work`, and locks it against other commands.
 * @param instance name of the gateway, where the stack has several
 * @param command name of the command, for the message to others
 */
export async function withData(
  stack: string,
  { instance, command }: { instance: string | undefined; command: string },
  work: (deployment: Deployment, data: GatewayData) => Promise<void>,
): Promise<void> {
  await withDeployment(stack, async (deployment) => {
    const { ids } = await prepareHost(deployment);
    await checkOwner(deployment, ids);
    const chosen = chosenInstance(deployment.settings, instance);
    await withHostLock(deployment, command, async () => {
      await work(deployment, await openData(deployment, chosen));
    });
  });
}

/** Folder of this user's for a stack's backups. */
export function backupFolder(stack: string): string {
  return join(stateHome(), "backups", stack);
}

/** Name of a new backup: the stack, the occasion, the instance where it has a name, and the time. */
export function backupFile(
  { stack, instance }: { readonly stack: string; readonly instance: Pick<Instance, "name"> },
  passphrase: string | undefined,
  occasion = "",
): string {
  const time = new Date().toISOString().replace(/\.\d+/, "").replaceAll(":", "-");
  const owner = instance.name && `${instance.name}-`;
  const name = `${stack}-${occasion}${owner}${time}.tar.gz${passphrase === undefined ? "" : ".age"}`;
  return join(backupFolder(stack), name);
}

/** Of how many changes of version the backups are kept. */
const kept = 3;

/** Start of the occasion in the names of backups that are made before a change of version. */
export const beforeChange = "before-";

/**
 * Deletes what upgrades saved longer ago than the last three, and what one left that was killed; what people saved
 * themselves stays.
 * @param gateways how many backups each of them made
 * @param needed backups that stay however old they are
 */
export function forgetOldBackups(stack: string, gateways: number, needed: readonly string[]): void {
  const folder = backupFolder(stack);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const own = names.filter((name) => name.startsWith(`${stack}-${beforeChange}`));
  const isWhole = (name: string) => !name.endsWith(".partial");
  const time = (name: string) => name.slice(name.lastIndexOf("T") - "2026-01-01".length);
  const whole = own.filter(isWhole).sort((one, other) => (time(one) < time(other) ? 1 : -1));
  for (const name of [...whole.slice(kept * gateways), ...own.filter((each) => !isWhole(each))]) {
    if (!needed.includes(join(folder, name))) {
      rmSync(join(folder, name));
    }
  }
}
