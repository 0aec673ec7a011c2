import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { GithubStandIn } from "../../githubStandIn";
import { type Context, notYetRun, Runner } from "./runner";

jest.setTimeout(240_000);

/**
 * What these tests can't run: they have no Docker to deploy to. `npm run up` and `npm run status` are what the end-to-end
 * tests run.
 */
const needDocker = [
  "drift.yml drift: Status",
  "nightly.yml e2e: End-to-end tests",
  "review.yml up: Up",
  "up.yml up: Up",
];

const github = new GithubStandIn("token-of-the-run");
const bucket = mkdtempSync(join(tmpdir(), "openclaw-bucket-"));
let runner: Runner;

/** A repository that has what docs/operations.md asks for; its stack is `dev`, its state in a folder that outlives runners. */
const repository: Context = {
  "vars.OPENCLAW_STACK": "dev",
  "vars.PULUMI_BACKEND_URL": `file://${bucket}`,
  "vars.AWS_REGION": "",
  "secrets.PULUMI_CONFIG_PASSPHRASE": "passphrase-of-the-repository",
  "secrets.PULUMI_ACCESS_TOKEN": "",
  "secrets.AWS_ACCESS_KEY_ID": "",
  "secrets.AWS_SECRET_ACCESS_KEY": "",
  "github.token": "token-of-the-run",
  "github.event.pull_request.number": "7",
};

beforeAll(async () => {
  runner = new Runner({ ...repository, GITHUB_API_URL: await github.start() });
  await runner.start();
});
afterAll(() => {
  github.stop();
  runner.remove();
  rmSync(bucket, { recursive: true });
});

test("installs packages and engine before a step has a secret", async () => {
  const { status, text } = await runner.run("preview.yml", "preview", "Packages and engine");

  expect(text).toMatch(/v3\.\d+\.\d+/);
  expect(status).toBe(0);
});

describe("preview.yml", () => {
  const preview = (values: Context = {}) => runner.run("preview.yml", "preview", "Preview", values);
  const comment = () => runner.run("preview.yml", "preview", "Comment");
  const lastComment = () => github.comments.at(-1)?.body ?? "";

  test("names missing secrets of the repository in the log and in the pull request", async () => {
    const { status, text } = await preview({ "secrets.PULUMI_CONFIG_PASSPHRASE": "" });

    expect(text).toContain("give the job's environment the secret PULUMI_CONFIG_PASSPHRASE");
    expect(status).toBe(1);
    expect((await comment()).status).toBe(0);
    expect(lastComment()).toContain("### Preview of stack `dev`: failed");
  });

  test("keeps one comment with the last preview of the state at PULUMI_BACKEND_URL", async () => {
    expect(await preview()).toMatchObject({ status: 0 });
    expect(await comment()).toMatchObject({ status: 0 });

    expect(github.comments).toHaveLength(1);
    expect(lastComment()).toMatch(/^### Preview of stack `dev`: \d+ to create$/m);
    expect(lastComment()).toContain("| + create | `openclaw-container` | docker Container |");
    expect(readdirSync(bucket)).toContain(".pulumi");
  });

  test("fails on a policy violation, and the comment names it", async () => {
    runner.project.settings("dev", { publishAddresses: ["0.0.0.0"], dataVolume: "openclaw-data" });
    const { status, text } = await preview();
    await comment();

    expect(text).toContain("Port 8080 is published on all addresses");
    expect(status).toBe(1);
    expect(lastComment()).toContain(
      "| `ports-on-chosen-addresses` | `openclaw-container` | Port 8080 is published",
    );
    runner.project.settings("dev", {
      publishAddresses: ["127.0.0.1"],
      dataVolume: "openclaw-data",
    });
  });

  test("previews a pull request without secrets against an empty state", async () => {
    const { status, summary } = await runner.run(
      "preview.yml",
      "preview-without-secrets",
      "Preview of stack dev from nothing",
    );

    expect(summary).toMatch(/^### Preview of stack `dev`: \d+ to create$/m);
    expect(status).toBe(0);
    expect(existsSync(join(runner.temp, ".pulumi"))).toBe(true);
  });
});

test("up.yml: shows the planned changes on the run's page before it deploys", async () => {
  const { status, summary } = await runner.run("up.yml", "up", "Preview with the policy pack");

  expect(summary).toMatch(/^### Preview of stack `dev`: \d+ to create$/m);
  expect(status).toBe(0);
});

test("drift.yml: fails and opens one issue if the host differs from the stack", async () => {
  const { status, text } = await runner.run(
    "drift.yml",
    "drift",
    "Compare the host with the stack",
  );
  expect(text).toContain("no changes were expected for preview but changes were proposed");
  expect(status).toBe(1);

  expect(await runner.run("drift.yml", "drift", "Issue")).toMatchObject({ status: 0 });
  expect(await runner.run("drift.yml", "drift", "Issue")).toMatchObject({ status: 0 });
  expect(github.issues.map(({ title }) => title)).toEqual(["Drift in stack dev"]);
  expect(github.issues[0]?.body).toContain("| + create | `openclaw-container` |");
});

test("nightly.yml: failed end-to-end tests open one issue with the end of their output", async () => {
  writeFileSync(join(runner.temp, "e2e.log"), "Testing\n17 passed, 1 failed\n");
  expect(await runner.run("nightly.yml", "e2e", "Report")).toMatchObject({ status: 0 });
  expect(await runner.run("nightly.yml", "e2e", "Issue")).toMatchObject({ status: 0 });

  const [issue] = github.issues.filter(({ title }) => title === "End-to-end tests fail");
  expect(issue?.body).toContain("17 passed, 1 failed");
});

describe("review.yml", () => {
  test("names Pulumi.review.yaml if it is missing", async () => {
    const { status, text } = await runner.run("review.yml", "up", "Settings");

    expect(text).toContain("There is no Pulumi.review.yaml");
    expect(status).toBe(1);
  });

  test("gives a pull request's stack its own settings, which the policy pack accepts", async () => {
    runner.project.settings("review", { dataVolume: "openclaw-data" });
    expect(await runner.run("review.yml", "up", "Settings")).toMatchObject({ status: 0 });

    const file = join(runner.project.folder, "Pulumi.pr-7.yaml");
    expect(parse(readFileSync(file, "utf8"))).toMatchObject({
      config: { "openclaw:containerName": "openclaw-pr-7", "openclaw:removeDataOnDestroy": true },
    });
    const { status, summary } = await runner.run(
      "review.yml",
      "up",
      "Preview with the policy pack",
    );
    expect(summary).toMatch(/^### Preview of stack `pr-7`: \d+ to create$/m);
    expect(status).toBe(0);
  });

  test("removal deletes data, stack and settings", async () => {
    expect(await runner.run("review.yml", "down", "Settings")).toMatchObject({ status: 0 });
    const { status, text } = await runner.run("review.yml", "down", "Down");

    expect(text).toContain("Stack 'pr-7' has been removed!");
    expect(status).toBe(0);
    expect(runner.dockerCalls()).toContain("volume rm --force openclaw-data-pr-7");
    expect(existsSync(join(runner.project.folder, "Pulumi.pr-7.yaml"))).toBe(false);
  });
});

describe("destroy.yml", () => {
  const inputs = (stack: string, confirm: string, deleteData: boolean): Context => ({
    "inputs.stack": stack,
    "inputs.confirm": confirm,
    "inputs.delete-data && '--delete-data' || ''": deleteData ? "--delete-data" : "",
  });
  const run = (step: string, given: Context) => runner.run("destroy.yml", "destroy", step, given);

  test("fails at once unless the stack's name is typed twice", async () => {
    const { status, text } = await run("Confirmation", inputs("dev", "yes", false));

    expect(text).toBe("::error::Nothing is destroyed: the second name is not that of the stack.\n");
    expect(status).toBe(1);
    expect(await run("Confirmation", inputs("dev", "dev", false))).toMatchObject({ status: 0 });
  });

  test("keeps the data by default", async () => {
    const before = runner.dockerCalls().length;
    expect(await run("Down", inputs("dev", "dev", false))).toMatchObject({ status: 0 });
    expect(runner.dockerCalls().slice(before)).not.toContain("volume rm --force openclaw-data");

    expect(await run("Down", inputs("dev", "dev", true))).toMatchObject({ status: 0 });
    expect(runner.dockerCalls()).toContain("volume rm --force openclaw-data");
  });

  test("knows review stacks too", async () => {
    const given = inputs("pr-8", "pr-8", true);
    expect(await run("Settings of a review stack", given)).toMatchObject({ status: 0 });
    expect(await run("Down", given)).toMatchObject({ status: 0 });

    expect(runner.dockerCalls()).toContain("volume rm --force openclaw-data-pr-8");
  });
});

test("every step ran in this test except those that need a deployment", () => {
  expect([...notYetRun].sort()).toEqual(needDocker);
});
