import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "zx";

/** The result of one part of the tests. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** What failed and why, printed again at the end: a run prints thousands of lines. */
  readonly failures?: readonly string[];
}

/** Selects the tests of a Jest run, with their options. */
export interface JestRun {
  /** Projects of jest.config.js. */
  readonly projects: readonly ("unit" | "scripts" | "integration" | "e2e" | "e2e-rolling")[];
  /** Regular expressions of which the path of a test file matches one. @default all files */
  readonly files?: readonly string[];
  /** How many files run at a time. */
  readonly workers: number;
  /** Whether to print each test when it ends, for files that take minutes. @default false */
  readonly verbose?: boolean;
}

/** The part of Jest's report (`--json`) that is read here. */
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

/** Runs Jest. A skipped test, a file that does not load and a run without any test count as failures. */
export async function jest({ projects, files = [], workers, verbose }: JestRun): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "openclaw-report-"));
  const report = join(folder, "report.json");
  const only = files.length === 0 ? [] : ["--testPathPatterns", ...files];
  const reporters = verbose
    ? ["--reporters=default", "--reporters=./tests/progressReporter.mjs"]
    : [];
  try {
    const { exitCode } = await $({
      stdio: "inherit",
      nothrow: true,
      // The engine lives for seconds: a tenth of its work was the collection of its garbage.
      env: { GOGC: "400", ...process.env },
    })`npx --no-install jest --selectProjects ${projects} ${only} --maxWorkers=${workers} ${reporters} --json --outputFile ${report}`;
    return withExitCode(read(report), exitCode);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function read(report: string): Outcome {
  // Jest writes none if no test file has a path that matches.
  if (!existsSync(report)) {
    return { passed: 0, failed: 0 };
  }
  const result = JSON.parse(readFileSync(report, "utf8")) as JestReport;
  const { numFailedTests, numRuntimeErrorTestSuites, numPendingTests } = result;
  const failures = result.testResults.flatMap(({ assertionResults, message }) =>
    assertionResults.length === 0
      ? [message]
      : assertionResults
          .filter(({ status }) => status === "failed")
          .map(({ fullName, failureMessages }) => `${fullName}\n${failureMessages.join("\n")}`),
  );
  const failed = numFailedTests + numRuntimeErrorTestSuites + numPendingTests;
  return { passed: result.numPassedTests, failed, failures };
}

/** A runner that failed without a failed test, or found none, has failed. */
function withExitCode(counted: Outcome, exitCode: number | null): Outcome {
  const silent = counted.failed === 0 && (exitCode !== 0 || counted.passed === 0);
  return silent ? { ...counted, failed: 1 } : counted;
}

/** Prints failures and counts of all parts, ends with `N passed, N failed`, and sets the exit status. */
export function conclude(
  outcomes: readonly (readonly [part: string, outcome: Outcome, seconds: number])[],
): void {
  for (const [part, { failures = [] }] of outcomes) {
    for (const failure of failures) {
      console.log(`\n${part}: ${shortened(failure)}`);
    }
  }
  // Once more in short: of a long output often only the end is kept.
  for (const [part, { failures = [] }] of outcomes) {
    for (const failure of failures) {
      console.log(`failed: ${part}: ${shortened(withoutStack(failure), 200, 800)}`);
    }
  }
  for (const [part, { passed, failed }, seconds] of outcomes) {
    const counts = `${passed.toString().padStart(5)} passed ${failed.toString().padStart(5)} failed`;
    console.log(`${part.padEnd(14)} ${counts} ${seconds.toFixed(0).padStart(5)} s`);
  }
  const sum = (key: "passed" | "failed") =>
    outcomes.reduce((total, [, outcome]) => total + outcome[key], 0);
  console.log(`${sum("passed").toString()} passed, ${sum("failed").toString()} failed`);
  process.exitCode = sum("failed") > 0 ? 1 : 0;
}

/** Omits the middle of a long text, which is complete further up in the output. */
function shortened(text: string, first = 1500, last = 500): string {
  return text.length <= first + last ? text : `${text.slice(0, first)}\n[…]\n${text.slice(-last)}`;
}

/** Omits where the failure was thrown: what a command printed stands before it. */
function withoutStack(failure: string): string {
  return failure.replaceAll(/\n\s+at .*/g, "");
}
