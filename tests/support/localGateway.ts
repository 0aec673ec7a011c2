import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeLeftovers } from "./docker";
import type { Finished, Project } from "./project";
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
 * Runs a command with a Dockerfile by which the gateway does something else than to answer, and a short time limit; both are as
 * before afterwards. What is added is below the steps of the image that runs, so the way back finds those in the build cache.
 * @param broken.deed shell commands in place of `openclaw gateway`
 * @param broken.unless a condition of `test` in which OpenClaw stays whole
 */
export async function runBroken(
  project: Project,
  stack: string,
  { deed, unless }: { readonly deed: string; readonly unless: string },
  ...command: string[]
): Promise<Finished> {
  const dockerfile = join(project.folder, "assets/gateway-image/Dockerfile");
  const whole = readFileSync(dockerfile, "utf8");
  const script = String.raw`#!/bin/sh\n[ "$1" != gateway ] || { ${deed}; }\nexec /usr/local/bin/whole "$@"\n`;
  const broken = `RUN test ${unless} || { cd /usr/local/bin && mv openclaw whole && printf '${script}' >openclaw && chmod 0755 openclaw; }`;
  writeFileSync(dockerfile, `${whole}${broken}\n`);
  await project.setTimeLimit(stack, 10);
  const end = await project.run(...command, "--stack", stack);
  writeFileSync(dockerfile, whole);
  await project.setTimeLimit(stack, 180);
  return end;
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
