import type { JsonObject } from "./workspaceFields";

/** How names of secrets end. Short words count only by themselves (monkey, bypass), and some only behind another one (PWD). */
const ends =
  /((^|_)(KEY|PASS|JWT)|_PWD?|_PAT|(API|ACCESS|PRIVATE|SECRET|AUTH)KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASSCODE|CREDENTIALS?|AUTHORIZATION|COOKIE)$/i;

/** Which of several secrets it is: OPENAI_KEY_2, DB_PASS_PROD, JWT_V2. */
const which =
  /(_?\d+|_(V\d+|PROD|PRODUCTION|LIVE|STAGING|STAGE|DEV|DEVELOPMENT|TEST|QA|CI|SANDBOX|PRIMARY|SECONDARY|BACKUP|OLD|NEW|PREVIOUS|CURRENT))+$/i;

/** Names of secrets that are so with any word behind them (API_KEY_ACME) but those of {@link aboutSecrets}. */
const withMore =
  /((API|ACCESS|PRIVATE|SECRET|AUTH)_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PASSCODE|CREDENTIALS?)_(.+)$/i;

/** Words behind the name of a secret that make it the name of something else: where it is, how it is used, how long it is valid. */
const aboutSecrets = new Set(
  [
    "file path dir directory folder location mount url uri endpoint address host hostname port server service store vault",
    "manager provider source backend region env var variable ref reference id name names label title description hint",
    "header field param parameter query prefix suffix separator format encoding type kind mode scheme algorithm alg curve",
    "length len size limit count budget max min per rate window bucket quota threshold floor usage cost price stats",
    "ttl lifetime validity age expiry expires expiration expire timeout interval seconds minutes hours days ms at",
    "rotation rotate refresh reset policy rule rules strategy scope scopes issuer audience fingerprint enabled enable",
    "disabled required optional allowed auth check verify validation helper command cmd script resolver map binding",
    "board ring bind event status state index version counter pool cache",
  ]
    .join(" ")
    .split(" "),
);

/** Whether a variable of this name holds a secret, as far as a name tells: ANTHROPIC_API_KEY_2, apiToken, x-api-key, API_KEY_PROD. */
export function looksSecret(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(which, "");
  const more = withMore.exec(words)?.[3]?.toLowerCase().split("_");
  return ends.test(words) || (more !== undefined && !more.some((word) => aboutSecrets.has(word)));
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
