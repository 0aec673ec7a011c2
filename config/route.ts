import type { KasmNginxRouteArgs } from "../components/kasmNginxRoute";
import {
  type RouteChoice,
  routeFileName,
  routeSpec,
  type RouteSpec,
} from "../components/nginxRouteFile";
import type { Settings } from "./index";

/** Returns the route through KASM's nginx that the settings ask for, if any. */
export function routeArgs(settings: Settings): Omit<KasmNginxRouteArgs, "gateway"> | undefined {
  const choice = routeChoice(settings);
  if (choice === undefined) {
    return undefined;
  }
  const { route, ...rest } = choice;
  return { ...rest, ...route, kasmUrl: settings.kasmUrl || undefined };
}

/** Returns that route with everything that follows from its gateway. */
export function routeOf(settings: Settings): RouteSpec | undefined {
  const choice = routeChoice(settings);
  return choice && routeSpec(choice, settings);
}

function routeChoice(settings: Settings): RouteChoice | undefined {
  const { nginxRoute, basePath, readyTimeoutSeconds } = settings;
  const { mode, serverName, directory, proxyContainer } = nginxRoute;
  if (mode === "none") {
    return undefined;
  }
  return {
    route: mode === "path" ? { path: basePath } : { serverName: serverName ?? "" },
    directory,
    fileName: fileNameOf(nginxRoute),
    proxyContainer,
    readyTimeoutSeconds,
  };
}

/** Returns the file's name, which is the same whatever the container is called. */
export function fileNameOf({ mode, serverName, fileName }: Settings["nginxRoute"]): string {
  const route = mode === "serverName" ? { serverName: serverName ?? "" } : { path: "" };
  return fileName ?? routeFileName(route, "openclaw");
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
