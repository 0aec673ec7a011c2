import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { $ } from "../host/shellCommand";
import type { HostTarget } from "../host/target";
import { handOver } from "../providers/kasm/currentConnection";
import { namespace, parseSettings, type Settings } from "../config";
import { hostTarget } from "../host/sshOptions";
import { sshProblem } from "../host/sshProblem";
import { forEachHost, hostNames, hostOf, hostResource, kasmHost } from "../config/host";
import { type Instance, instancesOf, settingsOn } from "../config/instances";
import { inClearOf } from "../config/stackFile";
import { kasmConnection } from "../config/workspaces";
import { chooseEngine, engineChoice, withEngineChoice } from "../host/dockerEngine";
import { type Engine, openEngine, pulumiJson, readConfig, selectStack } from "./engine";
import { beforeInterruption } from "./interruption";
import { ensureDebianPackages } from "../host/packages";
import { isRunning, startTime } from "../host/process";
import { checkStackFile } from "./stackFile";
import { UserError } from "../host/userError";
import { readIfThere } from "../host/files";

/** A stack that a command works on: the engine, the checked settings, and the machines they lead to. */
export interface Deployment {
  readonly engine: Engine;
  readonly stack: string;
  readonly settings: Settings;
  /** The machine of `openclaw:host`, where KASM is; see {@link onHosts} for the others. */
  readonly target: HostTarget;
  /** The way to each of the stack's hosts, by the host's name. */
  readonly targetOf: (host: string) => HostTarget;
  /** What ssh says of a host that does not answer, by the host's name. */
  readonly problemOf: (host: string) => Promise<string | undefined>;
  /** Names of the hosts that the command leaves as they are. */
  readonly leftOut: readonly string[];
}

/** A deployment narrowed to one of its hosts. */
export interface HostDeployment extends Deployment {
  /** Name of the host. */
  readonly host: string;
}

/** Returns a deployment as it concerns each of its hosts, KASM's first, without those that are left out. */
export function onHosts(deployment: Deployment): HostDeployment[] {
  return hostNames(deployment.settings)
    .filter((name) => !deployment.leftOut.includes(name))
    .map((name) => onHost(deployment, name));
}

/** Waits for the login to a host, and returns in words why it did not succeed; nothing if it did. */
export async function accessProblem({
  host,
  settings,
  problemOf,
}: HostDeployment): Promise<string | undefined> {
  const said = await problemOf(host);
  return settings.host && said !== undefined ? sshProblem(said, settings.host, host) : undefined;
}

/** Returns the gateways of a deployment, without those on hosts that are left out. */
export function gatewaysOf({ settings, leftOut }: Deployment): Instance[] {
  return instancesOf(settings).filter(({ name }) => !leftOut.includes(hostOf(settings, name)));
}

/** Returns a deployment as it concerns the host that an instance is on. */
export function onHostOf(deployment: Deployment, { name }: Pick<Instance, "name">): HostDeployment {
  return onHost(deployment, hostOf(deployment.settings, name));
}

function onHost(deployment: Deployment, host: string): HostDeployment {
  const { settings, targetOf } = deployment;
  return { ...deployment, host, settings: settingsOn(settings, host), target: targetOf(host) };
}

/** Opens a stack for the time of `work`. */
export async function withDeployment(
  stack: string,
  work: (deployment: Deployment) => Promise<void>,
): Promise<void> {
  const engine = await openStack(stack);
  await withAccess(engine, stack, await readSettings(engine, stack), work);
}

/** The engine with a stack to work on, which is made where there is none yet; nothing leads to its host so far. */
export async function openStack(stack: string): Promise<Engine> {
  checkStackFile(stack);
  const engine = await openEngine();
  await selectStack(engine, stack);
  return engine;
}

/** Opens a stack for the time of `work`, which only looks: one that was never deployed is not made, and less is asked. */
export async function lookAtDeployment(
  stack: string,
  work: (deployment: Deployment) => Promise<void>,
): Promise<void> {
  checkStackFile(stack);
  const engine = await openEngine();
  const settings = await ofDeployed(stack, readSettings(engine, stack));
  await withAccess(engine, stack, settings, work);
}

/**
 * What is asked of a stack.
 * @throws UserError where there is no such stack
 */
export async function ofDeployed<T>(stack: string, asked: Promise<T>): Promise<T> {
  return await asked.catch((error: unknown) => {
    throw String(error).includes("no stack named") ? notDeployed(stack) : error;
  });
}

function notDeployed(stack: string): UserError {
  return new UserError(`Stack ${stack} is not deployed yet: npm run up -- --stack ${stack}`);
}

/**
 * Gives `work` the way to a stack's server and to KASM. Their keys are in no file. Of several commands at work on a stack
 * the last one closes the connections that they share.
 * @param logins seconds that each server may take to let ssh in, and whether `work` waits for all of them
 */
export async function withAccess(
  engine: Engine,
  stack: string,
  settings: Settings,
  work: (deployment: Deployment) => Promise<void>,
  logins = { seconds: 15, isAwaited: true },
): Promise<void> {
  refuseOtherSystems(stack, settings);
  const names = hostNames(settings);
  if (settings.host || names.length > 1) {
    await ensureDebianPackages({ ssh: "openssh-client" });
  }
  const targetOf = forEachHost(names, (name) =>
    hostTarget(settingsOn(settings, name).host, { stack, name: hostResource(name) }),
  );
  const target = targetOf(kasmHost);
  const targets = names.map(targetOf);
  const connection = kasmConnection(settings);
  const handedOver = connection && (await handOver(connection));
  const leave = enter(stack);
  const cleanUp = async () => {
    handedOver?.end();
    if (leave() === "last") {
      await Promise.all(names.map((name) => close(targetOf(name))));
    }
  };
  const goOn = beforeInterruption(cleanUp);
  try {
    const chosen = await engineChoice(target);
    // Commands of this process are on the same engine.
    chooseEngine(chosen);
    writeFormerConfig(target, stack);
    const problemOf = forEachHost(names, (name) => connect(targetOf(name), logins.seconds));
    if (logins.isAwaited) {
      await Promise.all(names.map(problemOf));
    }
    const env = {
      ...withinSessions(targets),
      ...withEngineChoice(engine.env, chosen),
      ...handedOver?.env,
    };
    await work({
      engine: { ...engine, env },
      stack,
      settings,
      target,
      targetOf,
      problemOf,
      leftOut: [],
    });
  } finally {
    await cleanUp();
    goOn();
  }
}

/**
 * Returns the engine's limit of operations at a time, unless the user has set one. Each takes a session of its host's shared
 * connection, of which sshd allows ten: beyond them ssh logs in again for each, which sshd refuses above ten at a time. Docker's
 * provider keeps some sessions open, and the lock is one. With several hosts, all operations may be on one of them for a while.
 */
export function withinSessions(targets: readonly HostTarget[]): { PULUMI_PARALLEL?: string } {
  const servers = targets.filter(({ ssh }) => ssh !== undefined).length;
  return servers === 0 ? {} : { PULUMI_PARALLEL: Math.min(3 * servers, 4).toString() };
}

/**
 * Opens the connection that the commands, the engine's providers and scripts share. What the last run declared may have an
 * old address or key, which ssh does not use if there is a connection.
 * @param seconds how long the server may take
 * @returns what ssh says if it does not answer
 */
async function connect(target: HostTarget, seconds: number): Promise<string | undefined> {
  const { ssh } = target;
  if (ssh === undefined) {
    return undefined;
  }
  // That of an earlier run may lead to another server.
  await close(target);
  const options = { quiet: true, nothrow: true, timeout: `${seconds * 1000}ms` } as const;
  const { exitCode, stderr } = await $(options)`ssh ${ssh.options} ${ssh.alias} true`;
  if (exitCode === 0) {
    return undefined;
  }
  // Ended for taking too long, the shell around ssh may say no more than that.
  const wasEnded = exitCode === null || (exitCode > 128 && exitCode < 255);
  return (!wasEnded && stderr) || `no answer within ${seconds.toString()} s`;
}

/** The state of a stack that version 0.1.0 deployed leads to its server by this file, until the first `up`. */
function writeFormerConfig({ ssh }: HostTarget, stack: string): void {
  if (ssh === undefined) {
    return;
  }
  const { options } = ssh;
  const folder = join(".build", "ssh", stack);
  const text = options.filter((option) => /^[A-Z]\w+=/.test(option)).join("\n");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readIfThere(join(folder, "config")) !== text) {
    writeFileSync(join(folder, "config"), text);
  }
}

/** @throws UserError if the machine that the stack is for is no Linux */
function refuseOtherSystems(stack: string, { host }: Pick<Settings, "host">): void {
  if (host === undefined && process.platform !== "linux") {
    throw new UserError(
      `Stack ${stack} is for this machine, and OpenClaw's Docker host has to be a Linux; this is ${process.platform === "darwin" ? "macOS" : process.platform}. Nothing has been changed. Name a server in openclaw:host (docs/kasm.md#the-server), or run this in a Linux VM.`,
    );
  }
}

/** Notes that this process is at work on a stack; the result is to be called when it is not any more. */
function enter(stack: string): () => "last" | "others are left" {
  const folder = join(".build", "at-work", stack);
  const own = process.pid.toString();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, own), startTime(process.pid));
  return () => {
    const gone = readdirSync(folder).filter((pid) => pid === own || !isAtWork(folder, pid));
    gone.forEach((pid) => {
      rmSync(join(folder, pid), { force: true });
    });
    return readdirSync(folder).length === 0 ? "last" : "others are left";
  };
}

/** Whether a process that noted itself is still there, and not another one that has got its number since. */
function isAtWork(folder: string, pid: string): boolean {
  const started = readIfThere(join(folder, pid));
  return isRunning(Number(pid)) && (!started || started === startTime(Number(pid)));
}

async function close({ ssh }: HostTarget): Promise<void> {
  if (ssh) {
    // Where the server was never reached there is none.
    await $({ quiet: true, nothrow: true })`ssh ${ssh.options} -O stop ${ssh.alias}`;
  }
}

/**
 * The stack's settings, checked; the same check runs again inside the Pulumi program.
 * @param changes values that take the place of the file's
 */
export async function readSettings(
  engine: Engine,
  stack: string,
  changes: Readonly<Record<string, string>> = {},
): Promise<Settings> {
  const config = await readConfig(engine, stack);
  const prefix = `${namespace}:`;
  const own = Object.entries(config)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, entry]) => [key.slice(prefix.length), entry] as const);
  return parseSettings({
    values: { ...Object.fromEntries(own.map(([key, { value }]) => [key, value])), ...changes },
    encrypted: own.filter(([, { secret }]) => secret).map(([key]) => key),
    inClear: inClearOf(stack),
  });
}

const exportSchema = z.object({
  deployment: z.object({ resources: z.array(z.object({ urn: z.string() })).default([]) }),
});

/**
 * The URNs of resources by their names, in the same order.
 * @throws UserError where the stack lacks one, because it is not deployed
 */
export async function urnsOf(
  { engine, stack }: Pick<Deployment, "engine" | "stack">,
  names: readonly string[],
): Promise<string[]> {
  const exported = exportSchema.parse(
    await pulumiJson(engine, ["stack", "export", "--stack", stack]),
  );
  return names.map((name) => {
    const found = exported.deployment.resources.find(({ urn }) => urn.endsWith(`::${name}`));
    if (found === undefined) {
      throw notDeployed(stack);
    }
    return found.urn;
  });
}
