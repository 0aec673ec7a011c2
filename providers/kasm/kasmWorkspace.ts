import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { fromProject } from "../lateResource";
import { type InputsOf, KasmRecord } from "./kasmRecord";
import { normaliseId } from "./schemas";
import type { WorkspaceInputs } from "./workspaceProvider";

/** Inputs of {@link KasmWorkspace}. */
export type KasmWorkspaceArgs = InputsOf<Omit<WorkspaceInputs, "notes" | "available" | "copies">>;

const provider = fromProject(join(__dirname, "workspaceProvider"));

/**
 * A tile of KASM's dashboard. It is made, found again after a lost answer, compared field by field with what KASM has,
 * brought back when an admin changed it, and deleted with its stack. Its id is KASM's own.
 */
export class KasmWorkspace extends KasmRecord<WorkspaceInputs> {
  constructor(name: string, args: KasmWorkspaceArgs, opts?: pulumi.CustomResourceOptions) {
    const complete = {
      ...args,
      notes: args.marker,
      groups: pulumi.output(args.groups).apply((groups) => [...new Set(groups)].sort()),
      zoneId: pulumi.output(args.zoneId).apply(normaliseId),
      serverId: pulumi.output(args.serverId).apply(normaliseId),
    };
    super("KasmWorkspace", provider, name, complete, opts, ["dockerToken"]);
  }
}
