import { isDeepStrictEqual } from "node:util";
import type { ImageFields } from "./schemas";

/** How a property of a resource stands in a record of KASM's. */
export interface Field<Value, Row> {
  /** The names and values to send for it. */
  readonly send: (value: Value) => ImageFields;
  /** Its value in a record. */
  readonly seen: (row: Row) => Value;
}

/** Every property of a resource that stands in a record. */
export type Fields<Props, Row> = { readonly [Key in keyof Props]: Field<Props[Key], Row> };

/** A property that is sent and read as it is. */
export function plain<Name extends string, Value>(
  name: Name,
): Field<Value, Readonly<Record<Name, Value>>> {
  return { send: (value) => ({ [name]: value }), seen: (row) => row[name] };
}

/** A record as properties. */
export function seenIn<Props, Row>(fields: Fields<Props, Row>, row: Row): Props {
  const entries = Object.entries(fields) as [string, Field<unknown, Row>][];
  return Object.fromEntries(entries.map(([key, { seen }]) => [key, seen(row)])) as Props;
}

/** What to send so that a record gets the given properties. */
export function toSend<Props extends object, Row>(
  fields: Fields<Props, Row>,
  props: Props,
  keys: readonly (keyof Props)[],
): ImageFields {
  return Object.assign({}, ...keys.map((key) => fields[key].send(props[key]))) as ImageFields;
}

/** Which of the properties differ. */
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
