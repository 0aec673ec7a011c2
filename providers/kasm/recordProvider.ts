import type { LateProvider } from "../lateResource";
import { type KasmClient, type Patience, withKasm } from "./client";
import { withCurrentConnection } from "./currentConnection";
import { differences } from "./fields";
import { type Connection, connectionKeys } from "./transport";

/** A kind of KASM's records that a resource manages: workspaces, cast links. */
export interface RecordKind<Inputs extends Connection, State extends Inputs, Listed> {
  /** Returns what is wrong with inputs, before anything is known of KASM. */
  problems(inputs: Inputs): string[];
  /** Returns the inputs with what counts as declared besides them. */
  complete(inputs: Inputs): Inputs;
  /** Returns the properties that are compared with KASM's. */
  compared(inputs: Inputs): readonly (keyof Inputs)[];
  /** A property that KASM can't change: another value is another record. */
  readonly fixed: keyof Inputs & string;
  /** Returns what an error may not repeat, besides key and secret. */
  secrets(inputs: Inputs): readonly string[];
  /** Returns the state of a record of which nothing is known but its id. */
  unknown(inputs: Inputs): State;
  find(client: KasmClient, id: string): Promise<Listed | undefined>;
  /** Finds the record that an earlier run created, or creates it. */
  findOrCreate(
    client: KasmClient,
    inputs: Inputs,
  ): Promise<{ readonly id: string; readonly settle: () => Promise<State> }>;
  /** Brings a record to what is declared. */
  update(client: KasmClient, id: string, inputs: Inputs, previous: Inputs): Promise<State>;
  /** Returns the state with the properties that KASM has. */
  seen(client: KasmClient, listed: Listed, state: State): Promise<State>;
  /** Returns the inputs that a state stands for. */
  inputsOf(state: State): Inputs;
  delete(client: KasmClient, id: string): Promise<void>;
}

/** Returns the life of a record in KASM, as Pulumi's engine asks for it. */
export function recordProvider<Inputs extends Connection, State extends Inputs, Listed>(
  kind: RecordKind<Inputs, State, Listed>,
  patience: Patience,
): LateProvider<Inputs, State> {
  const withClient = <T>(inputs: Inputs, work: (client: KasmClient) => Promise<T>) =>
    withKasm(inputs, patience, work, kind.secrets(inputs));
  /** Whether the KASM of a connection has the record; at a changed address it is the same KASM then. */
  const isThere = (id: string, inputs: Inputs) =>
    withClient(inputs, async (client) => (await kind.find(client, id)) !== undefined);
  const reached = (id: string, state: State) =>
    withCurrentConnection(state, (connection) => isThere(id, connection));
  return {
    check(_olds, news) {
      // Of a property that is named here the engine prints the value, secrets included.
      const failures = kind.problems(news).map((reason) => ({ property: "", reason }));
      return Promise.resolve({ inputs: kind.complete(news), failures });
    },

    async diff(id, olds, news) {
      const keys = [...kind.compared(news), ...connectionKeys];
      const changed = differences<keyof Inputs>(keys, olds, kind.complete(news));
      const moved = olds.kasmUrl !== news.kasmUrl;
      const elsewhere = moved && !(await isThere(id, news));
      return {
        changes: changed.length > 0 || moved,
        replaces: [
          ...(changed.includes(kind.fixed) ? [kind.fixed] : []),
          ...(elsewhere ? ["kasmUrl"] : []),
        ],
        // Names, markers and keys can't be there twice.
        deleteBeforeReplace: true,
      };
    },

    async create(inputs) {
      return await withClient(inputs, async (client) => {
        const { id, settle } = await kind.findOrCreate(client, inputs);
        try {
          return { id, outs: await settle() };
        } catch (error) {
          // The engine keeps the record in the state, and the next run goes on with it.
          const reasons = [(error as Error).message];
          throw Object.assign(error as Error, { id, properties: kind.unknown(inputs), reasons });
        }
      });
    },

    async read(id, state) {
      if (state === undefined) {
        throw new Error("a record of KASM can only be read with its state");
      }
      return await withClient(await reached(id, state), async (client) => {
        const listed = await kind.find(client, id);
        if (listed === undefined) {
          return { id: "" };
        }
        const props = await kind.seen(client, listed, state);
        // As inputs too: the engine shows what changed by comparing inputs.
        return { id, props, inputs: kind.inputsOf(props) as State };
      });
    },

    async update(id, olds, news) {
      return await withClient(news, async (client) => ({
        outs: await kind.update(client, id, news, olds),
      }));
    },

    async delete(id, state) {
      await withClient(await reached(id, state), async (client) => {
        if (await kind.find(client, id)) {
          await kind.delete(client, id);
        }
      });
    },
  };
}
