import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { dataPath, replacedIfStopped } from "./gateway/container";
import { forwarderOwner, type RouteSpec, socketsDirectory } from "./nginxRouteFile";
import { ownLabels } from "./ownLabels";

/** The directory that is mounted. KASM's upgrade moves the link `current`, which is followed if it is below the mount. */
function mountedDirectory(sockets: string): string {
  const [base = "", ...rest] = sockets.split("/current/");
  return base !== "" && rest.length > 0 ? base : dirname(sockets);
}

const program = readFileSync(join(__dirname, "../assets/forwarder/forward.mjs"), "utf8");

/** Inputs of {@link createForwarder}. */
interface ForwarderArgs {
  readonly spec: pulumi.Output<RouteSpec>;
  /** The gateway's network. */
  readonly networkName: pulumi.Input<string>;
  /** Id of an image with Node and curl. */
  readonly image: pulumi.Input<string>;
}

/** Creates the container between KASM's nginx and a gateway: it is on the gateway's network only, and opens no port. */
export function createForwarder(
  name: string,
  { spec, networkName, image }: ForwarderArgs,
  opts: pulumi.CustomResourceOptions,
): docker.Container {
  const containerName = spec.forwarder.containerName;
  return new docker.Container(
    `${name}-forwarder`,
    {
      name: containerName,
      hostname: containerName,
      image,
      labels: ownLabels(containerName),
      entrypoints: ["node"],
      command: spec.apply((known) => [
        ...["--max-old-space-size=64", "--input-type=module", "--eval", program],
        ...forwarderArguments(known),
      ]),
      user: forwarderOwner,
      workingDir: "/",
      restart: "unless-stopped",
      init: true,
      networkMode: networkName,
      networksAdvanced: [{ name: networkName }],
      volumes: [
        spec.apply((known) => {
          const mounted = mountedDirectory(socketsDirectory(known));
          return { hostPath: mounted, containerPath: mounted };
        }),
      ],
      // The image declares a volume there, and Docker would make one for this container.
      tmpfs: { [dataPath]: "ro,size=4k" },
      readOnly: true,
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges:true"],
      // As the provider reads it back.
      cpus: "1.0",
      memory: memoryMb,
      memorySwap: memoryMb,
      healthcheck: {
        // The whole way, by a relative name, because the kernel takes no long path for a socket.
        tests: spec.apply((known) => [
          "CMD-SHELL",
          `cd ${socketsDirectory(known)} && curl --disable --noproxy '*' -fsS -o /dev/null --max-time 4 --unix-socket ./${socketName(known)} http://localhost/healthz`,
        ]),
        interval: "30s",
        timeout: "5s",
        startPeriod: "30s",
        retries: 3,
      },
      logDriver: "json-file",
      logOpts: { "max-size": "1m", "max-file": "2" },
    },
    { ...opts, ...replacedIfStopped },
  );
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
