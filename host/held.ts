import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
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
  /** A script on another host that reads what this one prints, and prints it again: it hears of it also if this process is killed. */
  readonly heardBy?: Hold | undefined;
}

/** What a script holds. */
export interface Hold {
  /** The script's standard input: a process that has it open too keeps it held. */
  readonly input: Writable;
  /** What the script prints. */
  readonly output: Readable;
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
  { target, script, variables, asRoot, refusal, heardBy }: Holding,
  work: (hold: Hold) => Promise<T>,
): Promise<T> {
  const [program = "", ...args] = shellOnTarget(target, "hold", { asRoot });
  // Detached, because Ctrl-C must not end it before the clean-up is done.
  const child = spawn(program, args, {
    stdio: ["pipe", heardBy?.input ?? "pipe", "pipe"],
    detached: true,
    env: process.env,
  });
  const output = heardBy?.output ?? child.stdout;
  if (child.stdin === null || child.stderr === null || output === null) {
    throw new Error(`${program} has no pipes`);
  }
  const { stdin } = child;
  const ended = once(child, "close") as Promise<[number | null]>;
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  stdin.on("error", () => undefined);
  const tell = async (text: string) => {
    const answered = once(output, "data").then(() => undefined);
    stdin.write(`${text}\n`);
    const refused = await Promise.race([answered, ended]);
    if (refused !== undefined) {
      throw refusal(refused[0], errors);
    }
  };
  await tell(scriptWith(script, variables));
  try {
    return await work({ input: stdin, output, tell });
  } finally {
    stdin.end();
    await ended;
  }
}
