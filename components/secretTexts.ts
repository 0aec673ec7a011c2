import { looksSecret } from "./kasmApi/secretNames";

/** A text somewhere in a setting. */
interface Leaf {
  /** Its place, in the form that `pulumi config set --path` takes. */
  readonly place: string;
  /** Name of the member that holds it; of a text in a list, that of the list in the singular. */
  readonly name: string;
  readonly text: string;
}

/** Returns every text in a setting with its place, which begins with the setting's own key. */
export function leavesOf(value: unknown, place: string, name = place): Leaf[] {
  if (typeof value === "string") {
    return [{ place, name, text: value }];
  }
  if (Array.isArray(value)) {
    const singular = name.replace(/s$/, "");
    return value.flatMap((child, index) =>
      leavesOf(child, `${place}[${index.toString()}]`, singular),
    );
  }
  if (typeof value !== "object" || value === null) {
    return [];
  }
  // What each of several tokens is for is no name of a secret.
  const [, singular] =
    /(.*(?:token|secret|password|passphrase|(?:api|access)_?key))s$/i.exec(name) ?? [];
  const shared = singular !== undefined && looksSecret(singular) ? singular : undefined;
  return Object.entries(value).flatMap(([key, child]) =>
    leavesOf(child, place + member(key), shared ?? key),
  );
}

function member(key: string): string {
  return /^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** Returns the texts of openclaw.json that are secrets by their name or by their form. */
export function secretLeaves(config: unknown, place = ""): Leaf[] {
  return leavesOf(config, place).filter(
    ({ name, text }) => valueLooksSecret(text) || (namesSecret(name) && isLiteral(text)),
  );
}

/** Names of keys that are not secret, such as that of a conversation. */
const harmlessNames = /(session|main|public|dedupe|cache)_?key$/i;

function namesSecret(name: string): boolean {
  return looksSecret(name) && !harmlessNames.test(name);
}

/** Whether a text is more than a reference to a variable of OpenClaw's environment, such as `Bearer ${NAME}`. */
function isLiteral(text: string): boolean {
  return text !== "" && !/^([A-Za-z]+ )?\$\{[A-Z_][A-Z0-9_]*\}$/.test(text);
}

/** Forms in which well-known services write their keys and tokens. */
const secretForms = [
  /(^|[^A-Za-z0-9])(sk|pk|rk|gsk|xai|pplx|nvapi|tvly|csk|fw|r8|lin_api|ntn|dop_v1|shpat|glsa|ya29|SG)[-_.][A-Za-z0-9_-]{12,}/,
  /(^|[^A-Za-z0-9])(xox[a-z]|xapp|xwfp)-[A-Za-z0-9-]{8,}/,
  /(^|[^A-Za-z0-9])(gh[a-z]_|github_pat_|glpat-|hf_|npm_|pypi-|dckr_pat_|age-secret-key-)[A-Za-z0-9_-]{10,}/i,
  /(^|[^A-Za-z0-9])(AKIA|ASIA)[A-Z0-9]{16}/,
  /(^|[^A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}/,
  // Telegram's bots.
  /(^|[^A-Za-z0-9])\d{5,}:(AA[A-Za-z0-9_-]{2,}|[A-Za-z0-9_-]{30,})/,
  // Discord's bots.
  /(^|[^A-Za-z0-9])[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}/,
  // JSON Web Tokens.
  /(^|[^A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}/,
  /-----BEGIN [A-Z ]*PRIVATE KEY/,
  /^(Bearer|Basic) [A-Za-z0-9+/._=-]{8,}$/,
  // A login in an address.
  /:\/\/[^\s/:@]*:(?!\$\{)[^\s/@]+@/,
  // Addresses that let in whoever knows them.
  /hooks\.slack\.com\/(services|workflows|triggers)\/[A-Za-z0-9]|\/api\/webhooks\/\d+\/[A-Za-z0-9_-]{20,}/,
  /\/bot\d{5,}:[A-Za-z0-9_-]{6,}/,
];

/** Returns whether a text has the form of a secret, whatever its name. */
export function valueLooksSecret(text: string): boolean {
  return secretForms.some((form) => form.test(text));
}
