import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { CastInputs } from "./castProvider";
import { fromProject, lateProvider } from "../lateProvider";

/** Inputs of {@link KasmCastConfig}. */
export type KasmCastConfigArgs = {
  readonly [Key in keyof CastInputs]: pulumi.Input<CastInputs[Key]>;
};

const provider = lateProvider(fromProject(join(__dirname, "castProvider")));

/** A link that starts a workspace of KASM without its dashboard. */
export class KasmCastConfig extends pulumi.dynamic.Resource {
  constructor(name: string, args: KasmCastConfigArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      provider,
      name,
      {
        ...args,
        apiKey: pulumi.secret(args.apiKey),
        apiSecret: pulumi.secret(args.apiSecret),
      },
      pulumi.mergeOptions(opts, { additionalSecretOutputs: ["apiKey", "apiSecret"] }),
      "openclaw",
      "KasmCastConfig",
    );
  }
}
