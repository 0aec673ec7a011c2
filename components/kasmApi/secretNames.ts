import type { JsonObject } from "./workspaceFields";

/** Whether a variable of this name holds a secret, as far as a name tells: ANTHROPIC_API_KEY, HF_TOKEN, DB_PASSWORD. */
export function looksSecret(name: string): boolean {
  return /(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$/i.test(name);
}

/** Values of the variables in a run config whose names look secret. */
export function secretValues(runConfig: JsonObject): string[] {
  const { environment } = runConfig as { environment?: Record<string, unknown> };
  return Object.entries(environment ?? {})
    .filter(([name]) => looksSecret(name))
    .map(([, value]) => String(value));
}
