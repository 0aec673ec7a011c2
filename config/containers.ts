import { browserName } from "./browser";
import type { Settings } from "./index";
import { instancesOf } from "./instances";
import { forwarderName } from "./route";

/** Names of all containers that the settings ask for. */
export function containerNames(settings: Settings): string[] {
  return instancesOf(settings).flatMap(({ settings: own }) => [
    own.containerName,
    ...(own.browser === "sidecar" ? [browserName(own)] : []),
    ...(own.nginxRoute.mode === "none" ? [] : [forwarderName(own)]),
  ]);
}
