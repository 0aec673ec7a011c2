import { z } from "zod";
import { within } from "../../host/shellCommand";

/** Tags under which OpenClaw is published; the registry need not have each of them. */
const openclawTags = ["latest", "extended-stable"] as const;

/** What the npm registry says of one version of OpenClaw. */
export interface PublishedVersion {
  /** Versions of Node with which it runs, in npm's form, if it names any. */
  readonly node: string | undefined;
}

const tagsSchema = z.object({ "dist-tags": z.record(z.string(), z.string()) });
const versionSchema = z.object({
  version: z.string(),
  "engines.node": z.string().optional(),
});

/**
 * Asks the npm registry which versions of OpenClaw its tags name.
 * @param seconds time limit
 * @returns versions by tag, or undefined if there is no answer
 */
export async function publishedTags(seconds: number): Promise<Map<string, string> | undefined> {
  // With two fields npm prints an object, with one only its value.
  const answer = await view("openclaw", ["dist-tags", "name"], seconds);
  const tags = tagsSchema.safeParse(answer).data?.["dist-tags"];
  return tags && new Map(openclawTags.flatMap((tag) => (tags[tag] ? [[tag, tags[tag]]] : [])));
}

/**
 * Asks the npm registry for a version of OpenClaw.
 * @returns undefined if there is no answer, "missing" if there is no such version
 */
export async function publishedVersion(
  version: string,
  seconds: number,
): Promise<PublishedVersion | "missing" | undefined> {
  const answer = await view(`openclaw@${version}`, ["version", "engines.node"], seconds);
  const found = versionSchema.safeParse(answer).data;
  if (found) {
    return { node: found["engines.node"] };
  }
  return isMissing(answer) ? "missing" : undefined;
}

const errorSchema = z.object({ error: z.object({ code: z.string() }) });

function isMissing(answer: unknown): boolean {
  const { data } = errorSchema.safeParse(answer);
  return answer === "" || data?.error.code === "E404" || data?.error.code === "ETARGET";
}

/**
 * Runs `npm view`, which goes to the registry, through the proxy and by the authority that npm is set up with.
 * @returns what it prints; undefined if that is no JSON
 */
async function view(spec: string, fields: string[], seconds: number): Promise<unknown> {
  const options = ["--json", "--fetch-retries=0", "--no-update-notifier", "--loglevel=silent"];
  const asked = within(seconds)({ env: npmEnvironment(process.env) });
  const { stdout, exitCode } = await asked`npm view ${spec} ${fields} ${options}`;
  if (stdout.trim() === "") {
    // Of a version that does not exist npm says nothing, and succeeds.
    return exitCode === 0 ? "" : undefined;
  }
  try {
    return JSON.parse(stdout) as unknown;
  } catch {
    return undefined;
  }
}

/** Returns the variables that npm needs, and none in which the stack's secrets may be. */
export function npmEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const needed =
    /^(PATH|HOME|USERPROFILE|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|npm_config_.*|.*_proxy)$/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => needed.test(name)));
}
