import type { JsonObject } from "./workspaceFields";

/** How names of secrets end. Short words count only by themselves (monkey, bypass), and some only behind another one (PWD). */
const ends =
  /((^|_)(KEY|PASS|JWT)|_PWD|_PAT|(API|ACCESS|PRIVATE|SECRET|AUTH)KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASSCODE|CREDENTIALS?|AUTHORIZATION|COOKIE)$/i;

/** Whether a variable of this name holds a secret, as far as a name tells: ANTHROPIC_API_KEY_2, apiToken, x-api-key, DB_PASS. */
export function looksSecret(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/_?\d+$/, "");
  return ends.test(words);
}

/** The variables of a run config, which docker-py takes as an object or as a list of NAME=VALUE. */
export function variablesOf(environment: unknown): [name: string, value: string][] {
  if (Array.isArray(environment)) {
    return environment.map((each) => {
      const [name = "", ...value] = String(each).split("=");
      return [name, value.join("=")];
    });
  }
  return Object.entries(environment ?? {}).map(([name, value]) => [name, String(value)]);
}

/** Values of the variables in a run config with names that look secret. */
export function secretValues({ environment }: JsonObject): string[] {
  return variablesOf(environment)
    .filter(([name]) => looksSecret(name))
    .map(([, value]) => value);
}
