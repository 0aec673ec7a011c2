import { parse } from "yaml";
import { checkEach, namespace } from "../settings";
import { readIfThere } from "./engine";
import { UserError } from "./userError";

/**
 * Looks at a stack's file as far as that goes without the engine, which may take minutes to make.
 * @throws UserError where nobody has written it
 * @throws SettingsError with what is wrong with settings that are not encrypted
 */
export function checkStackFile(stack: string): void {
  const text = readIfThere(`Pulumi.${stack}.yaml`);
  if (text === undefined) {
    throw new UserError(
      `There is no Pulumi.${stack}.yaml with the settings of stack "${stack}". Copy Pulumi.kasm.yaml.example to it for a KASM server.`,
    );
  }
  checkEach({ values: plainSettings(text), encrypted: [] });
}

/** The settings in the text of a stack's file of which no part is encrypted, in the form that the engine gives them. */
export function plainSettings(text: string): Record<string, string> {
  // Outside of lists and objects, the engine takes each value by its letters.
  const [literal, typed] = [configOf(text, "failsafe"), configOf(text, "core")];
  const entries = Object.entries(literal).flatMap(([key, value]): [string, string][] => {
    if (!key.startsWith(`${namespace}:`) || JSON.stringify(value).includes('"secure":')) {
      return [];
    }
    const given = typeof value === "string" ? value : JSON.stringify(typed[key]);
    return [[key.slice(key.lastIndexOf(":") + 1), given]];
  });
  return Object.fromEntries(entries);
}

function configOf(text: string, schema: "failsafe" | "core"): Record<string, unknown> {
  const file = parse(text, { schema }) as { config?: Record<string, unknown> | "" } | null;
  return file?.config || {};
}
