import { readFileSync } from "node:fs";
import { z } from "zod";
import { UserError } from "../host/userError";

/** What a workflow's step hands over by its environment. */
const environmentSchema = z.object({
  GITHUB_API_URL: z.url().default("https://api.github.com"),
  GITHUB_REPOSITORY: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
  GITHUB_TOKEN: z.string().min(1),
  GITHUB_SERVER_URL: z.url().default("https://github.com"),
  GITHUB_RUN_ID: z.string().regex(/^\d+$/),
});

/** The account behind the token of every workflow. Only what it wrote is written anew. */
const bot = "github-actions[bot]";

const textSchema = z.object({ body: z.string().nullish(), user: z.object({ login: z.string() }) });
const commentSchema = textSchema.extend({ id: z.number() });
const issueSchema = textSchema.extend({ number: z.number(), title: z.string() });

/** `npm run github -- comment`: the one comment on a topic under a pull request, made or written anew. */
export async function comment(options: {
  pullRequest: string;
  topic: string;
  file: string;
}): Promise<void> {
  // Readers don't see it, and the next run finds the comment by it.
  const mark = `<!-- openclaw-kasm: ${options.topic} -->`;
  const body = `${mark}\n${text(options.file)}`;
  const comments = `issues/${whole(options.pullRequest)}/comments`;
  const earlier = (await list(comments, commentSchema)).find(
    ({ user, body }) => user.login === bot && body?.startsWith(mark),
  );
  await (earlier
    ? send("PATCH", `issues/comments/${earlier.id.toString()}`, { body })
    : send("POST", comments, { body }));
}

/** `npm run github -- issue`: the one open issue of a title, made or written anew. */
export async function issue({ title, file }: { title: string; file: string }): Promise<void> {
  const body = text(file);
  const earlier = (await list("issues?state=open", issueSchema)).find(
    (candidate) => candidate.user.login === bot && candidate.title === title,
  );
  await (earlier
    ? send("PATCH", `issues/${earlier.number.toString()}`, { body })
    : send("POST", "issues", { title, body }));
}

/** A file's text with a way to the log of the run that wrote it. */
function text(file: string): string {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID } = environment();
  const run = `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`;
  return `${readFileSync(file, "utf8")}\n[Log of this run](${run})\n`;
}

function whole(number: string): string {
  if (!/^[1-9]\d*$/.test(number)) {
    throw new UserError(`${JSON.stringify(number)} is not the number of a pull request.`);
  }
  return number;
}

/** Everything of a list, which GitHub gives in pages. */
async function list<T>(path: string, schema: z.ZodType<T>): Promise<T[]> {
  const size = 100;
  const all: T[] = [];
  for (let page = 1; ; page += 1) {
    const query = `per_page=${size.toString()}&page=${page.toString()}`;
    const found = z
      .array(schema)
      .parse(await send("GET", `${path}${path.includes("?") ? "&" : "?"}${query}`));
    all.push(...found);
    if (found.length < size) {
      return all;
    }
  }
}

async function send(method: string, path: string, body?: object): Promise<unknown> {
  const { GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN } = environment();
  const response = await fetch(`${GITHUB_API_URL}/repos/${GITHUB_REPOSITORY}/${path}`, {
    method,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${GITHUB_TOKEN}`,
      "x-github-api-version": "2022-11-28",
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) {
    throw new UserError(
      `GitHub answered ${response.status.toString()} to ${method} ${path}: ${await response.text()}`,
    );
  }
  return await response.json();
}

function environment(): z.output<typeof environmentSchema> {
  const { success, data, error } = environmentSchema.safeParse(process.env);
  if (!success) {
    const missing = error.issues.map(({ path }) => path.join(".")).join(", ");
    throw new UserError(`This command runs in a GitHub workflow; not usable here: ${missing}`);
  }
  return data;
}
