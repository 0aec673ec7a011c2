import { parseArgs } from "node:util";
import { type Deployment, readSettings, withAccess } from "./deployment";
import { openEngine, runPulumi } from "./engine";
import { isVerbose, runVerbosely } from "./verboseLog";

/** `npm run pulumi -- …`: the plain CLI. */
export async function passThrough(args: string[]): Promise<void> {
  const engine = await openEngine();
  const { values, positionals } = parseArgs({
    args,
    strict: false,
    options: { stack: { type: "string", short: "s" } },
  });
  const stack = typeof values.stack === "string" ? values.stack : undefined;
  const run = async (opened: Pick<Deployment, "engine">) => {
    process.exitCode = isVerbose(args)
      ? await runVerbosely(opened.engine, args, stack)
      : await runPulumi(opened.engine, args);
  };
  // These two don't run the program, which would tell how to get to the stack's server and to KASM.
  if (["destroy", "refresh"].includes(positionals[0] ?? "") && stack !== undefined) {
    await withAccess(engine, stack, await readSettings(engine, stack), run);
  } else {
    await run({ engine });
  }
}
