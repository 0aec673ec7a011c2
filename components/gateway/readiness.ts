import type * as pulumi from "@pulumi/pulumi";
import type { OpenClawStandaloneArgs } from "../openClawStandalone";
import { reachable } from "./container";

/** What assets/host/ready.sh needs to know to see whether people reach the dashboard. */
export function readinessVariables(
  args: Pick<
    OpenClawStandaloneArgs,
    "imageKind" | "publishAddresses" | "port" | "basePath" | "readyTimeoutSeconds"
  >,
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
