import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";

/** Members of a record, in KASM's own form. */
export type Members = Readonly<Record<string, unknown>>;

/** A property of a workspace or a cast link: all that this program knows of it. */
export interface Field<Value> {
  /** The members of a record that hold it, and the form in which KASM answers each. */
  readonly members: Readonly<Record<string, z.ZodType>>;
  /** Its value unless something else is declared. */
  readonly default: Value;
  /** The members to send for a value. */
  send(value: Value): Members;
  /** Its value in a record. */
  seen(row: Members): Value;
}

/** The properties of a record. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** The values of all of them. */
export type PropsOf<F extends Fields> = {
  readonly [Key in keyof F]: F[Key] extends Field<infer Value> ? Value : never;
};

/** Declares a property that is sent and answered as it is. */
export function field<Value>(
  name: string,
  answer: z.ZodType<Value>,
  byDefault: Value,
): Field<Value> {
  return converted(name, answer, byDefault, { send: (value) => value, seen: (value) => value });
}

/** Declares a property that is sent or answered in another form. */
export function converted<Value, Answer>(
  name: string,
  answer: z.ZodType<Answer>,
  byDefault: Value,
  { send, seen }: { send: (value: Value) => unknown; seen: (answer: Answer) => Value },
): Field<Value> {
  return {
    members: { [name]: answer },
    default: byDefault,
    send: (value) => ({ [name]: send(value) }),
    seen: (row) => seen(row[name] as Answer),
  };
}

/** Returns the members of all properties with their forms. */
export function membersOf(fields: Fields): Record<string, z.ZodType> {
  return Object.assign({}, ...Object.values(fields).map(({ members }) => members)) as Record<
    string,
    z.ZodType
  >;
}

/** Returns the values of properties of which nothing is declared. */
export function defaultsOf<F extends Fields>(fields: F): PropsOf<F> {
  const entries = Object.entries(fields).map(([key, each]) => [key, each.default]);
  return Object.fromEntries(entries) as PropsOf<F>;
}

/** Returns a record as properties. */
export function seenIn<F extends Fields>(fields: F, row: Members): PropsOf<F> {
  const entries = Object.entries(fields).map(([key, each]) => [key, each.seen(row)]);
  return Object.fromEntries(entries) as PropsOf<F>;
}

/** Returns what to send so that a record gets the given properties. */
export function toSend<F extends Fields>(
  fields: F,
  props: PropsOf<F>,
  keys: readonly (keyof F)[],
): Members {
  return Object.assign({}, ...keys.map((key) => fields[key]?.send(props[key]))) as Members;
}

/** Returns the properties that differ. */
export function differences<Key extends PropertyKey>(
  keys: readonly Key[],
  one: Readonly<Record<Key, unknown>>,
  other: Readonly<Record<Key, unknown>>,
): Key[] {
  return keys.filter((key) => !isDeepStrictEqual(one[key], other[key]));
}

export function keysOf<Props extends object>(props: Props): (keyof Props)[] {
  return Object.keys(props) as (keyof Props)[];
}
