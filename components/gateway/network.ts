import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { ownLabels } from "../ownLabels";

/**
 * Creates the network of a gateway, or on KASM's host that of the way to a gateway elsewhere.
 * @param networkSubnet its addresses; Docker's own choice without one
 */
export function createNetwork(
  name: string,
  networkName: pulumi.Input<string>,
  networkSubnet: pulumi.Input<string> | undefined,
  opts: pulumi.CustomResourceOptions,
): docker.Network {
  return new docker.Network(
    `${name}-network`,
    {
      name: networkName,
      driver: "bridge",
      labels: ownLabels(networkName),
      ...(networkSubnet === undefined ? {} : { ipamConfigs: [{ subnet: networkSubnet }] }),
    },
    { ...opts, deleteBeforeReplace: true },
  );
}
