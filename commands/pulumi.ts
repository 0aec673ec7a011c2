import { parseArgs } from "node:util";
import { hostTarget } from "../settings/host";
import { readSettings, withSettings } from "./deployment";
import { openEngine, runPulumi } from "./engine";

/** `npm run pulumi -- …`: the plain CLI. */
export async function passThrough(args: string[]): Promise<void> {
  let engine = await openEngine();
  const { values, positionals } = parseArgs({
    args,
    strict: false,
    options: { stack: { type: "string", short: "s" } },
  });
  // These two don't run the program, which would tell how to get to the stack's server and to KASM.
  if (["destroy", "refresh"].includes(positionals[0] ?? "") && typeof values.stack === "string") {
    const settings = await readSettings(engine, values.stack);
    hostTarget(settings, values.stack);
    engine = withSettings(engine, settings);
  }
  process.exitCode = await runPulumi(engine, args);
}
