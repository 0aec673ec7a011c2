import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { scriptWith } from "./shell";
import { type HostTarget, shellOnTarget } from "./target";

/** A script of assets/host that holds something for as long as its standard input is open, and prints a line once it does. */
interface Holding {
  readonly target: HostTarget;
  readonly script: string;
  readonly variables: Record<string, string>;
  readonly asRoot: boolean;
  /** Returns the error of a script that ended without that line, or without its answer. */
  readonly refusal: (exitCode: number | null, stderr: string) => Error;
}

/** What a script holds. */
export interface Hold {
  /** The script's standard input: a process that has it open too keeps it held. */
  readonly input: Writable;
  /**
   * Tells the script a word, and waits until it answers.
   * @throws the refusal's error if it ends without an answer
   */
  readonly tell: (word: string) => Promise<void>;
}

/**
 * Has a script hold something for the time of `work`. It ends with this process, also by a kill.
 * @throws the refusal's error if it does not hold it
 */
export async function whileHeld<T>(
  { target, script, variables, asRoot, refusal }: Holding,
  work: (hold: Hold) => Promise<T>,
): Promise<T> {
  const [program = "", ...args] = shellOnTarget(target, "hold", { asRoot });
  // Detached, because Ctrl-C must not end it before the clean-up is done.
  const child = spawn(program, args, { stdio: "pipe", detached: true, env: process.env });
  const ended = once(child, "close") as Promise<[number | null]>;
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.on("error", () => undefined);
  const tell = async (text: string) => {
    const answered = once(child.stdout, "data").then(() => undefined);
    child.stdin.write(`${text}\n`);
    const refused = await Promise.race([answered, ended]);
    if (refused !== undefined) {
      throw refusal(refused[0], errors);
    }
  };
  await tell(scriptWith(script, variables));
  try {
    return await work({ input: child.stdin, tell });
  } finally {
    child.stdin.end();
    await ended;
  }
}
