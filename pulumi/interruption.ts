import { constants } from "node:os";
import { setImmediate } from "node:timers/promises";
import type { ProcessOutput, ProcessPromise } from "zx";

/** By these a terminal, a person or the system ends a command. */
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const runs = new Set<ProcessPromise>();
let isStopping = false;

/** Runs the CLI. A command that is interrupted ends after it, because it cancels its work in its own way, and starts no other. */
export async function attended(start: () => ProcessPromise): Promise<ProcessOutput> {
  if (isStopping) {
    return await new Promise<never>(() => undefined);
  }
  const run = start();
  runs.add(run);
  try {
    return await run;
  } finally {
    runs.delete(run);
  }
}

/**
 * Has `cleanUp` done before an interrupted command ends.
 * @returns what ends that
 */
export function beforeInterruption(cleanUp: () => Promise<void>): () => void {
  const stop = (signal: NodeJS.Signals) => void end(signal, cleanUp);
  signals.forEach((signal) => process.on(signal, stop));
  return () => {
    signals.forEach((signal) => process.off(signal, stop));
  };
}

async function end(signal: NodeJS.Signals, cleanUp: () => Promise<void>): Promise<void> {
  if (isStopping) {
    return;
  }
  isStopping = true;
  await Promise.allSettled(runs);
  // What the command itself clears up once the CLI has ended.
  await setImmediate();
  try {
    await cleanUp();
  } finally {
    process.exit(128 + constants.signals[signal]);
  }
}
