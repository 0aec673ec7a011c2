import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { baseImageName } from "../components/baseImage";
import { buildsImage, namespace, type Settings } from "../config";
import { browserName } from "../components/gateway/container";
import { offsiteName } from "../components/gateway/offsite";
import { type Instance, instancesOf } from "../config/instances";
import { shape } from "../config/schema";
import { backupFile, backupFolder, beforeChange, forgetOldBackups } from "./backup";
import { compareVersions, readPassphrase } from "./backup/backupFile";
import { checkNode } from "./preflight/baseNode";
import { keepLog } from "../host/containerLog";
import { type Deployment, readSettings, withDeployment } from "../pulumi/deployment";
import { runPulumi } from "../pulumi/engine";
import { act, type GatewayData, openData, save, stage, stopGateway } from "./backup/gatewayData";
import { checkHost } from "./preflight/host";
import { pluginNotices } from "./preflight/plugins";
import { withHostLock } from "../host/lock";
import { checkKasm } from "./preflight/kasm";
import { forgetKeptImages, keepImages } from "../host/keptImages";
import { prepareHost, recover } from "../pulumi/recovery";
import { settle } from "./restore";
import { deploy, deployedGateways, secretsOf } from "./up";
import { UserError } from "../host/userError";
import { progress, say } from "../host/terminal";
import { replaceFile } from "../host/files";

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
  /** Backups of the previous data, by the names of the gateways. */
  files: z.record(z.string(), z.string()),
});

/** `npm run upgrade -- VERSION`: another OpenClaw with the same data, or all as it was. */
export async function upgrade(
  version: string,
  options: { stack: string; rebuild: boolean },
): Promise<void> {
  const { stack } = options;
  const passphrase = readPassphrase();
  const imagesFrom = options.rebuild ? currentTime() : undefined;
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
    if (options.rebuild) {
      checkBuilt(stack, deployment.settings);
    }
    await checkNode(deployment, version, imagesFrom);
    const files = await changeVersion(deployment, gateways, {
      version,
      setting,
      passphrase,
      imagesFrom,
    });
    const places = gateways.map(({ instance }) => instance.settings);
    say(
      [
        ...(await pluginNotices(deployment.target, places, version)),
        `Stack ${stack} runs OpenClaw ${version}; Pulumi.${stack}.yaml says so too.`,
        `The previous data is in ${files.join(" and ")}`,
        `Back to OpenClaw ${data.openclawVersion} and that data: npm run rollback -- --stack ${stack}`,
      ].join("\n"),
    );
  });
}

/** `npm run rollback`: reverts the last upgrade, version and data. */
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
        `Stack ${stack} runs OpenClaw ${last.from} again, with the data from before the upgrade; Pulumi.${stack}.yaml says so too.`,
        `What was written since is not in it. It is in ${files.join(" and ")}`,
        `OpenClaw ${last.to} can read that: npm run upgrade -- ${last.to} --stack ${stack}, then npm run restore -- FILE --stack ${stack}`,
      ].join("\n"),
    );
  });
}

/** A stack's gateways: one OpenClaw for all of them, and one of them at least. */
export type Gateways = readonly [GatewayData, ...GatewayData[]];

/** Opens a stack and the data of all its gateways for the time of `work`, and locks them against other commands. */
export async function withGateways(
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

interface VersionChange {
  readonly version: string;
  readonly setting: VersionSetting;
  readonly passphrase: string | undefined;
  /** Time of the rebuild that comes with it, if one does. */
  readonly imagesFrom?: string | undefined;
  /** Backups with the data that the version is to find, in place of the current data, by the names of the gateways. */
  readonly dataOf?: Readonly<Record<string, string>>;
}

/**
 * Gives a stack another version of OpenClaw. The gateways run until the new image is there; then their data is saved,
 * and nothing writes to it any more before the new version does.
 * @returns the backups of the previous data, in the gateways' order
 * @throws UserError when it does not come up; setting, image and data are the previous ones then
 */
async function changeVersion(
  deployment: Deployment,
  gateways: Gateways,
  { version, setting, passphrase, imagesFrom, dataOf }: VersionChange,
): Promise<string[]> {
  const { stack, settings } = deployment;
  const lastUpgrade = readLastUpgrade(stack);
  const [{ openclawVersion }] = gateways;
  const saved = new Map<GatewayData, string>();
  try {
    await withWayBack(deployment, gateways, {
      name: `OpenClaw ${version}`,
      previous: `OpenClaw ${openclawVersion}`,
      log: version,
      settings: [setting, ...(imagesFrom ? [rebuildSetting(imagesFrom)] : [])],
      passphrase,
      saved,
      prepare: async () => {
        for (const data of gateways) {
          const file = backupFile(data, passphrase, `${beforeChange}${version}-`);
          await save(data, file, passphrase, "stay");
          saved.set(data, file);
        }
        noteUpgrade(stack, {
          from: openclawVersion,
          to: version,
          setting: { ...setting, value: settings[setting.key] },
          files: Object.fromEntries(
            [...saved].map(([{ instance }, file]) => [instance.name, file]),
          ),
        });
        for (const data of gateways) {
          const file = dataOf?.[data.instance.name];
          if (file !== undefined) {
            await replaceData(data, file, passphrase);
          }
        }
      },
      undo: () => {
        noteUpgrade(stack, lastUpgrade);
      },
    });
    return [...saved.values()];
  } finally {
    const needed = Object.values(readLastUpgrade(stack)?.files ?? {});
    forgetOldBackups(stack, gateways.length, needed);
  }
}

/** @throws UserError if all images of a stack are pulled */
export function checkBuilt(
  stack: string,
  settings: Pick<Settings, "gatewayImage" | "browser" | "kasmImage">,
): void {
  const { gatewayImage, browser, kasmImage } = settings;
  if (!buildsImage(settings) && browser !== "sidecar" && !kasmImage.build) {
    throw new UserError(
      `Stack ${stack} builds no image: ${gatewayImage} is pulled as it was published. Another one: npm run upgrade -- VERSION --stack ${stack}`,
    );
  }
}

/** A setting of a stack and its new value. */
interface StackSetting {
  readonly key: keyof Settings;
  readonly value: string;
}

/** Returns the setting that has all images built anew. */
export function rebuildSetting(imagesFrom: string): StackSetting {
  return { key: "imagesFrom", value: imagesFrom };
}

/** Returns the current time as the setting `imagesFrom` takes it. */
export function currentTime(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}

interface Change {
  /** What the gateways are to run, as messages name it. */
  readonly name: string;
  /** What they run now. */
  readonly previous: string;
  /** Part of the name of a file with the log of gateways that failed. */
  readonly log: string;
  readonly settings: readonly StackSetting[];
  readonly passphrase?: string | undefined;
  /** Backups to which the data goes back. */
  readonly saved: ReadonlyMap<GatewayData, string>;
  /** Runs between the making of the images and the deployment. */
  readonly prepare?: () => Promise<void>;
  /** Runs once everything is as before. */
  readonly undo?: () => void;
}

/**
 * Changes settings on which the images depend: makes the images while the gateways run, then deploys them.
 * @throws UserError when they do not come up; settings, images and data are the previous ones then
 */
export async function withWayBack(
  deployment: Deployment,
  gateways: Gateways,
  change: Change,
): Promise<void> {
  const { stack } = deployment;
  const settingsFile = `Pulumi.${stack}.yaml`;
  const before = readFileSync(settingsFile, "utf8");
  const { name, previous, saved, passphrase } = change;
  const secrets = await allSecrets(deployment);
  await keepStackImages(deployment);
  try {
    progress(`Making the images of ${name}; the old ones run meanwhile`);
    for (const setting of change.settings) {
      await setSetting(deployment, setting);
    }
    await makeImages(deployment);
    await change.prepare?.();
    await deploy(await reopened(deployment));
  } catch (error) {
    const logs = await keepLogs(gateways, change.log, secrets);
    const problem = [
      `${name} did not come up: ${(error as Error).message}`,
      ...(logs.length > 0 ? [`Its log is in ${logs.join(" and ")}`] : []),
    ].join("\n");
    progress(`${problem}\n  Going back to ${previous}`);
    replaceFile(settingsFile, before);
    await goBack(deployment, saved, passphrase).catch((failure: unknown) => {
      const files = [...saved.values()].join(" and ");
      throw new UserError(
        `${problem}\nGoing back failed too: ${(failure as Error).message}\n${files === "" ? "The data was not touched" : `The previous data is in ${files}: npm run restore -- FILE --stack ${stack}`}`,
      );
    });
    change.undo?.();
    throw new UserError(`${problem}\n${previous}, its setting and its data are back.`);
  } finally {
    await forgetKeptImages(deployment);
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

async function setSetting(
  { engine, stack }: Deployment,
  { key, value }: StackSetting,
): Promise<void> {
  const args = ["config", "set", `${namespace}:${key}`, value, "--stack", stack];
  if ((await runPulumi(engine, args)) !== 0) {
    throw new UserError(`openclaw:${key} could not be set to ${value}`);
  }
}

/** All of them, with what they are built on: a desktop's, made later, would take its time from the start of the gateway. */
async function makeImages({ engine, stack }: Deployment): Promise<void> {
  const targets = [
    "**docker:index/remoteImage:RemoteImage::*",
    "**pulumi-nodejs:dynamic/openclaw:BaseImage::*",
  ].flatMap((urns) => ["--target", urns]);
  const args = ["up", "--yes", "--skip-preview", "--stack", stack, ...targets];
  if ((await runPulumi(engine, args)) !== 0) {
    throw new UserError("its image can't be made; what Pulumi says above names the cause.");
  }
}

async function reopened(deployment: Deployment): Promise<Deployment> {
  const { engine, stack } = deployment;
  return { ...deployment, settings: await readSettings(engine, stack) };
}

/** Keeps the images that run, and those that they are built on. */
async function keepStackImages({ target, stack, settings }: Deployment): Promise<void> {
  const from = { upstream: settings.baseImage, imagesFrom: settings.imagesFrom || undefined };
  const bases = (["base", "node"] as const).map((use) => baseImageName(use, stack, from));
  const containers = instancesOf(settings).flatMap(({ settings: own }) => [
    own.containerName,
    browserName(own.containerName),
    offsiteName(own.containerName),
  ]);
  await keepImages({ target, stack }, bases, containers);
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
