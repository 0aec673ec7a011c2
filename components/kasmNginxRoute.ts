import * as pulumi from "@pulumi/pulumi";
import { HostState } from "../providers/hostState";
import type { HostTarget } from "../host/target";
import { routeServes, routeVariables } from "./nginxRouteFile";
import { createForwarder, type ForwarderArgs } from "./forwarder";

/** Inputs of {@link KasmNginxRoute}. */
export interface KasmNginxRouteArgs {
  /** The KASM server. */
  readonly target: HostTarget;
  /** A path of KASM's own address, or a server name beside KASM's. */
  readonly route: { readonly path: string } | { readonly serverName: string };
  /** Directory of the host that the proxy reads; `containers.d` for a path, its parent for a server name. */
  readonly directory: string;
  /** Name of the file that is made there. */
  readonly fileName: string;
  /** KASM's proxy container. */
  readonly proxyContainer: string;
  /** The gateway's network, which the forwarder joins. */
  readonly networkName: pulumi.Input<string>;
  /** Id of an image with Node and curl, for the forwarder. */
  readonly image: pulumi.Input<string>;
  /** The container between KASM's nginx and the gateway. */
  readonly forwarder: ForwarderArgs;
  /** Path under which the dashboard lives, `""` for the root. */
  readonly basePath: string;
  /** Seconds that the dashboard may take to answer behind the route. */
  readonly readyTimeoutSeconds: number;
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

  constructor(name: string, args: KasmNginxRouteArgs, opts?: pulumi.ComponentResourceOptions) {
    super("openclaw:index:KasmNginxRoute", name, {}, opts);

    const forwarder = createForwarder(name, args, { parent: this });
    const route = new HostState(
      `${name}-nginx`,
      {
        target: args.target,
        script: "nginx-route.sh",
        variables: routeVariables(args, pulumi.getStack()),
        // Beside waiting for the dashboard, for another run and for nginx.
        seconds: args.readyTimeoutSeconds + 300,
        expected: routeServes,
        identity: pulumi
          .output(args.networkName)
          .apply(
            (network) => `${args.proxyContainer} ${network} ${args.directory}/${args.fileName}`,
          ),
      },
      { parent: this, dependsOn: forwarder },
    );

    this.state = route.observed;
    this.registerOutputs({ state: this.state });
  }
}
