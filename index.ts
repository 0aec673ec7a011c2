import * as pulumi from "@pulumi/pulumi";
import { dockerProvider } from "./components/dockerProvider";
import { KasmNginxRoute } from "./components/kasmNginxRoute";
import { KasmWorkspaceRegistration } from "./components/kasmWorkspaceRegistration";
import { OpenClawBrowser } from "./components/openClawBrowser";
import { OpenClawImages } from "./components/openClawImages";
import { OpenClawKasmImage } from "./components/openClawKasmImage";
import { OpenClawStandalone } from "./components/openClawStandalone";
import { browserArgs } from "./config/browser";
import { hostTarget } from "./host/sshConfig";
import { byInstance, instancesOf } from "./config/instances";
import { kasmImageArgs } from "./config/kasmImage";
import { nextSteps as stepsAfter } from "./config/nextSteps";
import { routeArgs, routeUrl } from "./config/route";
import { stackSettings } from "./config/stack";
import { imagesArgs, standaloneArgs } from "./config/standalone";
import { stackTiles } from "./config/tiles";
import { tileResource } from "./config/workspaces";

const settings = stackSettings();
// The engine deletes after this program has ended: keys are there for the time of the process that started it.
const target = hostTarget(settings, pulumi.getStack(), process.ppid);

const providers = dockerProvider("host", target);

const images = new OpenClawImages("openclaw", imagesArgs(settings, target), { providers });

const instances = instancesOf(settings).map((instance) => {
  const { resource, settings: own } = instance;
  const args = { ...standaloneArgs(own, target), image: images.gateway };
  const gateway = new OpenClawStandalone(resource, args, { providers });
  const { networkName } = gateway;

  const browser = browserArgs(own, images.browser, networkName);
  if (browser) {
    new OpenClawBrowser(`${resource}-sidecar`, browser, { providers });
  }

  const route = routeArgs(own);
  const routed =
    route &&
    new KasmNginxRoute(
      `${resource}-route`,
      { ...route, target, networkName, image: images.gateway },
      { providers, dependsOn: gateway },
    );
  return { ...instance, gateway, routed };
});

const image = kasmImageArgs(settings, target);
const desktop = image && new OpenClawKasmImage("openclaw-kasm-image", image, { providers });

// A tile appears when what it leads to is there, and goes before that does.
const places = [...instances.flatMap(({ gateway, routed }) => [gateway, routed]), desktop];
const dependsOn = places.filter((each) => each !== undefined);
const surroundings = { stack: pulumi.getStack(), target, image: desktop?.reference };
const tiles = Object.entries(stackTiles(settings, surroundings)).map(
  ([name, args]) =>
    [name, new KasmWorkspaceRegistration(tileResource(name), args, { dependsOn })] as const,
);

export const urls = byInstance(instances, ({ gateway }) => gateway.urls);
// Empty texts, because an output without a value is a warning.
export const routedUrl = byInstance(instances, (instance) => routeUrl(instance.settings) ?? "");
export const username = settings.username;
export const password = byInstance(instances, ({ gateway }) => gateway.password);
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
