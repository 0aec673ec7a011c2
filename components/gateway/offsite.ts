import { readFileSync } from "node:fs";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { assetPath } from "../assetPath";
import { defaults } from "../defaults";
import { ownLabels } from "../ownLabels";
import { noCoreDumps, offsiteName, pauseName, replacedIfStopped } from "./container";
import { offsiteKeys, offsitePaths, offsitePrefix, offsiteSettings } from "./offsiteFiles";

/** Backups of a gateway that are off its machine: where they are, how many are kept and when they are made. */
export interface OffsiteArgs {
  /**
   * Address of a storage that speaks S3, without a path.
   * @example "https://s3.eu-central-1.amazonaws.com"
   */
  readonly endpoint: pulumi.Input<string>;
  /** Name of the bucket; it is created if it does not exist. */
  readonly bucket: pulumi.Input<string>;
  /** Path of the gateway's backups in the bucket. Each gateway needs its own. @default "STACK/CONTAINER" */
  readonly prefix?: pulumi.Input<string> | undefined;
  /** Access key of the storage; treated as secret. */
  readonly accessKey: pulumi.Input<string>;
  /** Secret key of the storage; treated as secret. */
  readonly secretKey: pulumi.Input<string>;
  /**
   * Password that encrypts the backups; treated as secret. Without it they can't be read: keep it elsewhere too.
   * @default 48 generated letters and digits
   */
  readonly password?: pulumi.Input<string> | undefined;
  /** Time of the day in UTC, `HH:MM`. @default "03:00" */
  readonly time?: pulumi.Input<string> | undefined;
  /** For how many days, weeks and months the last backup of each is kept. @default { daily: 7, weekly: 4, monthly: 6 } */
  readonly keep?: pulumi.Input<OffsiteKeep> | undefined;
  /** HTTP proxy by which the storage is reached. @default none */
  readonly proxy?: pulumi.Input<string> | undefined;
}

/** For how many of each the last backup is kept. */
export interface OffsiteKeep {
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** Where both containers mount the directory with the socket by which the gateway is stopped. */
const pausePath = "/run/openclaw-pause";

/** Creates the volume with the socket by which the container of the backups stops the gateway for the time of one. */
export function createPause(
  name: string,
  containerName: pulumi.Output<string>,
  opts: pulumi.CustomResourceOptions,
): docker.types.input.ContainerVolume {
  const volumeName = containerName.apply(pauseName);
  const volume = new docker.Volume(
    `${name}-pause`,
    { name: volumeName, labels: ownLabels(volumeName) },
    opts,
  );
  return { volumeName: volume.name, containerPath: pausePath };
}

/** Inputs of {@link createOffsite}. */
interface OffsiteContainer {
  readonly args: OffsiteArgs;
  /** The password of the backups, given or generated. */
  readonly password: pulumi.Output<string>;
  /** Name of the gateway's container. */
  readonly gateway: pulumi.Output<string>;
  readonly image: pulumi.Input<string>;
  /** The gateway's network, by which it reaches the storage. */
  readonly networkName: pulumi.Input<string>;
  /** The gateway's data, as the gateway mounts it. */
  readonly data: docker.types.input.ContainerVolume;
  readonly pause: docker.types.input.ContainerVolume;
  /** PEM of certificate authorities beside the usual ones. */
  readonly extraCa: pulumi.Input<string> | undefined;
}

/** Creates the container that saves a gateway's data to a storage each day. It has no port and no Docker socket. */
export function createOffsite(
  name: string,
  { args, password, gateway, image, networkName, data, pause, extraCa }: OffsiteContainer,
  opts: pulumi.CustomResourceOptions,
): docker.Container {
  const containerName = gateway.apply(offsiteName);
  const { time = defaults.offsite.time, keep = defaults.offsite.keep, proxy } = args;
  const prefix = args.prefix ?? gateway.apply((known) => offsitePrefix(pulumi.getStack(), known));
  const { endpoint, bucket } = args;
  const stack = pulumi.getStack();
  const settings = pulumi
    .output({ endpoint, bucket, prefix, time, keep, proxy, stack })
    .apply(offsiteSettings);
  const { accessKey, secretKey } = args;
  const keys = pulumi.secret(pulumi.output({ endpoint, accessKey, secretKey }).apply(offsiteKeys));
  const file = (path: string, content: pulumi.Input<string>, permissions = "0644") => ({
    file: path,
    content,
    permissions,
  });
  return new docker.Container(
    `${name}-offsite`,
    {
      name: containerName,
      hostname: containerName,
      image,
      labels: ownLabels(containerName),
      restart: "unless-stopped",
      init: true,
      networkMode: networkName,
      networksAdvanced: [{ name: networkName }],
      volumes: [{ ...data, containerPath: "/backup/data", readOnly: true }, pause],
      uploads: [
        file(offsitePaths.settings, settings),
        file(offsitePaths.password, password, "0600"),
        file(offsitePaths.keys, keys, "0600"),
        ...(extraCa === undefined ? [] : [file(offsitePaths.authorities, extraCa)]),
        ...["data.sh", "databases.mjs"].map((program) =>
          file(
            `/usr/local/lib/offsite/${program}`,
            readFileSync(`${assetPath("data-container")}/${program}`, "utf8"),
          ),
        ),
      ],
      // Root without it could not read what the gateway keeps to itself.
      capabilities: { drops: ["ALL"], adds: ["CAP_DAC_OVERRIDE"] },
      securityOpts: ["no-new-privileges:true"],
      // As the provider reads it back.
      cpus: defaults.offsite.cpus.toFixed(1),
      memory: defaults.offsite.memoryMb,
      memorySwap: defaults.offsite.memoryMb,
      ulimits: noCoreDumps,
      logDriver: "json-file",
      logOpts: { "max-size": "1m", "max-file": "2" },
    },
    { ...opts, ...replacedIfStopped },
  );
}
