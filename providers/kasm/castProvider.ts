import type { dynamic } from "@pulumi/pulumi";
import { castFields, type CastProps } from "./castFields";
import { defaultPatience, type KasmClient, type Patience, withKasm } from "./client";
import { withCurrentConnection } from "./currentConnection";
import { WorkspaceError } from "./errors";
import { differences, keysOf, seenIn, toSend } from "./fields";
import { castPermissions } from "./permissions";
import type { CastRecord, ListedCast } from "./schemas";
import { type Connection, connectionKeys } from "./transport";

/** Everything that a cast config's resource is declared with. */
export interface CastInputs extends Connection, Omit<CastProps, "groupId"> {
  /** Name of the group that people without a login get; `""` for none. */
  readonly group: string;
}

/** What is known of it in KASM, under the names under which it was declared. */
export type CastState = CastInputs;

const keys = keysOf(castFields);

/** The life of a cast config in KASM, as Pulumi's engine asks for it. */
export function castProvider(
  patience: Patience = defaultPatience,
): Required<Omit<dynamic.ResourceProvider<CastInputs, CastState>, "configure">> {
  const reached = (id: string, state: CastState) =>
    withCurrentConnection(state, (connection) => isThere(id, connection, patience));
  return {
    check: (_olds, news) => Promise.resolve({ inputs: news }),

    async diff(id, olds, news) {
      const own = keys.map((key) => (key === "groupId" ? "group" : key));
      const changed = differences([...own, ...connectionKeys], olds, news);
      const moved = olds.kasmUrl !== news.kasmUrl;
      const elsewhere = moved && !(await isThere(id, news, patience));
      return {
        changes: changed.length > 0 || moved,
        replaces: [
          ...changed.filter((key) => key === "workspaceId"),
          ...(elsewhere ? ["kasmUrl"] : []),
        ],
        // Its name and its key can't be there twice, and a workspace that goes has to go after it.
        deleteBeforeReplace: true,
      };
    },

    async create(inputs) {
      return await withKasm(inputs, patience, async (client) => {
        const props = await prepare(client, inputs);
        const own = await findOwn(client, inputs);
        const id =
          own?.cast_config_id ?? (await client.createCastConfig(toSend(castFields, props, keys)));
        try {
          await settle(client, id, props);
        } catch (error) {
          const { message } = error as Error;
          throw Object.assign(error as Error, { id, properties: inputs, reasons: [message] });
        }
        return { id, outs: inputs };
      });
    },

    async read(id, state) {
      if (state === undefined) {
        throw new WorkspaceError("a cast config can only be read with its state");
      }
      return await withKasm(await reached(id, state), patience, async (client) => {
        const listed = await find(client, id);
        if (listed === undefined) {
          return { id: "" };
        }
        const { groupId, ...seen } = seenIn(castFields, client.wholeCastConfig(listed));
        const props = { ...state, ...seen, group: await groupName(client, groupId) };
        return { id, props, inputs: props };
      });
    },

    async update(id, _olds, news) {
      return await withKasm(news, patience, async (client) => {
        await settle(client, id, await prepare(client, news));
        return { outs: news };
      });
    },

    async delete(id, state) {
      await withKasm(await reached(id, state), patience, async (client) => {
        if (await find(client, id)) {
          await client.deleteCastConfig(id);
        }
      });
    },
  };
}

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

async function settle(client: KasmClient, id: string, props: CastProps): Promise<void> {
  const wrong = differences(keys, seenIn(castFields, await get(client, id, props)), props);
  if (wrong.length > 0) {
    await client.updateCastConfig(id, toSend(castFields, props, wrong));
    const left = differences(keys, seenIn(castFields, await get(client, id, props)), props);
    if (left.length > 0) {
      throw new WorkspaceError(
        `KASM took the cast config "${props.configName}", but what it keeps as ${left.join(", ")} is not what it was sent; this program knows KASM 1.16 to 1.19`,
      );
    }
  }
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

async function isThere(id: string, connection: Connection, patience: Patience): Promise<boolean> {
  return await withKasm(
    connection,
    patience,
    async (client) => (await find(client, id)) !== undefined,
  );
}

async function get(client: KasmClient, id: string, props: CastProps): Promise<CastRecord> {
  const row = await find(client, id);
  if (row === undefined) {
    throw new WorkspaceError(
      `the cast config "${props.configName}" is no longer in KASM; "npm run up", which refreshes first, makes it again`,
    );
  }
  return client.wholeCastConfig(row);
}
