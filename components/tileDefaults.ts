/** Titles of tiles that have none of their own. */
export const titles = {
  browser: "OpenClaw AI Gateway",
  desktop: "OpenClaw Desktop",
  link: "OpenClaw",
} as const;

/** Groups that see tiles which name none, as in KASM itself. */
export const defaultGroups: readonly string[] = ["All Users"];
