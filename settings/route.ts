import type { KasmNginxRouteArgs } from "../components/kasmNginxRoute";
import { dashboardPort } from "../components/gateway/container";
import type { Settings } from "./index";

/** Where KASM 1.16 to 1.18 keep the files that their nginx reads. */
const nginxDirectory = "/opt/kasm/current/conf/nginx";

/** The route through KASM's nginx that the settings ask for, if any. */
export function routeArgs(
  settings: Settings,
): Omit<KasmNginxRouteArgs, "target" | "networkName"> | undefined {
  const { nginxRoute, basePath, containerName, readyTimeoutSeconds } = settings;
  const { mode, serverName, directory, fileName, proxyContainer } = nginxRoute;
  const common = {
    proxyContainer,
    upstream: `${containerName}:${dashboardPort.toString()}`,
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
        fileName: fileName ?? "openclaw.conf",
      };
    case "serverName":
      return {
        ...common,
        route: { serverName: serverName ?? "" },
        directory: directory ?? nginxDirectory,
        // nginx reads by name, and the first server it reads answers for every other name: KASM's has to come first.
        fileName: fileName ?? "zz-openclaw.conf",
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
