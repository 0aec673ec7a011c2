import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Settings } from "../config";
import { containerNames } from "../config/containers";
import {
  hasDoors,
  hostNames,
  hostOf,
  hostSetting,
  kasmHost,
  overlayOf,
  privateAddressOf,
  privateAddressSetting,
} from "../config/host";
import { hostNamed, placedOn } from "../config/placement";
import { keepLog } from "../host/containerLog";
import { replaceFile } from "../host/files";
import { withHostLocks } from "../host/lock";
import { progress, say } from "../host/terminal";
import { UserError } from "../host/userError";
import { type Deployment, onHosts, readSettings, withDeployment } from "../pulumi/deployment";
import { exclusions } from "../pulumi/exclusions";
import { prepareHost, recover, type StackState } from "../pulumi/recovery";
import { backupFile, backupFolder } from "./backup";
import { readPassphrase } from "./backup/backupFile";
import { backupIn, chooseBackup } from "./backup/chosenBackup";
import { openDataWith, save } from "./backup/gatewayData";
import {
  archive,
  clearDestination,
  destination,
  gatewayImages,
  placeData,
  removeCopy,
  removeRest,
  whileStopped,
} from "./placement/data";
import { deployGateway } from "./placement/deployGateway";
import { findPlaced, ownerOf, type Placed, removePlaced, whileRevocable } from "./placement/placed";
import {
  forget,
  forgetRoute,
  hostWord,
  instanceAt,
  type Move,
  removeWay,
  settingsFile,
  settle,
  settleAgain,
  settlePlace,
  thereOf,
} from "./placement/task";
import { checkHost } from "./preflight/host";
import { checkKasm } from "./preflight/kasm";
import { awaitReady, deploy, deployedGateways, secretsOf } from "./up";

interface MoveOptions {
  readonly stack: string;
  /** A backup as `restore` takes it, or true for the last one: the host that has the gateway is lost. */
  readonly fromBackup?: string | true;
  readonly passphraseFile?: string;
}

/** `npm run move -- INSTANCE HOST`: a gateway with its data on another of the stack's hosts, or all as it was. */
export async function move(
  name: string,
  place: string,
  { stack, fromBackup, passphraseFile }: MoveOptions,
): Promise<void> {
  const passphrase = readPassphrase(passphraseFile);
  await withDeployment(stack, async (opened) => {
    const to = destinationOf(opened.settings, name, place);
    const configured = hostOf(opened.settings, name);
    const leftOut = await lostHosts(opened, { name, configured, to, fromBackup });
    const current = { ...opened, leftOut };
    const instances = JSON.stringify(placedOn(current.settings, name, to).instances);
    const settings = await readSettings(current.engine, stack, { instances });
    const moved = { ...current, settings };
    const state = await prepareHost(current);
    const task = { stack, name, to, current, moved, passphrase };
    const placed = await findOnHosts(task);
    const from = ownerOf(placed, configured, to);
    if (from === to && configured === to && isDone(task, placed, state)) {
      throw new UserError(`${name} is on ${hostSetting(to)} already.`);
    }
    const strays = placed.filter(({ host }) => host !== from);
    const ids = [
      ...state.ids,
      ...strays.flatMap(({ containers }) => containers.map((each) => each.id)),
    ];
    await checkHost(moved, ids);
    await checkKasm(moved);
    await withHostLocks(onHosts(moved), "move", async () => {
      if (from === to) {
        await finish(task, placed);
      } else if (from !== undefined) {
        refuseBackup(task, from, fromBackup);
        await moveFrom(task, from, placed);
      } else {
        await moveFromBackup(task, placed, fromBackup);
      }
    });
  });
}

/**
 * Returns the host that a gateway is to move to.
 * @throws UserError if there is no such gateway, or no such host
 */
export function destinationOf(settings: Settings, name: string, place: string): string {
  const known = hostNames(settings);
  if (known.length === 1) {
    throw new UserError(
      "This stack has one host. Name the other one in openclaw:hosts, then run npm run up.",
    );
  }
  if (!settings.instances.some((each) => each.name === name)) {
    throw new UserError(
      `This stack has no instance ${name}: expected one of ${settings.instances.map((each) => each.name).join(", ")}`,
    );
  }
  const to = hostNamed(settings, place);
  if (to === undefined) {
    const names = [...known.slice(1), hostSetting(kasmHost)];
    throw new UserError(`This stack has no host ${place}: expected one of ${names.join(", ")}`);
  }
  const there = { ...settings, onHost: to };
  const isReached = privateAddressOf(there) !== undefined || overlayOf(there) !== undefined;
  if (hasDoors(there) && !isReached) {
    throw new UserError(
      `${name} has a route, by which KASM's web servers reach no gateway on ${place}: set ${privateAddressSetting(to)}, then run npm run move again`,
    );
  }
  return to;
}

/**
 * Returns the hosts that the move does without: with a backup those that do not answer, and none otherwise.
 * @throws UserError if it can't do without one of them
 */
async function lostHosts(
  deployment: Deployment,
  {
    name,
    configured,
    to,
    fromBackup,
  }: { name: string; configured: string; to: string } & Pick<MoveOptions, "fromBackup">,
): Promise<string[]> {
  const names = hostNames(deployment.settings);
  const problems = await Promise.all(names.map(deployment.problemOf));
  const lost = names.filter((_, index) => problems[index] !== undefined);
  if (fromBackup === undefined && lost.includes(configured) && configured !== to) {
    throw new UserError(
      `${hostSetting(configured)} does not answer: ${problems[names.indexOf(configured)] ?? ""}. If it is lost: npm run move -- ${name} ${hostWord(to)} --from-backup --stack ${deployment.stack}`,
    );
  }
  // What needs KASM's host or the destination is refused by the checks, in their own words.
  return fromBackup === undefined ? [] : lost.filter((host) => host !== kasmHost && host !== to);
}

/** Finds what the hosts that answer have of the gateway. */
async function findOnHosts(task: Move): Promise<Placed[]> {
  const found = await Promise.all(
    onHosts(task.moved).map(({ host }) => findPlaced(task.moved, [instanceAt(task, host)], host)),
  );
  return found.flat();
}

/** Whether nothing of an earlier move is left to do. */
function isDone(
  { moved, to }: Move,
  placed: readonly Placed[],
  { containers }: StackState,
): boolean {
  const isLeft = placed.some(
    ({ host, containers: own, data }) => host !== to && (own.length > 0 || data !== undefined),
  );
  const isDeployed = onHosts(moved).every(({ host, settings }) =>
    containerNames(settings).every((name) =>
      containers.some((each) => each.name === name && each.host === host),
    ),
  );
  return !isLeft && isDeployed;
}

function refuseBackup(
  { name, to, stack }: Move,
  from: string,
  fromBackup: MoveOptions["fromBackup"],
): void {
  if (fromBackup !== undefined) {
    throw new UserError(
      `${hostSetting(from)} answers and has the data of ${name}, so no backup is needed; nothing has been changed: npm run move -- ${name} ${hostWord(to)} --stack ${stack}`,
    );
  }
}

/**
 * Moves a gateway with its data from a host that answers. That host has it until the destination's gateway answers: it then gives it
 * away by a word that the destination hears from it.
 */
async function moveFrom(task: Move, from: string, placed: readonly Placed[]): Promise<void> {
  const { current, moved, name, passphrase, to, stack } = task;
  const there = thereOf(task, from);
  const instance = instanceAt(task, from);
  const images = await gatewayImages(task);
  const image = images(to);
  const source = await openDataWith(there, instance, images(from));
  await clearDestination(task, placed, image);
  const file = backupFile(source, passphrase, "moved-");
  const before = readFileSync(settingsFile(stack), "utf8");
  let wasCreated = false;
  let log: string | undefined;
  try {
    const container = placed
      .find(({ host }) => host === from)
      ?.containers.find((each) => each.name === source.container);
    await whileRevocable(thereOf(task, to), instanceAt(task, to), (created) =>
      whileStopped(there, container, created, async (stopped) => {
        await save(source, file, passphrase, "start");
        await placeData(task, backupIn(file), image);
        wasCreated = true;
        try {
          await deployGateway(task, stopped === undefined ? [created] : [created, stopped]);
          progress(`Giving ${name} to ${hostSetting(to)}; its old data stays until the end`);
          await (stopped ?? created).tell("given");
        } catch (error) {
          log = await keepGatewayLog(task);
          await removePlaced(current, instanceAt(task, to), to, "gateway");
          throw error;
        }
      }),
    );
    settlePlace(task);
    await removePlaced(current, instance, from, "gateway", true);
    await forgetRoute(task);
    await deploy(moved, exclusions(moved.settings, moved.leftOut));
  } catch (error) {
    const said = (error as Error).message;
    const problem = log === undefined ? said : `${said}\nIts log is in ${log}`;
    const [left] = await findPlaced(current, [instance], from).catch(() => {
      throw new UserError(
        `${problem}\nWhether ${hostSetting(from)} still has ${name} can't be found. The same command again ends the move.`,
      );
    });
    if (left?.hasGateway === true) {
      const rest = await recover(current)
        .then(() => removeCopy(task, image, wasCreated))
        .then(
          () => "",
          (failure: unknown) =>
            ` What is left of it on ${hostSetting(to)} is removed by the next move: ${(failure as Error).message}`,
        );
      rmSync(file, { force: true });
      throw new UserError(
        `${problem}\n${name} was not moved: it is on ${hostSetting(from)} as before.${rest}`,
      );
    }
    await goBack(task, { from, before, problem });
  }
  await removeRest(task, from);
  say(
    [
      `${name} is on ${hostSetting(to)}; Pulumi.${stack}.yaml says so too.`,
      `What was on ${hostSetting(from)} is removed there. Its data as it was moved is in ${file}`,
    ].join("\n"),
  );
}

/** Restores a gateway to another host from a backup, because its own host is lost. */
async function moveFromBackup(
  task: Move,
  placed: readonly Placed[],
  fromBackup: MoveOptions["fromBackup"],
): Promise<void> {
  const { moved, name, to, stack } = task;
  if (fromBackup === undefined) {
    throw new UserError(
      `None of the hosts has the gateway ${name} or its data. If it was never deployed: npm run up -- --stack ${stack}. If its data is lost: npm run move -- ${name} ${hostWord(to)} --from-backup --stack ${stack}`,
    );
  }
  const images = await gatewayImages(task);
  const backup = await chooseBackup(await destination(task), fromBackup);
  await clearDestination(task, placed, images(to));
  await placeData(task, backup, images(to));
  await settle(task);
  await deploy(moved, exclusions(moved.settings, moved.leftOut));
  const lost = moved.leftOut.map(hostSetting).join(" and ");
  say(
    [
      `${name} is on ${hostSetting(to)} with the data of ${backup.name}; Pulumi.${stack}.yaml says so too.`,
      ...(lost === ""
        ? []
        : [
            `When ${lost} is back, its old ${instanceAt(task, to).settings.containerName} starts with it: npm run up -- --stack ${stack} removes that container, and this command again also saves what is in its data to a file and deletes it there.`,
          ]),
    ].join("\n"),
  );
}

/** Ends a move that was interrupted after the gateway was given to its destination. */
async function finish(task: Move, placed: readonly Placed[]): Promise<void> {
  const { current, moved, name, to } = task;
  progress(`${name} belongs to ${hostSetting(to)}: finishing its move`);
  for (const { host, containers } of placed) {
    if (host !== to && containers.length > 0) {
      await removePlaced(current, instanceAt(task, host), host, "gateway");
    }
  }
  await settleAgain(task);
  await deploy(moved, exclusions(moved.settings, moved.leftOut));
  const images = await gatewayImages(task);
  const saved: string[] = [];
  for (const { host, data } of placed) {
    if (host !== to && data !== undefined) {
      saved.push(await archive(task, host, images(host)));
    }
    if (host !== to) {
      await removeRest(task, host);
    }
  }
  say(
    [
      `${name} is on ${hostSetting(to)}.`,
      ...saved.map((file) => `Data of it that was left on another host is in ${file}`),
    ].join("\n"),
  );
}

/** Brings everything back to the host that had the gateway, unless it came up at its destination. */
async function goBack(
  task: Move,
  { from, before, problem }: { from: string; before: string; problem: string },
): Promise<never> {
  const { name, to, stack } = task;
  if (await isReady(task)) {
    throw new UserError(
      `${problem}\n${name} answers on ${hostSetting(to)} and stays there. Its move goes on with npm run move -- ${name} ${hostWord(to)} --stack ${stack}`,
    );
  }
  progress(`${problem}\n  Going back to ${hostSetting(from)}`);
  const log = await keepGatewayLog(task);
  await returnTo(task, from, before).catch((failure: unknown) => {
    throw new UserError(
      `${problem}\nGoing back failed too: ${(failure as Error).message}\nThe data is on ${hostSetting(from)} as it was. npm run move -- ${name} ${hostWord(to)} --stack ${stack} tries again.`,
    );
  });
  throw new UserError(
    [
      problem,
      ...(log === undefined ? [] : [`Its log is in ${log}`]),
      `${name} was not moved: it is on ${hostSetting(from)} as before.`,
    ].join("\n"),
  );
}

async function returnTo(task: Move, from: string, before: string): Promise<void> {
  const { current, to, stack } = task;
  // What an attempt to remove it has left.
  await removePlaced(current, instanceAt(task, from), from, "gateway");
  await removePlaced(current, instanceAt(task, to), to, "gateway");
  await removeWay(task);
  replaceFile(settingsFile(stack), before);
  await recover(current);
  await forget(task);
  await removeCopy(task, (await gatewayImages(task))(to), true);
  await deploy(current, exclusions(current.settings, current.leftOut));
}

async function isReady(task: Move): Promise<boolean> {
  try {
    await awaitReady(task.moved, [instanceAt(task, task.to)]);
    return true;
  } catch {
    return false;
  }
}

/** Keeps what the gateway said that did not come up at its destination; going back matters more than that. */
async function keepGatewayLog(task: Move): Promise<string | undefined> {
  const { moved, stack, to } = task;
  const instance = instanceAt(task, to);
  const container = instance.settings.containerName;
  const time = new Date().toISOString().replaceAll(":", "-");
  const file = join(backupFolder(stack), `${container}-move-${time}.log`);
  try {
    const secrets = (await deployedGateways(moved, [instance])).flatMap(secretsOf);
    const target = moved.targetOf(to);
    return (await keepLog({ target, container, image: "" }, file, secrets)) ? file : undefined;
  } catch {
    return undefined;
  }
}
