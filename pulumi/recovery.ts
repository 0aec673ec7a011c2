import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { $ } from "../host/shellCommand";
import { namespace } from "../config";
import { containerNames } from "../config/containers";
import type { Deployment } from "./deployment";
import { ensureDocker } from "../host/docker";
import { type Engine, importState, pulumiJson, runPulumi } from "./engine";
import { containerType, gatewayNetworks, networkType, withNetworks } from "./networks";
import { askDocker, dockerOn, runWithInput } from "../host/run";
import { isRunning } from "../host/process";
import { UserError } from "../host/userError";
import { progress } from "../host/terminal";

const resourceSchema = z.object({
  urn: z.string().default(""),
  type: z.string(),
  id: z.string().optional(),
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
  /** Names of the containers that an engine was making when it was killed. */
  readonly unfinished: readonly string[];
  /** How to take away what was being made on the host by a script: a command line and what it reads. */
  readonly undo: readonly { command: readonly string[]; stdin: string }[];
  /** Ids of the stack's images. */
  readonly images: readonly string[];
  /** Whether any operation was under way when an engine was killed. */
  readonly interrupted: boolean;
  /** Whether the password of backups off the machine was generated. */
  readonly hasOffsitePassword: boolean;
}

/** Reads a stack's state, after networks that are missing in it were added. */
async function readState(
  deployment: Deployment,
): Promise<StackState & { readonly unknownNetworks: readonly string[] }> {
  const { engine, stack } = deployment;
  const [exported, networks] = await Promise.all([
    pulumiJson(engine, ["stack", "export", "--stack", stack]),
    gatewayNetworks(deployment),
  ]);
  const added = withNetworks(exported, networks);
  if (added !== undefined) {
    progress("Adding the gateway's network to the state");
    await importState(engine, stack, JSON.stringify(added));
  }
  const state = summarize(added ?? exported);
  const unknownNetworks = networks.flatMap(({ id = "" }) =>
    id === "" || state.ids.includes(id) ? [] : [id],
  );
  return { ...state, unknownNetworks };
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
    unfinished: pending_operations.flatMap(({ type, resource }) => {
      const name = resource.inputs?.name;
      const isContainer = type === "creating" && resource.type === containerType;
      return isContainer && typeof name === "string" ? [name] : [];
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
  return await recover(deployment);
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
    state.unknownNetworks.length === 0 &&
    (await cutOff(deployment, state)).length === 0
  ) {
    return state;
  }
  progress("The engine was killed in the middle of its work: clearing up");
  // It needs the stack's lock: an engine at work elsewhere, with a lock that is not seen from here, ends this before anything is deleted.
  await refresh(deployment);
  await removeUnfinished(deployment, state);
  const after = await readState(deployment);
  // Looked for anew, because an engine elsewhere may have come to its end since.
  await removeContainers(deployment, await cutOff(deployment, after));
  await removeUnused(deployment, after.unknownNetworks);
  return after;
}

async function refresh({ engine, stack }: Deployment): Promise<void> {
  const options = ["--yes", "--clear-pending-creates", "--skip-preview", "--stack", stack];
  if ((await runPulumi(engine, ["refresh", ...options])) !== 0) {
    throw new UserError(
      `Stack ${stack} could not be cleared up; what Pulumi says above names the cause.`,
    );
  }
}

async function removeUnfinished(deployment: Deployment, state: StackState): Promise<void> {
  for (const name of state.unfinished) {
    const look = ["inspect", "--type", "container", "--format", "{{.Id}}", name];
    const id = (await dockerOn(deployment.target, ...look)).stdout.trim();
    if (id !== "" && !state.ids.includes(id)) {
      await removeContainers(deployment, [id]);
    }
  }
  for (const { command, stdin } of state.undo) {
    await runWithInput(command, stdin, { timeout: "600s" });
  }
}

async function removeContainers({ target }: Deployment, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await dockerOn(target, "rm", "--force", "--volumes", id);
  }
}

/** Removes networks that no container was ever connected to. */
async function removeUnused({ target }: Deployment, networks: readonly string[]): Promise<void> {
  for (const id of networks) {
    const users = await dockerOn(target, "ps", "--all", "--quiet", "--filter", `network=${id}`);
    if (users.exitCode === 0 && users.stdout === "") {
      await dockerOn(target, "network", "rm", id);
    }
  }
}

/**
 * Ids of the containers that were being made when the way to the host was cut off, so that the engine never heard that
 * they are there: of the stack's own image, never started, and not in the state. They were never used.
 */
async function cutOff(
  { settings, target }: Deployment,
  { ids, images }: StackState,
): Promise<string[]> {
  // Before the first image there is none.
  if (images.length === 0) {
    return [];
  }
  const names = containerNames(settings);
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
