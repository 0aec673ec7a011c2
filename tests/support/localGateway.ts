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

/**
 * Lines for the end of the gateway's Dockerfile with which the gateway does something else than to answer. They are below the
 * steps of the image that runs, so the way back finds those in the build cache.
 * @param deed shell commands in place of `openclaw gateway`
 * @param unless a condition of `test` in which OpenClaw stays whole
 */
export function brokenGateway(deed: string, unless: string): string {
  const script = String.raw`#!/bin/sh\n[ "$1" != gateway ] || { ${deed}; }\nexec /usr/local/bin/whole "$@"\n`;
  return `RUN test ${unless} || { cd /usr/local/bin && mv openclaw whole && printf '${script}' >openclaw && chmod 0755 openclaw; }\n`;
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
