import { defaults } from "./defaults";
import type { Host } from "./host";
import type { DesktopArgs } from "./kasmWorkspaceRegistration";

/** Titles of tiles that have none of their own. */
export const titles = {
  browser: "OpenClaw AI Gateway",
  desktop: "OpenClaw Desktop",
  link: "OpenClaw",
} as const;

/** Groups that see tiles which name none, as in KASM itself. */
export const defaultGroups: readonly string[] = ["All Users"];

/** Where KASM keeps each user's home: a directory of the host or an address in a bucket. */
export function profilePath({
  persistentProfilePath,
  host = defaults,
}: Pick<DesktopArgs, "persistentProfilePath"> & {
  readonly host?: Pick<Host, "kasmDirectory"> | undefined;
}): string {
  return persistentProfilePath ?? `${host.kasmDirectory}/profiles/openclaw/{username}`;
}
