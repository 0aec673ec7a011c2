import { $ } from "../../host/shellCommand";
import { baseImageCommand, baseImageName } from "../../components/baseImageCommand";
import { buildsImage } from "../../config";
import type { Deployment } from "../../pulumi/deployment";
import { isInRange } from "./nodeRange";
import { publishedVersion } from "./npmRegistry";
import { dockerOn } from "../../host/run";
import { UserError } from "../../host/userError";
import { progress } from "../../host/terminal";

/** Seconds that the npm registry has to answer. */
const registrySeconds = 30;

/**
 * Checks that a version of OpenClaw exists and runs on the Node of the image that it is to be built into. Nothing is
 * changed but that a base image may be made, which is deleted again if the version is refused.
 * @param imagesFrom time of the rebuild that comes with the upgrade, if one does
 * @throws UserError if the version can't run
 */
export async function checkNode(
  deployment: Deployment,
  version: string,
  imagesFrom: string | undefined,
): Promise<void> {
  // The other image brings a Node of its own.
  if (!buildsImage(deployment.settings)) {
    return;
  }
  const published = await publishedVersion(version, registrySeconds);
  if (published === "missing") {
    throw new UserError(`The npm registry has no OpenClaw ${version}. Nothing has been changed.`);
  }
  if (published === undefined) {
    progress("The npm registry does not answer from here: the image's build checks Node's version");
    return;
  }
  const { node: range } = published;
  if (range === undefined) {
    return;
  }
  const base = await ensureBase(deployment, imagesFrom);
  const node = await nodeOf(deployment, base.name);
  if (node !== undefined && isInRange(node, range) === false) {
    await base.undo();
    throw new UserError(refusal(deployment, { version, range, node, imagesFrom }));
  }
}

function refusal(
  { stack, settings }: Deployment,
  found: { version: string; range: string; node: string; imagesFrom: string | undefined },
): string {
  const { version, range, node, imagesFrom } = found;
  return [
    `OpenClaw ${version} needs Node ${range}, and openclaw:baseImage (${settings.baseImage}) has ${node}. Nothing has been changed.`,
    imagesFrom === undefined
      ? `A newer base image may have it: npm run upgrade -- ${version} --rebuild --stack ${stack}`
      : "Set openclaw:baseImage to an image with such a Node.",
  ].join("\n");
}

/** Makes the base image of the gateway's next image, if the engine does not have it. */
async function ensureBase(
  { target, stack, settings }: Deployment,
  imagesFrom = settings.imagesFrom,
): Promise<{ name: string; undo: () => Promise<void> }> {
  const from = { upstream: settings.baseImage, imagesFrom: imagesFrom || undefined };
  const name = baseImageName("base", stack, from);
  const args = { ...from, target, reference: name };
  const wasThere = (await dockerOn(target, "image", "inspect", name)).exitCode === 0;
  if (!wasThere) {
    progress("Making the base image, to see which Node it has");
    const made = await $({ quiet: true, nothrow: true })`${baseImageCommand(args, "apply")}`;
    if (made.exitCode !== 0) {
      throw new UserError(`The base image can't be made: ${made.stderr.trim()}`);
    }
  }
  return {
    name,
    undo: async () => {
      if (!wasThere) {
        await $({ quiet: true, nothrow: true })`${baseImageCommand(args, "remove")}`;
      }
    },
  };
}

/** Returns the version of Node that an image of Node's, or a base made here, says that it has. */
async function nodeOf({ target }: Deployment, image: string): Promise<string | undefined> {
  const format = ["--format", "{{range .Config.Env}}{{println .}}{{end}}"];
  const { stdout } = await dockerOn(target, "image", "inspect", ...format, image);
  return /^NODE_VERSION=v?(\d+\.\d+\.\d+)$/m.exec(stdout)?.[1];
}
