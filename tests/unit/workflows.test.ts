import { readFileSync } from "node:fs";
import { type Job, runStepsOf, workflows, workflowText } from "../workflowFiles";

const files = [...workflows.keys()];

interface Place {
  readonly file: string;
  readonly name: string;
  readonly job: Job;
}

const jobs: Place[] = [...workflows].flatMap(([file, workflow]) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ file, name, job })),
);

const usesSecrets = ({ job }: Place) => JSON.stringify(job).includes("secrets.");

test.each(files)(
  "%s has no permissions by default, and its shell stops at the first error",
  (file) => {
    expect(workflows.get(file)?.permissions).toEqual({});
    expect(workflows.get(file)?.defaults).toEqual({ run: { shell: "bash" } });
  },
);

test.each(jobs)("$file, $name: has minimal permissions and a timeout", ({ file, name, job }) => {
  const more: Record<string, object> = {
    "preview.yml preview": { "pull-requests": "write" },
    "drift.yml drift": { issues: "write" },
    "nightly.yml e2e": { issues: "write" },
  };
  expect(job.permissions).toEqual({ contents: "read", ...more[`${file} ${name}`] });
  expect(job["timeout-minutes"]).toBeGreaterThanOrEqual(60);
});

test.each([...files.map(workflowText), readFileSync(".github/actions/prepare/action.yml", "utf8")])(
  "actions are this project's own or GitHub's, pinned by commit (%#)",
  (text) => {
    const uses = text.split("\n").filter((line) => /^\s*(- )?uses:/.test(line));

    expect(uses).not.toEqual([]);
    for (const line of uses) {
      expect(line).toMatch(
        /uses: (\.\/\.github\/actions\/\w+|actions\/(checkout|setup-node)@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/,
      );
    }
  },
);

test.each(jobs)("$file, $name: the checkout stores no token", ({ job }) => {
  for (const step of job.steps.filter(({ uses }) => uses?.startsWith("actions/checkout"))) {
    expect(step.with?.["persist-credentials"]).toBe(false);
  }
});

test.each(jobs)("$file, $name: no text of other users is expanded in a shell", ({ file, name }) => {
  for (const { run } of runStepsOf(file, name)) {
    expect(run).not.toContain("${{");
  }
});

test.each(jobs)("$file, $name: secrets are in the environment of single steps only", ({ job }) => {
  const { steps, ...rest } = job;
  expect(JSON.stringify(rest)).not.toMatch(/secrets\.|github\.token/);
  for (const { env: _, ...step } of steps) {
    expect(JSON.stringify(step)).not.toMatch(/secrets\.|github\.token/);
  }
});

test.each(jobs.filter(usesSecrets))(
  "$file, $name: one run for a stack at a time, none cancelled",
  ({ job }) => {
    expect(job.concurrency).toEqual({
      group: expect.stringMatching(/^stack-(pr-)?\$\{\{ [\w.]+ \}\}$/) as string,
      "cancel-in-progress": false,
      queue: "max",
    });
  },
);

test.each(jobs)("$file, $name: secrets come from an environment, never the repository", (place) => {
  const environments: Record<string, string> = {
    "preview.yml preview": "preview",
    "drift.yml drift": "drift",
    "up.yml up": "deploy",
    "destroy.yml destroy": "deploy",
    "review.yml up": "review",
    "review.yml down": "review",
  };
  const { file, name, job } = place;

  expect(job.environment).toBe(environments[`${file} ${name}`]);
  expect(usesSecrets(place)).toBe(job.environment !== undefined);
});

test.each(jobs)("$file, $name: runs on GitHub's own machines", ({ job }) => {
  expect(job["runs-on"]).toBe("ubuntu-24.04");
});

test("docs/operations.md describes the environments and their protection rules", () => {
  const page = readFileSync("docs/operations.md", "utf8");

  for (const { job } of jobs.filter(usesSecrets)) {
    expect(page).toContain(`\n| \`${job.environment ?? ""}\` | `);
  }
});

const commands = jobs.flatMap(({ file, name }) => runStepsOf(file, name));

test("every deployment uses the policy pack", () => {
  const ups = commands.filter(({ run }) => run.includes("npm run up "));

  expect(ups.map(({ key }) => key)).toEqual(["review.yml up: Up", "up.yml up: Up"]);
  for (const { run } of ups) {
    expect(run).toMatch(/ --policy-pack policy$/);
  }
});

test("logs do not name users of KASM", () => {
  const shown = commands.filter(({ run }) => run.includes("npm run status"));

  expect(shown.map(({ key }) => key)).toEqual(["drift.yml drift: Status"]);
  for (const { run } of shown) {
    expect(run).toContain(" --no-sessions");
  }
});

test.each(files)("%s gives a fork's pull request no secrets", (file) => {
  expect(Object.keys(workflows.get(file)?.on ?? {})).not.toContain("pull_request_target");
  const onPullRequests = jobs.filter((place) => place.file === file && usesSecrets(place));
  for (const { job } of "pull_request" in (workflows.get(file)?.on ?? {}) ? onPullRequests : []) {
    expect(job.if?.replaceAll("\n", " ")).toMatch(
      /&& github\.event\.pull_request\.head\.repo\.full_name == github\.repository( &&|$)/,
    );
  }
});
