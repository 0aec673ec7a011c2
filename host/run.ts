import { type Options, type ProcessOutput } from "zx";
import { $, within } from "./shellCommand";
import { quoted, scriptWith, shellAssignments } from "./shell";
import { answerSeconds } from "./docker";
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
export interface Look extends Pick<ScriptCall, "script" | "variables" | "asRoot"> {
  /** Containers that it is about. Those of all looks by the same script are its CONTAINERS. */
  readonly containers?: readonly string[];
}

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
  if (looks.length === 0) {
    return { said: [], exitCode: 0, stderr: "" };
  }
  const groups = new Map<string, [Look, number][]>();
  for (const [index, look] of looks.entries()) {
    const key = `${look.script} ${(look.asRoot ?? false).toString()}`;
    groups.set(key, [...(groups.get(key) ?? []), [look, index]]);
  }
  const input = [...[...groups.values()].map((group) => looksLine(target, group)), "wait"];
  const { stdout, stderr, exitCode } = await runShell(target, input.join("\n"), "look", {
    seconds,
  });
  const said: string[][] = looks.map(() => []);
  for (const line of stdout.split("\n")) {
    const [number = ""] = line.split(" ", 1);
    if (line.includes(" ")) said[Number(number)]?.push(line.slice(number.length + 1));
  }
  return { said: said.map((lines) => lines.join("\n")), exitCode, stderr };
}

/**
 * Looks of one script share a shell, in which the script's action `looks` first does what they have in common: all
 * containers are asked for by one call of Docker's. The text goes from the outer shell to that one by a pipe; each line of
 * a look's output gets its number in front.
 */
function looksLine({ ssh }: HostTarget, group: readonly [Look, number][]): string {
  const [first] = group;
  if (first === undefined) {
    return "";
  }
  const [{ script, variables, asRoot = false }] = first;
  const each = group.map(
    ([look, index]) =>
      `(\n${shellAssignments(look.variables)}\nlook\n) | sed -u 's/^/${index.toString()} /' &`,
  );
  const shell = `${asRoot && ssh?.needsSudo ? "sudo -n " : ""}sh -s -- looks`;
  const CONTAINERS = group.flatMap(([{ containers = [] }]) => containers).join(" ");
  const together = scriptWith(script, { ...variables, CONTAINERS });
  const text = quoted([together, ...each, "wait"].join("\n"));
  return `printf %s ${text} | ${shell} 2>/dev/null &`;
}

/** Seconds after which a Docker command is given up. The longest wait for a container to stop or delete a volume. */
const dockerSeconds = 120;

/**
 * Runs a Docker command on the target; whatever comes of it is the caller's to judge.
 * @throws UserError where Docker does not answer
 */
export async function dockerOn(target: HostTarget, ...args: string[]): Promise<ProcessOutput> {
  const done = await within(dockerSeconds)`${onTarget(target, ["docker", ...args])}`;
  if (done.signal === "SIGKILL") {
    throw new UserError(
      `Docker does not answer: docker ${args[0] ?? ""} did not end within ${dockerSeconds.toString()} s.`,
    );
  }
  return done;
}

/** Asks the target's Docker something, as {@link dockerOn} does; a question to an engine that hangs ends without an answer. */
export async function askDocker(target: HostTarget, ...args: string[]): Promise<ProcessOutput> {
  const command = withinSeconds(target, answerSeconds, ["docker", ...args]);
  return await within(answerSeconds + 15)`${onTarget(target, command)}`;
}
