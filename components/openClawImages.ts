import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { BaseImage, baseImageName, type ImagesFrom, packagesOf } from "./baseImage";
import { contextHash } from "./contextHash";
import type { HostTarget } from "../host/target";

/** Inputs of {@link OpenClawImages}. */
export interface OpenClawImagesArgs {
  /** The machine whose Docker has the images; Docker's provider comes by the component's options. */
  readonly target: HostTarget;
  /** Debian image with Node 26 to build on; made from packages where no registry is within reach. */
  readonly baseImage: string;
  /** Time of the last rebuild of what is built here. */
  readonly imagesFrom?: ImagesFrom;
  /** The gateway's image: built here from npm `openclaw`, or a published `coollabsio/openclaw`. */
  readonly gateway: BuiltImage | PublishedImage;
  /** Whether there are gateways with a browser beside them. */
  readonly withBrowser: boolean;
}

/** An image that is made on the target's Docker. */
export interface BuiltImage {
  readonly openclawVersion: string;
  /** Debian packages beside those that the gateway needs. */
  readonly packages: readonly string[];
  /** PEM file with extra certificate authorities that only the build sees. */
  readonly extraCaFile: string;
}

/** An image that is pulled. */
export interface PublishedImage {
  /** A pinned reference of `coollabsio/openclaw`. */
  readonly reference: string;
}

/** The images that a stack's containers are made from: each once, however many gateways there are. */
export class OpenClawImages extends pulumi.ComponentResource {
  /** Id of the gateway's image. */
  readonly gateway: pulumi.Output<string>;
  /** Id of the browser's image; nothing without browsers. */
  readonly browser: pulumi.Output<string> | undefined;

  constructor(name: string, args: OpenClawImagesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("openclaw:index:OpenClawImages", name, {}, opts);

    const needsBase = args.withBrowser || !("reference" in args.gateway);
    const dependsOn = needsBase ? [this.base(name, args)] : [];
    const image = (kind: string, inputs: docker.RemoteImageArgs) =>
      new docker.RemoteImage(`${name}-${kind}`, inputs, { ...this.child(), dependsOn }).imageId;

    this.gateway = image("image", gatewayImage(args));
    this.browser = args.withBrowser ? image("browser-image", browserImage(args)) : undefined;
    this.registerOutputs({ gateway: this.gateway, browser: this.browser });
  }

  private base(name: string, args: OpenClawImagesArgs): BaseImage {
    const { target, baseImage, imagesFrom } = args;
    return new BaseImage(
      `${name}-base-image`,
      { target, reference: baseName(args), upstream: baseImage, imagesFrom },
      { parent: this },
    );
  }

  /** The gateway's component had the images once: stacks of that time keep theirs. */
  private child(): pulumi.CustomResourceOptions {
    const former = pulumi.createUrn("openclaw", "openclaw:index:OpenClawStandalone");
    return { parent: this, aliases: [{ parent: former }] };
  }
}

function baseName({ baseImage, imagesFrom }: OpenClawImagesArgs): string {
  return baseImageName("base", pulumi.getStack(), { upstream: baseImage, imagesFrom });
}

function gatewayImage(args: OpenClawImagesArgs): docker.RemoteImageArgs {
  const { gateway, imagesFrom } = args;
  if ("reference" in gateway) {
    return { name: gateway.reference };
  }
  const { openclawVersion, packages, extraCaFile } = gateway;
  const context = "assets/gateway-image";
  const buildArgs = {
    BASE_IMAGE: baseName(args),
    ...packagesOf(imagesFrom),
    OPENCLAW_VERSION: openclawVersion,
    ...(packages.length > 0 && { EXTRA_PACKAGES: packages.join(" ") }),
  };
  return {
    name: `openclaw-kasm/gateway-${pulumi.getStack()}:${openclawVersion}-${contextHash(context, buildArgs)}`,
    build: {
      context,
      buildArgs,
      secrets: [{ id: "extra_ca", src: extraCaFile }],
      useLegacyBuilder,
    },
  };
}

function browserImage(args: OpenClawImagesArgs): docker.RemoteImageArgs {
  const context = "assets/browser-image";
  const buildArgs = { BASE_IMAGE: baseName(args), ...packagesOf(args.imagesFrom) };
  return {
    name: `openclaw-kasm/browser-${pulumi.getStack()}:${contextHash(context, buildArgs)}`,
    build: { context, buildArgs, useLegacyBuilder },
  };
}

/**
 * BuildKit by the engine's own interface. The other way, buildx, builds on this machine's engine whatever host the
 * provider is told.
 */
const useLegacyBuilder = true;
