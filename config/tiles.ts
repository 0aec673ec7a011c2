import * as pulumi from "@pulumi/pulumi";
import { sessionUrl } from "../components/gateway/container";
import type { Host } from "../components/host";
import type { KasmWorkspaceRegistrationArgs } from "../components/kasmWorkspaceRegistration";
import type { Connection } from "../providers/kasm/transport";
import type { Settings } from "./index";
import { opensSessionHost, routeUrl } from "./route";
import { askedTiles, kasmConnection, sharedDirectory } from "./workspaces";

/** What tiles depend on besides the settings. */
interface Surroundings {
  /** The KASM server. */
  readonly host: Host;
  /** The hosts of its other agents. */
  readonly agents: readonly Host[];
  /** The desktop image that this stack builds, if it does. */
  readonly image: pulumi.Input<string> | undefined;
}

/** All tiles of a stack, by kind, and by instance and kind where each instance has its own. */
export function stackTiles(
  settings: Settings,
  surroundings: Surroundings,
): Record<string, KasmWorkspaceRegistrationArgs> {
  return Object.fromEntries(
    askedTiles(settings).flatMap(({ name, kind, settings: own }) => {
      const args = tileArgs(own, surroundings)[kind];
      return args ? [[name, args] as const] : [];
    }),
  );
}

/** The tiles that the settings ask for, by kind; secrets are marked as such from here on. */
function tileArgs(
  settings: Settings,
  { host, agents, image }: Surroundings,
): Record<string, KasmWorkspaceRegistrationArgs> {
  const connection = kasmConnection(settings);
  if (connection === undefined) {
    return {};
  }
  const kasm = withSecrets(connection);
  const { browser, desktop, link } = settings.workspaces;
  return {
    ...(browser && {
      browser: {
        ...browser,
        kasm,
        kind: "browser",
        host,
        opens: browser.address ?? sessionAddress(settings),
      },
    }),
    ...(desktop && {
      desktop: {
        ...builtImage(settings, image),
        ...desktop,
        kasm,
        kind: "desktop",
        host,
        agents,
        sharedDirectory: sharedDirectory(settings, desktop),
        ...(desktop.allowSecretsInRunConfig
          ? { secretEnvironment: pulumi.secret(settings.providerKeys as Record<string, string>) }
          : {}),
      },
    }),
    ...(link && {
      link: {
        ...link,
        kasm,
        kind: "link",
        opens: link.address ?? routeUrl(settings) ?? "",
      },
    }),
  };
}

/** Marks the secrets of a connection as such. */
export function withSecrets(connection: Connection) {
  const { apiKey, apiSecret } = connection;
  return { ...connection, apiKey: pulumi.secret(apiKey), apiSecret: pulumi.secret(apiSecret) };
}

/** Where KASM's sessions find a gateway: at their own host's address, or by the route if that may be another one. */
function sessionAddress(settings: Settings): string {
  return opensSessionHost(settings) ? sessionUrl(settings) : (routeUrl(settings) ?? "");
}

/** The image that this stack builds, and where agents pull it from if it is pushed. */
function builtImage(
  { kasmImage: { push }, kasmRegistryPassword }: Settings,
  image: pulumi.Input<string> | undefined,
) {
  return {
    ...(image === undefined ? {} : { image }),
    ...(push && {
      dockerRegistry: `https://${push.registry.replace(/\/.*/, "")}`,
      dockerUser: push.username ?? "",
      dockerToken: push.username === undefined ? "" : pulumi.secret(kasmRegistryPassword),
    }),
  };
}
