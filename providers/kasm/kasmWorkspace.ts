import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { fromProject, lateProvider } from "../lateProvider";
import { normaliseId } from "./schemas";
import type { WorkspaceInputs } from "./workspaceProvider";

/** Inputs of {@link KasmWorkspace}. */
export type KasmWorkspaceArgs = {
  readonly [Key in Exclude<keyof WorkspaceInputs, "notes" | "available" | "copies">]: pulumi.Input<
    WorkspaceInputs[Key]
  >;
};

const provider = lateProvider(fromProject(join(__dirname, "workspaceProvider")));

/**
 * A tile of KASM's dashboard. It is made, found again after a lost answer, compared field by field with what KASM has,
 * brought back when an admin changed it, and deleted with its stack. Its id is KASM's own.
 */
export class KasmWorkspace extends pulumi.dynamic.Resource {
  constructor(name: string, args: KasmWorkspaceArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      provider,
      name,
      {
        ...args,
        notes: args.marker,
        apiKey: pulumi.secret(args.apiKey),
        apiSecret: pulumi.secret(args.apiSecret),
        dockerToken: pulumi.secret(args.dockerToken),
        groups: pulumi.output(args.groups).apply((groups) => [...new Set(groups)].sort()),
        zoneId: pulumi.output(args.zoneId).apply(normaliseId),
        serverId: pulumi.output(args.serverId).apply(normaliseId),
      },
      // The engine marks outputs that have the names of secret inputs; this holds where it would not.
      pulumi.mergeOptions(opts, {
        additionalSecretOutputs: ["apiKey", "apiSecret", "dockerToken"],
      }),
      "openclaw",
      "KasmWorkspace",
    );
  }
}
