import { browserName, offsiteName } from "../components/gateway/container";
import type { Settings } from "./index";
import { doorName, forwarderName } from "../components/nginxRouteFile";
import { hasDoors, kasmHost, overlayOf, routeServers } from "./host";
import { instancesOf, routedElsewhere } from "./instances";

/** Names of all containers that the settings ask for, of one host if they are narrowed to it. */
export function containerNames(settings: Settings): string[] {
  const gateways = instancesOf(settings).flatMap(({ settings: own }) => {
    const { containerName, browser, offsite, onHost = kasmHost } = own;
    return [
      containerName,
      ...(browser === "sidecar" ? [browserName(containerName)] : []),
      ...(routeServers(own).includes(onHost) ? [forwarderName(containerName)] : []),
      ...(hasDoors(own) ? [doorName(containerName)] : []),
      ...(offsite === undefined ? [] : [offsiteName(containerName)]),
    ];
  });
  const remote = routedElsewhere(settings);
  return [...gateways, ...remote.map(({ settings: own }) => forwarderName(own.containerName))];
}

/**
 * Names of the networks that the settings ask for: routes to other hosts have one each on the web server's too, or an overlay
 * network, which KASM's host makes.
 */
export function networkNames(settings: Settings): string[] {
  const { onHost } = settings;
  const remote = onHost === undefined ? [] : routedElsewhere(settings);
  const names = [
    ...instancesOf(settings).map(({ settings: own }) => own.networkName),
    ...remote.flatMap(({ settings: own }) => {
      const overlay = overlayOf(own);
      return overlay === undefined ? [own.networkName] : onHost === kasmHost ? [overlay] : [];
    }),
  ];
  return [...new Set(names)];
}
