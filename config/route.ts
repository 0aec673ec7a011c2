import type { KasmNginxRouteArgs } from "../components/kasmNginxRoute";
import {
  type RoutedGateway,
  routeFileName,
  routeSpec,
  type RouteSpec,
} from "../components/nginxRouteFile";
import { isOnKasmsHost, kasmHost, overlayOf, privateAddressOf } from "./host";
import type { Settings } from "./index";

/** Returns the route through KASM's nginx that the settings ask for, if any. */
export function routeArgs(settings: Settings) {
  const { nginxRoute, basePath, readyTimeoutSeconds, kasmUrl } = settings;
  const { mode, serverName, directory, proxyContainer } = nginxRoute;
  if (mode === "none") {
    return undefined;
  }
  return {
    ...(mode === "path" ? { path: basePath } : { serverName: serverName ?? "" }),
    directory,
    fileName: fileNameOf(nginxRoute),
    proxyContainer,
    readyTimeoutSeconds,
    kasmUrl: kasmUrl || undefined,
  } satisfies Omit<KasmNginxRouteArgs, "gateway">;
}

/**
 * Returns that route with everything that follows from its gateway.
 * @param server name of the host with the nginx of KASM's
 */
export function routeOf(settings: Settings, server = kasmHost): RouteSpec | undefined {
  const args = routeArgs(settings);
  return args && routeSpec(args, { ...settings, door: doorOf(settings, server) });
}

function doorOf(settings: Settings, server: string): RoutedGateway["door"] {
  const { onHost = kasmHost } = settings;
  if (onHost === server) {
    return undefined;
  }
  const address = privateAddressOf(settings);
  const overlay = overlayOf(settings);
  if (address !== undefined) {
    return { address, port: settings.port };
  }
  return overlay === undefined ? undefined : { overlay };
}

/** Returns the file's name, which is the same whatever the container is called. */
export function fileNameOf({ mode, serverName, fileName }: Settings["nginxRoute"]): string {
  return fileName ?? routeFileName(mode === "serverName" ? { serverName } : {}, "openclaw");
}

/** Whether the browser tile opens the gateway on the session's own host: on other agents than KASM's own host there is none. */
export function opensSessionHost(settings: Settings): boolean {
  const isOnAllAgents = settings.kasmAgents.length === 0 || settings.nginxRoute.mode === "none";
  return isOnKasmsHost(settings) && isOnAllAgents;
}

/** The address at which people open the dashboard through KASM's nginx, and its origin. */
export function routeUrl(settings: Settings): string | undefined {
  const { nginxRoute, kasmUrl, basePath } = settings;
  if (nginxRoute.mode === "none") {
    return undefined;
  }
  if (nginxRoute.mode === "path") {
    return `${kasmUrl}${basePath}/`;
  }
  const port = kasmUrl ? new URL(kasmUrl).port : "";
  return `https://${nginxRoute.serverName ?? ""}${port && `:${port}`}${basePath}/`;
}
