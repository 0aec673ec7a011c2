import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import { defaults } from "./defaults";
import { dashboardPort } from "./gateway/container";

/** What a route may be given besides its gateway. */
export interface RouteOptions {
  /**
   * Path of KASM's own address, which is the gateway's base path too.
   * @default the gateway's base path
   * @example "/openclaw"
   */
  readonly path?: pulumi.Input<string> | undefined;
  /** A server name beside KASM's, in place of a path. @default none */
  readonly serverName?: pulumi.Input<string> | undefined;
  /**
   * Directory of the host that the proxy reads.
   * @default KASM's own: containers.d for a path, its parent for a server name
   */
  readonly directory?: pulumi.Input<string> | undefined;
  /** Name of the file that is made there. @default "CONTAINER.conf" */
  readonly fileName?: pulumi.Input<string> | undefined;
  /** KASM's proxy container. @default "kasm_proxy" */
  readonly proxyContainer?: pulumi.Input<string> | undefined;
  /** Seconds that the dashboard may take to answer behind the route. @default 180 */
  readonly readyTimeoutSeconds?: number | undefined;
}

/** The gateway that a route leads to. */
export interface RoutedGateway {
  readonly containerName: string;
  readonly networkName: string;
  readonly basePath: string;
  /** Directory in which KASM is installed. */
  readonly kasmDirectory: string;
  /** Where the gateway's host takes connections of the forwarder, if it is not KASM's: at an address, or in an overlay network. */
  readonly door?:
    { readonly address: string; readonly port: number } | { readonly overlay: string } | undefined;
}

/** A route with everything that its gateway and the defaults decide. */
export type RouteSpec = ReturnType<typeof routeSpec>;

/** Completes a route. */
export function routeSpec(options: pulumi.UnwrappedObject<RouteOptions>, gateway: RoutedGateway) {
  const { serverName, readyTimeoutSeconds = defaults.readyTimeoutSeconds } = options;
  const { containerName, basePath, kasmDirectory } = gateway;
  const { networkName, host, port } = destination(gateway);
  // Where KASM 1.16 to 1.19 keep the files that their nginx reads.
  const nginxDirectory = `${kasmDirectory}/current/conf/nginx`;
  const directory = serverName === undefined ? `${nginxDirectory}/containers.d` : nginxDirectory;
  return {
    serverName,
    basePath,
    networkName,
    directory: options.directory ?? directory,
    fileName: options.fileName ?? routeFileName(options, containerName),
    proxyContainer: options.proxyContainer ?? defaults.proxyContainer,
    readyTimeoutSeconds,
    /** The container between KASM's nginx and the gateway, and the gateway as the network's DNS knows it, or its door. */
    forwarder: {
      containerName: forwarderName(containerName),
      host,
      port,
    },
  };
}

/** Where the forwarder goes, and the network that it is on. */
function destination({ containerName, networkName, door }: RoutedGateway) {
  if (door === undefined) {
    return { networkName, host: containerName, port: dashboardPort };
  }
  return "overlay" in door
    ? { networkName: door.overlay, host: doorName(containerName), port: doorPort }
    : { networkName, host: door.address, port: door.port };
}

/** Returns the name of the file in KASM's nginx unless another one is given. */
export function routeFileName(
  { serverName }: { readonly serverName?: string | undefined },
  containerName: string,
): string {
  // nginx reads by name, and the first server it reads answers for every other name: KASM's has to come first.
  return serverName === undefined ? `${containerName}.conf` : `zz-${containerName}.conf`;
}

/** Returns the name of the container between KASM's nginx and a gateway. */
export function forwarderName(containerName: string): string {
  return `${containerName}-route`;
}

/** Returns the name of the container at a gateway on another host that takes the connections of {@link forwarderName}. */
export function doorName(containerName: string): string {
  return `${containerName}-door`;
}

/** What the host says where all is as declared. */
export const routeServes =
  "file: as declared; forwarder: serves; KASM's proxy needs: nothing of ours; nginx: serves the route; dashboard: asks for its login";

/** Port at which the door of a gateway takes connections, inside its container. */
export const doorPort = 8443;

/** The account that the forwarder runs as, `uid:gid`, which owns nothing else: KASM's directories are open to every account. */
export const forwarderOwner = "65534:65534";

/** Where a container between two hosts has the certificate that it shows, with its key. */
export const credentialsFile = "/etc/openclaw-kasm-route.json";

/**
 * Directory of the sockets, which KASM's proxy sees too. Not `containers.d` itself: KASM's upgrade takes the files there
 * along only if it finds one entry.
 */
export function socketsDirectory({
  serverName,
  directory,
}: Pick<RouteSpec, "serverName" | "directory">): string {
  return `${serverName === undefined ? dirname(directory) : directory}/.openclaw-kasm`;
}

/**
 * What assets/host/nginx-route.sh needs to know; the names are its own.
 * @param stack name of the stack, which stands in the file, and by which it is told from another stack's
 */
export function routeVariables(args: RouteSpec, stack: string): Record<string, string> {
  const content = routeFile(args, stack);
  const mark = createHash("sha256").update(content).digest("hex").slice(0, 12);
  return {
    DIRECTORY: args.directory,
    FILE: args.fileName,
    STACK: stack,
    CONTENT: content.replaceAll("@MARK@", mark),
    MARK: mark,
    PROXY: args.proxyContainer,
    FORWARDER: args.forwarder.containerName,
    FORWARDER_OWNER: forwarderOwner,
    SOCKETS: socketsDirectory(args),
    NETWORK: args.networkName,
    PROBE_NAME: args.serverName ?? "",
    PROBE_PATH: `${args.basePath}/`,
    TIMEOUT_SECONDS: args.readyTimeoutSeconds.toString(),
  };
}

const templates = join(__dirname, "../assets/nginx");

/**
 * The file for KASM's nginx. What only the host knows (`@PORT@`, `@CERTIFICATE@`, `@SOCKET@`) and the mark (`@MARK@`) are still to
 * be filled in.
 */
export function routeFile(
  { serverName, basePath }: Pick<RouteSpec, "serverName" | "basePath">,
  stack: string,
): string {
  const [frame, indent] =
    serverName === undefined ? [template("path.conf"), ""] : [template("server-name.conf"), "    "];
  const proxy = template("proxy.conf")
    .replaceAll("@OWN_COOKIES@", ownCookies)
    .trimEnd()
    .replaceAll(/^(?=.)/gm, indent);
  return frame
    .replaceAll("@PROXY@", () => proxy)
    .replaceAll("@STACK@", stack)
    .replaceAll("@WITHIN_PATH@", () => template("within-path.conf").trimEnd())
    .replaceAll("@PATH_PATTERN@", () => basePath.replaceAll(".", "\\."))
    .replaceAll("@PATH@", basePath)
    .replaceAll("@SERVER_NAME@", serverName ?? "");
}

/**
 * Fills `$openclaw_cookies` with the cookies with names that start as OpenClaw's do: plugin tabs have one each. nginx takes
 * one at a time out of the request, and knows no loop. Captures have names, because nginx escapes numbered ones for
 * paths that have escapes of their own.
 */
function ownCookies(): string {
  const take = (kept: string) =>
    `    if ($openclaw_more ~ "(?:^|; )(?<openclaw_own>__openclaw_[^=; ]*=[^; ]*)(?<openclaw_more>.*)$") {\n` +
    `        set $openclaw_cookies "${kept}$openclaw_own";\n` +
    `    }`;
  return [
    '    set $openclaw_cookies "";',
    "    set $openclaw_more $http_cookie;",
    take(""),
    ...Array<string>(7).fill(take("$openclaw_cookies; ")),
  ].join("\n");
}

function template(file: string): string {
  return readFileSync(join(templates, file), "utf8");
}
