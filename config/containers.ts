import { browserName } from "../components/gateway/container";
import { offsiteName } from "../components/gateway/offsite";
import type { Settings } from "./index";
import { instancesOf } from "./instances";
import { forwarderName } from "../components/nginxRouteFile";

/** Names of all containers that the settings ask for. */
export function containerNames(settings: Settings): string[] {
  return instancesOf(settings).flatMap(({ settings: own }) => [
    own.containerName,
    ...(own.browser === "sidecar" ? [browserName(own.containerName)] : []),
    ...(own.nginxRoute.mode === "none" ? [] : [forwarderName(own.containerName)]),
    ...(own.offsite === undefined ? [] : [offsiteName(own.containerName)]),
  ]);
}
