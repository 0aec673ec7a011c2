import { browserName, offsiteName } from "../components/gateway/container";
import type { Settings } from "./index";
import { doorName, forwarderName } from "../components/nginxRouteFile";
import { isOnKasmsHost, kasmHost, overlayOf } from "./host";
import { instancesOf, routedElsewhere } from "./instances";

/** Names of all containers that the settings ask for, of one host if they are narrowed to it. */
export function containerNames(settings: Settings): string[] {
  const gateways = instancesOf(settings).flatMap(({ settings: own }) => {
    const { containerName, nginxRoute, browser, offsite } = own;
    const routeName = isOnKasmsHost(own) ? forwarderName : doorName;
    return [
      containerName,
      ...(browser === "sidecar" ? [browserName(containerName)] : []),
      ...(nginxRoute.mode === "none" ? [] : [routeName(containerName)]),
      ...(offsite === undefined ? [] : [offsiteName(containerName)]),
    ];
  });
  return [...gateways, ...remoteForwarders(settings)];
}

/** Names of the forwarders on KASM's host to gateways on others. */
function remoteForwarders(settings: Settings): string[] {
  return isOnKasmsHost(settings)
    ? routedElsewhere(settings).map(({ settings: own }) => forwarderName(own.containerName))
    : [];
}

/** Names of the networks that the settings ask for: routes to other hosts have one each on KASM's too, or one overlay network. */
export function networkNames(settings: Settings): string[] {
  const remote = settings.onHost === kasmHost ? routedElsewhere(settings) : [];
  const names = [
    ...instancesOf(settings).map(({ settings: own }) => own.networkName),
    ...remote.map(({ settings: own }) => overlayOf(own) ?? own.networkName),
  ];
  return [...new Set(names)];
}
