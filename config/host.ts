import type { HostArgs } from "../components/host";
import type { Settings } from "./index";

/** Name of the stack's host: commands reach it as the program's resources do. */
export const hostName = "host";

/** Returns the server that a stack's settings name, or this machine. */
export function hostArgs({
  host,
  kasmDirectory,
}: Pick<Settings, "host" | "kasmDirectory">): HostArgs {
  return { ...host, kasmDirectory };
}
