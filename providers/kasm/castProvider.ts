import { castFields, type CastProps } from "./castFields";
import { defaultPatience, type KasmClient, type Patience } from "./client";
import { WorkspaceError } from "./errors";
import { differences, keysOf, seenIn, toSend } from "./fields";
import { castPermissions } from "./permissions";
import { type RecordKind, recordProvider } from "./recordProvider";
import type { ListedCast } from "./schemas";
import type { Connection } from "./transport";

/** Everything that a cast config's resource is declared with. */
export interface CastInputs extends Connection, Omit<CastProps, "groupId"> {
  /** Name of the group that people without a login get; `""` for none. */
  readonly group: string;
}

const keys = keysOf(castFields);

const casts: RecordKind<CastInputs, CastInputs, ListedCast> = {
  problems: () => [],
  complete: (inputs) => inputs,
  compared: () => keys.map((key) => (key === "groupId" ? "group" : key)),
  fixed: "workspaceId",
  secrets: () => [],
  unknown: (inputs) => inputs,
  find,

  async findOrCreate(client, inputs) {
    const props = await prepare(client, inputs);
    const own = await findOwn(client, inputs);
    const id =
      own?.cast_config_id ?? (await client.createCastConfig(toSend(castFields, props, keys)));
    return { id, settle: () => settle(client, id, props, inputs) };
  },

  async update(client, id, inputs) {
    return await settle(client, id, await prepare(client, inputs), inputs);
  },

  async seen(client, listed, state) {
    const { groupId, ...seen } = seenIn(castFields, client.wholeCastConfig(listed));
    return { ...state, ...seen, group: await groupName(client, groupId) };
  },

  inputsOf: (state) => state,
  delete: (client, id) => client.deleteCastConfig(id),
};

export const castProvider = (patience: Patience = defaultPatience) =>
  recordProvider(casts, patience);

export const provider = castProvider();

/** Returns the properties with the group's id. Fails before anything is changed if a permission that can be checked is missing, or the group. */
async function prepare(client: KasmClient, inputs: CastInputs): Promise<CastProps> {
  await client.requirePermissions(castPermissions(inputs.group));
  const { group, ...props } = inputs;
  if (group === "") {
    return { ...props, groupId: "" };
  }
  const groups = await client.groups();
  const found = groups.find(({ name }) => name === group);
  if (found === undefined) {
    const names = groups.map(({ name }) => `"${name}"`).join(", ");
    throw new WorkspaceError(
      `KASM has no group named "${group}" for the people who use the cast link "${inputs.key}"; it has ${names}`,
    );
  }
  return { ...props, groupId: found.group_id };
}

/** Fails if another link has the key of this one. */
export function refuseTakenKey(
  rows: readonly ListedCast[],
  { key, configName }: Pick<CastInputs, "key" | "configName">,
): void {
  const taken = rows.find((row) => row.key === key && row.casting_config_name !== configName);
  if (taken) {
    throw new WorkspaceError(
      `the cast link "${key}" is in use in KASM by "${taken.casting_config_name}"; expected another key`,
    );
  }
}

/** The one that an earlier run made before its answer got lost. */
async function findOwn(client: KasmClient, inputs: CastInputs): Promise<ListedCast | undefined> {
  const rows = await client.castConfigs();
  refuseTakenKey(rows, inputs);
  return rows.find(({ casting_config_name }) => casting_config_name === inputs.configName);
}

async function settle(
  client: KasmClient,
  id: string,
  props: CastProps,
  inputs: CastInputs,
): Promise<CastInputs> {
  const wrong = differences(keys, await get(client, id, props), props);
  if (wrong.length > 0) {
    await client.updateCastConfig(id, toSend(castFields, props, wrong));
    const left = differences(keys, await get(client, id, props), props);
    if (left.length > 0) {
      throw new WorkspaceError(
        `KASM took the cast config "${props.configName}", but what it keeps as ${left.join(", ")} is not what it was sent; this program knows KASM 1.16 to 1.19`,
      );
    }
  }
  return inputs;
}

async function groupName(client: KasmClient, id: string): Promise<string> {
  if (id === "") {
    return "";
  }
  return (await client.groups()).find(({ group_id }) => group_id === id)?.name ?? id;
}

async function find(client: KasmClient, id: string): Promise<ListedCast | undefined> {
  return (await client.castConfigs()).find(({ cast_config_id }) => cast_config_id === id);
}

async function get(client: KasmClient, id: string, props: CastProps): Promise<CastProps> {
  const row = await find(client, id);
  if (row === undefined) {
    throw new WorkspaceError(
      `the cast config "${props.configName}" is no longer in KASM; "npm run up", which refreshes first, makes it again`,
    );
  }
  return seenIn(castFields, client.wholeCastConfig(row));
}
