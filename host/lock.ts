import { hostname } from "node:os";
import { whileHeld } from "./held";
import { kasmHost, type Server } from "./server";
import type { HostTarget } from "./target";
import { lostConnection } from "./sshProblem";
import { HostError } from "./hostError";

/** A stack as the lock needs it. */
interface LockedStack {
  readonly stack: string;
  readonly settings: {
    readonly containerName: string;
    readonly host: Server | undefined;
    /** Name of the host; KASM's unless given. */
    readonly onHost?: string;
  };
  readonly target: HostTarget;
}

/** Holds the locks of several hosts; see {@link withHostLock}. */
export async function withHostLocks<T>(
  [first, ...others]: readonly LockedStack[],
  command: string,
  work: () => Promise<T>,
): Promise<T> {
  return first === undefined
    ? await work()
    : await withHostLock(first, command, () => withHostLocks(others, command, work));
}

/**
 * Holds a lock on the stack's host for the time of `work`, so that no two commands work on one gateway, wherever they were
 * started. The host releases it when this process ends, also by a kill.
 * @param command name of the command, for the message to others
 * @throws HostError where another command has it, or the host can't be reached
 */
export async function withHostLock<T>(
  { stack, settings, target }: LockedStack,
  command: string,
  work: () => Promise<T>,
): Promise<T> {
  const refusal = (exitCode: number | null, stderr: string) =>
    new HostError([
      lostConnection(settings.host, settings.onHost ?? kasmHost, exitCode, stderr) ??
        (stderr.trim() || "no lock can be held on it"),
    ]);
  const variables = {
    NAME: settings.containerName,
    HOLDER: `npm run ${command} of stack ${stack}, process ${process.pid.toString()} on ${hostname()}, since ${new Date().toISOString()}`,
  };
  return await whileHeld({ target, script: "lock.sh", variables, asRoot: true, refusal }, work);
}
