import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { $ } from "../host/shellCommand";
import { namespace } from "../config";
import { containerNames } from "../config/containers";
import { hostOfProvider, hostSetting } from "../config/host";
import { type Deployment, type HostDeployment, onHosts } from "./deployment";
import { dockerHangs, ensureDocker } from "../host/docker";
import { type Engine, importState, pulumiJson, runPulumi } from "./engine";
import { exclusions } from "./exclusions";
import { containerType, gatewayNetworks, networkType, withNetworks } from "./networks";
import { asideIn, withAsideBack, withoutPlaced } from "./placement";
import { askDocker, dockerOn, runWithInput } from "../host/run";
import type { HostTarget } from "../host/target";
import { isRunning } from "../host/process";
import { UserError } from "../host/userError";
import { progress } from "../host/terminal";

const resourceSchema = z.object({
  urn: z.string().default(""),
  type: z.string(),
  id: z.string().optional(),
  provider: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
});

const stateSchema = z.object({
  deployment: z
    .object({
      resources: z.array(resourceSchema).default([]),
      pending_operations: z
        .array(z.object({ type: z.string(), resource: resourceSchema }))
        .default([]),
    })
    .nullable(),
});

/** A resource of providers/observedState.ts; the directories with data are none of these. */
const undoableSchema = z.object({
  type: z.enum([
    "pulumi-nodejs:dynamic/openclaw:HostState",
    "pulumi-nodejs:dynamic/openclaw:BaseImage",
  ]),
  inputs: z.object({ remove: z.array(z.string()), stdin: z.string() }),
});

/** What a stack's state says of the things on the Docker host. */
export interface StackState {
  /** Ids of the containers and networks that are the stack's own. */
  readonly ids: readonly string[];
  /** Names of the networks between hosts. */
  readonly overlays: readonly string[];
  /** Names of its containers, and of their hosts. */
  readonly containers: readonly { readonly name: string; readonly host: string }[];
  /** Names of the containers that an engine was making when it was killed, and of their hosts. */
  readonly unfinished: readonly { readonly name: string; readonly host: string }[];
  /** How to take away what was being made on the host by a script: a command line and what it reads. */
  readonly undo: readonly { command: readonly string[]; stdin: string }[];
  /** Ids of the stack's images. */
  readonly images: readonly string[];
  /** Whether any operation was under way when an engine was killed. */
  readonly interrupted: boolean;
  /** Whether the password of backups off the machine was generated. */
  readonly hasOffsitePassword: boolean;
}

/** The hosts that can be cleared up. */
async function reachedHosts(deployment: Deployment): Promise<HostDeployment[]> {
  const hosts = onHosts(deployment);
  const problems = await Promise.all(hosts.map(({ host }) => deployment.problemOf(host)));
  return hosts.filter((_, index) => problems[index] === undefined);
}

/** A stack's state, and the networks of a host that are not in it. */
type KnownState = StackState & { readonly unknownNetworks: ReadonlyMap<string, readonly string[]> };

/** Reads a stack's state, after interrupted moves in it were undone and networks that are missing in it were added. */
async function readState(deployment: Deployment): Promise<KnownState> {
  const { engine, stack } = deployment;
  const reached = await reachedHosts(deployment);
  const [exported, ...found] = await Promise.all([
    pulumiJson(engine, ["stack", "export", "--stack", stack]),
    ...reached.map(async (each) => [each.host, await gatewayNetworks(each)] as const),
  ]);
  const settled = await withoutMoves(deployment, exported, reached);
  const added = withNetworks(
    settled,
    found.flatMap(([, networks]) => networks),
  );
  if (added !== undefined) {
    progress("Adding a network to the state");
  }
  const known = added ?? settled;
  if (known !== exported) {
    await importState(engine, stack, JSON.stringify(known));
  }
  const state = summarize(known);
  const unknown = found.map(([host, networks]) => {
    const ids = networks.flatMap(({ id = "" }) =>
      id === "" || state.ids.includes(id) ? [] : [id],
    );
    return [host, ids] as const;
  });
  return { ...state, unknownNetworks: new Map(unknown.filter(([, ids]) => ids.length > 0)) };
}

/**
 * Undoes in an exported state what moves set aside that were interrupted. A gateway is on its old host as long as that one has its
 * container, or the new one does not. What can't be asked stays.
 */
async function withoutMoves(
  { targetOf }: Deployment,
  exported: unknown,
  reached: readonly HostDeployment[],
): Promise<unknown> {
  let state = exported;
  const hasContainer = async ({ id, host }: { id: string; host: string }) => {
    if (!reached.some((each) => each.host === host)) {
      return undefined;
    }
    const look = ["container", "inspect", "--format", "{{.Id}}", id];
    const { exitCode, stderr } = await askDocker(targetOf(host), ...look);
    return exitCode === 0 ? true : /no such container/i.test(stderr) ? false : undefined;
  };
  for (const { resource, previous, current } of asideIn(exported)) {
    const isOnOld = await hasContainer(previous);
    const isOnNew = current === undefined ? false : await hasContainer(current);
    if (isOnOld === undefined || (!isOnOld && isOnNew === undefined)) {
      continue;
    }
    if (isOnOld || isOnNew !== true) {
      const place = hostSetting(previous.host);
      progress(`The move of ${resource} was interrupted: it is on ${place} as before`);
      state = withAsideBack(state, resource) ?? state;
    } else {
      state = withoutPlaced(state, resource, "aside") ?? state;
    }
  }
  return state;
}

/** The part of an exported state that matters here. */
export function summarize(exported: unknown): StackState {
  const { resources, pending_operations } = stateSchema.parse(exported).deployment ?? {
    resources: [],
    pending_operations: [],
  };
  return {
    ids: resources
      .filter(({ type }) => [containerType, networkType].includes(type))
      .flatMap(({ id }) => id ?? []),
    overlays: resources.flatMap(({ type, inputs = {} }) =>
      type === networkType && inputs.driver === "overlay" && typeof inputs.name === "string"
        ? [inputs.name]
        : [],
    ),
    containers: resources
      .filter(({ type }) => type === containerType)
      .flatMap(({ inputs, provider }) => {
        const name = inputs?.name;
        return typeof name === "string" ? [{ name, host: hostOfProvider(provider) }] : [];
      }),
    unfinished: pending_operations.flatMap(({ type, resource }) => {
      const name = resource.inputs?.name;
      const isContainer = type === "creating" && resource.type === containerType;
      return isContainer && typeof name === "string"
        ? [{ name, host: hostOfProvider(resource.provider) }]
        : [];
    }),
    undo: pending_operations.flatMap(({ type, resource }) => {
      const made = undoableSchema.safeParse(resource);
      return type === "creating" && made.success
        ? [{ command: made.data.inputs.remove, stdin: made.data.inputs.stdin }]
        : [];
    }),
    images: resources
      .filter(({ type }) => type === "docker:index/remoteImage:RemoteImage")
      .flatMap(({ id }) => id ?? []),
    interrupted: pending_operations.length > 0,
    hasOffsitePassword: resources.some(({ urn }) => urn.endsWith("::openclaw-offsite-password")),
  };
}

/**
 * Makes sure that a stack can be worked on: this machine's Docker answers, and nothing is left of an engine that was
 * killed. A server's Docker is its own matter.
 * @returns what the stack's state says
 */
export async function prepareHost(deployment: Deployment): Promise<StackState> {
  if (!deployment.target.ssh) {
    await ensureDocker();
  }
  const state = await recover(deployment);
  await startStopped(deployment, state);
  return state;
}

/**
 * Starts containers of networks between hosts that are stopped: Docker 20.10 starts some before its swarm is ready, and does not try
 * again. The swarm takes such a container for connected. Deleted without a start, it would keep its network until Docker is restarted.
 */
async function startStopped(deployment: Deployment, { ids, overlays }: StackState): Promise<void> {
  if (overlays.length === 0) {
    return;
  }
  const networks = overlays.flatMap((name) => ["--filter", `network=${name}`]);
  const list = ["ps", "--all", "--quiet", "--no-trunc", "--filter", "status=exited", ...networks];
  const started = (await reachedHosts(deployment)).map(async ({ target }) => {
    const { stdout } = await askDocker(target, ...list);
    for (const id of stdout.split("\n").filter((each) => ids.includes(each))) {
      progress(`Starting container ${id.slice(0, 12)}, which Docker left stopped`);
      await dockerOn(target, "start", id);
    }
  });
  await Promise.all(started);
}

/**
 * Puts right what an engine left behind that was killed in the middle of its work: its lock, and what it was making
 * on the Docker host without having written it down. Data is in none of these.
 * @returns what the stack's state says afterwards
 * @throws UserError where an engine is at work on the stack, to which all that belongs
 */
export async function recover(deployment: Deployment): Promise<StackState> {
  const { engine, stack } = deployment;
  const locks = locksOf(engine, stack);
  const live = locks.find((lock) => !isStale(lock));
  if (live !== undefined) {
    throw new UserError(
      `Stack ${stack} is in use (process ${live.pid.toString()} on ${live.hostname}). Wait for its end; where it was killed: npm run pulumi -- cancel --yes --stack ${stack}`,
    );
  }
  if (locks.length > 0) {
    progress("The engine was killed the last time: releasing its lock");
    await $({ env: engine.env, quiet: true })`${engine.pulumi} cancel --yes --stack ${stack}`;
  }
  const state = await readState(deployment);
  if (
    !state.interrupted &&
    state.unknownNetworks.size === 0 &&
    (await cutOff(deployment, state)).size === 0
  ) {
    return state;
  }
  await requireAnswers(deployment);
  progress("The engine was killed in the middle of its work: clearing up");
  // It needs the stack's lock: an engine at work elsewhere, with a lock that is not seen from here, ends this before anything is deleted.
  await refresh(deployment);
  await removeUnfinished(deployment, state);
  const after = await readState(deployment);
  // Looked for anew, because an engine elsewhere may have come to its end since.
  for (const [host, ids] of await cutOff(deployment, after)) {
    await removeContainers(deployment.targetOf(host), ids);
  }
  for (const [host, ids] of after.unknownNetworks) {
    await removeUnused(deployment.targetOf(host), ids);
  }
  return after;
}

/** @throws UserError if Docker hangs on a host: the engine, which asks it, would wait without end */
async function requireAnswers(deployment: Deployment): Promise<void> {
  const asked = (await reachedHosts(deployment)).map(async ({ host, target }) => {
    const { exitCode } = await askDocker(target, "version", "--format", "{{.Server.Version}}");
    // On a server the command `timeout` ended it, or killed it where that was not enough.
    const hangs = exitCode === null || exitCode === 124 || exitCode === 137;
    return hangs ? [`  - ${hostSetting(host)}: ${dockerHangs}`] : [];
  });
  const problems = (await Promise.all(asked)).flat();
  if (problems.length > 0) {
    throw new UserError(
      ["The deployment can't be cleared up; nothing has been changed:", ...problems].join("\n"),
    );
  }
}

async function refresh({ engine, stack, settings, leftOut }: Deployment): Promise<void> {
  const options = [
    ...["--yes", "--clear-pending-creates", "--skip-preview", "--stack", stack],
    ...exclusions(settings, leftOut),
  ];
  if ((await runPulumi(engine, ["refresh", ...options])) !== 0) {
    throw new UserError(
      `Stack ${stack} could not be cleared up; what Pulumi says above names the cause.`,
    );
  }
}

async function removeUnfinished(deployment: Deployment, state: StackState): Promise<void> {
  const reached = (await reachedHosts(deployment)).map(({ host }) => host);
  for (const { name, host } of state.unfinished.filter((each) => reached.includes(each.host))) {
    const target = deployment.targetOf(host);
    const look = ["inspect", "--type", "container", "--format", "{{.Id}}", name];
    const id = (await dockerOn(target, ...look)).stdout.trim();
    if (id !== "" && !state.ids.includes(id)) {
      await removeContainers(target, [id]);
    }
  }
  for (const { command, stdin } of state.undo) {
    await runWithInput(command, stdin, { timeout: "600s" });
  }
}

async function removeContainers(target: HostTarget, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await dockerOn(target, "rm", "--force", "--volumes", id);
  }
}

/** Removes networks that no container was ever connected to. */
async function removeUnused(target: HostTarget, networks: readonly string[]): Promise<void> {
  for (const id of networks) {
    const users = await dockerOn(target, "ps", "--all", "--quiet", "--filter", `network=${id}`);
    if (users.exitCode === 0 && users.stdout === "") {
      await dockerOn(target, "network", "rm", id);
    }
  }
}

/**
 * Ids by host of the containers that were being made when the way to the host was cut off, so that the engine never heard that
 * they are there: of the stack's own image, never started, and not in the state. They were never used.
 */
async function cutOff(
  deployment: Deployment,
  state: StackState,
): Promise<ReadonlyMap<string, readonly string[]>> {
  // Before the first image there is none.
  const hosts = state.images.length === 0 ? [] : await reachedHosts(deployment);
  const found = await Promise.all(
    hosts.map(async (each) => [each.host, await cutOffOn(each, state)] as const),
  );
  return new Map(found.filter(([, ids]) => ids.length > 0));
}

async function cutOffOn(
  { settings, target }: HostDeployment,
  { ids, images }: StackState,
): Promise<string[]> {
  const names = containerNames(settings);
  if (names.length === 0) {
    return [];
  }
  const format = "{{.State.Status}} {{.Image}} {{.Id}}";
  // Of several, Docker tells of those that are there.
  const look = ["inspect", "--type", "container", "--format", format, ...names];
  const { stdout } = await askDocker(target, ...look);
  return stdout.split("\n").flatMap((line) => {
    const [status, image = "", id = ""] = line.split(" ");
    const isOwn = image !== "" && images.some((each) => each.startsWith(image));
    return status === "created" && isOwn && !ids.includes(id) ? [id] : [];
  });
}

const lockSchema = z.object({ pid: z.number(), hostname: z.string() });
type Lock = z.output<typeof lockSchema>;

/** A stack's locks in this machine's own state folder. */
function locksOf({ stateFolder }: Engine, stack: string): Lock[] {
  if (stateFolder === undefined) {
    return [];
  }
  const folder = join(stateFolder, ".pulumi/locks/organization", namespace, stack);
  return (existsSync(folder) ? readdirSync(folder) : [])
    .filter((file) => file.endsWith(".json"))
    .flatMap((file) => readLock(join(folder, file)));
}

/** A lock, and none where its file is gone by now or not yet whole. */
function readLock(file: string): Lock[] {
  try {
    return [lockSchema.parse(JSON.parse(readFileSync(file, "utf8")))];
  } catch {
    return [];
  }
}

/** Whether the process that has a lock is gone. */
function isStale(lock: Lock): boolean {
  return lock.hostname === hostname() && !isRunning(lock.pid, "pulumi");
}
