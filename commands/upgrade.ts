import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { $ } from "zx";
import { onTarget } from "../components/host/target";
import { buildsImage, namespace, type Settings } from "../settings";
import { type Instance, instancesOf } from "../settings/instances";
import { shape } from "../settings/schema";
import { backupFile, backupFolder, beforeChange, forgetOldBackups } from "./backup";
import { compareVersions, readPassphrase } from "./backupFile";
import { keepLog } from "./containerLog";
import { type Deployment, readSettings, withDeployment } from "./deployment";
import { progress, runPulumi, say } from "./engine";
import { act, type GatewayData, openData, save, stage, stopGateway } from "./gatewayData";
import { checkHost } from "./host";
import { withHostLock } from "./hostLock";
import { checkKasm } from "./kasm";
import { dockerOn } from "./onHost";
import { prepareHost, recover } from "./recovery";
import { settle } from "./restore";
import { deploy, deployedGateways, secretsOf } from "./up";
import { UserError } from "./userError";

/** The setting that says which OpenClaw runs. */
const versionSettingSchema = z.object({
  key: z.enum(["openclawVersion", "gatewayImage"]),
  value: z.string(),
});
type VersionSetting = z.output<typeof versionSettingSchema>;

/** What it takes to undo the last change of version. */
const lastUpgradeSchema = z.object({
  from: z.string(),
  to: z.string(),
  setting: versionSettingSchema,
  /** Backups of the data of before, by the names of the gateways. */
  files: z.record(z.string(), z.string()),
});

/** `npm run upgrade -- VERSION`: another OpenClaw with the same data, or all as it was. */
export async function upgrade(version: string, { stack }: { stack: string }): Promise<void> {
  const passphrase = readPassphrase();
  await withGateways(stack, "upgrade", async (deployment, gateways) => {
    const [data] = gateways;
    const setting = versionSetting(deployment.settings, version);
    const order = compareVersions(version, data.openclawVersion);
    if (order === 0) {
      throw new UserError(`Stack ${stack} runs OpenClaw ${version} already.`);
    }
    if (order < 0) {
      throw new UserError(
        `OpenClaw ${version} is older than the ${data.openclawVersion} of stack ${stack}, and may not understand its data. Back to what ran before the last upgrade: npm run rollback -- --stack ${stack}`,
      );
    }
    const files = await changeVersion(deployment, gateways, { version, setting, passphrase });
    say(
      [
        `Stack ${stack} runs OpenClaw ${version}; Pulumi.${stack}.yaml says so too.`,
        `The data of before is in ${files.join(" and ")}`,
        `Back to OpenClaw ${data.openclawVersion} and that data: npm run rollback -- --stack ${stack}`,
      ].join("\n"),
    );
  });
}

/** `npm run rollback`: the OpenClaw and the data of before the last upgrade. */
export async function rollback({ stack }: { stack: string }): Promise<void> {
  const passphrase = readPassphrase();
  await withGateways(stack, "rollback", async (deployment, gateways) => {
    const last = readLastUpgrade(stack);
    if (last === undefined) {
      throw new UserError(
        `There is no upgrade of stack ${stack} to roll back: none is noted in ${backupFolder(stack)}.`,
      );
    }
    const lost = gateways.filter(({ instance }) => !existsSync(last.files[instance.name] ?? ""));
    if (lost.length > 0) {
      throw new UserError(
        `There is no backup of ${lost.map(({ container }) => container).join(" and ")} from before the upgrade to OpenClaw ${last.to}: ${backupFolder(stack)} does not have it.`,
      );
    }
    const files = await changeVersion(deployment, gateways, {
      version: last.from,
      setting: last.setting,
      passphrase,
      dataOf: last.files,
    });
    rmSync(lastUpgradeFile(stack));
    say(
      [
        `Stack ${stack} runs OpenClaw ${last.from} again, with its data of before the upgrade; Pulumi.${stack}.yaml says so too.`,
        `What was written since is not in it. It is in ${files.join(" and ")}`,
        `OpenClaw ${last.to} can read that: npm run upgrade -- ${last.to} --stack ${stack}, then npm run restore -- FILE --stack ${stack}`,
      ].join("\n"),
    );
  });
}

/** A stack's gateways: one OpenClaw for all of them, and one of them at least. */
type Gateways = readonly [GatewayData, ...GatewayData[]];

/** Opens a stack and the data of all its gateways for the time of `work`, and locks them against other commands. */
async function withGateways(
  stack: string,
  command: string,
  work: (deployment: Deployment, gateways: Gateways) => Promise<void>,
): Promise<void> {
  await withDeployment(stack, async (deployment) => {
    const { ids } = await prepareHost(deployment);
    // What is short is known before a gateway stops.
    await checkHost(deployment, ids, true);
    await checkKasm(deployment);
    const [first, ...others] = instancesOf(deployment.settings);
    const open = async (instance: Instance) => {
      const data = await openData(deployment, instance);
      await settle(deployment, data);
      return data;
    };
    await withHostLock(deployment, command, async () => {
      const gateways: [GatewayData, ...GatewayData[]] = [await open(first)];
      for (const other of others) {
        gateways.push(await open(other));
      }
      await work(deployment, gateways);
    });
  });
}

/** The setting with which a stack gets a version of OpenClaw. */
export function versionSetting(
  settings: Pick<Settings, "gatewayImage">,
  version: string,
): VersionSetting {
  if (!shape.openclawVersion.schema.safeParse(version).success) {
    throw new UserError(`${version} is not usable: expected ${shape.openclawVersion.expected}`);
  }
  if (buildsImage(settings)) {
    return { key: "openclawVersion", value: version };
  }
  const [repository = ""] = settings.gatewayImage.split(/[:@]/);
  return { key: "gatewayImage", value: `${repository}:${version}` };
}

interface Change {
  readonly version: string;
  readonly setting: VersionSetting;
  readonly passphrase: string | undefined;
  /** Backups whose data the version is to find, in place of the present, by the names of the gateways. */
  readonly dataOf?: Readonly<Record<string, string>>;
}

/**
 * Gives a stack another version of OpenClaw. The gateways run until the new image is there; then their data is saved,
 * and nothing writes to it any more before the new version does.
 * @returns the backups of the data of before, in the gateways' order
 * @throws UserError when it does not come up; setting, image and data are those of before then
 */
async function changeVersion(
  deployment: Deployment,
  gateways: Gateways,
  change: Change,
): Promise<string[]> {
  const { stack, settings } = deployment;
  const settingsFile = `Pulumi.${stack}.yaml`;
  const before = readFileSync(settingsFile, "utf8");
  const lastUpgrade = readLastUpgrade(stack);
  const { passphrase } = change;
  const [{ openclawVersion }] = gateways;
  const secrets = await allSecrets(deployment);
  await keepImage(gateways[0]);
  const saved = new Map<GatewayData, string>();
  try {
    progress(`Making the image of OpenClaw ${change.version}; the old one runs meanwhile`);
    await setVersion(deployment, change.setting);
    await makeImages(deployment);
    for (const data of gateways) {
      const file = backupFile(data, passphrase, `${beforeChange}${change.version}-`);
      await save(data, file, passphrase, "stay");
      saved.set(data, file);
    }
    noteUpgrade(stack, {
      from: openclawVersion,
      to: change.version,
      setting: { ...change.setting, value: settings[change.setting.key] },
      files: Object.fromEntries([...saved].map(([{ instance }, file]) => [instance.name, file])),
    });
    for (const data of gateways) {
      const file = change.dataOf?.[data.instance.name];
      if (file !== undefined) {
        await replaceData(data, file, passphrase);
      }
    }
    await deploy(await reopened(deployment));
    return [...saved.values()];
  } catch (error) {
    const logs = await keepLogs(gateways, change.version, secrets);
    const problem = [
      `OpenClaw ${change.version} did not come up: ${(error as Error).message}`,
      ...(logs.length > 0 ? [`Its log is in ${logs.join(" and ")}`] : []),
    ].join("\n");
    progress(`${problem}\n  Going back to OpenClaw ${openclawVersion}`);
    writeFileSync(settingsFile, before);
    await goBack(deployment, saved, passphrase).catch((failure: unknown) => {
      const files = [...saved.values()].join(" and ");
      throw new UserError(
        `${problem}\nGoing back failed too: ${(failure as Error).message}\n${files === "" ? "The data was not touched" : `The data of before is in ${files}: npm run restore -- FILE --stack ${stack}`}`,
      );
    });
    noteUpgrade(stack, lastUpgrade);
    throw new UserError(
      `${problem}\nOpenClaw ${openclawVersion}, its setting and its data are back.`,
    );
  } finally {
    await forgetKeptImage(deployment);
    const needed = Object.values(readLastUpgrade(stack)?.files ?? {});
    forgetOldBackups(stack, gateways.length, needed);
  }
}

/** The secrets of all of a stack's gateways. */
async function allSecrets(deployment: Deployment): Promise<string[]> {
  const deployed = await deployedGateways(deployment, instancesOf(deployment.settings));
  return deployed.flatMap(secretsOf);
}

/** Keeps what the gateways of a version said that did not come up: with their containers their logs go. */
async function keepLogs(
  gateways: Gateways,
  version: string,
  secrets: readonly string[],
): Promise<string[]> {
  const files: string[] = [];
  for (const data of gateways) {
    const time = new Date().toISOString().replaceAll(":", "-");
    const file = join(backupFolder(data.stack), `${data.container}-${version}-${time}.log`);
    // Going back matters more than the log.
    if (await keepLog(data, file, secrets).catch(() => false)) {
      files.push(file);
    }
  }
  return files;
}

async function goBack(
  deployment: Deployment,
  saved: ReadonlyMap<GatewayData, string>,
  passphrase: string | undefined,
): Promise<void> {
  await recover(deployment);
  for (const [data, file] of saved) {
    await replaceData(data, file, passphrase);
  }
  await deploy(deployment);
}

/** Puts a backup in the place of the data, which is in a backup of its own; the gateway is stopped afterwards. */
async function replaceData(
  data: GatewayData,
  file: string,
  passphrase: string | undefined,
): Promise<void> {
  await stopGateway(data);
  await stage(data, file, passphrase);
  await act(data, "swap");
  await act(data, "discard");
}

async function setVersion(
  { engine, stack }: Deployment,
  { key, value }: VersionSetting,
): Promise<void> {
  const args = ["config", "set", `${namespace}:${key}`, value, "--stack", stack];
  if ((await runPulumi(engine, args)) !== 0) {
    throw new UserError(`openclaw:${key} could not be set to ${value}`);
  }
}

/** All of them: a desktop's, made later, would take its time from the start of the gateway. */
async function makeImages({ engine, stack }: Deployment): Promise<void> {
  const images = "**docker:index/remoteImage:RemoteImage::*";
  const args = ["up", "--yes", "--skip-preview", "--stack", stack, "--target", images];
  if ((await runPulumi(engine, args)) !== 0) {
    throw new UserError("its image can't be made; what Pulumi says above names the cause.");
  }
}

async function reopened(deployment: Deployment): Promise<Deployment> {
  const { engine, stack } = deployment;
  return { ...deployment, settings: await readSettings(engine, stack) };
}

/** A second name for the image that runs: the engine takes the first away once there is another image. */
const keptName = (stack: string) => `openclaw-kasm/gateway-${stack}:before-upgrade`;

async function keepImage({ target, stack, image }: GatewayData): Promise<void> {
  await $({ quiet: true })`${onTarget(target, ["docker", "tag", image, keptName(stack)])}`;
}

/** Takes the second name away, and the image where it was the last. */
export async function forgetKeptImage({
  target,
  stack,
}: Pick<GatewayData, "target" | "stack">): Promise<void> {
  await dockerOn(target, "image", "rm", keptName(stack));
}

const lastUpgradeFile = (stack: string) => join(backupFolder(stack), "last-upgrade.json");

function readLastUpgrade(stack: string): z.output<typeof lastUpgradeSchema> | undefined {
  const file = lastUpgradeFile(stack);
  return existsSync(file)
    ? lastUpgradeSchema.parse(JSON.parse(readFileSync(file, "utf8")))
    : undefined;
}

function noteUpgrade(stack: string, last: z.output<typeof lastUpgradeSchema> | undefined): void {
  if (last === undefined) {
    rmSync(lastUpgradeFile(stack), { force: true });
  } else {
    writeFileSync(lastUpgradeFile(stack), JSON.stringify(last), { mode: 0o600 });
  }
}
