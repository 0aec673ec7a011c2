import * as pulumi from "@pulumi/pulumi";
import { HostState } from "../providers/hostState";
import { defaults } from "./defaults";
import { Certificates } from "../providers/tls/certificates";
import { createDoor, createForwarder, type DoorPlace, type ForwarderArgs } from "./forwarder";
import { createNetwork } from "./gateway/network";
import { type Host, onHost } from "./host";
import {
  doorName,
  type RouteOptions,
  routeServes,
  routeSpec,
  routeVariables,
} from "./nginxRouteFile";
import type { GatewayImages, OpenClawStandalone } from "./openClawStandalone";

/** What a route needs of a gateway. */
type RoutableGateway = Pick<
  OpenClawStandalone,
  "host" | "images" | "containerName" | "networkName" | "port" | "basePath" | "addRoute"
> &
  Partial<Pick<OpenClawStandalone, "networkSubnet">>;

/** A server with an nginx of KASM's. */
export interface RouteServer {
  readonly host: Host;
  readonly images: Pick<GatewayImages, "gateway">;
}

/** Inputs of {@link KasmNginxRoute}. Network and base path are the gateway's. */
export interface KasmNginxRouteArgs extends RouteOptions {
  /** The gateway, on the KASM server or on another host that has a `privateAddress` or is in the swarm of `overlay`. */
  readonly gateway: RoutableGateway;
  /** The KASM server, and the images there, if the gateway is on another host. @default the gateway's host and images */
  readonly kasm?: RouteServer | undefined;
  /** More web servers of the same KASM, and the images there: the route is on each of them. @default none */
  readonly webServers?: readonly RouteServer[] | undefined;
  /** Attachable overlay network of the swarm that both hosts are in, for a gateway on a host without `privateAddress`. @default none */
  readonly overlay?: pulumi.Input<string> | undefined;
  /** Address at which people open KASM, without a path. @default "https://ADDRESS", the address of the KASM server */
  readonly kasmUrl?: pulumi.Input<string> | undefined;
}

/**
 * A way through KASM's own nginx on 443 to the dashboard: one file that KASM's proxy includes, and a container that leads
 * from a socket beside KASM's configuration to the gateway. KASM is reloaded, never stopped, its own files are not touched,
 * and nothing of KASM's needs anything of this component to start (docs/decisions/0023).
 *
 * By path, the dashboard shares KASM's origin: a script that runs in it (from a page, a plugin, an agent's output that
 * is not escaped) can read what KASM's own pages keep in the browser, the session's token among them, and act as that
 * KASM user. KASM's cookies are kept from the gateway, and headers of its answers that reach beyond the path from the
 * browser, but nothing in nginx can keep the browser's storage apart. By server name the browser keeps the two apart:
 * choose it where a name of its own can be had.
 */
export class KasmNginxRoute extends pulumi.ComponentResource {
  /** What the host said of file, proxy and dashboard. */
  readonly state: pulumi.Output<string>;
  /** Address at which people open the dashboard. */
  readonly url: pulumi.Output<string>;

  /** @throws pulumi.ResourceError if path and serverName, or nothing of KASM's address, is given */
  constructor(name: string, args: KasmNginxRouteArgs, opts?: pulumi.ComponentResourceOptions) {
    const { gateway, kasm = gateway, webServers = [] } = args;
    super("openclaw:index:KasmNginxRoute", name, {}, onHost(kasm.host, opts));

    const origin = this.origin(args);
    gateway.addRoute({ path: args.path, origin });
    const servers = [
      { prefix: "", ...kasm },
      ...webServers.map((server) => ({ prefix: `${server.host.name}-`, ...server })),
    ];
    const isDoored = servers.some(({ host }) => host !== gateway.host);
    const door = isDoored ? this.door(name, args) : undefined;
    const routes = servers.map(({ prefix, ...server }) =>
      this.onServer(`${prefix}${name}`, args, server, door),
    );

    this.state = pulumi
      .all(routes.map(({ observed }) => observed))
      .apply((states) => [...new Set(states)].join("\n"));
    // Known only once the route serves.
    this.url = pulumi
      .all([origin, gateway.basePath, pulumi.all(routes.map(({ id }) => id))])
      .apply(([known, path]) => `${known}${path}/`);
    this.registerOutputs({ state: this.state, url: this.url });
  }

  /** The way from one web server to the gateway: a container, and the file in its nginx. */
  private onServer(
    name: string,
    args: KasmNginxRouteArgs,
    { host, images }: RouteServer,
    door: Door | undefined,
  ): HostState {
    const { gateway } = args;
    const [provider] = host.providers;
    const opts = { parent: this, ...(provider && { provider }) };
    const isElsewhere = host !== gateway.host;
    const spec = specOf(args, host);
    const way =
      isElsewhere && door
        ? {
            networkName:
              "overlay" in door.at
                ? door.at.overlay
                : createNetwork(name, gateway.networkName, gateway.networkSubnet, opts).name,
            tls: door.tls,
          }
        : gateway;
    const forwarder = createForwarder(name, { spec, image: images.gateway, ...way }, opts);
    const { readyTimeoutSeconds = defaults.readyTimeoutSeconds } = args;
    return new HostState(
      `${name}-nginx`,
      {
        target: host.target,
        script: "nginx-route.sh",
        variables: spec.apply((known) => routeVariables(known, pulumi.getStack())),
        // Beside waiting for the dashboard, for another run and for nginx.
        seconds: readyTimeoutSeconds + 300,
        expected: routeServes,
        identity: spec.apply(
          ({ proxyContainer, networkName, directory, fileName }) =>
            `${proxyContainer} ${networkName} ${directory}/${fileName}`,
        ),
      },
      { parent: this, dependsOn: forwarder },
    );
  }

  /** The door of the gateway for web servers on other hosts, and what their forwarders show to it. */
  private door(name: string, args: KasmNginxRouteArgs): Door {
    const { gateway, kasm = gateway } = args;
    const { containerName } = gateway;
    const at = placeOf(args);
    const [provider] = gateway.host.providers;
    if (at === undefined || (provider === undefined && gateway.host !== kasm.host)) {
      throw new pulumi.ResourceError(
        "the gateway is on another host than KASM: its host needs an address and a privateAddress, at which KASM's web servers reach it, or the route an overlay",
        this,
      );
    }
    const serverName = containerName.apply(doorName);
    const tls = new Certificates(`${name}-certificates`, { serverName }, { parent: this });
    createDoor(
      name,
      {
        containerName: serverName,
        networkName: gateway.networkName,
        image: gateway.images.gateway,
        gateway: containerName,
        at,
        tls,
      },
      { parent: this, ...(provider && { provider }) },
    );
    return {
      at,
      tls: {
        authority: tls.authority,
        clientCertificate: tls.clientCertificate,
        clientKey: tls.clientKey,
        serverName,
      },
    };
  }

  /** Origin of the dashboard in browsers: KASM's own, or that of a name at the same port. */
  private origin({
    gateway,
    kasm: server,
    path,
    serverName,
    kasmUrl,
  }: KasmNginxRouteArgs): pulumi.Output<string> {
    if (path !== undefined && serverName !== undefined) {
      throw new pulumi.ResourceError("path and serverName exclude each other", this);
    }
    const { address } = (server ?? gateway).host;
    const kasm = kasmUrl ?? (address && pulumi.interpolate`https://${address}`);
    if (kasm === undefined && serverName === undefined) {
      throw new pulumi.ResourceError(
        "kasmUrl is required on this machine, for example https://kasm.example.com",
        this,
      );
    }
    return pulumi.all([kasm ?? "", serverName]).apply(([known, name]) => {
      const port = known === "" ? "" : new URL(known).port;
      return name === undefined ? known : `https://${name}${port && `:${port}`}`;
    });
  }
}

/** The door of a gateway, as forwarders on other hosts know it. */
interface Door {
  readonly at: DoorPlace;
  readonly tls: NonNullable<ForwarderArgs["tls"]>;
}

/** Where the door of a gateway on another host is, if the arguments say so. */
function placeOf({ gateway: { host, port }, overlay }: KasmNginxRouteArgs): DoorPlace | undefined {
  if (host.privateAddress !== undefined) {
    return { address: host.privateAddress, port };
  }
  return overlay === undefined ? undefined : { overlay };
}

function specOf(args: KasmNginxRouteArgs, server: Host) {
  const { gateway, kasm: _, webServers: __, kasmUrl: ___, overlay: ____, ...options } = args;
  const { containerName, networkName, basePath, host } = gateway;
  const { kasmDirectory } = server;
  const door = server === host ? undefined : placeOf(args);
  return pulumi
    .output({ options, place: { containerName, networkName, basePath, kasmDirectory, door } })
    .apply((known) => routeSpec(known.options, known.place));
}
