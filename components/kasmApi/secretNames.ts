import type { JsonObject } from "./workspaceFields";

/** How names of secrets end; some of the words mean something else where they stand alone (PWD). */
const ends =
  /((^|_)((API|ACCESS|PRIVATE|SECRET)?KEY|(API|AUTH|ACCESS)?TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASS|CREDENTIALS?)|_PWD|_PAT)$/i;

/** Whether a variable of this name holds a secret, as far as a name tells: ANTHROPIC_API_KEY_2, apiToken, DB_PASS. */
export function looksSecret(name: string): boolean {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").replace(/_?\d+$/, "");
  return ends.test(words);
}

/** Values of the variables in a run config whose names look secret. */
export function secretValues(runConfig: JsonObject): string[] {
  const { environment } = runConfig as { environment?: Record<string, unknown> };
  return Object.entries(environment ?? {})
    .filter(([name]) => looksSecret(name))
    .map(([, value]) => String(value));
}
