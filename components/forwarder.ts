import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Certificates } from "../providers/tls/certificates";
import { dashboardPort, dataPath, replacedIfStopped } from "./gateway/container";
import {
  credentialsFile,
  doorPort,
  forwarderOwner,
  type RouteSpec,
  socketsDirectory,
} from "./nginxRouteFile";
import { ownLabels } from "./ownLabels";

/** The directory that is mounted. KASM's upgrade moves the link `current`, which is followed if it is below the mount. */
function mountedDirectory(sockets: string): string {
  const [base = "", ...rest] = sockets.split("/current/");
  return base !== "" && rest.length > 0 ? base : dirname(sockets);
}

const program = readFileSync(join(__dirname, "../assets/forwarder/forward.mjs"), "utf8");

/** Inputs of {@link createForwarder}. */
export interface ForwarderArgs {
  readonly spec: pulumi.Output<RouteSpec>;
  /** The gateway's network, or for one on another host that by which its door is reached. */
  readonly networkName: pulumi.Input<string>;
  /** Id of an image with Node and curl. */
  readonly image: pulumi.Input<string>;
  /** For a gateway on another host: what it shows to that one's door, and expects of it. */
  readonly tls?: Pick<Certificates, "authority" | "clientCertificate" | "clientKey"> & {
    readonly serverName: pulumi.Input<string>;
  };
}

/** Creates the container between KASM's nginx and a gateway: it is on one network only, and opens no port. */
export function createForwarder(
  name: string,
  { spec, networkName, image, tls }: ForwarderArgs,
  opts: pulumi.CustomResourceOptions,
): docker.Container {
  const containerName = spec.forwarder.containerName;
  return new docker.Container(
    `${name}-forwarder`,
    {
      ...confined(containerName, networkName),
      ...(tls === undefined
        ? { readOnly: true }
        : credentials({
            ca: tls.authority,
            cert: tls.clientCertificate,
            key: tls.clientKey,
            servername: tls.serverName,
          })),
      image,
      command: spec.apply((known) => [
        ...programArguments,
        ...forwarderArguments(known),
        ...(tls === undefined ? [] : [credentialsFile]),
      ]),
      volumes: [
        spec.apply((known) => {
          const mounted = mountedDirectory(socketsDirectory(known));
          return { hostPath: mounted, containerPath: mounted };
        }),
      ],
      healthcheck: healthcheck(
        // The whole way, by a relative name, because the kernel takes no long path for a socket.
        spec.apply(
          (known) =>
            `cd ${socketsDirectory(known)} && ${asks} --unix-socket ./${socketName(known)} http://localhost/healthz`,
        ),
      ),
    },
    { ...opts, ...replacedIfStopped },
  );
}

/** Address and port of the host, the only ones at which a door is open; or an overlay network, and then none of the host's. */
export type DoorPlace =
  | { readonly address: pulumi.Input<string>; readonly port: pulumi.Input<number> }
  | { readonly overlay: pulumi.Input<string> };

/** Inputs of {@link createDoor}. */
interface DoorArgs extends Pick<ForwarderArgs, "networkName" | "image"> {
  /** Name of its container. */
  readonly containerName: pulumi.Input<string>;
  /** Name of the gateway's container. */
  readonly gateway: pulumi.Input<string>;
  /** Where the forwarder reaches it. */
  readonly at: DoorPlace;
  readonly tls: Pick<Certificates, "authority" | "serverCertificate" | "serverKey">;
}

/** Creates the container at a gateway on another host than KASM's that takes the forwarder's connections, and no others. */
export function createDoor(
  name: string,
  { containerName, networkName, image, gateway, at, tls }: DoorArgs,
  opts: pulumi.CustomResourceOptions,
): docker.Container {
  return new docker.Container(
    `${name}-door`,
    {
      ...confined(containerName, networkName),
      ...credentials({ ca: tls.authority, cert: tls.serverCertificate, key: tls.serverKey }),
      image,
      command: pulumi
        .output(gateway)
        .apply((host) => [
          ...programArguments,
          ...["door", doorPort.toString(), host, dashboardPort.toString(), credentialsFile],
        ]),
      ...("overlay" in at
        ? { networksAdvanced: [{ name: networkName }, { name: at.overlay }] }
        : { ports: [{ internal: doorPort, external: at.port, ip: at.address }] }),
      // In place of the image's own, which asks for a gateway in this container.
      healthcheck: healthcheck(
        pulumi.interpolate`${asks} http://${gateway}:${dashboardPort.toString()}/healthz`,
      ),
    },
    { ...opts, ...replacedIfStopped },
  );
}

const asks = "curl --disable --noproxy '*' -fsS -o /dev/null --max-time 4";

/** A check of the way to the gateway. */
function healthcheck(command: pulumi.Input<string>) {
  return {
    tests: ["CMD-SHELL", command],
    interval: "30s",
    timeout: "5s",
    startPeriod: "30s",
    retries: 3,
  };
}

const programArguments = ["--max-old-space-size=64", "--input-type=module", "--eval", program];

/** What both containers are allowed, which is little. */
function confined(containerName: pulumi.Input<string>, networkName: pulumi.Input<string>) {
  return {
    name: containerName,
    hostname: containerName,
    labels: ownLabels(containerName),
    entrypoints: ["node"],
    user: forwarderOwner,
    workingDir: "/",
    restart: "unless-stopped",
    init: true,
    networkMode: networkName,
    networksAdvanced: [{ name: networkName }],
    // The image declares a volume there, and Docker would make one for this container.
    tmpfs: { [dataPath]: "ro,size=4k" },
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    // As the provider reads it back.
    cpus: "1.0",
    memory: memoryMb,
    memorySwap: memoryMb,
    logDriver: "json-file",
    logOpts: { "max-size": "1m", "max-file": "2" },
  } satisfies Partial<docker.ContainerArgs>;
}

/**
 * Puts a certificate and its key into a container before its start, so that `docker inspect` does not show the key. Docker
 * copies nothing into a container with a read-only root; it runs as an account that may write nothing there.
 */
function credentials(texts: Readonly<Record<string, pulumi.Input<string>>>) {
  const content = pulumi.secret(pulumi.jsonStringify(texts));
  return { uploads: [{ file: credentialsFile, content, permissions: "0644" }] };
}

/** MiB that it may take; at rest it takes about 15 (measured). */
const memoryMb = 128;

function forwarderArguments(spec: RouteSpec): string[] {
  const { host, port } = spec.forwarder;
  return [socketsDirectory(spec), socketName(spec), host, port.toString()];
}

function socketName({ forwarder }: RouteSpec): string {
  return `${forwarder.containerName}.sock`;
}
