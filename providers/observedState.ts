import { spawn } from "node:child_process";
import * as pulumi from "@pulumi/pulumi";

/** Inputs of {@link ObservedState}. */
export interface ObservedStateArgs {
  /**
   * The command line that is run with `apply` on create and change, `look` on refresh and `remove` on delete. `apply`
   * and `look` print, on standard output, what is there now.
   */
  readonly command: (action: "apply" | "look" | "remove") => pulumi.Input<readonly string[]>;
  /** What the command reads; it stands in the state in clear, so no secrets. */
  readonly stdin: pulumi.Input<string>;
  /** What `apply` and `look` print where all is as declared. @default whatever they print */
  readonly expected?: pulumi.Input<string>;
  /** What the thing is known by where it is. When it changes, the old one is removed and another one made. */
  readonly identity: pulumi.Input<string>;
  /** Seconds after which the command is given up. */
  readonly seconds: number;
}

/**
 * Something that a command makes, looks at and takes away. Unlike a command alone it has a state that can be refreshed:
 * what was changed or removed by others is a difference that the next `up` repairs.
 */
export abstract class ObservedState extends pulumi.dynamic.Resource {
  /** What the command saw last. */
  declare readonly observed: pulumi.Output<string>;

  protected constructor(
    type: string,
    name: string,
    { command, ...args }: ObservedStateArgs,
    opts?: pulumi.CustomResourceOptions,
  ) {
    super(
      provider,
      name,
      {
        apply: command("apply"),
        look: command("look"),
        remove: command("remove"),
        ...args,
        observed: undefined,
      },
      opts,
      "openclaw",
      type,
    );
  }
}

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

/** Pulumi stores this object's code with each resource, so it uses nothing but itself and Node's own modules. */
const provider: pulumi.dynamic.ResourceProvider<Inputs, State> = {
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
      // Names that others chose may be in it, which a terminal must not obey. The provider's code uses no other module.
      errors = errors.trim().replaceAll(/(?![\t\n])[\p{Cc}\p{Bidi_Control}]/gu, "\ufffd");
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
