import * as pulumi from "@pulumi/pulumi";
import { stateByScript } from "../../providers/hostState";
import { ObservedState } from "../../providers/observedState";
import type { HostTarget } from "../../host/target";
import { ownLabel } from "../stackLabel";

/** Inputs of {@link Network}. */
export interface NetworkArgs {
  /** The machine that it is on. */
  readonly target: pulumi.Input<HostTarget>;
  /** Its name there. */
  readonly networkName: pulumi.Input<string>;
  /** Its addresses, `ADDRESS/BITS`; some of Docker's own choice unless given. */
  readonly subnet?: pulumi.Input<string> | undefined;
}

/**
 * A bridge network on a host's Docker, with a label that names its stack. Not `docker.Network`, which waits two seconds at
 * each look (docs/decisions/0015).
 */
export class Network extends ObservedState {
  /** Its name, for what can't be made before it is there. */
  readonly networkName: pulumi.Output<string>;

  constructor(
    name: string,
    { target, networkName, subnet = "" }: NetworkArgs,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const owner = pulumi
      .output(networkName)
      .apply((known) => ownLabel(pulumi.getStack(), known).value);
    super(
      "Network",
      name,
      stateByScript({
        target,
        script: "network.sh",
        variables: { NETWORK: networkName, OWNER: owner, SUBNET: subnet },
        expected: pulumi.interpolate`bridge network of ${owner}`,
        identity: owner,
      }),
      opts,
    );
    this.networkName = pulumi.all([this.urn, networkName]).apply(([, known]) => known);
  }
}
