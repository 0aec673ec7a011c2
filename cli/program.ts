import { inspect } from "node:util";
import type { Command } from "commander";
import { SettingsError } from "../config";
import { printable } from "../host/printable";
import { UserError } from "../host/userError";
import { HostError } from "../host/hostError";

/** Returns an action that loads its module when it runs: loading all modules takes longer than most actions. */
export function later<Args extends unknown[]>(load: () => (...args: Args) => unknown) {
  return async (...args: Args) => {
    await load()(...args);
  };
}

/** Runs the command that this process was started with. */
export async function run(program: Command): Promise<void> {
  await program.parseAsync().catch((error: unknown) => {
    const expected =
      error instanceof UserError || error instanceof SettingsError || error instanceof HostError;
    // What went wrong unexpectedly may quote what others named, too.
    console.error(printable(expected ? `\n${error.message}` : inspect(error)));
    process.exitCode = 1;
  });
}
