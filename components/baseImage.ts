import * as pulumi from "@pulumi/pulumi";
import { type BaseImageArgs, baseImageCommand } from "./baseImageCommand";
import { ObservedState } from "../providers/observedState";

/**
 * An image to build on, under a name of the stack's own, so that its removal affects no other stack. One that is gone (by
 * `docker image prune`, or because the server is another one now) is made again by the next `up`.
 */
export class BaseImage extends ObservedState {
  constructor(name: string, args: BaseImageArgs, opts?: pulumi.CustomResourceOptions) {
    const { reference } = args;
    super(
      "BaseImage",
      name,
      {
        command: (action) =>
          pulumi
            .output(args.target)
            .apply((target) => baseImageCommand({ ...args, target }, action)),
        stdin: "",
        expected: reference,
        identity: reference,
        // Packages may come over a slow line.
        seconds: 3600,
      },
      // What is built on the old one stands until there is something on the new one.
      { ...opts, deleteBeforeReplace: false },
    );
  }
}
