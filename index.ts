import "./pulumi/promiseTraces";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import {
  Host,
  KasmNginxRoute,
  KasmWorkspaceRegistration,
  OpenClawImages,
  OpenClawKasmImage,
  OpenClawStandalone,
  OverlayNetwork,
} from "./components";
import {
  desktopImageHosts,
  forEachHost,
  hostArgs,
  hostNames,
  hostOf,
  hostResource,
  imageHosts,
  imagesResource,
  kasmHost,
  kasmImageResource,
  overlayArgs,
} from "./config/host";
import { acrossHosts, byInstance } from "./config/instances";
import { kasmImageArgs } from "./config/kasmImage";
import { nextSteps as stepsAfter } from "./config/nextSteps";
import { routeArgs, routeUrl } from "./config/route";
import { stackSettings } from "./config/stack";
import { imagesArgs, standaloneArgs } from "./config/standalone";
import { stackTiles } from "./config/tiles";
import { tileResource } from "./config/workspaces";

const settings = stackSettings();

const hostAt = forEachHost(
  hostNames(settings),
  (name) => new Host(hostResource(name), hostArgs(settings, name)),
);
const placeOf = forEachHost(imageHosts(settings), (name) => {
  const host = hostAt(name);
  return { host, images: new OpenClawImages(imagesResource(name), imagesArgs(settings, host)) };
});
const kasm = placeOf(kasmHost);
const webServers = settings.nginxRoute.webServers.map(placeOf);
const overlay =
  settings.overlay &&
  new OverlayNetwork("openclaw-overlay", overlayArgs(settings.overlay, kasm.host)).networkName;

// One for all gateways: npm run down keeps it in the settings.
const generated =
  settings.offsite && settings.offsitePassword === ""
    ? new random.RandomPassword("openclaw-offsite-password", { length: 48, special: false })
    : undefined;

const instances = acrossHosts(settings).map((instance) => {
  const { name, resource, settings: own } = instance;
  const { host, images } = placeOf(hostOf(settings, name));
  const gateway = new OpenClawStandalone(
    resource,
    standaloneArgs(own, host, images, generated?.result),
  );
  const route = routeArgs(own);
  const routed =
    route &&
    new KasmNginxRoute(
      `${resource}-route`,
      { gateway, kasm, webServers, overlay, ...route },
      { dependsOn: gateway },
    );
  return { ...instance, gateway, routed };
});

const agents = settings.kasmAgents.map(hostAt);
const desktops = desktopImageHosts(settings).map(
  (name) => new OpenClawKasmImage(kasmImageResource(name), kasmImageArgs(settings, hostAt(name))),
);
const [desktop] = desktops;

// A tile appears when what it leads to is there, and goes before that does.
const places = [...instances.flatMap(({ gateway, routed }) => [gateway, routed]), ...desktops];
const dependsOn = places.filter((each) => each !== undefined);
const tiles = Object.entries(
  stackTiles(settings, { host: kasm.host, agents, image: desktop?.reference }),
).map(
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
export const offsitePassword = pulumi.secret(generated?.result ?? settings.offsitePassword);
export const providerKeys = Object.keys(settings.providerKeys);
export const containerName = byInstance(instances, (instance) => instance.settings.containerName);
export const containerId = byInstance(instances, ({ gateway }) => gateway.containerId);
export const kasmImage = desktop?.reference ?? "";
export const kasmImageDigest = desktop?.digest ?? "";
export const workspaces = Object.fromEntries(
  tiles.map(([name, { workspaceId, castUrl }]) => [name, { workspaceId, castUrl }]),
);
export const nextSteps = stepsAfter(settings, pulumi.getStack());
