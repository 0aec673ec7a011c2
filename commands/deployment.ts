import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { $ } from "zx";
import type { HostTarget } from "../components/host/target";
import { forgetConnection, handOver } from "../components/kasmApi/currentConnection";
import { namespace, parseSettings, type Settings } from "../settings";
import { forgetKey, hostTarget } from "../settings/host";
import { kasmConnection } from "../settings/workspaces";
import {
  checkStackFile,
  type Engine,
  openEngine,
  pulumiJson,
  readConfig,
  selectStack,
} from "./engine";
import { isRunning } from "./process";
import { UserError } from "./userError";

/** A stack that a command works on: the engine, the checked settings, and the machine they lead to. */
export interface Deployment {
  readonly engine: Engine;
  readonly stack: string;
  readonly settings: Settings;
  readonly target: HostTarget;
}

/** Opens a stack for the time of `work`. */
export async function withDeployment(
  stack: string,
  work: (deployment: Deployment) => Promise<void>,
): Promise<void> {
  const engine = await openEngine();
  await selectStack(engine, stack);
  await withAccess(engine, stack, await readSettings(engine, stack), work);
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
 * Gives `work` the way to a stack's server and to KASM. Keys and the connection are there for that time only; of several
 * commands at work on a stack the last one takes them away.
 */
export async function withAccess(
  engine: Engine,
  stack: string,
  settings: Settings,
  work: (deployment: Deployment) => Promise<void>,
): Promise<void> {
  const leave = enter(stack);
  const target = hostTarget(settings, stack);
  const connection = kasmConnection(settings);
  const env = { ...engine.env, ...(connection && handOver(connection, stack)) };
  try {
    await work({ engine: { ...engine, env }, stack, settings, target });
  } finally {
    if (leave() === "last") {
      await close(target);
      forgetKey(stack);
      forgetConnection(stack);
    }
  }
}

/** Notes that this process is at work on a stack; the result is to be called when it is not any more. */
function enter(stack: string): () => "last" | "others are left" {
  const folder = join(".build", "at-work", stack);
  const own = process.pid.toString();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, own), "");
  return () => {
    rmSync(join(folder, own), { force: true });
    const others = readdirSync(folder).filter((pid) => isRunning(Number(pid)));
    return others.length === 0 ? "last" : "others are left";
  };
}

async function close({ ssh }: HostTarget): Promise<void> {
  if (ssh) {
    // Where the server was never reached there is none.
    await $({ quiet: true, nothrow: true })`ssh -F ${ssh.configFile} -O stop ${ssh.alias}`;
  }
}

/** The stack's settings, checked; the same check runs again inside the Pulumi program. */
export async function readSettings(engine: Engine, stack: string): Promise<Settings> {
  const config = await readConfig(engine, stack);
  const prefix = `${namespace}:`;
  const own = Object.entries(config)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, entry]) => [key.slice(prefix.length), entry] as const);
  return parseSettings({
    values: Object.fromEntries(own.map(([key, { value }]) => [key, value])),
    encrypted: own.filter(([, { secret }]) => secret).map(([key]) => key),
  });
}

const exportSchema = z.object({
  deployment: z.object({ resources: z.array(z.object({ urn: z.string() })).default([]) }),
});

/**
 * The URN of a resource by its name.
 * @throws UserError where the stack has none, because it is not deployed
 */
export async function urnOf(
  { engine, stack }: Pick<Deployment, "engine" | "stack">,
  resource: string,
): Promise<string> {
  const exported = exportSchema.parse(
    await pulumiJson(engine, ["stack", "export", "--stack", stack]),
  );
  const found = exported.deployment.resources.find(({ urn }) => urn.endsWith(`::${resource}`));
  if (found === undefined) {
    throw notDeployed(stack);
  }
  return found.urn;
}
