import { spawn } from "node:child_process";
import { printable } from "../host/printable";
import type { LateProvider } from "./lateResource";

interface Inputs {
  readonly apply: readonly string[];
  readonly look: readonly string[];
  readonly remove: readonly string[];
  readonly stdin: string;
  readonly expected?: string;
  readonly identity: string;
  /** Absent in the state of an earlier version. */
  readonly seconds?: number;
}

interface State extends Inputs {
  readonly observed: string;
}

/** The dynamic provider of what commands make on hosts; see lateResource.ts. */
export const provider: LateProvider<Inputs, State> = {
  check(_olds, news) {
    return Promise.resolve({ inputs: news });
  },
  async create(inputs) {
    try {
      return { id: inputs.identity, outs: await apply(inputs) };
    } catch (error) {
      // Whatever the script got done before it failed is the stack's own from here on, and is removed with it.
      const properties = { ...inputs, observed: "unknown" };
      throw Object.assign(error as Error, {
        id: inputs.identity,
        properties,
        reasons: [(error as Error).message],
      });
    }
  },
  async read(id, state) {
    return state === undefined
      ? { id }
      : { id, props: { ...state, observed: await run(state.look, state) } };
  },
  diff(_id, olds, news) {
    const inputs = ["apply", "look", "remove", "stdin", "expected"] as const;
    // A command of an earlier version that made the same thing has no identity: it becomes this one.
    const isNew = "identity" in olds && olds.identity !== news.identity;
    const differs = inputs.some((key) => JSON.stringify(olds[key]) !== JSON.stringify(news[key]));
    return Promise.resolve({
      changes: isNew || differs || !isRight(olds.observed, news),
      replaces: isNew ? ["identity"] : [],
      deleteBeforeReplace: true,
    });
  },
  async update(_id, _olds, news) {
    return { outs: await apply(news) };
  },
  async delete(_id, state) {
    await run(state.remove, state);
  },
};

function isRight(observed: string, { expected = observed }: Pick<Inputs, "expected">): boolean {
  return observed === expected;
}

async function apply(inputs: Inputs): Promise<State> {
  const observed = await run(inputs.apply, inputs);
  if (!isRight(observed, inputs)) {
    const expected = inputs.expected ?? "";
    throw new Error(`found "${observed}" on the host afterwards, expected "${expected}"`);
  }
  return { ...inputs, observed };
}

/**
 * Runs a command with `stdin` and returns its output; what it prints on standard error is the message of a failure.
 * One that takes longer than `seconds` is a failure, whether it can be ended or not.
 */
export function run(
  [program = "", ...args]: readonly string[],
  { stdin, seconds = 660 }: Pick<Inputs, "stdin" | "seconds">,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    const limit = setTimeout(() => {
      child.kill();
      for (const stream of [child.stdin, child.stdout, child.stderr]) {
        stream.destroy();
      }
      child.unref();
      reject(
        new Error(`${program} did not end within ${seconds.toString()} s: does Docker answer?`),
      );
    }, seconds * 1000);
    let [output, errors] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    child.on("error", (error) => {
      clearTimeout(limit);
      reject(error);
    });
    // The end of the command is what counts; it may well end before it has read everything.
    child.stdin.on("error", () => undefined);
    child.on("close", (code) => {
      clearTimeout(limit);
      errors = printable(errors.trim());
      if (code === 0) {
        // What it says although it succeeded is for people: the engine shows it.
        if (errors !== "") {
          console.error(errors);
        }
        resolve(output.trim());
      } else {
        reject(new Error(errors || `${program} ended with status ${String(code)}`));
      }
    });
    child.stdin.end(stdin);
  });
}
