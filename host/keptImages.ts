import type { HostTarget } from "./target";
import { dockerOn } from "./run";

interface Stack {
  readonly target: HostTarget;
  readonly stack: string;
}

const keptName = (stack: string) => `openclaw-kasm/kept-${stack}`;

/**
 * Gives images a second name until {@link forgetKeptImages}: the engine deletes the first once there is another image, and
 * the way back needs it. Images that do not exist are left out.
 * @param bases names of base images; under the second name, assets/base-image finds them by their tag
 * @param containers names of containers; their images are kept
 */
export async function keepImages(
  { target, stack }: Stack,
  bases: readonly string[],
  containers: readonly string[],
): Promise<void> {
  for (const base of bases) {
    await dockerOn(target, "tag", base, `${keptName(stack)}:${base.replace(/.*:/, "")}`);
  }
  for (const container of containers) {
    const format = ["--format", "{{.Image}}"];
    const { stdout } = await dockerOn(target, "container", "inspect", ...format, container);
    const [, id = ""] = /^sha256:([0-9a-f]{12})/.exec(stdout) ?? [];
    if (id !== "") {
      await dockerOn(target, "tag", stdout.trim(), `${keptName(stack)}:image-${id}`);
    }
  }
}

/** Deletes the second names, and the images of which they are the last. */
export async function forgetKeptImages({ target, stack }: Stack): Promise<void> {
  const filter = ["--filter", `reference=${keptName(stack)}`];
  const format = ["--format", "{{.Repository}}:{{.Tag}}"];
  const { stdout } = await dockerOn(target, "image", "ls", ...filter, ...format);
  const names = stdout.split("\n").filter((name) => name !== "");
  if (names.length > 0) {
    await dockerOn(target, "image", "rm", ...names);
  }
}
