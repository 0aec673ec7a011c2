import { removeLeftovers } from "./docker";
import type { Project } from "./project";
import { type Provider, startProvider } from "./provider";

/** Settings of a gateway on this machine's Docker whose things are named after one test file, on a port of its own. */
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

/** Sets up a stack, not deployed yet, whose gateway asks a stand-in for a provider, and returns that. */
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
