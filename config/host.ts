import type { Host, HostArgs } from "../components/host";
import type { OverlayNetworkArgs } from "../components/overlayNetwork";
import { hostSetting, kasmHost, type Server } from "../host/server";
import type { Settings } from "./index";

export { hostSetting, kasmHost };

/** Returns the name of a Host component: commands reach a host by it as the program's resources do. */
export function hostResource(name: string): string {
  return name === kasmHost ? "host" : `host-${name}`;
}

/** Returns the name of the images' component on a host. */
export function imagesResource(name: string): string {
  return name === kasmHost ? "openclaw" : `openclaw-host-${name}`;
}

/** Returns the host that an image is on, by its URN. */
export function hostOfImage(urn: string): string {
  return /::openclaw-host-([a-z0-9]+)-/.exec(urn)?.[1] ?? kasmHost;
}

/** Returns the name of the desktop image's component on a host. */
export function kasmImageResource(name: string): string {
  return `${imagesResource(name)}-kasm-image`;
}

/** Names of a stack's hosts; the first one is {@link kasmHost}. */
export function hostNames({ hosts }: Pick<Settings, "hosts">): string[] {
  return [kasmHost, ...Object.keys(hosts)];
}

/** Returns the name of the host that an instance is on. */
export function hostOf({ instances }: Pick<Settings, "instances">, instance: string): string {
  return instances.find(({ name }) => name === instance)?.host ?? kasmHost;
}

/** Settings that say what each host is for. */
type Roles = Pick<Settings, "hosts" | "instances" | "kasmAgents" | "nginxRoute">;

/** Names of the hosts that are for gateways: all but those that are only agents or web servers of KASM. */
export function gatewayHosts(settings: Roles): string[] {
  const { instances, kasmAgents, nginxRoute } = settings;
  const ofKasm = [...kasmAgents, ...nginxRoute.webServers];
  return hostNames(settings).filter(
    (name) => !ofKasm.includes(name) || instances.some(({ host }) => host === name),
  );
}

/** Names of the hosts that have the gateways' images, of which forwarders to gateways run too. */
export function imageHosts(settings: Roles): string[] {
  const names = [...gatewayHosts(settings), ...settings.nginxRoute.webServers];
  return hostNames(settings).filter((name) => names.includes(name));
}

/** Names of the hosts with an nginx of KASM's, KASM's own first, whether or not there is a route. */
export function kasmServers({ nginxRoute }: Pick<Settings, "nginxRoute">): string[] {
  return [kasmHost, ...nginxRoute.webServers];
}

/** Names of the hosts with an nginx of KASM's that leads to the gateways, KASM's own first; none without a route. */
export function routeServers({ nginxRoute }: Pick<Settings, "nginxRoute">): string[] {
  return nginxRoute.mode === "none" ? [] : kasmServers({ nginxRoute });
}

/** Whether the gateways of the host that settings are narrowed to are reached from another one, through a door. */
export function hasDoors({
  nginxRoute,
  onHost = kasmHost,
}: Pick<Settings, "nginxRoute" | "onHost">): boolean {
  return routeServers({ nginxRoute }).some((server) => server !== onHost);
}

/** Names of the hosts on which the desktop image is built, KASM's first: agents pull it if it is pushed. */
export function desktopImageHosts({
  kasmAgents,
  kasmImage: { build, push },
}: Pick<Settings, "kasmAgents" | "kasmImage">): string[] {
  return build ? [kasmHost, ...(push === undefined ? kasmAgents : [])] : [];
}

/** Whether settings are of KASM's host: they are narrowed to no other one. */
export function isOnKasmsHost({ onHost = kasmHost }: Pick<Settings, "onHost">): boolean {
  return onHost === kasmHost;
}

/** Returns the address at which KASM's web servers on other hosts reach the one that settings are narrowed to, if there is one. */
export function privateAddressOf({
  hosts,
  nginxRoute,
  onHost = kasmHost,
}: Pick<Settings, "hosts" | "nginxRoute" | "onHost">): string | undefined {
  return onHost === kasmHost ? nginxRoute.privateAddress : hosts[onHost]?.privateAddress;
}

/** Returns the setting that has that address of a host. */
export function privateAddressSetting(name: string): string {
  return `openclaw:${name === kasmHost ? "nginxRoute" : `hosts.${name}`}.privateAddress`;
}

/** Returns the name of the overlay network by which those reach the host that settings are narrowed to, if they do. */
export function overlayOf(
  settings: Pick<Settings, "hosts" | "nginxRoute" | "overlay" | "onHost">,
): string | undefined {
  const isReached = hasDoors(settings) && privateAddressOf(settings) === undefined;
  return isReached ? settings.overlay?.name : undefined;
}

/** Names of the hosts that have to be in one swarm, KASM's first; none without `openclaw:overlay`. */
export function overlayHosts(settings: Roles & Pick<Settings, "overlay">): string[] {
  const reached = gatewayHosts(settings).filter((onHost) => overlayOf({ ...settings, onHost }));
  const names = [...kasmServers(settings), ...reached];
  return settings.overlay === undefined
    ? []
    : hostNames(settings).filter((name) => names.includes(name));
}

/** Returns the servers that settings name, by their places there. */
export function serversOf({
  host,
  hosts = {},
}: Partial<Pick<Settings, "host" | "hosts">>): [place: string, server: Server][] {
  const others = Object.entries(hosts).map(([name, server]): [string, Server] => [
    `hosts.${name}`,
    server,
  ]);
  return [...(host ? [["host", host] satisfies [string, Server]] : []), ...others];
}

/** Makes something for each of some hosts, and returns a function that finds it by the name of the host. */
export function forEachHost<T>(
  names: readonly string[],
  make: (name: string) => T,
): (name: string) => T {
  const made = new Map(names.map((name) => [name, make(name)]));
  return (name) => made.get(name) as T;
}

/** Returns the host that a resource of Docker's is on, by the URN of its provider. */
export function hostOfProvider(provider = ""): string {
  return /::host-([a-z0-9]+)(::|$)/.exec(provider)?.[1] ?? kasmHost;
}

/** Returns the server that a stack's settings name for a host, or this machine. */
export function hostArgs(settings: Settings, name: string): HostArgs {
  const { host, hosts, kasmDirectory } = settings;
  const privateAddress = privateAddressOf({ ...settings, onHost: name });
  return { ...(name === kasmHost ? host : hosts[name]), privateAddress, kasmDirectory };
}

/** Returns the network between the hosts, which KASM's host makes. */
export function overlayArgs(
  { name, encrypted, mtu }: NonNullable<Settings["overlay"]>,
  host: Host,
): OverlayNetworkArgs {
  return { host, networkName: name, encrypted, mtu };
}
