import { z } from "zod";
import { $ } from "zx";
import type { HostTarget } from "../components/host/target";
import { namespace, parseSettings, type Settings } from "../settings";
import { forgetKey, hostTarget } from "../settings/host";
import { kasmEnvironment } from "../settings/workspaces";
import { type Engine, openEngine, pulumiJson, selectStack } from "./engine";

/** A stack that a command works on: the engine, the checked settings, and the machine they lead to. */
export interface Deployment {
  readonly engine: Engine;
  readonly stack: string;
  readonly settings: Settings;
  readonly target: HostTarget;
}

/** Opens a stack for the time of `work`; its connection and a key that was written for it are gone afterwards. */
export async function withDeployment(
  stack: string,
  work: (deployment: Deployment) => Promise<void>,
): Promise<void> {
  const engine = await openEngine();
  await selectStack(engine, stack);
  const settings = await readSettings(engine, stack);
  const target = hostTarget(settings, stack);
  try {
    await work({ engine: withSettings(engine, settings), stack, settings, target });
  } finally {
    await close(target, stack);
  }
}

/** An engine whose providers know of the settings what they would otherwise only know of the state. */
export function withSettings(engine: Engine, settings: Settings): Engine {
  return { ...engine, env: { ...engine.env, ...kasmEnvironment(settings) } };
}

async function close({ ssh }: HostTarget, stack: string): Promise<void> {
  if (ssh) {
    // What else goes over it, another command's work, is not cut; where the server was never reached there is none.
    await $({ quiet: true, nothrow: true })`ssh -F ${ssh.configFile} -O stop ${ssh.alias}`;
    forgetKey(stack);
  }
}

const configSchema = z.record(z.string(), z.object({ value: z.string(), secret: z.boolean() }));

/** The stack's settings, checked; the same check runs again inside the Pulumi program. */
export async function readSettings(engine: Engine, stack: string): Promise<Settings> {
  const config = configSchema.parse(
    await pulumiJson(engine, ["config", "--show-secrets", "--json", "--stack", stack]),
  );
  const prefix = `${namespace}:`;
  const own = Object.entries(config)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, entry]) => [key.slice(prefix.length), entry] as const);
  return parseSettings({
    values: Object.fromEntries(own.map(([key, { value }]) => [key, value])),
    encrypted: own.filter(([, { secret }]) => secret).map(([key]) => key),
  });
}
