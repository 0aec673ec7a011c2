import * as pulumi from "@pulumi/pulumi";
import { HostState } from "../providers/hostState";
import { defaults } from "./defaults";
import { Certificates } from "../providers/tls/certificates";
import { createDoor, createForwarder, type DoorPlace } from "./forwarder";
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

/** Inputs of {@link KasmNginxRoute}. Network and base path are the gateway's. */
export interface KasmNginxRouteArgs extends RouteOptions {
  /** The gateway, on the KASM server or on another host that has a `privateAddress` or is in the swarm of `overlay`. */
  readonly gateway: RoutableGateway;
  /** The KASM server, and the images there, if the gateway is on another host. @default the gateway's host and images */
  readonly kasm?:
    { readonly host: Host; readonly images: Pick<GatewayImages, "gateway"> } | undefined;
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
    const { gateway } = args;
    const { host, images } = args.kasm ?? gateway;
    super("openclaw:index:KasmNginxRoute", name, {}, onHost(host, opts));

    const origin = this.origin(args);
    gateway.addRoute({ path: args.path, origin });
    const spec = specOf(args);
    const way = host === gateway.host ? gateway : this.wayTo(name, args);
    const forwarder = createForwarder(
      name,
      { spec, image: images.gateway, ...way },
      { parent: this },
    );
    const { readyTimeoutSeconds = defaults.readyTimeoutSeconds } = args;
    const route = new HostState(
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

    this.state = route.observed;
    // Known only once the route serves.
    this.url = pulumi
      .all([origin, gateway.basePath, route.id])
      .apply(([known, path]) => `${known}${path}/`);
    this.registerOutputs({ state: this.state, url: this.url });
  }

  /** The way of the forwarder to a gateway on another host: a network to go out by, and certificates for the door there. */
  private wayTo(name: string, args: KasmNginxRouteArgs) {
    const { gateway } = args;
    const { containerName } = gateway;
    const at = placeOf(args);
    const [provider] = gateway.host.providers;
    if (at === undefined || provider === undefined) {
      throw new pulumi.ResourceError(
        "the gateway is on another host than KASM: its host needs an address and a privateAddress, at which the KASM server reaches it, or the route an overlay",
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
      { parent: this, provider },
    );
    return {
      networkName:
        "overlay" in at
          ? at.overlay
          : createNetwork(name, gateway.networkName, gateway.networkSubnet, { parent: this }).name,
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

/** Where the door of a gateway on another host is, if the arguments say so. */
function placeOf({ gateway: { host, port }, overlay }: KasmNginxRouteArgs): DoorPlace | undefined {
  if (host.privateAddress !== undefined) {
    return { address: host.privateAddress, port };
  }
  return overlay === undefined ? undefined : { overlay };
}

function specOf(args: KasmNginxRouteArgs) {
  const { gateway, kasm, kasmUrl: _, overlay: __, ...options } = args;
  const { containerName, networkName, basePath, host } = gateway;
  const server = (kasm ?? gateway).host;
  const { kasmDirectory } = server;
  const door = server === host ? undefined : placeOf(args);
  return pulumi
    .output({ options, place: { containerName, networkName, basePath, kasmDirectory, door } })
    .apply((known) => routeSpec(known.options, known.place));
}
