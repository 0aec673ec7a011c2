import * as pulumi from "@pulumi/pulumi";
import { HostState } from "../providers/hostState";
import { defaults } from "./defaults";
import { createForwarder } from "./forwarder";
import { onHost } from "./host";
import { type RouteOptions, routeServes, routeSpec, routeVariables } from "./nginxRouteFile";
import type { OpenClawStandalone } from "./openClawStandalone";

/** What a route needs of a gateway. */
type RoutableGateway = Pick<
  OpenClawStandalone,
  "host" | "images" | "containerName" | "networkName" | "basePath" | "addRoute"
>;

/** Inputs of {@link KasmNginxRoute}. Host, network, images and base path are the gateway's. */
export interface KasmNginxRouteArgs extends RouteOptions {
  /** The gateway, on the KASM server. */
  readonly gateway: RoutableGateway;
  /** Address at which people open KASM, without a path. @default "https://ADDRESS", the address of the gateway's host */
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
    super("openclaw:index:KasmNginxRoute", name, {}, onHost(gateway.host, opts));

    const origin = this.origin(args);
    gateway.addRoute({ path: args.path, origin });
    const spec = specOf(args);
    const { networkName } = gateway;
    const forwarder = createForwarder(
      name,
      { spec, networkName, image: gateway.images.gateway },
      { parent: this },
    );
    const { readyTimeoutSeconds = defaults.readyTimeoutSeconds } = args;
    const route = new HostState(
      `${name}-nginx`,
      {
        target: gateway.host.target,
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

  /** Origin of the dashboard in browsers: KASM's own, or that of a name at the same port. */
  private origin({
    gateway,
    path,
    serverName,
    kasmUrl,
  }: KasmNginxRouteArgs): pulumi.Output<string> {
    if (path !== undefined && serverName !== undefined) {
      throw new pulumi.ResourceError("path and serverName exclude each other", this);
    }
    const address = gateway.host.address;
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

function specOf({ gateway, kasmUrl: _, ...options }: KasmNginxRouteArgs) {
  const { containerName, networkName, basePath } = gateway;
  const { kasmDirectory } = gateway.host;
  return pulumi
    .output({ options, place: { containerName, networkName, basePath, kasmDirectory } })
    .apply((known) => routeSpec(known.options, known.place));
}
