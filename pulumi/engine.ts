import { readIfThere, replaceFile } from "../host/files";
import { progress } from "../host/terminal";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { $ } from "../host/shellCommand";
import { ensureToolchain, toolchainEnv } from "../toolchain/index";
import { attended } from "./interruption";
import { UserError } from "../host/userError";

/** The Pulumi CLI with this project's plugins, state and passphrase. */
export interface Engine {
  /** Path of the CLI. */
  readonly pulumi: string;
  /** Environment to run it in. */
  readonly env: NodeJS.ProcessEnv;
  /** Folder of the state; none where PULUMI_BACKEND_URL names another place. */
  readonly stateFolder: string | undefined;
}

/**
 * Finds or makes the engine. The state goes to a folder of this user's and is encrypted with a generated passphrase,
 * unless PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE say otherwise.
 */
export async function openEngine(): Promise<Engine> {
  refuseEmptyPassphrase(process.env);
  const toolchain = await ensureToolchain(progress);
  const home = stateHome();
  const stateFolder = process.env.PULUMI_BACKEND_URL ? undefined : join(home, "stacks");
  return {
    pulumi: toolchain.pulumi,
    env: {
      ...withoutVerbosity(process.env),
      ...toolchainEnv(toolchain),
      ...backend(stateFolder),
      ...passphrase(home),
    },
    stateFolder,
  };
}

/** An environment without the variables that have the CLI say more, secrets too: by its options that is asked for and dealt with. */
export function withoutVerbosity(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const verbose = /^PULUMI_OPTION_(DEBUG|VERBOSE|LOGTOSTDERR|LOGFLOW)$/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !verbose.test(name)));
}

/** Folder in which this user's stacks, their passphrase and backups are kept. */
export function stateHome(): string {
  return join(process.env.XDG_STATE_HOME ?? join(homedir(), ".local", "state"), "openclaw-kasm");
}

function backend(stateFolder: string | undefined): NodeJS.ProcessEnv {
  if (stateFolder === undefined) {
    return {};
  }
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  removeTornAttributes(stateFolder);
  return { PULUMI_BACKEND_URL: `file://${stateFolder}` };
}

/**
 * Beside each file of the state the engine keeps one of attributes, which it can do without. Killed while it writes one,
 * it leaves half of it, and can't read the state any more ("failed to load checkpoint: EOF"): what is torn goes.
 */
export function removeTornAttributes(stateFolder: string): void {
  for (const part of ["stacks", "locks"]) {
    const folder = join(stateFolder, ".pulumi", part);
    const files = existsSync(folder) ? readdirSync(folder, { recursive: true }) : [];
    for (const file of files.map((name) => join(folder, String(name)))) {
      if (file.endsWith(".attrs") && !isJson(readIfThere(file) ?? "{}")) {
        rmSync(file, { force: true });
      }
    }
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function passphrase(state: string): NodeJS.ProcessEnv {
  const { PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE } = process.env;
  if (PULUMI_CONFIG_PASSPHRASE !== undefined || PULUMI_CONFIG_PASSPHRASE_FILE !== undefined) {
    return {};
  }
  const file = join(state, "passphrase");
  if (!existsSync(file)) {
    mkdirSync(state, { recursive: true, mode: 0o700 });
    writeFileSync(file, randomBytes(32).toString("base64url"), { mode: 0o600, flag: "wx" });
  }
  return { PULUMI_CONFIG_PASSPHRASE_FILE: file };
}

/**
 * Refuses to work on a stack in a workflow that would lose its state or its passphrase: GitHub's own runners are thrown
 * away after each job, and a secret that a repository does not have arrives as an empty text.
 */
export function refuseToForget(env: NodeJS.ProcessEnv): void {
  if (env.GITHUB_ACTIONS !== "true") {
    return;
  }
  const isHosted = env.RUNNER_ENVIRONMENT === "github-hosted";
  // The engine takes an empty passphrase at its word, also beside a file with another one.
  const hasPassphrase = env.PULUMI_CONFIG_PASSPHRASE ?? env.PULUMI_CONFIG_PASSPHRASE_FILE;
  const missing = [
    ...(isHosted && !env.PULUMI_BACKEND_URL
      ? ["the repository the variable PULUMI_BACKEND_URL"]
      : []),
    ...(hasPassphrase || isCloud(env)
      ? []
      : ["the job's environment the secret PULUMI_CONFIG_PASSPHRASE"]),
  ];
  if (missing.length > 0) {
    throw new UserError(
      `This workflow would lose what it keeps: give ${missing.join(" and ")} (docs/operations.md#setup).`,
    );
  }
}

/** Whether the state is in Pulumi Cloud, which encrypts by itself. */
function isCloud({ PULUMI_BACKEND_URL }: NodeJS.ProcessEnv): boolean {
  return PULUMI_BACKEND_URL?.startsWith("https://") ?? false;
}

/** @throws UserError if the state's secrets would be encrypted with a passphrase that everybody knows */
export function refuseEmptyPassphrase(env: NodeJS.ProcessEnv): void {
  const { PULUMI_CONFIG_PASSPHRASE: phrase, PULUMI_CONFIG_PASSPHRASE_FILE: file } = env;
  const isEmpty = phrase === "" || (phrase === undefined && readIfThere(file ?? "")?.trim() === "");
  // In workflows it is a secret that is missing, of which {@link refuseToForget} tells.
  if (isEmpty && !isCloud(env) && env.GITHUB_ACTIONS !== "true") {
    const name =
      phrase === "" ? "PULUMI_CONFIG_PASSPHRASE" : "the file of PULUMI_CONFIG_PASSPHRASE_FILE";
    throw new UserError(
      `${name} is empty, so the state's secrets could be read by everyone; expected a passphrase, or the variable unset for one that is generated.`,
    );
  }
}

/** Selects the stack and makes it on first use. */
export async function selectStack(engine: Engine, stack: string): Promise<void> {
  refuseToForget(process.env);
  const run = () =>
    $({
      env: engine.env,
      quiet: true,
      nothrow: true,
    })`${engine.pulumi} stack select --create ${stack}`;
  const { exitCode, stderr } = await withoutUnusedSalt(run);
  if (exitCode !== 0) {
    throw new UserError(`Stack ${stack} can't be opened: ${stderr.trim()}`);
  }
}

/**
 * Runs the CLI on this terminal and gives its exit status.
 * @param files open files that it finds as /dev/fd/3 and so on
 */
export async function runPulumi(
  engine: Engine,
  args: readonly string[],
  files: readonly number[] = [],
): Promise<number> {
  const stdio: ("inherit" | number)[] = ["inherit", "inherit", "inherit", ...files];
  const run = () => $({ env: engine.env, stdio, nothrow: true })`${engine.pulumi} ${args}`;
  return (await withoutUnusedSalt(() => attended(run))).exitCode ?? 1;
}

/** Runs the CLI with its arguments, and has the first open files for as long as that takes; neither it nor its plugins have them. */
const holding = 'trap : HUP INT TERM; "$@" 3>&- 4>&-; exit $?';

/**
 * Runs the CLI as {@link runPulumi} does, and gives its exit status.
 * @param held at most two streams that stay open until it has ended, also if this process is killed meanwhile
 */
export async function runPulumiHolding(
  engine: Engine,
  args: readonly string[],
  held: readonly Writable[],
): Promise<number> {
  const stdio: ("inherit" | Writable)[] = ["inherit", "inherit", "inherit", ...held];
  const run = () =>
    $({ env: engine.env, stdio, nothrow: true })`sh -c ${holding} sh ${engine.pulumi} ${args}`;
  return (await withoutUnusedSalt(() => attended(run))).exitCode ?? 1;
}

/** Runs the CLI and gives what it prints as JSON. */
export async function pulumiJson(engine: Engine, args: readonly string[]): Promise<unknown> {
  const run = () => $({ env: engine.env, quiet: true })`${engine.pulumi} ${args}`;
  const { stdout } = await withoutUnusedSalt(() =>
    run().catch(async (error: unknown) => {
      // Another engine does not replace the state's file as a whole.
      if (!String(error).includes("failed to load checkpoint")) {
        throw error;
      }
      await sleep(500);
      return await run();
    }),
  );
  return JSON.parse(stdout);
}

/** Puts another state in the place of a stack's. */
export async function importState(engine: Engine, stack: string, state: string): Promise<void> {
  await $({
    env: engine.env,
    quiet: true,
    input: state,
  })`${engine.pulumi} stack import --stack ${stack}`;
}

const configSchema = z.record(z.string(), z.object({ value: z.string(), secret: z.boolean() }));

/** A stack's configuration by key, secrets in clear; that of the selected stack unless one is named. */
export async function readConfig(
  engine: Engine,
  stack?: string,
): Promise<z.output<typeof configSchema>> {
  const of = stack === undefined ? [] : ["--stack", stack];
  return configSchema.parse(
    await pulumiJson(engine, ["config", "--show-secrets", "--json", ...of]),
  );
}

/**
 * Puts the stacks' files back where a run only added the salt of this machine's passphrase to them. The state has a
 * salt of its own; one in the file is of no use before it holds a secret, and would end up in a commit.
 */
async function withoutUnusedSalt<T>(run: () => Promise<T>): Promise<T> {
  const before = stackFiles().map((file) => [file, readFileSync(file, "utf8")] as const);
  try {
    return await run();
  } finally {
    for (const [file, text] of before) {
      const now = readIfThere(file);
      if (now !== undefined && now !== text && saysTheSame(now, text)) {
        replaceFile(file, text);
      }
    }
  }
}

function stackFiles(): string[] {
  return readdirSync(".").filter((file) => /^Pulumi\..+\.yaml$/.test(file));
}

/** Whether two texts of a stack's file differ in the salt only, or in how they write a value: the CLI quotes numbers. */
export function saysTheSame(one: string, other: string): boolean {
  return isDeepStrictEqual(withoutSalt(one), withoutSalt(other));
}

function withoutSalt(text: string): object {
  const parsed = (parse(text, { schema: "failsafe" }) ?? {}) as { encryptionsalt?: string };
  const { encryptionsalt, ...rest } = parsed;
  return rest;
}
