import { z } from "zod";
import type { ProcessOutput } from "zx";
import { offsiteName } from "../../components/gateway/container";
import {
  offsiteKeys,
  offsitePaths,
  offsitePrefix,
  offsiteSettings,
} from "../../components/gateway/offsiteFiles";
import type { Settings } from "../../config";
import { extraAuthorities } from "../../config/authorities";
import { dockerOn, runWithInput } from "../../host/run";
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

type OffsiteBackups = z.output<typeof backupsSchema>;

/** Lists the backups off the machine, the oldest first. */
export async function offsiteBackups(data: GatewayData): Promise<OffsiteBackups> {
  requireOffsite(data);
  const [, ...list] = command(data, "list");
  return backupsIn(await dockerOn(data.target, ...list));
}

function backupsIn({
  exitCode,
  stdout,
  stderr,
}: Pick<ProcessOutput, "exitCode" | "stdout" | "stderr">): OffsiteBackups {
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
  const chosen = chosenOf(await offsiteBackups(data), id);
  return command(data, "dump", chosen.id);
}

/** @throws UserError if there is no such backup, or with no id none at all */
function chosenOf(backups: OffsiteBackups, id: string | undefined): OffsiteBackups[number] {
  const chosen = id === undefined ? backups.at(-1) : backups.find((each) => each.id === id);
  if (chosen === undefined) {
    const known = backups.map((each) => `  ${each.id}  ${each.time}`);
    throw new UserError(
      known.length === 0
        ? "There is no backup off the machine yet; npm run backup -- --offsite makes one."
        : [`There is no backup ${id ?? ""} off the machine:`, ...known].join("\n"),
    );
  }
  return chosen;
}

/** A backup off the machine, and how it is read on a host that has no container of the gateway's. */
interface OffsiteSource {
  readonly time: string;
  readonly command: readonly string[];
  /** What the command reads: the storage's keys and the password among it. */
  readonly input: string;
}

/** Writes the files of {@link offsitePaths}, which it reads as JSON, and runs the container's own program. */
const reader = `import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
mkdirSync("/backup", { recursive: true });
for (const [path, text] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o600 });
}
const stdio = ["ignore", "inherit", "inherit"];
process.exitCode = spawnSync("offsite", process.argv.slice(1), { stdio }).status ?? 1;`;

/**
 * Returns a backup off the machine for a host that has none of the gateway's containers.
 * @param there the host, and the gateway as it would be on it
 * @param image id of the image of the backups on that host
 * @param password of the backups
 * @param id of the backup; the last one unless given
 * @throws UserError if there is no such backup
 */
export async function offsiteSource(
  there: Pick<GatewayData, "stack" | "instance" | "target">,
  { image, password }: { image: string; password: string },
  id: string | undefined,
): Promise<OffsiteSource> {
  const { stack, instance, target } = there;
  const { containerName, offsiteAccessKey, offsiteSecretKey } = instance.settings;
  const { endpoint, bucket, prefix, time, keep, proxy } = requireOffsite(there);
  const place = prefix ?? offsitePrefix(stack, containerName);
  const authorities = extraAuthorities(instance.settings);
  const input = JSON.stringify({
    [offsitePaths.settings]: offsiteSettings({
      ...{ endpoint, bucket, prefix: place, time, keep, proxy, stack },
    }),
    [offsitePaths.password]: password,
    [offsitePaths.keys]: offsiteKeys({
      endpoint,
      accessKey: offsiteAccessKey,
      secretKey: offsiteSecretKey,
    }),
    ...(authorities && { [offsitePaths.authorities]: authorities }),
  });
  const run = (...args: string[]) =>
    onTarget(target, [
      ...["docker", "run", "--rm", "--interactive", "--log-driver", "none", "--user", "0"],
      ...["--cap-drop", "ALL", "--cap-add", "DAC_OVERRIDE", "--entrypoint", "node", image],
      ...["--input-type=module", "--eval", reader, ...args],
    ]);
  const backups = backupsIn(await runWithInput(run("list"), input, { timeout: "120s" }));
  const chosen = chosenOf(backups, id);
  return { time: chosen.time, command: run("dump", chosen.id), input };
}

/**
 * Returns where the settings keep backups.
 * @throws UserError if they name no storage
 */
function requireOffsite({
  stack,
  instance,
}: Pick<GatewayData, "stack" | "instance">): NonNullable<Settings["offsite"]> {
  const { offsite } = instance.settings;
  if (offsite === undefined) {
    throw new UserError(
      `Stack ${stack} has no backups off the machine: set openclaw:offsite, then npm run up -- --stack ${stack}`,
    );
  }
  return offsite;
}
