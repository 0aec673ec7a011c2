import { parseArgs } from "node:util";
import { $ } from "../host/shellCommand";
import { shortName } from "../config/stackFile";
import { type Deployment, readSettings, withAccess } from "../pulumi/deployment";
import { type Engine, openEngine, runPulumi } from "../pulumi/engine";
import { isVerbose, runVerbosely } from "../pulumi/verboseLog";

/** `npm run pulumi -- …`: the plain CLI. */
export async function passThrough(args: string[]): Promise<void> {
  const engine = await openEngine();
  const { operation, stack: named } = readArguments(args);
  const run = async (opened: Pick<Deployment, "engine">) => {
    process.exitCode = isVerbose(args)
      ? await runVerbosely(opened.engine, args, named)
      : await runPulumi(opened.engine, args);
  };
  const needsAccess = operations.includes(operation ?? "");
  const stack = needsAccess ? (named ?? (await selectedStack(engine))) : undefined;
  if (stack === undefined) {
    await run({ engine });
  } else {
    await withAccess(engine, shortName(stack), await readSettings(engine, stack), run);
  }
}

/** What the CLI is asked to do, and the stack that is named for it. */
export function readArguments(args: readonly string[]): { operation?: string; stack?: string } {
  const { values, positionals } = parseArgs({ args: [...args], strict: false, options });
  const [operation] = positionals;
  return {
    ...(operation !== undefined && { operation }),
    ...(typeof values.stack === "string" && { stack: values.stack }),
  };
}

/** The CLI's options that may stand before a command and have a value as an argument of its own, and the stack's. */
const options = {
  stack: { type: "string", short: "s" },
  color: { type: "string" },
  cwd: { type: "string", short: "C" },
  memprofilerate: { type: "string" },
  "otel-traces": { type: "string" },
  profiling: { type: "string" },
  tracing: { type: "string" },
  verbose: { type: "string", short: "v" },
} as const;

/** What gets to a stack's server and to KASM, by all its names. */
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
