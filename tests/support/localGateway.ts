import { removeLeftovers } from "./docker";
import type { Project } from "./project";
import { type Provider, startProvider } from "./provider";

/** Returns settings of a gateway on this machine's Docker, with names after one test file and a port of its own. */
export function localSettings(prefix: string, port: number) {
  return {
    containerName: prefix,
    networkName: `${prefix}-net`,
    dataVolume: `${prefix}-data`,
    port,
    publishAddresses: ["127.0.0.1"],
    memoryMb: 2048,
  };
}

/** Sets up a stack without deploying it; its gateway uses a stand-in for an AI provider, which is returned. */
export async function setUpStack(
  project: Project,
  openclaw: "light" | "real",
  stack: string,
  settings: { readonly containerName: string; readonly [setting: string]: unknown },
): Promise<Provider> {
  await project.checkout(openclaw);
  await removeLeftovers(settings.containerName, stack);
  const provider = await startProvider();
  const { openclawConfig } = provider;
  project.settings(stack, { ...settings, openclawConfig });
  await project.pulumi("stack", "init", stack);
  await project.setSecret(stack, "providerKeys.ANTHROPIC_API_KEY", "sk-e2e-provider-key-012345");
  return provider;
}
