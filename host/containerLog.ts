import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { HostTarget } from "./target";
import { printable } from "./printable";
import { dockerOn } from "./run";

/** A container with a log that is to outlive it. */
export interface LoggedContainer {
  readonly target: HostTarget;
  /** Its name. */
  readonly container: string;
  /** Id of the image that it ran before: while it still does, its log tells nothing new. */
  readonly image: string;
}

/**
 * Writes the log of a container that is about to be replaced to a file that only this user can read, without secrets and
 * without what a terminal would obey.
 * @returns whether there is such a file
 */
export async function keepLog(
  { target, container, image }: LoggedContainer,
  file: string,
  secrets: readonly string[],
): Promise<boolean> {
  const found = await dockerOn(target, "container", "inspect", "--format", "{{.Image}}", container);
  if (found.exitCode !== 0 || found.stdout.trim() === image) {
    return false;
  }
  const { stdall } = await dockerOn(target, "logs", "--timestamps", "--tail", "5000", container);
  const clean = secrets.reduce((text, secret) => text.replaceAll(secret, "[secret]"), stdall);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, printable(clean), { mode: 0o600, flag: "wx" });
  return true;
}
