import * as pulumi from "@pulumi/pulumi";
import { dockerHost, type GatewaySettings, type ImageDemands } from "./container";

/**
 * How `coollabsio/openclaw` wants to be run (reference: its entrypoint and configure script, May 2026).
 * It takes its secrets from the environment only, so `docker inspect` on the host shows them.
 */
export function coollabsioDemands(gateway: GatewaySettings): ImageDemands {
  const envs = pulumi
    .all([
      gateway.password,
      gateway.token,
      gateway.providerKeys,
      pulumi.output(gateway.openclawConfig),
      pulumi.output(gateway.username),
      pulumi.output({ basePath: gateway.basePath, allowedOrigins: gateway.allowedOrigins }),
    ])
    .apply(([password, token, providerKeys, openclawConfig, username, place]) =>
      Object.entries({
        ...providerKeys,
        AUTH_USERNAME: username,
        AUTH_PASSWORD: password,
        OPENCLAW_GATEWAY_TOKEN: token,
        OPENCLAW_CONFIG_JSON: JSON.stringify(managedConfig(place, openclawConfig)),
      })
        .map(([name, value]) => `${name}=${value}`)
        .sort(),
    );
  return {
    // Sorted, as the provider reads both lists back: inputs that differ after a refresh cost a write of the whole state each.
    envs: pulumi.secret(envs),
    // Its nginx does not start while the name `browser` is unknown, even without a browser beside it.
    hosts: [dockerHost, { host: "browser", ip: "127.0.0.1" }],
    // Its own check stays green over a dead gateway; the gateway's start-up probe tells the truth.
    healthcheck: {
      tests: [
        "CMD-SHELL",
        "curl --disable --noproxy '*' -fsS --max-time 4 http://127.0.0.1:18789/startupz | grep -q started",
      ],
      interval: "10s",
      timeout: "5s",
      startPeriod: "2m0s",
      retries: 3,
    },
    // Everything in it runs as root, and its entrypoint sets up other users' files; raw sockets it does not need.
    capabilities: { drops: ["CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW"] },
    securityOpts: ["no-new-privileges:true"],
  };
}

/**
 * The configuration that the image merges last at each start, over what it persisted. `bind` stands here because
 * OPENCLAW_GATEWAY_BIND counts on a volume's first boot only; `trustedProxies` because its own nginx adds forwarded
 * headers and the gateway answers those from strangers with 403.
 */
function managedConfig(
  gateway: { readonly basePath: string; readonly allowedOrigins: readonly string[] },
  more: Record<string, unknown>,
): Record<string, unknown> {
  const { gateway: moreGateway, ...rest } = more as { gateway?: { controlUi?: object } };
  const { controlUi, ...restGateway } = moreGateway ?? {};
  return {
    ...rest,
    gateway: {
      ...restGateway,
      bind: "loopback",
      trustedProxies: ["127.0.0.1", "::1"],
      controlUi: {
        ...controlUi,
        allowedOrigins: gateway.allowedOrigins,
        ...(gateway.basePath ? { basePath: gateway.basePath } : {}),
      },
    },
  };
}
