import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { scriptWith } from "./shell";
import type { Server } from "./server";
import { type HostTarget, shellOnTarget } from "./target";
import { sshProblem } from "./sshProblem";
import { HostError } from "./hostError";

/** A stack as the lock needs it. */
interface LockedStack {
  readonly stack: string;
  readonly settings: { readonly containerName: string; readonly host: Server | undefined };
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
  const [program = "", ...args] = shellOnTarget(target, "hold", { asRoot: true });
  // Detached, because Ctrl-C must not release it before the clean-up is done.
  const child = spawn(program, args, { stdio: "pipe", detached: true, env: process.env });
  const ended = once(child, "close") as Promise<[number | null]>;
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.on("error", () => undefined);
  child.stdin.write(
    `${scriptWith("lock.sh", {
      NAME: settings.containerName,
      HOLDER: `npm run ${command} of stack ${stack}, process ${process.pid.toString()} on ${hostname()}, since ${new Date().toISOString()}`,
    })}\n`,
  );
  const refusal = await Promise.race([once(child.stdout, "data").then(() => undefined), ended]);
  if (refusal !== undefined) {
    const [exitCode] = refusal;
    throw new HostError([
      settings.host && exitCode === 255
        ? sshProblem(errors, settings.host)
        : errors.trim() || "no lock can be held on it",
    ]);
  }
  try {
    return await work();
  } finally {
    child.stdin.end();
    await ended;
  }
}
