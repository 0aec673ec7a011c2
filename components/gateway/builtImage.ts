import * as pulumi from "@pulumi/pulumi";
import {
  dashboardPort,
  dockerHost,
  type GatewaySettings,
  healthcheck,
  type ImageDemands,
} from "./container";
import { splitConfig } from "./hotConfig";
import { oidcSettings } from "./oidc";

/** Folder inside the image for its two input files (assets/gateway-image/README.md). */
const inputs = "/etc/openclaw-gateway";

/**
 * How the image of assets/gateway-image wants to be run. Its secrets travel as a file that is copied into the
 * container before its start: `docker inspect` and other processes' environments never show them.
 */
export function builtImageDemands(gateway: GatewaySettings): ImageDemands {
  const settings = pulumi.jsonStringify({
    basePath: gateway.basePath,
    allowedOrigins: gateway.allowedOrigins,
    openPaths: gateway.openPaths,
    // These files hold no people and no configuration that a running gateway takes in: a change of them replaces the container.
    waitsForPeople: true,
    ...(gateway.oidc && { oidc: oidcSettings(gateway.oidc) }),
  });
  const secrets = pulumi.jsonStringify({
    gatewayToken: gateway.token,
    providerKeys: gateway.providerKeys,
    ...(gateway.oidc && { oidcClientSecret: gateway.oidc.clientSecret }),
    // Tokens of channels may be in it.
    config: pulumi.output(gateway.openclawConfig).apply((config) => splitConfig(config).cold),
  });
  return {
    uploads: [
      { file: `${inputs}/settings.json`, content: settings, permissions: "0644" },
      { file: `${inputs}/secrets.json`, content: pulumi.secret(secrets), permissions: "0600" },
      ...(gateway.extraCa === undefined
        ? []
        : [{ file: `${inputs}/extra-ca.pem`, content: gateway.extraCa, permissions: "0644" }]),
    ],
    hosts: [dockerHost],
    healthcheck: healthcheck(`http://127.0.0.1:${dashboardPort.toString()}/healthz`, "1m0s"),
    // The supervisor starts as root and hands each service to a user of its own.
    capabilities: {
      drops: ["ALL"],
      adds: ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"],
    },
    securityOpts: ["no-new-privileges:true"],
  };
}
