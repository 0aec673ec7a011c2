import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { defaults } from "./defaults";
import { devToolsPort, healthcheck, noCoreDumps, replacedIfStopped } from "./gateway/container";

/** Inputs of {@link OpenClawBrowser}. */
export interface OpenClawBrowserArgs {
  /** Id of the image, made from assets/browser-image. */
  readonly image: pulumi.Input<string>;
  /** Name of the container, by which the gateway finds it. */
  readonly containerName: pulumi.Input<string>;
  /** The gateway's network, the only one that it is on. */
  readonly networkName: pulumi.Input<string>;
  /** Processor cores that it may use. @default 1 */
  readonly cpus?: number | undefined;
  /** Memory limit in MiB, without swap on top; what it stores counts, because it writes to memory only. @default 2048 */
  readonly memoryMb?: number | undefined;
}

/**
 * A browser beside a gateway, which the gateway's agents drive by Chrome's DevTools protocol. No port of it is open on
 * the host. It has no login: who is on the gateway's network is let in. It keeps nothing over a restart.
 */
export class OpenClawBrowser extends pulumi.ComponentResource {
  /** Id of the running container. */
  readonly containerId: pulumi.Output<string>;

  constructor(name: string, args: OpenClawBrowserArgs, opts?: pulumi.ComponentResourceOptions) {
    super("openclaw:index:OpenClawBrowser", name, {}, opts);
    const { cpus = defaults.browser.cpus, memoryMb = defaults.browser.memoryMb } = args;

    const container = new docker.Container(
      `${name}-container`,
      {
        name: args.containerName,
        hostname: args.containerName,
        image: args.image,
        restart: "unless-stopped",
        init: true,
        networkMode: args.networkName,
        networksAdvanced: [{ name: args.networkName }],
        // As the provider reads it back.
        cpus: cpus.toFixed(1),
        memory: memoryMb,
        memorySwap: memoryMb,
        ulimits: noCoreDumps,
        // Chromium shares pages' pictures between its processes there; Docker's own 64 MB are too few for that.
        shmSize: 512,
        readOnly: true,
        tmpfs: { "/tmp": "mode=1777,size=512m" },
        capabilities: { drops: ["ALL"] },
        securityOpts: ["no-new-privileges:true"],
        // A deployment is not done before the browser answers.
        wait: true,
        waitTimeout: 60,
        healthcheck: healthcheck(`http://127.0.0.1:${devToolsPort.toString()}/json/version`, "30s"),
        logDriver: "json-file",
        logOpts: { "max-size": "10m", "max-file": "3" },
      },
      { parent: this, ...replacedIfStopped },
    );

    this.containerId = container.id;
    this.registerOutputs({ containerId: this.containerId });
  }
}
