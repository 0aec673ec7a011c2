import { z } from "zod";
import { offsiteName } from "../../components/gateway/offsite";
import { dockerOn } from "../../host/run";
import { progress, say } from "../../host/terminal";
import { onTarget } from "../../host/target";
import { UserError } from "../../host/userError";
import { runPrintably } from "../logs";
import type { GatewayData } from "./gatewayData";

/** Returns which of the backups off the machine `offsite` or `offsite:ID` names, or nothing for a file's name. */
export function offsitePlace(text: string): { readonly id: string | undefined } | undefined {
  const [place, id] = /^offsite(?::(.+))?$/.exec(text) ?? [];
  return place === undefined ? undefined : { id };
}

const command = ({ container }: GatewayData, ...args: string[]) => [
  ...["docker", "exec", offsiteName(container), "offsite"],
  ...args,
];

/** Exit status of the program for a backup while another one is made. */
const underWay = 75;

/**
 * Makes a backup off the machine now, also of data that the ones there are not of.
 * @throws UserError if there is none afterwards
 */
export async function saveOffsite(data: GatewayData): Promise<void> {
  requireOffsite(data);
  progress(`Saving the data of ${data.container}; the gateway stops for a moment meanwhile`);
  const status = await runPrintably(onTarget(data.target, command(data, "save", "--now")));
  if (status !== 0) {
    throw new UserError(
      status === underWay
        ? "A scheduled backup is being made; npm run status says when there is one."
        : `There is no new backup; docker logs ${offsiteName(data.container)} has the earlier attempts.`,
    );
  }
  say("It is encrypted; without offsitePassword, an output of the stack, it can't be read.");
}

/** Has the storage asked again after a restore, and a backup made if one is missing. */
export async function afterRestore(data: GatewayData): Promise<void> {
  await runPrintably(onTarget(data.target, command(data, "save")));
}

const backupsSchema = z.array(z.object({ id: z.string(), time: z.iso.datetime() }));

/** Lists the backups off the machine, the oldest first. */
export async function offsiteBackups(data: GatewayData): Promise<z.output<typeof backupsSchema>> {
  requireOffsite(data);
  const [, ...list] = command(data, "list");
  const { exitCode, stdout, stderr } = await dockerOn(data.target, ...list);
  if (exitCode !== 0) {
    throw new UserError(`The backups off the machine can't be listed: ${stderr.trim()}`);
  }
  return backupsSchema.parse(JSON.parse(stdout));
}

/**
 * Returns the command that writes a backup off the machine to standard output.
 * @param id of it; of the last one if none is given
 * @throws UserError if there is no such backup
 */
export async function dumpCommand(
  data: GatewayData,
  id: string | undefined,
): Promise<readonly string[]> {
  const backups = await offsiteBackups(data);
  const chosen = id === undefined ? backups.at(-1) : backups.find((each) => each.id === id);
  if (chosen === undefined) {
    const known = backups.map((each) => `  ${each.id}  ${each.time}`);
    throw new UserError(
      known.length === 0
        ? "There is no backup off the machine yet; npm run backup -- --offsite makes one."
        : [`There is no backup ${id ?? ""} off the machine:`, ...known].join("\n"),
    );
  }
  return command(data, "dump", chosen.id);
}

/** @throws UserError if the settings name no storage */
function requireOffsite({ stack, instance }: GatewayData): void {
  if (instance.settings.offsite === undefined) {
    throw new UserError(
      `Stack ${stack} has no backups off the machine: set openclaw:offsite, then npm run up -- --stack ${stack}`,
    );
  }
}
