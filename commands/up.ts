import { z } from "zod";
import { $ } from "zx";
import { readinessVariables } from "../components/openClawStandalone";
import { scriptWith } from "../components/host/shell";
import { namespace, parseSettings, type Settings } from "../settings";
import { standaloneArgs } from "../settings/standalone";
import { ensureDocker } from "./docker";
import { type Engine, openEngine, progress, pulumiJson, runPulumi, selectStack } from "./engine";
import { checkHost } from "./host";
import { readState, recover } from "./recovery";
import { UserError } from "./userError";

/** `npm run up`: from nothing to a dashboard that answers. */
export async function up({ stack }: { stack: string }): Promise<void> {
  const engine = await openEngine();
  await selectStack(engine, stack);
  const settings = await readSettings(engine, stack);
  await ensureDocker();
  await recover(engine, stack);
  await checkHost(settings, (await readState(engine, stack)).ids);
  // Refresh, because a plain `up` takes the state's word for it and calls a container that is gone "unchanged".
  const status = await runPulumi(engine, ["up", "--yes", "--refresh", "--stack", stack]);
  if (status !== 0) {
    throw new UserError(
      `The deployment of stack ${stack} failed; what Pulumi says above names the cause.`,
    );
  }
  const outputs = await stackOutputs(engine, stack);
  await probe(settings, outputs.password);
  console.log(summary(stack, settings, outputs));
}

/** The stack's settings, checked; the same check runs again inside the Pulumi program. */
export async function readSettings(engine: Engine, stack: string): Promise<Settings> {
  const config = configSchema.parse(
    await pulumiJson(engine, ["config", "--show-secrets", "--json", "--stack", stack]),
  );
  const prefix = `${namespace}:`;
  const own = Object.entries(config)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, entry]) => [key.slice(prefix.length), entry] as const);
  return parseSettings({
    values: Object.fromEntries(own.map(([key, { value }]) => [key, value])),
    encrypted: own.filter(([, { secret }]) => secret).map(([key]) => key),
  });
}

const configSchema = z.record(z.string(), z.object({ value: z.string(), secret: z.boolean() }));

const outputsSchema = z.object({
  urls: z.array(z.string()),
  username: z.string(),
  password: z.string(),
  providerKeys: z.array(z.string()),
});
type Outputs = z.output<typeof outputsSchema>;

async function stackOutputs(engine: Engine, stack: string): Promise<Outputs> {
  return outputsSchema.parse(
    await pulumiJson(engine, ["stack", "output", "--json", "--show-secrets", "--stack", stack]),
  );
}

/** Looks through the dashboard's door once more: a deployment without changes has not looked. */
async function probe(settings: Settings, password: string): Promise<void> {
  progress("Looking whether the dashboard answers");
  const login = { username: settings.username, password };
  const variables = readinessVariables(standaloneArgs(settings), login) as Record<string, string>;
  const input = scriptWith("ready.sh", variables);
  const result = await $({ input, quiet: true, nothrow: true })`sh -s -- apply`;
  if (result.exitCode !== 0) {
    throw new UserError(
      `${result.stderr.trim()}\nSee what it says: docker logs ${settings.containerName}`,
    );
  }
}

/** What a person needs to know once the dashboard answers. */
export function summary(stack: string, settings: Settings, outputs: Outputs): string {
  const keys = outputs.providerKeys;
  const commandOptions = stack === "dev" ? "" : ` --stack ${stack}`;
  return [
    "",
    "OpenClaw is up.",
    ...outputs.urls.map((url) => `  Dashboard     ${url}`),
    `  User name     ${outputs.username}`,
    `  Password      npm run pulumi -- stack output password --show-secrets --stack ${stack}`,
    keys.length > 0
      ? `  Provider key  ${keys.join(", ")}`
      : `  Provider key  none yet: OpenClaw can't answer before it has one`,
    "",
    "What next:",
    ...(keys.length > 0
      ? []
      : [
          `  npm run pulumi -- config set --secret --path '${namespace}:providerKeys.ANTHROPIC_API_KEY' --stack ${stack}`,
          `  npm run up${stack === "dev" ? "" : ` -- --stack ${stack}`}`,
        ]),
    ...(settings.gatewayImage === "build"
      ? []
      : [
          "  Each new browser has to be let in once: open the dashboard with the gateway token, then",
          `  docker exec ${settings.containerName} openclaw devices list, and: … openclaw devices approve ID`,
        ]),
    `  npm run down${commandOptions && ` --${commandOptions}`} takes it away again and keeps OpenClaw's data`,
  ].join("\n");
}
