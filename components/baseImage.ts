import * as pulumi from "@pulumi/pulumi";
import { contextHash } from "./contextHash";
import { ObservedState } from "./host/observedState";
import { type HostTarget, onTarget } from "./host/target";

const scripts = "assets/base-image";

/** Inputs of {@link BaseImage}. */
export interface BaseImageArgs {
  /** The machine whose Docker has it. */
  readonly target: HostTarget;
  /** Name and tag that it gets, by {@link baseImageName}. */
  readonly reference: string;
  /** Debian image with Node 24 that it is; made from packages where no registry is within reach. */
  readonly upstream: string;
}

/**
 * An image to build on, under a name of the stack's own: its removal takes it from nobody else. One that is gone (by
 * `docker image prune`, or because the server is another one now) is made again by the next `up`.
 */
export class BaseImage extends ObservedState {
  constructor(
    name: string,
    { target, reference, upstream }: BaseImageArgs,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const docker = `DOCKER_COMMAND=${onTarget(target, ["docker"]).join(" ")}`;
    const steps = {
      apply: ["ensure.sh", reference, upstream],
      look: ["look.sh", reference],
      remove: ["remove.sh", reference],
    };
    super(
      "BaseImage",
      name,
      {
        command: (action) => ["env", docker, ...inScripts(steps[action])],
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

function inScripts([script = "", ...args]: readonly string[]): string[] {
  return [`${scripts}/${script}`, ...args];
}

/** The name of a stack's image for a use; its tag changes with all that the image is made from, and with nothing else. */
export function baseImageName(use: "base" | "node", upstream: string): string {
  return `openclaw-kasm/${use}-${pulumi.getStack()}:${contextHash(scripts, { upstream })}`;
}
