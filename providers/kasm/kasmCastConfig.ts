import { join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import type { CastInputs } from "./castProvider";
import { fromProject } from "../lateResource";
import { type InputsOf, KasmRecord } from "./kasmRecord";

const provider = fromProject(join(__dirname, "castProvider"));

/** A link that starts a workspace of KASM without its dashboard. */
export class KasmCastConfig extends KasmRecord<CastInputs> {
  constructor(name: string, args: InputsOf<CastInputs>, opts?: pulumi.CustomResourceOptions) {
    super("KasmCastConfig", provider, name, args, opts);
  }
}
