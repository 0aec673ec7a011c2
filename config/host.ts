import type { HostArgs } from "../components/host";
import { sshFolder } from "../host/sshConfig";
import type { Settings } from "./index";

/** Returns the server that a stack's settings name, or this machine. Commands use the same files of OpenSSH's client. */
export function hostArgs({ host }: Pick<Settings, "host">, stack: string): HostArgs {
  return host === undefined ? {} : { ...host, clientFolder: sshFolder(stack) };
}
