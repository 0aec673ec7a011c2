import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import type { HostTarget } from "../host/target";

/** The provider by which Docker resources are made on the target; none for this machine, where the default one does. */
export function dockerProvider(name: string, { ssh }: HostTarget): pulumi.ProviderResource[] {
  if (ssh === undefined) {
    return [];
  }
  return [
    new docker.Provider(name, {
      host: `ssh://${ssh.alias}`,
      sshOpts: ["-F", ssh.configFile],
    }),
  ];
}
