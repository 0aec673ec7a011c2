import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { OidcArgs } from "./oidc";

/** Paths of the gateway that are open without the dashboard's login: it checks what their clients bring itself. */
export interface OpenPaths {
  /** Paths where each caller shows a token or a signature of its own, such as `/hooks`. */
  readonly webhooks?: readonly string[];
  /** Paths where clients show the gateway's token as a bearer, such as `/v1`. It is the key to all of the gateway. */
  readonly api?: readonly string[];
}

/** What people give a gateway and what both supported images take in, each in its own way. */
export interface GatewaySettings {
  /** User name of the dashboard's login. */
  readonly username: pulumi.Input<string>;
  /** Password of the dashboard's login; a secret. */
  readonly password: pulumi.Output<string>;
  /** Everybody who may come in, with the role; of coollabsio's image the one user. */
  readonly people: pulumi.Output<Record<string, { role: string; password: string }>>;
  /** An organisation's login beside. */
  readonly oidc?: OidcArgs | undefined;
  /** Secret by which tools inside the container, or with coollabsio's image also browsers, enter the gateway. */
  readonly token: pulumi.Output<string>;
  /** AI provider keys by environment variable name; secret. */
  readonly providerKeys: pulumi.Output<Record<string, string>>;
  /** Path under which the dashboard lives, `""` for the root. */
  readonly basePath: pulumi.Input<string>;
  /** Origins from which browsers may open the dashboard. */
  readonly allowedOrigins: pulumi.Input<readonly string[]>;
  /** Paths that are open without the login. */
  readonly openPaths: pulumi.Input<OpenPaths>;
  /** PEM of certificate authorities that it trusts beside the usual ones. */
  readonly extraCa?: pulumi.Input<string> | undefined;
  /** More of openclaw.json; secret. */
  readonly openclawConfig: pulumi.Input<Record<string, unknown>>;
}

/** The part of a container's declaration in which the images differ. */
export type ImageDemands = Pick<
  docker.ContainerArgs,
  "envs" | "uploads" | "healthcheck" | "hosts" | "capabilities" | "securityOpts"
>;

/**
 * Port of the dashboard inside the container, by the image contract. The built image answers on the three after it
 * too, one for each further address that it is published on.
 */
export const dashboardPort = 8080;

/** Gives the Docker host a name, for a model that runs there. */
export const dockerHost = { host: "host.docker.internal", ip: "host-gateway" };

/** Limits of a container: a memory dump of a process that crashes would hold secrets, and be in the data and its backups. */
export const noCoreDumps = [{ name: "core", soft: 0, hard: 0 }];

/**
 * Options of a container on the gateway's network. A stopped container keeps the id of a network that was deleted, and does
 * not start on another one of the same name.
 */
export const replacedIfStopped = { replaceOnChanges: ["mustRun"], deleteBeforeReplace: true };

/** Returns a health check that asks for an address inside the container, by no proxy and with no settings of a user's. */
export function healthcheck(url: string, startPeriod: string) {
  const quietly = ["--disable", "--noproxy", "*", "-fsS", "-o", "/dev/null", "--max-time", "4"];
  return {
    tests: ["CMD", "curl", ...quietly, url],
    interval: "10s",
    timeout: "5s",
    startPeriod,
    retries: 3,
  };
}

/** Port inside the network at which the image answers with DevTools. */
export const devToolsPort = 9222;

/** Where both images keep their state, by the image contract. */
export const dataPath = "/data";

/** Owner of the directory that is mounted there: the user of the built image, as `uid:gid`. */
export const dataOwner = "1000:1000";

/** An address at which the host itself reaches a port that is published on `address`. */
export function reachable(address: string): string {
  return address === "0.0.0.0" ? "127.0.0.1" : address;
}

/** Returns where a dashboard answers KASM's sessions on the same host. */
export function sessionUrl(place: { readonly port: number; readonly basePath: string }): string {
  return `http://${dockerHost.host}:${place.port.toString()}${place.basePath}/`;
}

/** Name of the browser sidecar's container. */
export function browserName(containerName: string): string {
  return `${containerName}-browser`;
}

/** Name of the container that makes a gateway's backups. */
export function offsiteName(containerName: string): string {
  return `${containerName}-offsite`;
}

/** Name of the volume with the socket by which the container of the backups stops a gateway. */
export function pauseName(containerName: string): string {
  return `${containerName}-pause`;
}
