import type { HostArgs } from "../components/host";
import { sshFolder } from "../host/sshConfig";
import type { Settings } from "./index";

/** Returns the server that a stack's settings name, or this machine. Commands use the same files of OpenSSH's client. */
export function hostArgs(
  { host, kasmDirectory }: Pick<Settings, "host" | "kasmDirectory">,
  stack: string,
): HostArgs {
  return { kasmDirectory, ...(host && { ...host, clientFolder: sshFolder(stack) }) };
}
