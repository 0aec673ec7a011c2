import { z } from "zod";
import { gatewaySecrets, readinessVariables } from "../components/gateway/readiness";
import { imageKind } from "../config";
import type { Instance } from "../config/instances";
import { nextSteps } from "../config/nextSteps";
import { peopleText } from "../config/people";
import {
  type Deployment,
  gatewaysOf,
  onHostOf,
  onHosts,
  withDeployment,
} from "../pulumi/deployment";
import { pulumiJson, runPulumi } from "../pulumi/engine";
import { exclusions } from "../pulumi/exclusions";
import { checkBeforeDocker, checkHost } from "./preflight/host";
import { checkKasm } from "./preflight/kasm";
import { withHostLocks } from "../host/lock";
import { outputsOf } from "./instance";
import { removeStrays } from "./placement/strays";
import { reachProblems } from "./reach/reach";
import { runHostScript } from "../host/run";
import { prepareHost } from "../pulumi/recovery";
import { keepOffsitePassword } from "./backup/offsitePassword";
import { UserError } from "../host/userError";
import { progress, say } from "../host/terminal";

interface UpOptions {
  readonly stack: string;
  /** Folder of a policy pack. */
  readonly policyPack?: string;
  /** Names of hosts that stay as they are. */
  readonly without?: readonly string[];
}

/** `npm run up`: from nothing to a dashboard that answers. */
export async function up({ stack, policyPack, without = [] }: UpOptions): Promise<void> {
  await withDeployment(stack, async (opened) => {
    const deployment = { ...opened, leftOut: without };
    const options = [
      ...(policyPack === undefined ? [] : ["--policy-pack", policyPack]),
      ...exclusions(deployment.settings, without),
    ];
    if (!deployment.target.ssh) {
      await checkBeforeDocker(deployment);
    }
    const state = await prepareHost(deployment);
    await checkHost(deployment, state.ids);
    await checkKasm(deployment);
    await withHostLocks(onHosts(deployment), "up", async () => {
      await removeStrays(deployment, state);
      if (deployment.settings.offsite === undefined) {
        await keepOffsitePassword(deployment, state);
      }
      const gateways = await bringUp(deployment, options);
      await requireReached(deployment, gateways);
      say(summary(deployment, gateways));
    });
  });
}

/**
 * Brings the stack in line with its settings, waits until the dashboards answer, and prints how to get to them. Whether people
 * get there from outside is no reason to go back to an earlier version, so that is not asked here.
 */
export async function deploy(deployment: Deployment, options: string[] = []): Promise<void> {
  say(summary(deployment, await bringUp(deployment, options)));
}

async function bringUp(deployment: Deployment, options: string[]): Promise<Deployed[]> {
  const { engine, stack } = deployment;
  // Refresh, because a plain `up` takes the state's word for it and calls a container that is gone "unchanged". No
  // preview, which takes as long again and is not confirmed here: `npm run preview` is for people to read.
  const args = ["up", "--yes", "--refresh", "--skip-preview", "--stack", stack, ...options];
  if ((await runPulumi(engine, args)) !== 0) {
    throw new UserError(
      `The deployment of stack ${stack} failed; what Pulumi says above names the cause.`,
    );
  }
  return await awaitReady(deployment);
}

/** @throws UserError if sessions or browsers do not reach a dashboard that answers on its host */
async function requireReached(
  { stack, target }: Deployment,
  gateways: readonly Deployed[],
): Promise<void> {
  const reached = gateways.map(({ settings, outputs: { username, password } }) => ({
    settings,
    login: { username, password },
  }));
  const problems = await reachProblems(target, reached);
  if (problems.length > 0) {
    throw new UserError(
      [
        `Stack ${stack} is deployed and OpenClaw answers on its host, but people do not get there:`,
        ...problems.map((problem) => `  - ${problem}`),
        "Nothing was reverted. npm run status asks again.",
      ].join("\n"),
    );
  }
}

const outputsSchema = z.object({
  urls: z.array(z.string()),
  routedUrl: z.string(),
  username: z.string(),
  password: z.string(),
  people: z.record(z.string(), z.string()),
  passwords: z.record(z.string(), z.string()),
  gatewayToken: z.string(),
});

/** A gateway and what its stack tells of it. */
export type Deployed = Instance & { readonly outputs: z.output<typeof outputsSchema> };

/** Reads what a stack tells of its gateways. */
export async function deployedGateways(
  { engine, stack }: Pick<Deployment, "engine" | "stack">,
  instances: readonly Instance[],
): Promise<Deployed[]> {
  const outputs = z
    .record(z.string(), z.unknown())
    .parse(
      await pulumiJson(engine, ["stack", "output", "--json", "--show-secrets", "--stack", stack]),
    );
  return instances.map((instance) => ({
    ...instance,
    outputs: outputsSchema.parse(outputsOf(outputs, instance)),
  }));
}

/**
 * Looks through the dashboards' doors until they answer: a deployment without changes has not looked.
 * @param instances those of the stack's gateways to wait for
 * @throws UserError when one does not answer in time
 */
export async function awaitReady(
  deployment: Deployment,
  instances: readonly Instance[] = gatewaysOf(deployment),
): Promise<Deployed[]> {
  const gateways = await deployedGateways(deployment, instances);
  for (const gateway of gateways) {
    await probe(deployment, gateway);
  }
  return gateways;
}

async function probe(deployment: Deployment, { name, settings, outputs }: Deployed): Promise<void> {
  const { target } = onHostOf(deployment, { name });
  progress(`Looking whether the dashboard ${name && `of ${name} `}answers`);
  const secrets = secretsOf({ settings, outputs }).join("\n");
  const { username, password } = outputs;
  const login = { username, password, secrets };
  const args = { ...settings, imageKind: imageKind(settings) };
  const variables = readinessVariables(args, login) as Record<string, string>;
  const result = await runHostScript(target, {
    script: "ready.sh",
    action: "apply",
    variables,
    seconds: settings.readyTimeoutSeconds + 60,
  });
  if (result.exitCode !== 0) {
    throw new UserError(
      `${result.stderr.trim()}\nAll of its log: docker logs ${settings.containerName}`,
    );
  }
}

/** What a gateway knows and nothing may show. */
export function secretsOf({ settings, outputs }: Pick<Deployed, "settings" | "outputs">): string[] {
  const { passwords, gatewayToken: token } = outputs;
  const { providerKeys, openclawConfig } = settings;
  return gatewaySecrets({
    passwords: Object.values(passwords),
    token,
    providerKeys: providerKeys as Record<string, string>,
    openclawConfig,
  });
}

/** What a person needs to know once the dashboard answers. */
function summary({ stack, settings, leftOut }: Deployment, gateways: readonly Deployed[]): string {
  const keys = Object.keys(settings.providerKeys);
  const commandOptions = stack === "dev" ? "" : ` --stack ${stack}`;
  return [
    "",
    "OpenClaw is up.",
    ...leftOut.map((name) => `  Left out      host ${name} and all on it, which is as it was`),
    ...gateways.flatMap(({ name, settings: { host }, outputs: { people, routedUrl, urls } }) => [
      ...(name ? [`  Instance      ${name}`] : []),
      ...(routedUrl ? [`  Dashboard     ${routedUrl}`] : []),
      ...urls.map((url) => `  ${host ? "On the server" : "Dashboard    "} ${url}`),
      `  People        ${peopleText(people)}`,
    ]),
    `  Passwords     npm run pulumi -- stack output passwords --show-secrets --stack ${stack}`,
    keys.length > 0
      ? `  Provider key  ${keys.join(", ")}`
      : `  Provider key  none yet: OpenClaw can't answer before it has one`,
    "",
    "What next:",
    ...nextSteps(settings, stack).map((step) => `  ${step}`),
    `  npm run down${commandOptions && ` --${commandOptions}`} takes it away again and keeps OpenClaw's data`,
  ].join("\n");
}
