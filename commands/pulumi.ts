import { parseArgs } from "node:util";
import { $ } from "zx";
import { type Deployment, readSettings, withAccess } from "./deployment";
import { type Engine, openEngine, runPulumi } from "./engine";
import { isVerbose, runVerbosely } from "./verboseLog";

/** `npm run pulumi -- …`: the plain CLI. */
export async function passThrough(args: string[]): Promise<void> {
  const engine = await openEngine();
  const { values, positionals } = parseArgs({
    args,
    strict: false,
    options: { stack: { type: "string", short: "s" } },
  });
  const named = typeof values.stack === "string" ? values.stack : undefined;
  const run = async (opened: Pick<Deployment, "engine">) => {
    process.exitCode = isVerbose(args)
      ? await runVerbosely(opened.engine, args, named)
      : await runPulumi(opened.engine, args);
  };
  const needsAccess = operations.includes(positionals[0] ?? "");
  const stack = needsAccess ? (named ?? (await selectedStack(engine))) : undefined;
  if (stack === undefined) {
    await run({ engine });
  } else {
    await withAccess(engine, stack, await readSettings(engine, stack), run);
  }
}

/**
 * What gets to a stack's server and to KASM, by all its names. Some of it runs the program, which writes down the way
 * there by itself, and then leaves it to this command to take away what is secret in that.
 */
const operations = [
  ...["up", "update", "preview", "pre", "refresh"],
  ...["destroy", "down", "dn", "import", "watch"],
];

async function selectedStack(engine: Engine): Promise<string | undefined> {
  const { exitCode, stdout } = await $({
    env: engine.env,
    quiet: true,
    nothrow: true,
  })`${engine.pulumi} stack --show-name --non-interactive`;
  return exitCode === 0 ? stdout.trim() : undefined;
}
