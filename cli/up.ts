import { z } from "zod";
import { gatewaySecrets, readinessVariables } from "../components/gateway/readiness";
import { imageKind } from "../config";
import { hostOf } from "../config/host";
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
import { checkOidc } from "./preflight/oidc";
import { withHostLocks } from "../host/lock";
import { outputsOf } from "./instance";
import { removeStrays } from "./placement/strays";
import { reachProblems } from "./reach/reach";
import { lookOnHost, runHostScript } from "../host/run";
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
    await checkOidc(deployment.settings);
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
  progress(`Looking whether the dashboard${gateways.length > 1 ? "s answer" : " answers"}`);
  const isReady = await readySoon(deployment, gateways);
  for (const gateway of gateways.filter((each) => !isReady.has(each))) {
    await probe(deployment, gateway);
  }
  return gateways;
}

/** Seconds that all dashboards may take together, before each that does not answer is waited for. */
const soon = 10;

/** Returns the gateways with dashboards that answer. Those of a host are asked over one connection, all hosts side by side. */
async function readySoon(
  deployment: Deployment,
  gateways: readonly Deployed[],
): Promise<Set<Deployed>> {
  const hosts = onHosts(deployment).map(async ({ host, target }) => {
    const here = gateways.filter(({ name }) => hostOf(deployment.settings, name) === host);
    const looks = here.map((gateway) => {
      const variables = { ...readyVariables(gateway), TIMEOUT_SECONDS: soon.toString() };
      return { script: "ready.sh", variables };
    });
    const { said } = await lookOnHost(target, looks, soon + 5);
    return here.filter((_, index) => said[index] === "ready=yes");
  });
  return new Set((await Promise.all(hosts)).flat());
}

async function probe(deployment: Deployment, gateway: Deployed): Promise<void> {
  const { name, settings } = gateway;
  const { target } = onHostOf(deployment, { name });
  progress(`Waiting for the dashboard${name && ` of ${name}`}`);
  const result = await runHostScript(target, {
    script: "ready.sh",
    action: "apply",
    variables: readyVariables(gateway),
    seconds: settings.readyTimeoutSeconds + 60,
  });
  if (result.exitCode !== 0) {
    throw new UserError(
      `${result.stderr.trim()}\nAll of its log: docker logs ${settings.containerName}`,
    );
  }
}

/** What assets/host/ready.sh needs to know of a deployed gateway. */
function readyVariables({ settings, outputs }: Deployed): Record<string, string> {
  const { username, password } = outputs;
  const secrets = secretsOf({ settings, outputs }).join("\n");
  const args = { ...settings, imageKind: imageKind(settings), signOn: settings.oidc?.issuer };
  return readinessVariables(args, { username, password, secrets }) as Record<string, string>;
}

/** What a gateway knows and nothing may show. */
export function secretsOf({ settings, outputs }: Pick<Deployed, "settings" | "outputs">): string[] {
  const { passwords, gatewayToken: token } = outputs;
  const { providerKeys, openclawConfig, oidcClientSecret } = settings;
  return gatewaySecrets({
    passwords: [...Object.values(passwords), oidcClientSecret],
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
