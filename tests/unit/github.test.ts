import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { comment, issue } from "../../cli/github";
import { GithubStandIn } from "../githubStandIn";

const folder = mkdtempSync(join(tmpdir(), "github-"));
const file = join(folder, "text.md");
const environment = { ...process.env };
let github: GithubStandIn;

beforeEach(async () => {
  github = new GithubStandIn("token-1");
  Object.assign(process.env, {
    GITHUB_API_URL: await github.start(),
    GITHUB_REPOSITORY: "me/mine",
    GITHUB_TOKEN: "token-1",
    GITHUB_SERVER_URL: "https://github.example.com",
    GITHUB_RUN_ID: "42",
  });
  writeFileSync(file, "what was found");
});
afterEach(() => {
  github.stop();
  process.env = { ...environment };
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const footer = "\n[Log of this run](https://github.example.com/me/mine/actions/runs/42)\n";
const onSeven = { pullRequest: "7", topic: "preview of stack kasm", file };

test("creates the first comment in its pull request", async () => {
  await comment(onSeven);

  const body = `<!-- openclaw-kasm: preview of stack kasm -->\nwhat was found${footer}`;
  expect(github.comments).toMatchObject([{ on: 7, body }]);
});

test("a later comment on the same topic replaces the first, even after a page of other comments", async () => {
  for (let count = 0; count < 150; count += 1) {
    github.add(github.comments, "a-user", "a remark", { on: 7 });
  }
  await comment(onSeven);
  writeFileSync(file, "what was found later");
  await comment(onSeven);

  expect(github.comments).toHaveLength(151);
  expect(github.comments.at(-1)?.body).toContain("what was found later");
});

test("writes anew what is on the same pull request only", async () => {
  await comment({ ...onSeven, pullRequest: "8" });
  await comment(onSeven);
  await comment(onSeven);

  expect(github.comments.map(({ on }) => on)).toEqual([8, 7]);
});

test("keeps comments on other topics and comments of users", async () => {
  await comment({ ...onSeven, topic: "preview of stack other" });
  const mine = "<!-- openclaw-kasm: preview of stack kasm -->\nmine";
  github.add(github.comments, "a-user", mine, { on: 7 });
  await comment(onSeven);

  expect(github.comments.map(({ body }) => body.split("\n")[1])).toEqual([
    "what was found",
    "mine",
    "what was found",
  ]);
});

test("opens an issue once and replaces its text while it is open", async () => {
  github.add(github.issues, "a-user", "mine", { title: "Drift in stack kasm" });
  await issue({ title: "Drift in stack kasm", file });
  writeFileSync(file, "what was found later");
  await issue({ title: "Drift in stack kasm", file });

  expect(github.issues.map(({ body }) => body)).toEqual(["mine", `what was found later${footer}`]);
});

test("reports an error of GitHub without the token", async () => {
  process.env.GITHUB_TOKEN = "token-2";

  const refusal = await comment(onSeven).catch(String);

  expect(refusal).toContain(
    'GitHub answered 401 to GET issues/7/comments?per_page=100&page=1: {"message":"Bad credentials"}',
  );
  expect(refusal).not.toContain("token-2");
});

test("names the missing variables outside of a workflow", async () => {
  delete process.env.GITHUB_REPOSITORY;
  process.env.GITHUB_TOKEN = "";

  await expect(comment(onSeven)).rejects.toThrow(
    "This command runs in a GitHub workflow; not usable here: GITHUB_REPOSITORY, GITHUB_TOKEN",
  );
});

test.each(["", "0", "7/../8", "7 8"])(
  "refuses %j as the number of a pull request",
  async (pullRequest) => {
    await expect(comment({ ...onSeven, pullRequest })).rejects.toThrow(
      "is not the number of a pull request",
    );
    expect(github.comments).toEqual([]);
  },
);
