import { isDeepStrictEqual } from "node:util";
import type { LateProvider } from "../lateResource";
import { defaultPatience, type KasmClient, type Patience, withKasm } from "./client";
import { withCurrentConnection } from "./currentConnection";
import { WorkspaceError } from "./errors";
import { differences } from "./fields";
import { membersPermissions } from "./permissions";
import { type Connection, connectionKeys } from "./transport";

/** Groups of KASM, each with the role that its members have. */
export interface MembersInputs extends Connection {
  /** Of several groups of a person the first one here counts. */
  readonly groups: readonly { readonly group: string; readonly role: string }[];
}

export interface MembersState extends MembersInputs {
  /** The role of everyone who is in one of the groups, by the name of the user in KASM. */
  readonly people: Readonly<Record<string, string>>;
}

/** Returns the life of a list of members, which is read at each refresh, and changes nothing in KASM. */
export function membersProvider(patience: Patience): LateProvider<MembersInputs, MembersState> {
  const readMembers = async (inputs: MembersInputs): Promise<MembersState> => {
    const people = await withKasm(inputs, patience, (client) => membersOf(client, inputs));
    return { ...inputs, people };
  };
  const answers = (connection: Connection) =>
    withKasm(connection, patience, async (client) => (await client.groups()).length > 0);
  return {
    check: (_olds, news) => Promise.resolve({ inputs: news }),

    diff(_id, olds, news) {
      const others = differences<keyof MembersInputs>([...connectionKeys, "kasmUrl"], olds, news);
      const changes = others.length > 0 || !isDeepStrictEqual(olds.groups, news.groups);
      return Promise.resolve({ changes });
    },

    async create(inputs) {
      return { id: "members", outs: await readMembers(inputs) };
    },

    async read(id, state) {
      if (state === undefined) {
        throw new Error("members of KASM's groups can only be read with their state");
      }
      const { people } = await readMembers(await withCurrentConnection(state, answers));
      return { id, props: { ...state, people } };
    },

    async update(_id, _olds, news) {
      return { outs: await readMembers(news) };
    },

    delete: () => Promise.resolve(),
  };
}

export const provider = membersProvider(defaultPatience);

/** A name that a login can have: no colon, which ends it in basic authentication. */
const loginName = /^[A-Za-z0-9._@+-]{1,64}$/;

async function membersOf(
  client: KasmClient,
  { groups }: MembersInputs,
): Promise<Record<string, string>> {
  await client.requirePermissions(membersPermissions);
  const known = await client.groups();
  const wanted = groups.map(({ group, role }) => {
    const found = known.find(({ name }) => name === group);
    if (found === undefined) {
      const names = known.map(({ name }) => `"${name}"`).join(", ");
      throw new WorkspaceError(
        `KASM has no group named "${group}", which is to have the role ${role}; it has ${names}`,
      );
    }
    return { id: found.group_id, role };
  });
  const people = (await client.users()).flatMap(({ username, disabled, locked, groups: own }) => {
    const found = wanted.find(({ id }) => own.some(({ group_id }) => group_id === id));
    return found && !disabled && !locked ? [[username, found.role] as const] : [];
  });
  const unusable = people.map(([name]) => name).filter((name) => !loginName.test(name));
  if (unusable.length > 0) {
    const names = unusable.map((name) => JSON.stringify(name)).join(", ");
    throw new WorkspaceError(
      `users of KASM's groups can't have a login by the names ${names}; expected 1 to 64 letters, digits or any of . _ @ + -`,
    );
  }
  return Object.fromEntries(people);
}
