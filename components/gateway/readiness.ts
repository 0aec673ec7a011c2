import type * as pulumi from "@pulumi/pulumi";
import { secretLeaves } from "../secretTexts";
import { reachable } from "./container";

/** Where a gateway is to answer. */
export interface ReadinessArgs {
  readonly imageKind: "built" | "coollabsio";
  readonly publishAddresses: readonly string[];
  readonly port: number;
  readonly basePath: string;
  readonly readyTimeoutSeconds: number;
  readonly containerName: string;
  /** Address of the organisation's login that people are sent to, if there is one. */
  readonly signOn?: string | undefined;
}

/** What assets/host/ready.sh needs to know to see whether people reach the dashboard. */
export function readinessVariables(
  args: ReadinessArgs,
  login: {
    username: string;
    password: pulumi.Input<string>;
    /** By {@link gatewaySecrets}, one a line. */
    secrets: pulumi.Input<string>;
  },
): Record<string, pulumi.Input<string>> {
  return {
    ADDRESSES: args.publishAddresses.map(reachable).join(" "),
    PORT: args.port.toString(),
    BASE_PATH: args.basePath,
    USERNAME: login.username,
    PASSWORD: login.password,
    HEALTH: args.imageKind === "built" ? "json" : "page",
    TIMEOUT_SECONDS: args.readyTimeoutSeconds.toString(),
    CONTAINER: args.containerName,
    SIGN_ON: args.signOn ?? "",
    SECRETS: login.secrets,
  };
}

/** What a gateway knows and its log must not show: also as JSON writes it, and what contains another one first. */
export function gatewaySecrets(gateway: {
  readonly passwords: readonly string[];
  readonly token: string;
  readonly providerKeys: Readonly<Record<string, string>>;
  readonly openclawConfig: Readonly<Record<string, unknown>>;
}): string[] {
  const { passwords, token, providerKeys, openclawConfig } = gateway;
  const configured = secretLeaves(openclawConfig).map(({ text }) => text);
  const known = [...passwords, token, ...Object.values(providerKeys), ...configured];
  return [...new Set(known.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]))]
    .filter((text) => text.length >= 4 && !text.includes("\n"))
    .sort((one, other) => other.length - one.length);
}
