import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { $ } from "zx";
import { ensureDocker } from "../commands/docker";
import { ensureDebianPackages } from "../commands/packages";
import { openEngine, progress } from "../commands/engine";
import { UserError } from "../commands/userError";
import { findGo } from "../toolchain/golang";
import { ensureChromeImage, ensureCoreImage, ensureRigImage } from "./rig/images";

/** What one part of the tests came to. */
interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** What failed and why, shown again at the end: a run prints thousands of lines. */
  readonly failures?: readonly string[];
}

/** The part of jest's report (`--json`) that is read here. */
interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const reports = join(tmpdir(), `openclaw-reports-${process.pid.toString()}`);
const shown = $({ stdio: "inherit", nothrow: true });

/** Every part in the order in which a fault is cheapest to find. */
const parts: [name: string, run: () => Promise<Outcome>][] = [
  ["format", () => check("prettier", "--check", ".")],
  ["lint", () => check("eslint", ".")],
  ["types", () => check("tsc", "--noEmit")],
  ["shell scripts", shellcheck],
  ["workflows", actionlint],
  ["unit", () => jest("unit")],
  ["Go", goTests],
  ["engine", () => jest("engine")],
  ["standalone", () => jest("e2e", "e2e/standalone.test")],
  ["change", () => jest("e2e", "e2e/change.test")],
  ["plans", () => jest("e2e", "e2e/plans.test")],
  ["rig", () => jest("e2e", "e2e/rig.*.test")],
  ["KASM server", () => jest("e2e", "e2e/kasmServer.test")],
  ["another server", () => jest("e2e", "e2e/move.test")],
  ["desktop image", () => jest("e2e", "e2e/kasmImage.test")],
  ["tiles", () => jest("e2e", "e2e/tiles.test")],
];

const partNames = parts.map(([name]) => name);

/**
 * What runs when: the lanes of a stage side by side, one stage after the other. Two lanes, because most parts wait as
 * much as they work, and of two that look at what they leave on this machine's Docker never both. Alone is the part that
 * restarts Docker and is asked how fast it is.
 */
const stages = [
  [
    ["format", "lint", "unit"],
    ["types", "shell scripts", "workflows", "Go"],
  ],
  [["standalone"]],
  [["desktop image"], ["rig", "another server", "engine"]],
  [
    ["change", "plans"],
    ["KASM server", "tiles"],
  ],
];

/** Parts that need Docker. Each takes minutes, and they are last: what is wrong in them is the dearest to find. */
const endToEnd = partNames.slice(partNames.indexOf("standalone"));

/**
 * `npm test`: sets up what the tests need, runs the parts named in `only` (all of them unless told otherwise), and
 * ends with `N passed, N failed` as the runners themselves counted.
 */
export async function test(only: string[]): Promise<void> {
  const names = only.flatMap((name) => (name === "end to end" ? endToEnd : name));
  const unknown = names.filter((name) => !partNames.includes(name));
  if (unknown.length > 0) {
    const known = [...partNames, "end to end"];
    throw new UserError(
      `There is no part ${unknown.join(", ")}; the parts are ${known.join(", ")}`,
    );
  }
  const chosen = parts.filter(([name]) => names.length === 0 || names.includes(name));
  const isChosen = (...some: string[]) => chosen.some(([name]) => some.includes(name));

  if (isChosen("workflows", "Go", "engine")) {
    await ensureGo();
  }
  await ensureDebianPackages({ shellcheck: "shellcheck", chromium: "chromium", curl: "curl" });
  const needsDocker = isChosen(...endToEnd);
  if (needsDocker) {
    await ensureDocker();
  }
  // The first time these take minutes, more than a test waits; processors and network are busy by turns.
  await Promise.all([
    needsDocker || isChosen("engine") ? openEngine() : undefined,
    needsDocker ? ensureImages() : undefined,
  ]);

  mkdirSync(reports, { recursive: true });
  const outcomes: [string, Outcome, seconds: number][] = [];
  const runAll = async (lane: string[]) => {
    for (const [name, run] of chosen.filter(([part]) => lane.includes(part))) {
      progress(`Testing: ${name}`);
      const begin = performance.now();
      outcomes.push([name, await run(), (performance.now() - begin) / 1000]);
    }
  };
  for (const lanes of stages) {
    await Promise.all(lanes.map(runAll));
  }
  rmSync(reports, { recursive: true });

  const sum = (key: "passed" | "failed") =>
    outcomes.reduce((total, [, outcome]) => total + outcome[key], 0);
  for (const [name, { failures = [] }] of outcomes) {
    for (const failure of failures) {
      console.log(`\n${name}: ${shortened(failure)}`);
    }
  }
  for (const [name, { passed, failed }, seconds] of outcomes) {
    const counts = `${passed.toString().padStart(5)} passed ${failed.toString().padStart(5)} failed`;
    console.log(`${name.padEnd(14)} ${counts} ${seconds.toFixed(0).padStart(5)} s`);
  }
  console.log(`${sum("passed").toString()} passed, ${sum("failed").toString()} failed`);
  process.exitCode = sum("failed") > 0 ? 1 : 0;
}

/** Without the middle of a long text, which is output of a command and stands further up. */
function shortened(text: string): string {
  return text.length <= 2000 ? text : `${text.slice(0, 1500)}\n[…]\n${text.slice(-500)}`;
}

/** Where none is on PATH, one is fetched for as long as the tests take, as for the engine's build. */
async function ensureGo(): Promise<void> {
  const { command, env } = await findGo(join(reports, "go"), process.env, progress);
  if (command !== "go") {
    Object.assign(process.env, env, { PATH: `${dirname(command)}:${process.env.PATH ?? ""}` });
  }
}

/** Of the rigs and of what they are given. */
async function ensureImages(): Promise<void> {
  await ensureRigImage();
  await ensureChromeImage();
  await ensureCoreImage();
}

/** A tool that says yes or no counts as one test. */
async function check(tool: string, ...args: string[]): Promise<Outcome> {
  return asOutcome(await shown`npx --no-install ${tool} ${args}`);
}

function asOutcome({ exitCode }: { exitCode: number | null }): Outcome {
  return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** A runner that failed without a failed test (a file that does not load, nothing found) is a failure all the same. */
function withExitCode(counted: Outcome, exitCode: number | null): Outcome {
  const silent = counted.failed === 0 && (exitCode !== 0 || counted.passed === 0);
  return silent ? { ...counted, failed: 1 } : counted;
}

async function shellcheck(): Promise<Outcome> {
  const files = (
    await $({ quiet: true })`git grep -lIE ${"^#!.*\\b(sh|bash)$"} -- ${":!*.md"} ${":!*.ts"}`
  ).stdout.trim();
  let outcome: Outcome = { passed: 0, failed: 0 };
  for (const file of files.split("\n")) {
    const { passed, failed } = asOutcome(
      await shown`shellcheck --external-sources --source-path=SCRIPTDIR ${file}`,
    );
    outcome = { passed: outcome.passed + passed, failed: outcome.failed + failed };
  }
  return outcome;
}

/** It calls shellcheck for the workflows' commands, as it is on this machine. */
async function actionlint(): Promise<Outcome> {
  return asOutcome(await shown`go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12`);
}

/** Runs a project of jest.config.js, or those of its files that a pattern fits. */
async function jest(project: "unit" | "engine" | "e2e", files = ""): Promise<Outcome> {
  const report = join(reports, `${project}-${files}`.replaceAll(/\W+/g, "-") + ".json");
  rmSync(report, { force: true });
  const only = files === "" ? [] : ["--testPathPatterns", files];
  // The others share a Docker, or an engine's home.
  const workers = project === "unit" ? "--maxWorkers=2" : "--runInBand";
  // The names of hundreds of unit tests would hide everything else.
  const reporters =
    project === "unit" ? [] : ["--reporters=default", "--reporters=./tests/progressReporter.mjs"];
  const { exitCode } =
    await shown`npx --no-install jest --selectProjects ${project} ${only} ${workers} ${reporters} --json --outputFile ${report}`;
  const {
    numPassedTests,
    numFailedTests,
    numRuntimeErrorTestSuites,
    numPendingTests,
    testResults,
  } = JSON.parse(readFileSync(report, "utf8")) as JestReport;
  const failed = numFailedTests + numRuntimeErrorTestSuites + numPendingTests;
  const failures = testResults.flatMap(({ assertionResults, message }) =>
    assertionResults.length === 0
      ? [message]
      : assertionResults
          .filter(({ status }) => status === "failed")
          .map(({ fullName, failureMessages }) => `${fullName}\n${failureMessages.join("\n")}`),
  );
  return withExitCode({ passed: numPassedTests, failed, failures }, exitCode);
}

async function goTests(): Promise<Outcome> {
  // toolchain/go/cli has no code of its own: the build of the toolchain is its test.
  const modules = ["toolchain/go/ours", "toolchain/go/bridged"];
  let outcome: Outcome = { passed: 0, failed: 0 };
  for (const module of modules) {
    const run = await $({
      cwd: module,
      quiet: true,
      nothrow: true,
    })`go test -json ./...`;
    const events = run.stdout
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as { Action: string; Test?: string; Output?: string });
    const count = (action: string) =>
      events.filter(({ Action, Test }) => Action === action && Test !== undefined).length;
    const failed = count("fail") + count("skip");
    if (failed > 0 || run.exitCode !== 0) {
      console.log(events.map(({ Output }) => Output ?? "").join(""), run.stderr);
    }
    outcome = {
      passed: outcome.passed + count("pass"),
      failed: outcome.failed + (failed === 0 && run.exitCode !== 0 ? 1 : failed),
    };
  }
  return outcome;
}
