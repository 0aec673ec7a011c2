import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refuseEmptyPassphrase, refuseToForget } from "../../pulumi/engine";

const hosted = { GITHUB_ACTIONS: "true", RUNNER_ENVIRONMENT: "github-hosted" };
const own = { GITHUB_ACTIONS: "true", RUNNER_ENVIRONMENT: "self-hosted" };
const bucket = { PULUMI_BACKEND_URL: "s3://openclaw-state" };
const cloud = { PULUMI_BACKEND_URL: "https://api.pulumi.com" };
const phrase = { PULUMI_CONFIG_PASSPHRASE: "of the repository" };

test.each<[string, NodeJS.ProcessEnv]>([
  ["a person's own machine", {}],
  ["a bucket and a passphrase", { ...hosted, ...bucket, ...phrase }],
  [
    "a bucket and a passphrase's file",
    { ...hosted, ...bucket, PULUMI_CONFIG_PASSPHRASE_FILE: "f" },
  ],
  ["Pulumi Cloud", { ...hosted, ...cloud, PULUMI_CONFIG_PASSPHRASE: "" }],
  ["a runner of one's own with its own state", { ...own, ...phrase }],
])("accepts %s", (_, env) => {
  expect(() => {
    refuseToForget(env);
  }).not.toThrow();
});

test.each<[string, NodeJS.ProcessEnv, string]>([
  [
    "nothing",
    hosted,
    "the repository the variable PULUMI_BACKEND_URL and the job's environment the secret PULUMI_CONFIG_PASSPHRASE",
  ],
  [
    "no state",
    { ...hosted, ...phrase, PULUMI_BACKEND_URL: "" },
    "the repository the variable PULUMI_BACKEND_URL",
  ],
  [
    "no passphrase",
    { ...hosted, ...bucket, PULUMI_CONFIG_PASSPHRASE: "" },
    "the job's environment the secret PULUMI_CONFIG_PASSPHRASE",
  ],
  [
    "an empty passphrase beside a file",
    { ...own, PULUMI_CONFIG_PASSPHRASE: "", PULUMI_CONFIG_PASSPHRASE_FILE: "f" },
    "the job's environment the secret PULUMI_CONFIG_PASSPHRASE",
  ],
  [
    "an empty passphrase on a runner of one's own",
    { ...own, PULUMI_CONFIG_PASSPHRASE: "" },
    "the job's environment the secret PULUMI_CONFIG_PASSPHRASE",
  ],
])("with %s a workflow fails before it uses a stack", (_, env, missing) => {
  expect(() => {
    refuseToForget(env);
  }).toThrow(`give ${missing} (`);
});

describe("an empty passphrase of the state", () => {
  const empty = { PULUMI_CONFIG_PASSPHRASE: "" };
  let folder: string;
  const file = (text: string) => {
    writeFileSync(join(folder, "passphrase"), text);
    return { PULUMI_CONFIG_PASSPHRASE_FILE: join(folder, "passphrase") };
  };
  const check = (env: NodeJS.ProcessEnv) => () => {
    refuseEmptyPassphrase(env);
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "openclaw-passphrase-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test("is refused on a user's machine", () => {
    expect(check(empty)).toThrow("PULUMI_CONFIG_PASSPHRASE is empty");
    expect(check({ ...empty, ...file("one") })).toThrow("PULUMI_CONFIG_PASSPHRASE is empty");
    expect(check(file("\n"))).toThrow("the file of PULUMI_CONFIG_PASSPHRASE_FILE is empty");
  });

  test("is accepted without a state, or with a state encrypted by another secrets provider", () => {
    expect(check({})).not.toThrow();
    expect(check(file("one\n"))).not.toThrow();
    expect(check({ ...phrase, ...file("") })).not.toThrow();
    expect(check({ ...empty, ...cloud })).not.toThrow();
  });
});
