import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { type Host, onHost } from "./host";
import { ownLabels } from "./ownLabels";
import { optionsKey } from "./stackLabel";

/** Inputs of {@link OverlayNetwork}. */
export interface OverlayNetworkArgs {
  /** A manager of the Docker swarm that all hosts of the network are in. */
  readonly host: Host;
  /** Name of the network in the swarm. */
  readonly networkName: pulumi.Input<string>;
  /** Whether Docker encrypts its packets by ESP, beside the TLS in them. @default false */
  readonly encrypted?: boolean | undefined;
  /** Bytes of its largest packet. @default Docker's, 1450 */
  readonly mtu?: number | undefined;
}

/**
 * A network between the hosts of a Docker swarm, to which plain containers are attached. The swarm's manager makes it; another
 * host shows it only while a container there is attached.
 */
export class OverlayNetwork extends pulumi.ComponentResource {
  /** Its name, once it exists. */
  readonly networkName: pulumi.Output<string>;

  constructor(name: string, args: OverlayNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("openclaw:index:OverlayNetwork", name, {}, onHost(args.host, opts));
    const { networkName, encrypted = false, mtu } = args;

    const options = {
      ...(encrypted ? { encrypted: "" } : {}),
      ...(mtu === undefined ? {} : { "com.docker.network.driver.mtu": mtu.toString() }),
    };
    const network = new docker.Network(
      `${name}-network`,
      {
        name: networkName,
        driver: "overlay",
        attachable: true,
        // Other labels make another network, which other options are to do.
        labels: ownLabels(networkName).apply((own) => [
          ...own,
          { label: optionsKey, value: JSON.stringify(options) },
        ]),
        options,
      },
      // The swarm adds options of its own, by which each refresh would find another network than the declared one.
      { parent: this, deleteBeforeReplace: true, ignoreChanges: ["options"] },
    );

    this.networkName = network.name;
    this.registerOutputs({ networkName: this.networkName });
  }
}
