import * as pulumi from "@pulumi/pulumi";
import {
  Host,
  KasmNginxRoute,
  KasmWorkspaceRegistration,
  OpenClawImages,
  OpenClawKasmImage,
  OpenClawStandalone,
} from "./components";
import { hostArgs, hostName } from "./config/host";
import { byInstance, instancesOf } from "./config/instances";
import { kasmImageArgs } from "./config/kasmImage";
import { nextSteps as stepsAfter } from "./config/nextSteps";
import { routeArgs, routeUrl } from "./config/route";
import { stackSettings } from "./config/stack";
import { imagesArgs, standaloneArgs } from "./config/standalone";
import { stackTiles } from "./config/tiles";
import { tileResource } from "./config/workspaces";

const settings = stackSettings();
const host = new Host(hostName, hostArgs(settings));

const images = new OpenClawImages("openclaw", imagesArgs(settings, host));

const instances = instancesOf(settings).map((instance) => {
  const { resource, settings: own } = instance;
  const gateway = new OpenClawStandalone(resource, standaloneArgs(own, host, images));
  const route = routeArgs(own);
  const routed =
    route && new KasmNginxRoute(`${resource}-route`, { gateway, ...route }, { dependsOn: gateway });
  return { ...instance, gateway, routed };
});

const image = kasmImageArgs(settings, host);
const desktop = image && new OpenClawKasmImage("openclaw-kasm-image", image);

// A tile appears when what it leads to is there, and goes before that does.
const places = [...instances.flatMap(({ gateway, routed }) => [gateway, routed]), desktop];
const dependsOn = places.filter((each) => each !== undefined);
const tiles = Object.entries(stackTiles(settings, { host, image: desktop?.reference })).map(
  ([name, args]) =>
    [name, new KasmWorkspaceRegistration(tileResource(name), args, { dependsOn })] as const,
);

export const urls = byInstance(instances, ({ gateway }) => gateway.urls);
// Empty texts, because an output without a value is a warning.
export const routedUrl = byInstance(instances, (instance) => routeUrl(instance.settings) ?? "");
export const username = byInstance(instances, ({ gateway }) => gateway.username);
export const password = byInstance(instances, ({ gateway }) => gateway.password);
export const people = byInstance(instances, ({ gateway }) => gateway.people);
export const passwords = byInstance(instances, ({ gateway }) => gateway.passwords);
export const gatewayToken = byInstance(instances, ({ gateway }) => gateway.gatewayToken);
export const providerKeys = Object.keys(settings.providerKeys);
export const containerName = byInstance(instances, (instance) => instance.settings.containerName);
export const containerId = byInstance(instances, ({ gateway }) => gateway.containerId);
export const kasmImage = desktop?.reference ?? "";
export const kasmImageDigest = desktop?.digest ?? "";
export const workspaces = Object.fromEntries(
  tiles.map(([name, { workspaceId, castUrl }]) => [name, { workspaceId, castUrl }]),
);
export const nextSteps = stepsAfter(settings, pulumi.getStack());
