import type * as pulumi from "@pulumi/pulumi";
import { assetPath } from "./assetPath";
import { contextHash } from "./contextHash";
import { words } from "../host/shell";
import { type HostTarget, onTarget } from "../host/target";

const folder = "base-image";

/** Inputs of a BaseImage. */
export interface BaseImageArgs {
  /** The machine with the Docker that has it. */
  readonly target: pulumi.Input<HostTarget>;
  /** Name and tag that it gets, by {@link baseImageName}. */
  readonly reference: string;
  /** Debian image with Node 26 that it is; made from packages where no registry is within reach. */
  readonly upstream: string;
  /** Time of the last rebuild; see {@link ImagesFrom}. */
  readonly imagesFrom?: ImagesFrom;
}

/**
 * Time from which on an image's packages are: it is part of each tag and of each build, so that another time makes all of
 * the images anew, on the packages of that day. Nothing for images that were never rebuilt.
 */
export type ImagesFrom = string | undefined;

/** The command line that makes, checks or deletes a base image. */
export function baseImageCommand(
  { target, reference, upstream, imagesFrom }: BaseImageArgs & { readonly target: HostTarget },
  action: "apply" | "look" | "remove",
): string[] {
  const [script, ...args] = {
    apply: ["ensure.sh", reference, upstream, ...(imagesFrom ? [imagesFrom] : [])] as const,
    look: ["look.sh", reference] as const,
    remove: ["remove.sh", reference] as const,
  }[action];
  // A command line for a shell: the options of ssh have words with spaces.
  const docker = target.ssh ? `${words(onTarget(target, []))} docker` : "docker";
  return ["env", `DOCKER_COMMAND=${docker}`, `${assetPath(folder)}/${script}`, ...args];
}

/** Returns the name of a stack's image for a use. Its tag changes with all that the image is made from, and with nothing else. */
export function baseImageName(
  use: "base" | "node",
  stack: string,
  { upstream, imagesFrom }: Pick<BaseImageArgs, "upstream" | "imagesFrom">,
): string {
  return `openclaw-kasm/${use}-${stack}:${contextHash(assetPath(folder), { upstream, ...(imagesFrom && { imagesFrom }) })}`;
}

/** Returns the build argument that has an image's packages installed anew after a rebuild. */
export function packagesOf(imagesFrom: ImagesFrom): Record<string, string> {
  return imagesFrom ? { IMAGES_FROM: imagesFrom } : {};
}
