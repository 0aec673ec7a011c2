import { OpenClawStandalone } from "./components/openClawStandalone";
import { standaloneArgs } from "./settings/standalone";
import { stackSettings } from "./settings/stack";

const settings = stackSettings();
const gateway = new OpenClawStandalone("openclaw", standaloneArgs(settings));

export const urls = gateway.urls;
export const username = settings.username;
export const password = gateway.password;
export const gatewayToken = gateway.gatewayToken;
export const providerKeys = Object.keys(settings.providerKeys);
export const containerName = settings.containerName;
