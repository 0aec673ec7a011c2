/** How the marker of every stack's workspaces starts. */
export const markerStart = "managed by openclaw-kasm: ";

/** The line in a workspace's notes by which a stack knows its own, and admins see its owner. */
export function marker(stack: string, name: string): string {
  return `${markerStart}${stack}/${name}`;
}

/** The name of a cast config, by which a stack knows its own in the same way. */
export function castConfigName(stack: string, name: string): string {
  return `openclaw-kasm: ${stack}/${name}`;
}
