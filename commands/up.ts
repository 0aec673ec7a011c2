import { z } from "zod";
import { readinessVariables } from "../components/openClawStandalone";
import { namespace, type Settings } from "../settings";
import { standaloneArgs } from "../settings/standalone";
import { type Deployment, withDeployment } from "./deployment";
import { type Engine, progress, pulumiJson, runPulumi } from "./engine";
import { checkHost } from "./host";
import { checkKasm } from "./kasm";
import { runHostScript } from "./onHost";
import { prepareHost } from "./recovery";
import { UserError } from "./userError";

/** `npm run up`: from nothing to a dashboard that answers. */
export async function up({ stack }: { stack: string }): Promise<void> {
  await withDeployment(stack, async (deployment) => {
    const { ids } = await prepareHost(deployment);
    await checkHost(deployment, ids);
    await checkKasm(deployment);
    await deploy(deployment);
  });
}

/** Brings the stack in line with its settings, looks whether the dashboard answers, and says how to get to it. */
export async function deploy(deployment: Deployment, options: string[] = []): Promise<void> {
  const { engine, stack, settings } = deployment;
  // Refresh, because a plain `up` takes the state's word for it and calls a container that is gone "unchanged".
  const args = ["up", "--yes", "--refresh", "--stack", stack, ...options];
  if ((await runPulumi(engine, args)) !== 0) {
    throw new UserError(
      `The deployment of stack ${stack} failed; what Pulumi says above names the cause.`,
    );
  }
  console.log(summary(stack, settings, await awaitReady(deployment)));
}

const outputsSchema = z.object({
  urls: z.array(z.string()),
  routedUrl: z.string(),
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

/**
 * Looks through the dashboard's door until it answers: a deployment without changes has not looked.
 * @returns the stack's outputs
 * @throws UserError when it does not answer in time
 */
export async function awaitReady({
  engine,
  stack,
  settings,
  target,
}: Deployment): Promise<Outputs> {
  const outputs = await stackOutputs(engine, stack);
  progress("Looking whether the dashboard answers");
  const login = { username: settings.username, password: outputs.password };
  const args = standaloneArgs(settings, target);
  const variables = readinessVariables(args, login) as Record<string, string>;
  const result = await runHostScript(target, { script: "ready.sh", action: "apply", variables });
  if (result.exitCode !== 0) {
    throw new UserError(
      `${result.stderr.trim()}\nSee what it says: docker logs ${settings.containerName}`,
    );
  }
  return outputs;
}

/** What a person needs to know once the dashboard answers. */
export function summary(stack: string, settings: Settings, outputs: Outputs): string {
  const keys = outputs.providerKeys;
  const onServer = settings.host !== undefined;
  const commandOptions = stack === "dev" ? "" : ` --stack ${stack}`;
  return [
    "",
    "OpenClaw is up.",
    ...(outputs.routedUrl ? [`  Dashboard     ${outputs.routedUrl}`] : []),
    ...outputs.urls.map((url) => `  ${onServer ? "On the server" : "Dashboard    "} ${url}`),
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
          `  Each new browser has to be let in once: open the dashboard with the gateway token, then npm run approve${commandOptions && ` --${commandOptions}`}`,
        ]),
    `  npm run down${commandOptions && ` --${commandOptions}`} takes it away again and keeps OpenClaw's data`,
  ].join("\n");
}
