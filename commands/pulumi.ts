import { parseArgs } from "node:util";
import { type Deployment, readSettings, withAccess } from "./deployment";
import { openEngine, runPulumi } from "./engine";

/** `npm run pulumi -- …`: the plain CLI. */
export async function passThrough(args: string[]): Promise<void> {
  const engine = await openEngine();
  const { values, positionals } = parseArgs({
    args,
    strict: false,
    options: { stack: { type: "string", short: "s" } },
  });
  const run = async (opened: Pick<Deployment, "engine">) => {
    process.exitCode = await runPulumi(opened.engine, args);
  };
  const { stack } = values;
  // These two don't run the program, which would tell how to get to the stack's server and to KASM.
  if (["destroy", "refresh"].includes(positionals[0] ?? "") && typeof stack === "string") {
    await withAccess(engine, stack, await readSettings(engine, stack), run);
  } else {
    await run({ engine });
  }
}
