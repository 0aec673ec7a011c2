import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** The stand-in for an AI provider's API, the one thing in these tests that is not real. */
export interface Provider {
  /** The part of openclaw.json that configures it as OpenClaw's provider. */
  readonly openclawConfig: Record<string, unknown>;
  /** The different keys with which it was asked. */
  keysSeen(): string[];
  stop(): void;
}

/** Starts the stand-in on Docker's bridge, where containers reach it. */
export async function startProvider(host = "172.17.0.1"): Promise<Provider> {
  const server = spawn(process.execPath, ["tests/image/providerStandIn.mjs", "--host", host], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: server.stdout });
  const [first] = (await once(lines, "line")) as [string];
  const { listening } = JSON.parse(first) as { listening: string };
  const keys = new Set<string>();
  lines.on("line", (line) => {
    keys.add((JSON.parse(line) as { key: string }).key);
  });
  return {
    openclawConfig: providerConfig(`http://${listening}`),
    keysSeen: () => [...keys],
    stop: () => server.kill(),
  };
}

function providerConfig(baseUrl: string): Record<string, unknown> {
  const model = {
    id: "stand-in-1",
    name: "Stand-in",
    input: ["text"],
    contextWindow: 200000,
    maxTokens: 4096,
  };
  const standin = {
    baseUrl,
    api: "anthropic-messages",
    apiKey: "${ANTHROPIC_API_KEY}",
    models: [model],
  };
  return {
    agents: { defaults: { model: { primary: `standin/${model.id}` } } },
    models: { providers: { standin } },
  };
}
