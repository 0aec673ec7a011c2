import * as pulumi from "@pulumi/pulumi";
import { dockerProvider } from "./components/host/target";
import { KasmNginxRoute } from "./components/kasmNginxRoute";
import { KasmWorkspaceRegistration } from "./components/kasmWorkspaceRegistration";
import { OpenClawKasmImage } from "./components/openClawKasmImage";
import { OpenClawStandalone } from "./components/openClawStandalone";
import { hostTarget } from "./settings/host";
import { kasmImageArgs } from "./settings/kasmImage";
import { routeArgs, routeUrl } from "./settings/route";
import { stackSettings } from "./settings/stack";
import { standaloneArgs } from "./settings/standalone";
import { tileArgs } from "./settings/workspaces";

const settings = stackSettings();
const target = hostTarget(settings, pulumi.getStack());

const providers = dockerProvider("host", target);

const gateway = new OpenClawStandalone("openclaw", standaloneArgs(settings, target), { providers });

const route = routeArgs(settings);
const { networkName } = gateway;
const routed =
  route &&
  new KasmNginxRoute("openclaw-route", { ...route, target, networkName }, { dependsOn: gateway });

const image = kasmImageArgs(settings, target);
const desktop = image && new OpenClawKasmImage("openclaw-kasm-image", image, { providers });

// A tile appears when what it leads to is there, and goes before that does.
const dependsOn = [gateway, routed, desktop].filter((each) => each !== undefined);
const surroundings = { stack: pulumi.getStack(), target, image: desktop?.reference };
const tiles = Object.entries(tileArgs(settings, surroundings)).map(
  ([kind, args]) =>
    [kind, new KasmWorkspaceRegistration(`openclaw-${kind}`, args, { dependsOn })] as const,
);

export const urls = gateway.urls;
// Empty texts, because an output without a value is a warning.
export const routedUrl = routeUrl(settings) ?? "";
export const username = settings.username;
export const password = gateway.password;
export const gatewayToken = gateway.gatewayToken;
export const providerKeys = Object.keys(settings.providerKeys);
export const containerName = settings.containerName;
export const containerId = gateway.containerId;
export const kasmImage = desktop?.reference ?? "";
export const kasmImageDigest = desktop?.digest ?? "";
export const workspaces = Object.fromEntries(
  tiles.map(([kind, { workspaceId, castUrl }]) => [kind, { workspaceId, castUrl }]),
);
