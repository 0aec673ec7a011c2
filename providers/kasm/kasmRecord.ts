import * as pulumi from "@pulumi/pulumi";
import { LateResource } from "../lateResource";
import type { Connection } from "./transport";

/** The members of an object as inputs. */
export type InputsOf<T> = { readonly [Key in keyof T]: pulumi.Input<T[Key]> };

/** A record in KASM, as a resource: key and secret are kept as secrets. */
export abstract class KasmRecord<Inputs extends Connection> extends LateResource {
  /**
   * @param provider path of the module that exports its provider
   * @param secrets names of further inputs that are secret
   */
  protected constructor(
    type: string,
    provider: string,
    name: string,
    args: InputsOf<Inputs>,
    opts?: pulumi.CustomResourceOptions,
    secrets: readonly (keyof Inputs & string)[] = [],
  ) {
    const hidden = ["apiKey", "apiSecret", ...secrets] as (keyof Inputs & string)[];
    super(
      type,
      provider,
      name,
      { ...args, ...Object.fromEntries(hidden.map((key) => [key, pulumi.secret(args[key])])) },
      // The engine marks outputs that have the names of secret inputs; this holds where it would not.
      pulumi.mergeOptions(opts, { additionalSecretOutputs: hidden }),
    );
  }
}
