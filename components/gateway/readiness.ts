import type * as pulumi from "@pulumi/pulumi";
import { reachable } from "./container";

/** What of a gateway decides where and how it answers. */
export interface ReadinessArgs {
  readonly imageKind: "built" | "coollabsio";
  readonly publishAddresses: readonly string[];
  readonly port: number;
  readonly basePath: string;
  readonly readyTimeoutSeconds: number;
}

/** What assets/host/ready.sh needs to know to see whether people reach the dashboard. */
export function readinessVariables(
  args: ReadinessArgs,
  login: { username: string; password: pulumi.Input<string> },
): Record<string, pulumi.Input<string>> {
  return {
    ADDRESSES: args.publishAddresses.map(reachable).join(" "),
    PORT: args.port.toString(),
    BASE_PATH: args.basePath,
    USERNAME: login.username,
    PASSWORD: login.password,
    HEALTH: args.imageKind === "built" ? "json" : "page",
    TIMEOUT_SECONDS: args.readyTimeoutSeconds.toString(),
  };
}
