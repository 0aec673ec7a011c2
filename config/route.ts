import type { KasmNginxRouteArgs } from "../components/kasmNginxRoute";
import { dashboardPort } from "../components/gateway/container";
import type { Settings } from "./index";

/** Where KASM 1.16 to 1.18 keep the files that their nginx reads. */
const nginxDirectory = "/opt/kasm/current/conf/nginx";

/** Name of the file for KASM's nginx. */
export function routeFileName({ mode, fileName }: Settings["nginxRoute"]): string {
  // nginx reads by name, and the first server it reads answers for every other name: KASM's has to come first.
  return fileName ?? (mode === "serverName" ? "zz-openclaw.conf" : "openclaw.conf");
}

/** Name of the container that leads from KASM's nginx to the gateway. */
export function forwarderName({ containerName }: Pick<Settings, "containerName">): string {
  return `${containerName}-route`;
}

/** The route through KASM's nginx that the settings ask for, if any. */
export function routeArgs(
  settings: Settings,
): Omit<KasmNginxRouteArgs, "target" | "networkName" | "image"> | undefined {
  const { nginxRoute, basePath, containerName, readyTimeoutSeconds } = settings;
  const { mode, serverName, directory, proxyContainer } = nginxRoute;
  const common = {
    proxyContainer,
    fileName: routeFileName(nginxRoute),
    forwarder: { containerName: forwarderName(settings), host: containerName, port: dashboardPort },
    basePath,
    readyTimeoutSeconds,
  };
  switch (mode) {
    case "none":
      return undefined;
    case "path":
      return {
        ...common,
        route: { path: basePath },
        directory: directory ?? `${nginxDirectory}/containers.d`,
      };
    case "serverName":
      return {
        ...common,
        route: { serverName: serverName ?? "" },
        directory: directory ?? nginxDirectory,
      };
  }
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
