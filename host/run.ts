import { type Options, type ProcessOutput } from "zx";
import { $ } from "./shellCommand";
import { quoted, scriptWith } from "./shell";
import { type HostTarget, onTarget, shellOnTarget, withinSeconds } from "./target";
import { UserError } from "./userError";

/** What a script of assets/host is given. */
interface ScriptCall {
  readonly script: string;
  readonly action: "apply" | "check" | "look" | "remove";
  readonly variables: Record<string, string>;
  readonly asRoot?: boolean;
  /** Seconds after which it is ended; nothing waits for it longer. Defaults to 600. */
  readonly seconds?: number;
}

/** Runs a script of assets/host on the target, over standard input; whatever comes of it is the caller's to judge. */
export async function runHostScript(
  target: HostTarget,
  { script, action, variables, asRoot = false, seconds = 600 }: ScriptCall,
): Promise<ProcessOutput> {
  return await runShell(target, scriptWith(script, variables), action, { asRoot, seconds });
}

async function runShell(
  target: HostTarget,
  input: string,
  action: ScriptCall["action"],
  { asRoot = false, seconds }: Pick<ScriptCall, "asRoot" | "seconds">,
): Promise<ProcessOutput> {
  // Getting to a server takes its time too.
  const here = seconds && seconds + (target.ssh ? 15 : 0);
  const command = shellOnTarget(target, action, { asRoot, seconds });
  // zx takes no fractions.
  const timeout = here && (`${Math.ceil(here * 1000)}ms` as const);
  return await runWithInput(command, input, timeout ? { timeout } : {});
}

/** Runs a command that may end without having read its input: how it ended says more than the broken pipe. */
export async function runWithInput(
  command: readonly string[],
  input: string,
  options: Pick<Options, "timeout"> = {},
): Promise<ProcessOutput> {
  const running = $({ ...options, input, quiet: true, nothrow: true })`${command}`;
  running.stdin.on("error", () => undefined);
  return await running;
}

/** A script of assets/host that only looks. */
export type Look = Pick<ScriptCall, "script" | "variables" | "asRoot">;

/** Returns a look each question of which may take a number of seconds. */
export function patient(look: Look, seconds: number): Look {
  return { ...look, variables: { ...look.variables, PATIENCE: seconds.toString() } };
}

/**
 * Runs the `look` of several scripts side by side, over one connection: a server takes no more than ten new ones at a
 * time. `said` is what each of them printed by then.
 */
export async function lookOnHost(
  target: HostTarget,
  looks: readonly Look[],
  seconds: number,
): Promise<{ said: string[]; exitCode: number | null; stderr: string }> {
  const input = [...looks.map((look, index) => lookLine(target, look, index)), "wait"].join("\n");
  const { stdout, stderr, exitCode } = await runShell(target, input, "look", { seconds });
  const lines = stdout.split("\n").map((line) => line.split(" "));
  const said = looks.map((_, index) =>
    lines
      .filter(([owner]) => owner === index.toString())
      .map(([, ...words]) => words.join(" "))
      .join("\n"),
  );
  return { said, exitCode, stderr };
}

/** The script goes from the outer shell to one of its own by a pipe; each line of its output gets its number in front. */
function lookLine(
  { ssh }: HostTarget,
  { script, variables, asRoot = false }: Look,
  index: number,
): string {
  const shell = `${asRoot && ssh?.needsSudo ? "sudo -n " : ""}sh -s -- look`;
  const text = quoted(scriptWith(script, variables));
  return `printf %s ${text} | ${shell} 2>/dev/null | sed -u 's/^/${index.toString()} /' &`;
}

/** Seconds after which a Docker command is given up. The longest wait for a container to stop or delete a volume. */
const dockerSeconds = 120;

/**
 * Runs a Docker command on the target; whatever comes of it is the caller's to judge.
 * @throws UserError where Docker does not answer
 */
export async function dockerOn(target: HostTarget, ...args: string[]): Promise<ProcessOutput> {
  // The CLI takes the politer signal as an answer like any other.
  const limit = { timeout: `${dockerSeconds}s`, timeoutSignal: "SIGKILL" } as const;
  const command = onTarget(target, ["docker", ...args]);
  const done = await $({ ...limit, quiet: true, nothrow: true })`${command}`;
  if (done.signal === "SIGKILL") {
    throw new UserError(
      `Docker does not answer: docker ${args[0] ?? ""} did not end within ${dockerSeconds.toString()} s.`,
    );
  }
  return done;
}

/** Seconds within which a Docker engine answers a question; one that takes longer hangs. */
const answerSeconds = 9;

/** Asks the target's Docker something, as {@link dockerOn} does; a question to an engine that hangs ends without an answer. */
export async function askDocker(target: HostTarget, ...args: string[]): Promise<ProcessOutput> {
  const command = withinSeconds(target, answerSeconds, ["docker", ...args]);
  return await $({
    quiet: true,
    nothrow: true,
    timeout: `${answerSeconds + 15}s`,
    timeoutSignal: "SIGKILL",
  })`${onTarget(target, command)}`;
}
