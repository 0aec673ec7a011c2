import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { BaseImage } from "./baseImage";
import { baseImageName, type ImagesFrom, packagesOf } from "./baseImageCommand";
import { contextHash } from "./contextHash";
import { assetPath } from "./assetPath";
import { defaults } from "./defaults";
import { oidcPackage } from "./gateway/oidc";
import { type Host, onHost, thisMachine } from "./host";

/** Inputs of {@link OpenClawImages}. */
export interface OpenClawImagesArgs {
  /** The machine that gets the images. @default this machine */
  readonly host?: Host | undefined;
  /**
   * Debian image with Node 26 to build on; made from packages if no registry can be reached.
   * @default "node:26-bookworm-slim"
   */
  readonly baseImage?: string | undefined;
  /** Time of the last rebuild of what is built here. */
  readonly imagesFrom?: ImagesFrom;
  /** The gateway's image: built from npm `openclaw`, or a published `coollabsio/openclaw`. @default built */
  readonly gateway?: BuiltImage | PublishedImage | undefined;
  /**
   * HTTP proxy by which builds get their packages; pulls take the one of Docker's daemon. It gets into no image.
   * @default none
   * @example "http://proxy.example.com:3128"
   */
  readonly proxy?: string | undefined;
  /** Whether gateways have a browser sidecar. @default false */
  readonly withBrowser?: boolean | undefined;
  /** Whether gateways have an organisation's login, by OpenID Connect. @default false */
  readonly withOidc?: boolean | undefined;
  /** Whether gateways have backups that are off their machine. @default false */
  readonly withOffsite?: boolean | undefined;
}

/** An image that is made on the target's Docker. */
export interface BuiltImage {
  /** Version of the npm package. @default "2026.9.6" */
  readonly openclawVersion?: string | undefined;
  /** Debian packages beside those that the gateway needs. @default [] */
  readonly packages?: readonly string[] | undefined;
  /** PEM file with extra certificate authorities that only the build sees. @default none */
  readonly extraCaFile?: string | undefined;
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
  /** Id of the image that makes backups off the machine; nothing without such. */
  readonly offsite: pulumi.Output<string> | undefined;
  /** Whether the gateway's image can have an organisation's login. */
  readonly hasOidc: boolean;
  /** What the gateway's image is: built here, or `coollabsio/openclaw`. */
  readonly kind: "built" | "coollabsio";

  constructor(name: string, args: OpenClawImagesArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("openclaw:index:OpenClawImages", name, {}, onHost(args.host, opts));

    this.kind = isPublished(args.gateway) ? "coollabsio" : "built";
    this.hasOidc = args.withOidc === true && this.kind === "built";
    const needsBase =
      args.withBrowser === true || args.withOffsite === true || this.kind === "built";
    const dependsOn = needsBase ? [this.base(name, args)] : [];
    const image = (kind: string, inputs: docker.RemoteImageArgs) =>
      new docker.RemoteImage(`${name}-${kind}`, inputs, { ...this.child(), dependsOn }).imageId;

    this.gateway = image("image", gatewayImage(args));
    this.browser = args.withBrowser
      ? image("browser-image", imageBeside("browser", args))
      : undefined;
    this.offsite = args.withOffsite
      ? image("offsite-image", imageBeside("offsite", args))
      : undefined;
    this.registerOutputs({ gateway: this.gateway, browser: this.browser, offsite: this.offsite });
  }

  private base(name: string, args: OpenClawImagesArgs): BaseImage {
    const { host = thisMachine, imagesFrom } = args;
    return new BaseImage(
      `${name}-base-image`,
      { target: host.target, reference: baseName(args), upstream: upstreamOf(args), imagesFrom },
      { parent: this },
    );
  }

  /** The gateway's component had the images once: stacks of that time keep theirs. */
  private child(): pulumi.CustomResourceOptions {
    const former = pulumi.createUrn("openclaw", "openclaw:index:OpenClawStandalone");
    return { parent: this, aliases: [{ parent: former }] };
  }
}

function isPublished(gateway: OpenClawImagesArgs["gateway"]): gateway is PublishedImage {
  return gateway !== undefined && "reference" in gateway;
}

function upstreamOf({ baseImage = defaults.baseImage }: OpenClawImagesArgs): string {
  return baseImage;
}

function baseName(args: OpenClawImagesArgs): string {
  const { imagesFrom } = args;
  return baseImageName("base", pulumi.getStack(), { upstream: upstreamOf(args), imagesFrom });
}

function gatewayImage(args: OpenClawImagesArgs): docker.RemoteImageArgs {
  const { gateway, imagesFrom } = args;
  if (isPublished(gateway)) {
    return { name: gateway.reference };
  }
  const { openclawVersion = defaults.openclawVersion, extraCaFile } = gateway ?? {};
  const packages = [...(gateway?.packages ?? []), ...(args.withOidc ? [oidcPackage] : [])];
  const context = assetPath("gateway-image");
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
      buildArgs: { ...buildArgs, ...proxyArgs(args.proxy) },
      ...extraCa(extraCaFile),
      useLegacyBuilder,
    },
  };
}

/** The image of a container beside a gateway. */
function imageBeside(
  kind: "browser" | "offsite",
  args: OpenClawImagesArgs,
): docker.RemoteImageArgs {
  const context = assetPath(`${kind}-image`);
  const buildArgs = { BASE_IMAGE: baseName(args), ...packagesOf(args.imagesFrom) };
  return {
    name: `openclaw-kasm/${kind}-${pulumi.getStack()}:${contextHash(context, buildArgs)}`,
    build: { context, buildArgs: { ...buildArgs, ...proxyArgs(args.proxy) }, useLegacyBuilder },
  };
}

/**
 * BuildKit by the engine's own interface. The other way, buildx, builds on this machine's engine whatever host the
 * provider is told.
 */
export const useLegacyBuilder = true;

/** Returns the build arguments that Docker knows without a declaration, and keeps out of images. No local address is asked there. */
export function proxyArgs(proxy: string | undefined): Record<string, string> {
  if (proxy === undefined) {
    return {};
  }
  const direct = "localhost,127.0.0.1,::1";
  return {
    ...{ http_proxy: proxy, https_proxy: proxy, no_proxy: direct },
    ...{ HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: direct },
  };
}

/** The file as a secret of a build; an image is built without one too. */
export function extraCa(
  file: string | undefined,
): Pick<docker.types.input.RemoteImageBuild, "secrets"> {
  return file === undefined ? {} : { secrets: [{ id: "extra_ca", src: file }] };
}
