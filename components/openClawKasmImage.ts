import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { BaseImage } from "./baseImage";
import { baseImageName, type ImagesFrom, packagesOf } from "./baseImageCommand";
import { contextHash } from "./contextHash";
import { HostState } from "../providers/hostState";
import { assetPath } from "./assetPath";
import { defaults } from "./defaults";
import { type Host, onHost, thisMachine } from "./host";
import { extraCa, proxyArgs, useLegacyBuilder } from "./openClawImages";
import { ownLabel } from "./stackLabel";

/** Inputs of {@link OpenClawKasmImage}. */
export interface OpenClawKasmImageArgs {
  /** The machine that builds it and starts sessions from it. @default this machine */
  readonly host?: Host | undefined;
  /** Name of the image, without a tag. @default "openclaw-kasm" */
  readonly name?: string | undefined;
  /**
   * KASM's core image to build on; its tag matches the version of the KASM server.
   * @default kasmweb/core-ubuntu-jammy in the version of the host's KASM
   */
  readonly baseImage?: pulumi.Input<string> | undefined;
  /**
   * Debian image with Node 26 of which Node is taken; made from packages if no registry can be reached.
   * @default "node:26-bookworm-slim"
   */
  readonly nodeImage?: string | undefined;
  /** Time of the last rebuild. */
  readonly imagesFrom?: ImagesFrom;
  /** Version of the npm package openclaw. */
  /** @default "2026.9.6" */
  readonly openclawVersion?: string | undefined;
  /** PEM of certificate authorities that sessions trust beside the usual ones, where the network re-signs TLS. @default none */
  readonly extraCa?: string | undefined;
  /** PEM file with extra certificate authorities that only the build sees. @default none */
  readonly extraCaFile?: string | undefined;
  /** HTTP proxy by which the build gets its packages. @default none */
  readonly proxy?: string | undefined;
  /** Where the image is pushed to, for KASM servers with several agents; only this Docker has it when not given. */
  readonly push?: PushArgs | undefined;
}

/** A registry that all agents of a KASM server can pull from. */
export interface PushArgs {
  /** Host and port, and the path below which the image lies: `registry.example.com/team`. */
  readonly registry: string;
  /** User of the login; none where the registry wants none. */
  readonly username?: string | undefined;
  /** Password of the login; always treated as secret. */
  readonly password?: pulumi.Input<string> | undefined;
}

/**
 * A KASM desktop image in which OpenClaw runs for one user: built on the target's Docker under a tag that is a hash of all it is
 * made from, known there as `latest` too, and pushed to a registry when asked. An image that a session still uses outlives this
 * component, and its removal says so; the registry's copy is for other servers and stays.
 */
export class OpenClawKasmImage extends pulumi.ComponentResource {
  /** What a workspace names: the pushed image, or the one on this Docker. Another one with each change. */
  readonly reference: pulumi.Output<string>;
  /** Id of the image on this Docker. */
  readonly imageId: pulumi.Output<string>;
  /** Digest of the pushed image; none when it is not pushed. */
  readonly digest: pulumi.Output<string> | undefined;

  constructor(
    name: string,
    given: OpenClawKasmImageArgs = {},
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("openclaw:index:OpenClawKasmImage", name, {}, onHost(given.host, opts));
    const args = withDefaults(given);

    const node = this.nodeImage(name, args);
    const built = builtName(args);
    const pushedName = args.push ? pulumi.interpolate`${args.push.registry}/${built}` : "";
    const image = this.image(name, args, built, node);
    const names = this.names(name, args, { image, built, pushedName });
    const pushed = args.push && this.pushed(name, args.push, pushedName, names);

    this.imageId = image.imageId;
    this.digest = pushed?.sha256Digest;
    // Known only once the image can be had under that name.
    this.reference = pushed?.name ?? pulumi.all([names.id, built]).apply(([, known]) => known);
    this.registerOutputs({
      reference: this.reference,
      imageId: this.imageId,
      digest: this.digest,
    });
  }

  private nodeImage(name: string, args: Complete): BaseImage {
    const { host, nodeImage: upstream, imagesFrom } = args;
    return new BaseImage(
      `${name}-node-image`,
      { target: host.target, reference: nodeImageName(args), upstream, imagesFrom },
      { parent: this },
    );
  }

  private image(
    name: string,
    args: Complete,
    built: pulumi.Output<string>,
    node: BaseImage,
  ): docker.RemoteImage {
    const { key, value } = ownLabel(pulumi.getStack(), args.name);
    return new docker.RemoteImage(
      `${name}-image`,
      {
        name: built,
        // A session may use it: the script of `names` removes what can be removed.
        keepLocally: true,
        build: {
          context: assetPath(folder),
          buildArgs: { ...buildArgs(args), ...proxyArgs(args.proxy) },
          labels: { [key]: value },
          ...extraCa(args.extraCaFile),
          useLegacyBuilder,
        },
      },
      { parent: this, dependsOn: [node] },
    );
  }

  private names(name: string, args: Complete, { image, built, pushedName }: Names): HostState {
    const { key, value } = ownLabel(pulumi.getStack(), args.name);
    return new HostState(
      `${name}-names`,
      {
        target: args.host.target,
        script: "kasm-image.sh",
        variables: {
          IMAGE: built,
          LATEST: `${args.name}:latest`,
          PUSHED: pushedName,
          LABEL: `${key}=${value}`,
        },
        expected: "image: there; latest: this one",
        identity: `${args.name}:latest`,
      },
      { parent: this, dependsOn: [image] },
    );
  }

  private pushed(
    name: string,
    push: PushArgs,
    reference: pulumi.Input<string>,
    names: HostState,
  ): docker.RegistryImage {
    const { username, password } = push;
    const login = username !== undefined && password !== undefined;
    return new docker.RegistryImage(
      `${name}-pushed`,
      {
        name: reference,
        // Other servers' sessions are started from it.
        keepRemotely: true,
        ...(login
          ? {
              authConfig: {
                address: registryAddress(push),
                username,
                password: pulumi.secret(password),
              },
            }
          : {}),
      },
      { parent: this, dependsOn: [names], additionalSecretOutputs: ["authConfig"] },
    );
  }
}

/** The image, and its names on the Docker that builds and in the registry, `""` if it is not pushed. */
interface Names {
  readonly image: docker.RemoteImage;
  readonly built: pulumi.Output<string>;
  readonly pushedName: pulumi.Input<string>;
}

const folder = "kasm-image";

/** The arguments with what is not given. */
type Complete = ReturnType<typeof withDefaults>;

function withDefaults(given: OpenClawKasmImageArgs) {
  const host = given.host ?? thisMachine;
  return {
    ...given,
    host,
    name: given.name ?? defaults.kasmImageName,
    baseImage: pulumi.output(
      given.baseImage ?? pulumi.interpolate`kasmweb/core-ubuntu-jammy:${host.kasmVersion}`,
    ),
    nodeImage: given.nodeImage ?? defaults.baseImage,
    openclawVersion: given.openclawVersion ?? defaults.openclawVersion,
  };
}

/** The image of Node under a name that is this component's own, so that its removal affects nothing else. */
function nodeImageName({ nodeImage, imagesFrom }: Complete): string {
  return baseImageName("node", pulumi.getStack(), { upstream: nodeImage, imagesFrom });
}

function buildArgs(args: Complete): pulumi.Output<Record<string, string>> {
  return args.baseImage.apply((baseImage): Record<string, string> => ({
    BASE_IMAGE: baseImage,
    NODE_IMAGE: nodeImageName(args),
    ...packagesOf(args.imagesFrom),
    OPENCLAW_VERSION: args.openclawVersion,
    ...(args.extraCa !== undefined && { EXTRA_CA: args.extraCa }),
  }));
}

/** Name and tag on the Docker that builds: the tag changes with anything that the image is made from. */
function builtName(args: Complete): pulumi.Output<string> {
  return buildArgs(args).apply(
    (known) => `${args.name}:${args.openclawVersion}-${contextHash(assetPath(folder), known)}`,
  );
}

/** What a login to a registry is for, without the path. As Docker itself, the provider is to speak HTTP on loopback. */
function registryAddress({ registry }: PushArgs): string {
  const host = registry.replace(/\/.*/, "");
  return /^(localhost|127\.[\d.]+)(:|$)/.test(host) ? `http://${host}` : host;
}
