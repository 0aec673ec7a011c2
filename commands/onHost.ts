import { $, type ProcessOutput } from "zx";
import { scriptWith } from "../components/host/shell";
import { type HostTarget, onTarget, shellOnTarget } from "../components/host/target";

/** What a script of assets/host is given. */
interface ScriptCall {
  readonly script: string;
  readonly action: "apply" | "check" | "look" | "remove";
  readonly variables: Record<string, string>;
  readonly asRoot?: boolean;
  /** Seconds after which it is ended; nothing waits for it longer. */
  readonly seconds?: number;
}

/** Runs a script of assets/host on the target, over standard input; whatever comes of it is the caller's to judge. */
export async function runHostScript(
  target: HostTarget,
  { script, action, variables, asRoot = false, seconds }: ScriptCall,
): Promise<ProcessOutput> {
  const input = scriptWith(script, variables);
  // Getting to a server takes its time too.
  const here = seconds && seconds + (target.ssh ? 15 : 0);
  const options = {
    input,
    quiet: true,
    nothrow: true,
    ...(here && { timeout: `${here}s` as const }),
  };
  return await $(options)`${shellOnTarget(target, action, { asRoot, seconds })}`;
}

/** Runs a Docker command on the target; whatever comes of it is the caller's to judge. */
export async function dockerOn(target: HostTarget, ...args: string[]): Promise<ProcessOutput> {
  return await $({ quiet: true, nothrow: true })`${onTarget(target, ["docker", ...args])}`;
}
