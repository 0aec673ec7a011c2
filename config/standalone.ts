import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { OpenClawImagesArgs } from "../components/openClawImages";
import type { OpenClawStandaloneArgs } from "../components/openClawStandalone";
import type { HostTarget } from "../host/target";
import { openclawConfig } from "./browser";
import { routeUrl } from "./route";
import { tileOrigins } from "./workspaces";
import { buildsImage, imageKind, type Settings } from "./index";

/** The images that a stack's settings ask for. */
export function imagesArgs(settings: Settings, target: HostTarget): OpenClawImagesArgs {
  return {
    target,
    baseImage: settings.baseImage,
    imagesFrom: settings.imagesFrom || undefined,
    gateway: buildsImage(settings)
      ? {
          openclawVersion: settings.openclawVersion,
          packages: settings.packages,
          extraCaFile: stageExtraCa(settings),
        }
      : { reference: settings.gatewayImage },
    withBrowser: settings.browser === "sidecar",
  };
}

/** The gateway that a stack's settings ask for; its secrets are marked as such from here on. */
export function standaloneArgs(
  settings: Settings,
  target: HostTarget,
): Omit<OpenClawStandaloneArgs, "image"> {
  const { dataVolume, directory } = settings;
  const route = routeUrl(settings);
  return {
    ...settings,
    target,
    allowedOrigins: [
      ...settings.allowedOrigins,
      ...(route ? [new URL(route).origin] : []),
      ...tileOrigins(settings),
    ],
    imageKind: imageKind(settings),
    openclawConfig: pulumi.secret(openclawConfig(settings)),
    data: dataVolume ? { volume: dataVolume } : { directory },
    removeData: settings.removeDataOnDestroy,
    password: given(settings.password),
    gatewayToken: given(settings.gatewayToken),
    providerKeys: pulumi.secret(settings.providerKeys as Record<string, string>),
  };
}

function given(secret: string): pulumi.Output<string> | undefined {
  return secret === "" ? undefined : pulumi.secret(secret);
}

/** Where the build finds the extra certificate authorities: one path, so that no machine's own path gets into the state. */
const stagedCaFile = ".build/extra-ca.pem";

/** Puts the extra certificate authorities where builds find them, and gives that path; an empty file where there are none. */
export function stageExtraCa(settings: Settings): string {
  const source = settings.extraCaFile || process.env.NODE_EXTRA_CA_CERTS;
  mkdirSync(dirname(stagedCaFile), { recursive: true });
  if (source) {
    copyFileSync(source, stagedCaFile);
  } else {
    writeFileSync(stagedCaFile, "");
  }
  return stagedCaFile;
}
