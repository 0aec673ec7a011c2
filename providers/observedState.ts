import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { fromProject, LateResource } from "./lateResource";

const provider = fromProject(join(__dirname, "observedStateProvider"));

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
export abstract class ObservedState extends LateResource {
  /** What the command saw last. */
  declare readonly observed: pulumi.Output<string>;

  protected constructor(
    type: string,
    name: string,
    { command, ...args }: ObservedStateArgs,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const inputs = {
      apply: command("apply"),
      look: command("look"),
      remove: command("remove"),
      ...args,
    };
    super(type, provider, name, { ...inputs, observed: undefined }, opts);
  }
}
