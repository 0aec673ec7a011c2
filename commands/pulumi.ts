import { parseArgs } from "node:util";
import { hostTarget } from "../settings/host";
import { readSettings } from "./deployment";
import { openEngine, runPulumi } from "./engine";

/** `npm run pulumi -- …`: the plain CLI. */
export async function passThrough(args: string[]): Promise<void> {
  const engine = await openEngine();
  const { values, positionals } = parseArgs({
    args,
    strict: false,
    options: { stack: { type: "string", short: "s" } },
  });
  // These two don't run the program, which would write what SSH needs to get to the stack's server.
  if (["destroy", "refresh"].includes(positionals[0] ?? "") && typeof values.stack === "string") {
    hostTarget(await readSettings(engine, values.stack), values.stack);
  }
  process.exitCode = await runPulumi(engine, args);
}
