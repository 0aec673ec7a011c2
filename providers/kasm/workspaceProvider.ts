import { setTimeout as sleep } from "node:timers/promises";
import { defaultPatience, type KasmClient, type Patience } from "./client";
import { WorkspaceError } from "./errors";
import { differences, type Members, seenIn, toSend } from "./fields";
import { markerStart } from "./marker";
import { workspacePermissions } from "./permissions";
import { type RecordKind, recordProvider } from "./recordProvider";
import { type ListedImage, normaliseId } from "./schemas";
import { looksSecret, secretValues, variablesOf } from "./secretNames";
import type { Connection } from "./transport";
import {
  type ImageRecord,
  newContainer,
  propertiesOf,
  workspaceFields,
  type WorkspaceProps,
} from "./workspaceFields";

/** Everything that a workspace's resource is declared with. */
export interface WorkspaceInputs extends Connection, WorkspaceProps {
  /** Password of the login to `dockerRegistry`; KASM takes it and never shows it. */
  readonly dockerToken: string;
  /** The line by which the stack knows its own, which is what `notes` are declared as. */
  readonly marker: string;
  /** Names of the groups that see the tile, all of them and no other. */
  readonly groups: readonly string[];
  /** Id of a workspace that is in KASM already, to take over in place of making one; `""` for none. */
  readonly importId: string;
  /** Whether `runConfig` may hold what looks like a secret. */
  readonly allowSecretsInRunConfig: boolean;
  /** Seconds that the agent may take to find the image. */
  readonly availableWithinSeconds: number;
  /** Whether KASM has to call it launchable; filled in by {@link workspaceProvider}'s check, like `copies`. */
  readonly available?: boolean;
  /** How many other workspaces have the same marker: none, or it is unknown which one is this stack's. */
  readonly copies?: number;
}

/** What is known of it in KASM, under the names under which it was declared. */
export interface WorkspaceState extends WorkspaceInputs {
  readonly available: boolean;
  readonly copies: number;
  /** Categories that the server can't take; they count as taken, so that no later run tries them again. */
  readonly refusedCategories: readonly string[];
}

/** A workspace in the list of all. */
interface FoundImage {
  readonly listed: ListedImage;
  readonly all: readonly ListedImage[];
}

const nothingKnown = { available: false, copies: 0, refusedCategories: [] };

const workspaces = (
  patience: Patience,
): RecordKind<WorkspaceInputs, WorkspaceState, FoundImage> => ({
  problems: (inputs) =>
    [secretProblem(inputs), profileProblem(inputs), ...volumeProblems(inputs)].filter(
      (problem) => problem !== undefined,
    ),
  complete: (inputs) => ({ ...inputs, available: needsAgent(inputs), copies: 0 }),
  compared: ({ imageType }) => [
    ...propertiesOf(imageType),
    ...(["groups", "dockerToken", "available", "copies"] as const),
  ],
  fixed: "imageType",
  secrets: ({ dockerToken, runConfig }) => [dockerToken, ...secretValues(runConfig)],
  unknown: (inputs) => ({ ...inputs, ...nothingKnown }),
  find,

  async findOrCreate(client, inputs) {
    await prepare(client, inputs);
    const own = await findOwn(client, inputs);
    const id = own ?? (await register(client, inputs));
    const hidden = own && inputs.dockerToken ? token(inputs) : {};
    return { id, settle: () => settle(client, id, inputs, hidden, patience) };
  },

  async update(client, id, inputs, previous) {
    await prepare(client, inputs);
    const hidden = previous.dockerToken === inputs.dockerToken ? {} : token(inputs);
    return await settle(client, id, inputs, hidden, patience);
  },

  async seen(client, { listed, all }, state) {
    const id = listed.image_id;
    return {
      ...seen(client.wholeImage(listed), state),
      groups: await groupsOf(client, id),
      copies: copiesOf(all, id, state).length,
    };
  },

  inputsOf: ({ refusedCategories: _, ...inputs }) => inputs,
  delete: (client, id) => client.deleteImage(id),
});

export const workspaceProvider = (patience: Patience = defaultPatience) =>
  recordProvider(workspaces(patience), patience);

export const provider = workspaceProvider();

/** Fails before anything is changed if a permission that can be checked is missing, or a group. */
async function prepare(client: KasmClient, inputs: WorkspaceInputs): Promise<void> {
  await client.requirePermissions(workspacePermissions(inputs.imageType));
  const names = (await client.groups()).map(({ name }) => name);
  const unknown = inputs.groups.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new WorkspaceError(
      `KASM has no group named ${quoted(unknown)} that should see the workspace "${inputs.friendlyName}"; it has ${quoted(names)}`,
    );
  }
}

/** The one that is to be taken over, or that an earlier run made before its answer got lost. */
async function findOwn(client: KasmClient, inputs: WorkspaceInputs): Promise<string | undefined> {
  const rows = await client.images();
  const importId = normaliseId(inputs.importId);
  const [first, ...more] = copiesOf(rows, importId, inputs);
  if (importId === "") {
    refuseCopies(inputs, first ?? "", more);
    return first;
  }
  const listed = rows.find(({ image_id }) => image_id === importId);
  if (listed === undefined) {
    throw new WorkspaceError(
      `KASM has no workspace ${importId} that could be imported for "${inputs.friendlyName}"; take importId out of the settings to have one made`,
    );
  }
  refuseCopies(inputs, importId, first === undefined ? [] : [first, ...more]);
  const { imageType, notes } = seenIn(workspaceFields, client.wholeImage(listed));
  if (imageType !== inputs.imageType) {
    throw new WorkspaceError(
      `the workspace ${importId} in KASM is a ${imageType}; expected a ${inputs.imageType} to import it as`,
    );
  }
  if (notes.startsWith(markerStart) && copiesOf([listed], "", inputs).length === 0) {
    throw new WorkspaceError(
      `the workspace ${importId} in KASM belongs to another stack ("${notes}"); take that line out of its notes to import it here`,
    );
  }
  return importId;
}

/** Ids of the workspaces other than `id` that have the marker of this one; admins may write more below it. */
function copiesOf(
  rows: readonly ListedImage[],
  id: string,
  { marker }: Pick<WorkspaceInputs, "marker">,
): string[] {
  return rows
    .filter((row) => row.image_id !== id && row.notes.split(/\r?\n/).includes(marker))
    .map(({ image_id }) => image_id);
}

function refuseCopies(inputs: WorkspaceInputs, id: string, copies: readonly string[]): void {
  if (copies.length > 0) {
    throw new WorkspaceError(
      `KASM has ${copies.length + 1} workspaces for "${inputs.friendlyName}" where this stack can have one: ${[id, ...copies].join(", ")}. Delete all but one of them in KASM, or take the line "${inputs.marker}" out of the notes of those that this stack did not make`,
    );
  }
}

async function register(client: KasmClient, inputs: WorkspaceInputs): Promise<string> {
  return await client.createImage({
    ...(inputs.imageType === "Link" ? {} : { ...newContainer, ...token(inputs) }),
    ...toSend(workspaceFields, inputs, propertiesOf(inputs.imageType)),
  });
}

/** The field that KASM never shows. */
function token({ dockerToken }: WorkspaceInputs): Members {
  return { docker_token: dockerToken === "" ? null : dockerToken };
}

/**
 * Brings a workspace to what is declared, with as few calls as that takes, and waits until it can be started.
 * @param hidden what else has to be sent, because it can't be read whether it is set
 */
async function settle(
  client: KasmClient,
  id: string,
  inputs: WorkspaceInputs,
  hidden: Members,
  patience: Patience,
): Promise<WorkspaceState> {
  const keys = propertiesOf(inputs.imageType);
  const wrong = differences(keys, seen(await get(client, id, inputs), inputs), inputs);
  let refusedCategories: readonly string[] = [];
  const fields = { ...toSend(workspaceFields, inputs, wrong), ...hidden };
  if (Object.keys(fields).length > 0) {
    const { tookCategories } = await client.updateImage(id, fields);
    refusedCategories = tookCategories ? [] : inputs.categories;
  }
  const state = { ...inputs, ...nothingKnown, refusedCategories };
  const taken = seen(await get(client, id, inputs), state);
  refuse(inputs, id, differences(keys, taken, inputs));
  await settleGroups(client, id, inputs.groups);
  const groups = await groupsOf(client, id);
  refuse(inputs, id, differences(["groups"] as const, { groups }, inputs));
  refuseCopies(inputs, id, copiesOf(await client.images(), id, inputs));
  const isOtherImage = wrong.includes("image") || wrong.includes("dockerRegistry");
  const stale = isOtherImage ? patience.agent : 0;
  return seen(await untilAvailable(client, id, inputs, { ...patience, stale }), state);
}

/** Fails where KASM says that it did something, and keeps something else. */
function refuse(inputs: WorkspaceInputs, id: string, left: readonly string[]): void {
  if (left.length > 0) {
    throw new WorkspaceError(
      `KASM took the workspace "${inputs.friendlyName}" (${id}), but what it keeps as ${left.join(", ")} is not what it was sent. Its version may have another form of these; this program knows KASM 1.16 to 1.19`,
    );
  }
}

async function settleGroups(
  client: KasmClient,
  id: string,
  names: readonly string[],
): Promise<void> {
  for (const { group_id, name } of await client.groups()) {
    const times = await client.timesInGroup(group_id, id);
    const wanted = names.includes(name) ? 1 : 0;
    if (times > wanted) {
      await client.removeFromGroup(group_id, id, times);
    }
    if (times !== wanted && wanted === 1) {
      await client.addToGroup(group_id, id);
    }
  }
}

/** Names of the groups that see it; one that has it twice is there twice. */
async function groupsOf(client: KasmClient, id: string): Promise<string[]> {
  const names: string[] = [];
  for (const { group_id, name } of await client.groups()) {
    const times = await client.timesInGroup(group_id, id);
    names.push(...Array<string>(times).fill(name));
  }
  return names.sort();
}

/** @param stale milliseconds for which KASM may still report the previous image */
async function untilAvailable(
  client: KasmClient,
  id: string,
  inputs: WorkspaceInputs,
  { stale, look }: { readonly stale: number; readonly look: number },
): Promise<ImageRecord> {
  const believed = performance.now() + stale;
  const deadline = believed + inputs.availableWithinSeconds * 1000;
  for (;;) {
    const row = await get(client, id, inputs);
    const isAvailable = row.available && performance.now() >= believed;
    if (isAvailable || !needsAgent(inputs)) {
      return row;
    }
    if (performance.now() >= deadline) {
      throw new WorkspaceError(unavailable(id, inputs));
    }
    await sleep(look);
  }
}

function unavailable(id: string, inputs: WorkspaceInputs): string {
  const { friendlyName, image, dockerRegistry, availableWithinSeconds } = inputs;
  const whence =
    dockerRegistry === ""
      ? `no dockerRegistry is set, so the agent pulls nothing: "docker image inspect ${image}" on the agent's Docker host has to find it`
      : `the agent has to pull it from ${dockerRegistry}: try "docker pull ${image}" on the agent's Docker host, or leave dockerRegistry empty for an image that is there already`;
  return `the workspace "${friendlyName}" (${id}) is registered, but KASM does not call it available after ${availableWithinSeconds} s, and would refuse to start it. Check its image ${image}: ${whence}. Check that an agent is enabled and running (Infrastructure → Docker Agents), and "docker logs kasm_agent". The next run waits again`;
}

/** Whether it is an agent that makes it launchable; agents leave disabled ones alone. */
function needsAgent({ imageType, enabled }: WorkspaceProps): boolean {
  return imageType !== "Link" && enabled;
}

/** A record under the names of the resource's properties, with all else as in `state`. */
function seen(row: ImageRecord, state: WorkspaceInputs & Partial<WorkspaceState>): WorkspaceState {
  const all = seenIn(workspaceFields, row);
  const { refusedCategories = [] } = state;
  const shown = Object.fromEntries(
    propertiesOf(state.imageType).map((key) => [key, all[key]]),
  ) as Partial<WorkspaceProps>;
  return {
    ...state,
    ...shown,
    ...(all.categories.length === 0 && refusedCategories.length > 0
      ? { categories: refusedCategories }
      : {}),
    available: needsAgent(all) && row.available,
    copies: state.copies ?? 0,
    refusedCategories,
  };
}

async function find(client: KasmClient, id: string): Promise<FoundImage | undefined> {
  const all = await client.images();
  const listed = all.find(({ image_id }) => image_id === id);
  return listed && { listed, all };
}

async function get(client: KasmClient, id: string, inputs: WorkspaceProps): Promise<ImageRecord> {
  const found = await find(client, id);
  if (found === undefined) {
    throw new WorkspaceError(
      `the workspace "${inputs.friendlyName}" (${id}) is no longer in KASM; "npm run up", which refreshes first, makes it again`,
    );
  }
  return client.wholeImage(found.listed);
}

function secretProblem(news: WorkspaceInputs): string | undefined {
  const names = variablesOf(news.runConfig.environment)
    .map(([name]) => name)
    .filter(looksSecret);
  return news.allowSecretsInRunConfig || names.length === 0
    ? undefined
    : `runConfig: found ${names.join(", ")} in the environment, which everybody who may see workspaces in KASM can read there; expected none, unless allowSecretsInRunConfig is set`;
}

function profileProblem({ persistentProfilePath: path }: WorkspaceInputs): string | undefined {
  return path.startsWith("/") && !/\{(username|user_id)\}/.test(path)
    ? `persistentProfilePath: found ${JSON.stringify(path)}; expected {username} or {user_id} in it, so that each user has a profile of their own`
    : undefined;
}

function volumeProblems({ volumeMappings }: WorkspaceInputs): string[] {
  return (typeof volumeMappings === "string" ? [] : Object.entries(volumeMappings))
    .filter(([, mapping]) => !isWholeMapping(mapping))
    .map(
      ([directory, mapping]) =>
        `volumeMappings: found ${JSON.stringify(mapping)} for ${directory}; expected at least bind, mode (rw or ro), uid and gid`,
    );
}

function isWholeMapping(mapping: unknown): boolean {
  const { bind, mode, uid, gid } = mapping as Record<string, unknown>;
  return (
    typeof bind === "string" &&
    (mode === "rw" || mode === "ro") &&
    Number.isInteger(uid) &&
    Number.isInteger(gid)
  );
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
