import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { fromProject, LateResource } from "../lateResource";
import type { Inputs } from "./certificateProvider";

const provider = fromProject(join(__dirname, "certificateProvider"));

/** Inputs of {@link Certificates}. */
type CertificatesArgs = { readonly [Key in keyof Inputs]: pulumi.Input<Inputs[Key]> };

/**
 * The certificates of one TLS connection in both directions: a server's and a client's, by an authority that signs no others.
 * `up` replaces them long before they end. The keys are secrets of the state.
 */
export class Certificates extends LateResource {
  declare readonly authority: pulumi.Output<string>;
  declare readonly serverCertificate: pulumi.Output<string>;
  declare readonly serverKey: pulumi.Output<string>;
  declare readonly clientCertificate: pulumi.Output<string>;
  declare readonly clientKey: pulumi.Output<string>;

  constructor(name: string, args: CertificatesArgs, opts?: pulumi.CustomResourceOptions) {
    const outputs = {
      authority: undefined,
      serverCertificate: undefined,
      serverKey: undefined,
      clientCertificate: undefined,
      clientKey: undefined,
      expires: undefined,
    };
    super(
      "Certificates",
      provider,
      name,
      { ...args, ...outputs },
      pulumi.mergeOptions({ additionalSecretOutputs: ["serverKey", "clientKey"] }, opts),
    );
  }
}
