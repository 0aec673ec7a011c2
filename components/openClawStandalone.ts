import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { builtImageDemands } from "./gateway/builtImage";
import { coollabsioDemands } from "./gateway/coollabsioImage";
import { dashboardPort, dataPath, type GatewaySettings, noCoreDumps, reachable } from "./gateway/container";
import { DataDirectory } from "./gateway/dataDirectory";
import { Network } from "./gateway/network";
import { gatewaySecrets, readinessVariables } from "./gateway/readiness";
import { hostScript } from "./hostScript";
import type { HostTarget } from "../host/target";
import { ownLabel } from "./stackLabel";

/** Inputs of {@link OpenClawStandalone}. */
export interface OpenClawStandaloneArgs {
  /** The machine whose Docker runs it; Docker's provider comes by the component's options. */
  readonly target: HostTarget;
  /** Id of the image. */
  readonly image: pulumi.Input<string>;
  /** What the image is: built here from npm `openclaw`, or `coollabsio/openclaw`. */
  readonly imageKind: "built" | "coollabsio";
  /** Where the gateway keeps its state: a directory of the host (its `data/` is mounted) or a Docker volume. */
  readonly data: { readonly directory: string } | { readonly volume: string };
  /** Whether deleting the component deletes the data too. */
  readonly removeData: boolean;
  /** Name of the container. */
  readonly containerName: string;
  /** Name of the bridge network that is made for it. */
  readonly networkName: string;
  /** Port on the host. */
  readonly port: number;
  /** Addresses of the host on which the port is open. */
  readonly publishAddresses: readonly string[];
  /** Path under which the dashboard lives, `""` for the root. */
  readonly basePath: string;
  /** Origins, beside those of the published addresses, from which browsers may open the dashboard. */
  readonly allowedOrigins: readonly string[];
  /** User name of the dashboard's login. */
  readonly username: string;
  /** Password of the login; generated (32 letters and digits) when not given. */
  readonly password?: pulumi.Input<string> | undefined;
  /** Token of the gateway; generated (48 letters and digits) when not given. */
  readonly gatewayToken?: pulumi.Input<string> | undefined;
  /** AI provider keys by environment variable name; always treated as secret. */
  readonly providerKeys: pulumi.Input<Record<string, string>>;
  /** More of openclaw.json, in which tokens of channels may be; always treated as secret. */
  readonly openclawConfig: pulumi.Input<Record<string, unknown>>;
  /** Processor cores that the container may use. */
  readonly cpus: number;
  /** Memory limit of the container in MiB, without swap on top. */
  readonly memoryMb: number;
  /** Seconds that the dashboard may take to answer before the deployment fails. */
  readonly readyTimeoutSeconds: number;
}

/**
 * OpenClaw's gateway as one container with a network of its own: its data, generated credentials, the container, and
 * a check that the dashboard really answers, without which a deployment is not done.
 */
export class OpenClawStandalone extends pulumi.ComponentResource {
  /** Where the dashboard answers, one URL for each published address. */
  readonly urls: pulumi.Output<string[]>;
  /** Password of the login; secret. */
  readonly password: pulumi.Output<string>;
  /** Token of the gateway; secret. */
  readonly gatewayToken: pulumi.Output<string>;
  /** Id of the running container. */
  readonly containerId: pulumi.Output<string>;
  /** Name of the network that the container is on. */
  readonly networkName: pulumi.Output<string>;
  /** Whether its data outlives it; for the policy pack, to which the engine shows no `retainOnDelete`. */
  readonly keepsData: boolean;

  constructor(name: string, args: OpenClawStandaloneArgs, opts?: pulumi.ComponentResourceOptions) {
    super("openclaw:index:OpenClawStandalone", name, {}, opts);

    const gateway = this.gatewaySettings(name, args);
    const network = new Network(`${name}-network`, args, { parent: this });
    const data = this.data(name, args);
    const container = this.container(name, args, gateway, network, data);
    const ready = this.readiness(name, args, gateway, container);

    this.password = gateway.password;
    this.gatewayToken = gateway.token;
    this.containerId = container.id;
    this.networkName = network.networkName;
    this.keepsData = !args.removeData;
    // Known only once the dashboard has answered.
    this.urls = ready.id.apply(() => dashboardUrls(args));
    this.registerOutputs({
      urls: this.urls,
      password: this.password,
      gatewayToken: this.gatewayToken,
      containerId: this.containerId,
      networkName: this.networkName,
      keepsData: this.keepsData,
    });
  }

  private gatewaySettings(name: string, args: OpenClawStandaloneArgs): GatewaySettings {
    return {
      username: args.username,
      password: this.given(args.password) ?? this.generated(`${name}-password`, 32),
      token: this.given(args.gatewayToken) ?? this.generated(`${name}-token`, 48),
      providerKeys: pulumi.secret(args.providerKeys),
      basePath: args.basePath,
      allowedOrigins: browserOrigins(args),
      openclawConfig: pulumi.secret(args.openclawConfig),
    };
  }

  private given(secret: pulumi.Input<string> | undefined): pulumi.Output<string> | undefined {
    return secret === undefined ? undefined : pulumi.secret(secret);
  }

  private generated(name: string, length: number): pulumi.Output<string> {
    // Letters and digits only: people copy it, and it goes through shells, URLs and configuration files.
    return new random.RandomPassword(name, { length, special: false }, { parent: this }).result;
  }

  private data(
    name: string,
    args: OpenClawStandaloneArgs,
  ): { resource: pulumi.Resource; mount: docker.types.input.ContainerVolume } {
    if ("volume" in args.data) {
      const { key, value } = ownLabel(pulumi.getStack(), args.data.volume);
      const volume = new docker.Volume(
        `${name}-data`,
        { name: args.data.volume, labels: [{ label: key, value }] },
        // Other labels than it was made with would be another volume, without the data.
        { parent: this, retainOnDelete: !args.removeData, ignoreChanges: ["labels"] },
      );
      return { resource: volume, mount: { volumeName: volume.name, containerPath: dataPath } };
    }
    const { directory } = args.data;
    const { target, removeData } = args;
    const made = new DataDirectory(
      `${name}-data`,
      { target, directory, removeData },
      { parent: this },
    );
    return { resource: made, mount: { hostPath: `${directory}/data`, containerPath: dataPath } };
  }

  private container(
    name: string,
    args: OpenClawStandaloneArgs,
    gateway: GatewaySettings,
    network: Network,
    data: { resource: pulumi.Resource; mount: docker.types.input.ContainerVolume },
  ): docker.Container {
    const demands =
      args.imageKind === "built" ? builtImageDemands(gateway) : coollabsioDemands(gateway);
    return new docker.Container(
      `${name}-container`,
      {
        ...demands,
        name: args.containerName,
        // OpenClaw locks its data by host name and process: under Docker's random names the next container would wait
        // minutes for the lock of one that was killed.
        hostname: args.containerName,
        image: args.image,
        restart: "unless-stopped",
        init: true,
        // Docker lists the bindings of one port in an order of its own, which would be a difference for ever.
        ports: args.publishAddresses.map((ip, index) => ({
          internal: dashboardPort + index,
          external: args.port,
          ip,
        })),
        networkMode: network.networkName,
        networksAdvanced: [{ name: network.networkName }],
        volumes: [data.mount],
        // As the provider reads it back.
        cpus: args.cpus.toFixed(1),
        memory: args.memoryMb,
        memorySwap: args.memoryMb,
        ulimits: noCoreDumps,
        // A gateway that is in the middle of an answer gets half a minute to finish it.
        stopTimeout: 30,
        destroyGraceSeconds: 30,
        logDriver: "json-file",
        logOpts: { "max-size": "10m", "max-file": "3" },
      },
      { parent: this, dependsOn: [data.resource] },
    );
  }

  private readiness(
    name: string,
    args: OpenClawStandaloneArgs,
    gateway: GatewaySettings,
    container: docker.Container,
  ): command.local.Command {
    const { username, password, token, providerKeys, openclawConfig } = gateway;
    const secrets = pulumi
      .all([password, token, providerKeys, openclawConfig])
      .apply(([password, token, providerKeys, openclawConfig]) =>
        gatewaySecrets({ password, token, providerKeys, openclawConfig }).join("\n"),
      );
    return hostScript(
      `${name}-ready`,
      {
        target: args.target,
        script: "ready.sh",
        variables: readinessVariables(args, { username, password, secrets }),
        triggers: [container.id],
      },
      { parent: this, dependsOn: [container] },
    );
  }
}

/** URLs of the dashboard, one for each published address. */
export function dashboardUrls(
  args: Pick<OpenClawStandaloneArgs, "publishAddresses" | "port" | "basePath">,
): string[] {
  return args.publishAddresses.map(
    (address) => `http://${reachable(address)}:${args.port.toString()}${args.basePath}/`,
  );
}

/** Origins from which browsers open the dashboard: the published addresses by number and by name, and those given. */
export function browserOrigins(
  args: Pick<OpenClawStandaloneArgs, "publishAddresses" | "port" | "allowedOrigins">,
): string[] {
  const hosts = args.publishAddresses.flatMap((address) =>
    reachable(address) === "127.0.0.1"
      ? ["127.0.0.1", "localhost"]
      : [address, "host.docker.internal"],
  );
  const published = hosts.map((host) => `http://${host}:${args.port.toString()}`);
  return [...new Set([...published, ...args.allowedOrigins])];
}
