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

/** Names of a stack's hosts; the first one is {@link kasmHost}. */
export function hostNames({ hosts }: Pick<Settings, "hosts">): string[] {
  return [kasmHost, ...Object.keys(hosts)];
}

/** Returns the name of the host that an instance is on. */
export function hostOf({ instances }: Pick<Settings, "instances">, instance: string): string {
  return instances.find(({ name }) => name === instance)?.host ?? kasmHost;
}

/** Whether settings are of KASM's host: they are narrowed to no other one. */
export function isOnKasmsHost({ onHost = kasmHost }: Pick<Settings, "onHost">): boolean {
  return onHost === kasmHost;
}

/** Returns the address at which KASM reaches the host that settings are narrowed to, if that is another one. */
export function privateAddressOf({
  hosts,
  onHost = kasmHost,
}: Pick<Settings, "hosts" | "onHost">): string | undefined {
  return hosts[onHost]?.privateAddress;
}

/** Returns the name of the overlay network by which KASM reaches the host that settings are narrowed to, if it does. */
export function overlayOf({
  hosts,
  overlay,
  onHost = kasmHost,
}: Pick<Settings, "hosts" | "overlay" | "onHost">): string | undefined {
  const server = hosts[onHost];
  return server !== undefined && server.privateAddress === undefined ? overlay?.name : undefined;
}

/** Names of the hosts that have to be in one swarm, KASM's first; none without `openclaw:overlay`. */
export function overlayHosts({ hosts, overlay }: Pick<Settings, "hosts" | "overlay">): string[] {
  return overlay === undefined
    ? []
    : [kasmHost, ...Object.keys(hosts).filter((onHost) => overlayOf({ hosts, overlay, onHost }))];
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

/** Makes something for each of a stack's hosts, and returns a function that finds it by the name of the host. */
export function forEachHost<T>(
  settings: Pick<Settings, "hosts">,
  make: (name: string) => T,
): (name: string) => T {
  const made = new Map(hostNames(settings).map((name) => [name, make(name)]));
  return (name) => made.get(name) as T;
}

/** Returns the host that a resource of Docker's is on, by the URN of its provider. */
export function hostOfProvider(provider = ""): string {
  return /::host-([a-z0-9]+)(::|$)/.exec(provider)?.[1] ?? kasmHost;
}

/** Returns the server that a stack's settings name for a host, or this machine. */
export function hostArgs(settings: Settings, name: string): HostArgs {
  const { host, hosts, kasmDirectory } = settings;
  return { ...(name === kasmHost ? host : hosts[name]), kasmDirectory };
}

/** Returns the network between the hosts, which KASM's host makes. */
export function overlayArgs(
  { name, encrypted, mtu }: NonNullable<Settings["overlay"]>,
  host: Host,
): OverlayNetworkArgs {
  return { host, networkName: name, encrypted, mtu };
}
