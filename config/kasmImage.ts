import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../components/host";
import type { OpenClawKasmImageArgs } from "../components/openClawKasmImage";
import type { Settings } from "./index";
import { extraAuthorities, stageExtraCa } from "./authorities";

/** Returns the KASM desktop image that the settings ask for; its secret is marked as such from here on. */
export function kasmImageArgs(settings: Settings, host: Host): OpenClawKasmImageArgs {
  const { name, baseImage, push } = settings.kasmImage;
  const password = settings.kasmRegistryPassword;
  return {
    host,
    name,
    baseImage,
    nodeImage: settings.baseImage,
    imagesFrom: settings.imagesFrom || undefined,
    openclawVersion: settings.openclawVersion,
    extraCa: extraAuthorities(settings),
    extraCaFile: stageExtraCa(settings),
    proxy: settings.buildProxy || undefined,
    push: push && { ...push, password: password === "" ? undefined : pulumi.secret(password) },
  };
}
