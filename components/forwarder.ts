import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { KasmNginxRouteArgs } from "./kasmNginxRoute";
import { dataPath } from "./gateway/container";
import { forwarderOwner, socketsDirectory } from "./nginxRouteFile";
import { ownLabel } from "./stackLabel";

/** The container between KASM's nginx and a gateway. */
export interface ForwarderArgs {
  /** Its name, and that of its socket. */
  readonly containerName: string;
  /** The gateway, as the network's DNS knows it. */
  readonly host: string;
  /** Port of the dashboard there. */
  readonly port: number;
}

/** The directory that is mounted. KASM's upgrade moves the link `current`, which is followed if it is below the mount. */
function mountedDirectory(sockets: string): string {
  const [base = "", ...rest] = sockets.split("/current/");
  return base !== "" && rest.length > 0 ? base : dirname(sockets);
}

const program = readFileSync(join(__dirname, "../assets/forwarder/forward.mjs"), "utf8");

/** Creates the container: it is on the gateway's network only, and opens no port. */
export function createForwarder(
  name: string,
  args: Pick<KasmNginxRouteArgs, "route" | "directory" | "networkName" | "image" | "forwarder">,
  opts: pulumi.CustomResourceOptions,
): docker.Container {
  const { containerName, host, port } = args.forwarder;
  const sockets = socketsDirectory(args);
  const mounted = mountedDirectory(sockets);
  const socket = `${containerName}.sock`;
  const owner = ownLabel(pulumi.getStack(), containerName);
  return new docker.Container(
    `${name}-forwarder`,
    {
      name: containerName,
      hostname: containerName,
      image: args.image,
      labels: [{ label: owner.key, value: owner.value }],
      entrypoints: ["node"],
      command: [
        ...["--max-old-space-size=64", "--input-type=module", "--eval", program],
        ...[sockets, socket, host, port.toString()],
      ],
      user: forwarderOwner,
      workingDir: "/",
      restart: "unless-stopped",
      init: true,
      networkMode: args.networkName,
      networksAdvanced: [{ name: args.networkName }],
      volumes: [{ hostPath: mounted, containerPath: mounted }],
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
        tests: [
          "CMD-SHELL",
          `cd ${sockets} && curl --disable --noproxy '*' -fsS -o /dev/null --max-time 4 --unix-socket ./${socket} http://localhost/healthz`,
        ],
        interval: "30s",
        timeout: "5s",
        startPeriod: "30s",
        retries: 3,
      },
      logDriver: "json-file",
      logOpts: { "max-size": "1m", "max-file": "2" },
    },
    opts,
  );
}

/** MiB that it may take; at rest it takes about 15 (measured). */
const memoryMb = 128;
