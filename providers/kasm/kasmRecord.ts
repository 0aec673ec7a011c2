import * as pulumi from "@pulumi/pulumi";
import type { Connection } from "./transport";

/** The members of an object as inputs. */
export type InputsOf<T> = { readonly [Key in keyof T]: pulumi.Input<T[Key]> };

/** A record in KASM, as a resource: key and secret are kept as secrets. */
export abstract class KasmRecord<Inputs extends Connection> extends pulumi.dynamic.Resource {
  /** @param secrets names of further inputs that are secret */
  protected constructor(
    type: string,
    provider: pulumi.dynamic.ResourceProvider<unknown, unknown>,
    name: string,
    args: InputsOf<Inputs>,
    opts?: pulumi.CustomResourceOptions,
    secrets: readonly (keyof Inputs & string)[] = [],
  ) {
    const hidden = ["apiKey", "apiSecret", ...secrets] as (keyof Inputs & string)[];
    super(
      provider,
      name,
      { ...args, ...Object.fromEntries(hidden.map((key) => [key, pulumi.secret(args[key])])) },
      // The engine marks outputs that have the names of secret inputs; this holds where it would not.
      pulumi.mergeOptions(opts, { additionalSecretOutputs: hidden }),
      "openclaw",
      type,
    );
  }
}
