import { join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import { fromProject } from "../lateResource";
import { type InputsOf, KasmRecord } from "./kasmRecord";
import type { MembersInputs } from "./membersProvider";

const provider = fromProject(join(__dirname, "membersProvider"));

/** Who is in groups of KASM, read at each refresh. */
export class KasmMembers extends KasmRecord<MembersInputs> {
  /** The role of everyone who is in one of the groups, by the name of the user in KASM. */
  declare readonly people: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: InputsOf<MembersInputs>, opts?: pulumi.CustomResourceOptions) {
    // Pulumi sets outputs that are named here.
    super("KasmMembers", provider, name, { ...args, people: undefined } as never, opts);
  }
}
