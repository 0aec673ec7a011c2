import { existsSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { namespace } from "./index";

/** Returns the settings in the text of a stack's file of which no part is encrypted, in the form that the engine gives them. */
export function plainSettings(text: string): Record<string, string> {
  return settingsIn(text, (value) =>
    JSON.stringify(value).includes('"secure":') ? undefined : value,
  );
}

/** Returns all settings in the text of a stack's file without the parts that are encrypted. */
export function inClear(text: string): Record<string, string> {
  return settingsIn(text, withoutEncrypted);
}

/** Returns what a stack's file has in clear; nothing if the settings are in another file. */
export function inClearOf(stack: string): Record<string, string> | undefined {
  const file = `Pulumi.${shortName(stack)}.yaml`;
  return existsSync(file) ? inClear(readFileSync(file, "utf8")) : undefined;
}

/** Returns a stack's name as its program has it, of one that may be named with organisation and project. */
export function shortName(stack: string): string {
  return stack.slice(stack.lastIndexOf("/") + 1);
}

function settingsIn(text: string, select: (value: unknown) => unknown): Record<string, string> {
  // Outside of lists and objects, the engine takes each value by its letters.
  const [literal, typed] = [configOf(text, "failsafe"), configOf(text, "core")];
  const entries = Object.entries(literal).flatMap(([key, value]): [string, string][] => {
    const selected = key.startsWith(`${namespace}:`) ? select(typed[key]) : undefined;
    if (selected === undefined) {
      return [];
    }
    const given = typeof value === "string" ? value : JSON.stringify(selected);
    return [[key.slice(key.lastIndexOf(":") + 1), given]];
  });
  return Object.fromEntries(entries);
}

/** A list keeps its length, so that places in it stay what they are. */
function withoutEncrypted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map((child) => withoutEncrypted(child) ?? null);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const entries = Object.entries(value);
  return entries.length === 1 && entries[0]?.[0] === "secure"
    ? undefined
    : Object.fromEntries(entries.map(([key, child]) => [key, withoutEncrypted(child)]));
}

function configOf(text: string, schema: "failsafe" | "core"): Record<string, unknown> {
  const file = parse(text, { schema }) as { config?: Record<string, unknown> | "" } | null;
  return file?.config || {};
}
