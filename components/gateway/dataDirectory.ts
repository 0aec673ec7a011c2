import * as pulumi from "@pulumi/pulumi";
import { dataOwner } from "./container";
import { stateByScript } from "../../providers/hostState";
import { ObservedState } from "../../providers/observedState";
import type { HostTarget } from "../../host/target";

/** Inputs of {@link DataDirectory}. */
export interface DataDirectoryArgs {
  /** The machine that it is on. */
  readonly target: pulumi.Input<HostTarget>;
  /** Absolute path; its `data/` is what the gateway mounts. */
  readonly directory: pulumi.Input<string>;
  /** Whether deleting the resource deletes the data too. */
  readonly removeData: boolean;
}

/**
 * The directory of a host in which a gateway keeps its data. It has a type of its own: an engine that was killed while it
 * made one undoes nothing of it, because data from before may be in it.
 */
export class DataDirectory extends ObservedState {
  constructor(
    name: string,
    { target, directory, removeData }: DataDirectoryArgs,
    opts?: pulumi.CustomResourceOptions,
  ) {
    super(
      "DataDirectory",
      name,
      stateByScript({
        target,
        script: "data-directory.sh",
        variables: {
          DIRECTORY: directory,
          OWNER: dataOwner,
          STACK: pulumi.getStack(),
          REMOVE_DATA: removeData.toString(),
        },
        expected: `data: of ${dataOwner}`,
        identity: directory,
      }),
      {
        ...opts,
        // A changed path is a new directory. The old one goes, or stays, by its own rule, once no container has it.
        deleteBeforeReplace: false,
        // Earlier it was a command, and its removal could delete the data: stacks of that time keep it.
        aliases: [{ type: "command:local:Command" }],
      },
    );
  }
}
