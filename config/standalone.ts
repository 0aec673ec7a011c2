import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../components/host";
import type { OpenClawImagesArgs } from "../components/openClawImages";
import type { KasmPeopleArgs } from "../components/gateway/kasmPeople";
import type { Person } from "../components/gateway/people";
import type { GatewayImages, OpenClawStandaloneArgs } from "../components/openClawStandalone";
import { extraAuthorities, stageExtraCa } from "./authorities";
import { buildsImage, type Settings } from "./index";
import { routeUrl } from "./route";
import { withSecrets } from "./tiles";
import { kasmConnection, tileOrigins } from "./workspaces";

/** Returns the images that a stack's settings ask for. */
export function imagesArgs(settings: Settings, host: Host): OpenClawImagesArgs {
  const { baseImage, imagesFrom, openclawVersion, packages, gatewayImage, browser } = settings;
  return {
    host,
    baseImage,
    imagesFrom: imagesFrom || undefined,
    gateway: buildsImage(settings)
      ? { openclawVersion, packages, extraCaFile: stageExtraCa(settings) }
      : { reference: gatewayImage },
    proxy: settings.buildProxy || undefined,
    withBrowser: browser === "sidecar",
    withOffsite: settings.offsite !== undefined,
    withOidc: settings.oidc !== undefined,
  };
}

/**
 * Returns the gateway that a stack's settings ask for; its secrets are marked as such from here on.
 * @param offsitePassword of the backups off the machine, unless the settings have one
 */
export function standaloneArgs(
  settings: Settings,
  host: Host,
  images: GatewayImages,
  offsitePassword?: pulumi.Output<string>,
): OpenClawStandaloneArgs {
  const { dataVolume, directory, offsite, oidc } = settings;
  const route = routeUrl(settings);
  return {
    ...settings,
    host,
    images,
    allowedOrigins: [
      ...settings.allowedOrigins,
      ...(route ? [new URL(route).origin] : []),
      ...tileOrigins(settings),
    ],
    openPaths: buildsImage(settings) ? settings.openPaths : undefined,
    extraCa: buildsImage(settings) ? extraAuthorities(settings) : undefined,
    networkSubnet: settings.networkSubnet || undefined,
    browser: settings.browser === "sidecar",
    openclawConfig: pulumi.secret(settings.openclawConfig),
    data: dataVolume ? { volume: dataVolume } : { directory },
    removeData: settings.removeDataOnDestroy,
    offsite: offsite && {
      ...offsite,
      accessKey: pulumi.secret(settings.offsiteAccessKey),
      secretKey: pulumi.secret(settings.offsiteSecretKey),
      password: given(settings.offsitePassword) ?? offsitePassword,
    },
    people: Object.keys(settings.people).length > 0 ? peopleArgs(settings) : undefined,
    roles: buildsImage(settings) ? settings.roles : undefined,
    oidc: oidc && { ...oidc, clientSecret: pulumi.secret(settings.oidcClientSecret) },
    kasmPeople: kasmPeopleArgs(settings),
    password: given(settings.password),
    gatewayToken: given(settings.gatewayToken),
    providerKeys: pulumi.secret(settings.providerKeys as Record<string, string>),
  };
}

function peopleArgs({ people }: Settings): Record<string, Person> {
  return Object.fromEntries(
    Object.entries(people).map(([name, { role, password = "" }]) => [
      name,
      { role, password: given(password) },
    ]),
  );
}

function kasmPeopleArgs(settings: Settings): KasmPeopleArgs | undefined {
  const kasm = kasmConnection(settings);
  return settings.kasmGroups.length === 0 || kasm === undefined
    ? undefined
    : { kasm: withSecrets(kasm), groups: settings.kasmGroups };
}

function given(secret: string): pulumi.Output<string> | undefined {
  return secret === "" ? undefined : pulumi.secret(secret);
}
