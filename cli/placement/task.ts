import { readFileSync } from "node:fs";
import { hostOf, hostSetting, kasmHost, kasmServers } from "../../config/host";
import { type Instance, instancesOf } from "../../config/instances";
import { placedOn, withPlace } from "../../config/placement";
import { replaceFile } from "../../host/files";
import { UserError } from "../../host/userError";
import { type Deployment, type HostDeployment, onHostOf } from "../../pulumi/deployment";
import { importState, pulumiJson } from "../../pulumi/engine";
import { withoutPlaced } from "../../pulumi/placement";
import { summarize } from "../../pulumi/recovery";
import { removePlaced } from "./placed";

/** A move of a gateway, from start to end. */
export interface Move {
  readonly stack: string;
  /** Name of the instance. */
  readonly name: string;
  /** The host that it moves to. */
  readonly to: string;
  /** The stack as it is. */
  readonly current: Deployment;
  /** The stack with the gateway at its destination. */
  readonly moved: Deployment;
  readonly passphrase: string | undefined;
}

/** Returns the gateway of a move as it is on one of the hosts. */
export function instanceAt({ moved, name }: Pick<Move, "moved" | "name">, host: string): Instance {
  const instances = instancesOf(placedOn(moved.settings, name, host));
  const found = instances.find((each) => each.name === name);
  if (found === undefined) {
    throw new UserError(`This stack has no instance ${name}.`);
  }
  return found;
}

/** Returns the stack as it concerns a host on which the gateway of a move is. */
export function thereOf(
  { moved, name }: Pick<Move, "moved" | "name">,
  host: string,
): HostDeployment {
  return onHostOf({ ...moved, settings: placedOn(moved.settings, name, host) }, { name });
}

/** Returns what a host is called on the command line. */
export function hostWord(host: string): string {
  return host === kasmHost ? hostSetting(host) : host;
}

/** Name of the file with a stack's settings. */
export function settingsFile(stack: string): string {
  return `Pulumi.${stack}.yaml`;
}

/** Leads the settings to the destination. */
export function settlePlace({ name, to, stack }: Move): void {
  const text = readFileSync(settingsFile(stack), "utf8");
  replaceFile(settingsFile(stack), withPlace(text, name, to));
}

/** Leads the settings and Pulumi's state to the destination, of which the state has nothing yet. */
export async function settle(task: Move): Promise<void> {
  settlePlace(task);
  await removeWay(task);
  await forget(task);
}

/** Does what an interrupted {@link settle} has left to do. */
export async function settleAgain(task: Move): Promise<void> {
  const { current, name, to } = task;
  const isSettled = hostOf(current.settings, name) === to;
  const { containerName } = instanceAt(task, to).settings;
  const { containers } = summarize(await exported(current));
  const places = containers.filter((each) => each.name === containerName).map(({ host }) => host);
  if (places.includes(to)) {
    if (!isSettled) {
      settlePlace(task);
      await forgetRoute(task);
    }
  } else if (!isSettled || places.length > 0) {
    await settle(task);
  }
}

/** Removes the way to the gateway on its old host, once it is deployed at its destination. */
export async function forgetRoute(task: Move): Promise<void> {
  await removeWay(task, "forwarder");
  await forget(task, "route");
}

/**
 * Removes the way to the gateway from KASM's web servers.
 * @param atDestination what of it on the gateway's new host: one that is deployed there has taken over the network
 */
export async function removeWay(task: Move, atDestination: "way" | "forwarder" = "way") {
  const { current, to } = task;
  const { settings, leftOut } = current;
  const servers = kasmServers(settings);
  for (const server of servers.filter((name) => !leftOut.includes(name))) {
    const part = server === to ? atDestination : "way";
    await removePlaced(current, instanceAt(task, to), server, part);
  }
}

/** Takes what the gateway has on hosts out of Pulumi's state, or of that its route alone. */
export async function forget(task: Move, part: "all" | "route" = "all"): Promise<void> {
  const { engine, stack, leftOut } = task.current;
  const { resource } = instanceAt(task, task.to);
  const state = withoutPlaced(await exported(task.current), resource, part, leftOut);
  if (state !== undefined) {
    await importState(engine, stack, JSON.stringify(state));
  }
}

/** Exports a stack's state, secrets encrypted. */
export async function exported({
  engine,
  stack,
}: Pick<Deployment, "engine" | "stack">): Promise<unknown> {
  return await pulumiJson(engine, ["stack", "export", "--stack", stack]);
}
