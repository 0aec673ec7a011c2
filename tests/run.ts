import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { $ } from "zx";
import { ensureDocker } from "../host/docker";
import { openEngine } from "../pulumi/engine";
import { ensureDebianPackages } from "../host/packages";
import { compilation } from "../toolchain/build";
import { findGo } from "../toolchain/golang";
import { conclude, jest, type JestRun, type Outcome } from "./jest";
import { ensureChromeImage, ensureCoreImage, ensureRigImage } from "../dev/rig/images";
import { removeEarlierRuns } from "./support/docker";
import { runAlone } from "./support/runAlone";
import { unitProjects } from "./unitTests";
import { progress } from "../host/terminal";

type Part = readonly [name: string, run: () => Promise<Outcome>];

const shown = $({ stdio: "inherit", nothrow: true });

/** Parts that need neither Docker nor the engine; but one: Go compiles much of what the engine is built from. */
const quickParts = (engine: Promise<unknown>): readonly Part[] => [
  ["format", () => check("prettier", "--check", ".")],
  ["lint", () => check("eslint", ".")],
  ["types", () => check("tsc", "--noEmit")],
  ["shell scripts", shellcheck],
  ["workflows", actionlint],
  ["unit", () => jest({ projects: unitProjects, workers: 2 })],
  ["Go", () => engine.then(goTests)],
];

/** The whole program with a light OpenClaw, and its main job with the real one. */
const integration: JestRun = {
  projects: ["integration", "e2e"],
  files: ["tests/integration/", "tests/e2e/mainJob"],
  // On two cores: much of their time they wait for a server.
  workers: 3,
  verbose: true,
};

/**
 * `npm test`: sets up what the tests need and runs all but the other end-to-end tests, ending with `N passed, N failed`.
 * @param files parts of paths of test files, to run only those
 */
export async function test(files: string[]): Promise<void> {
  await ensureDebianPackages({ shellcheck: "shellcheck", chromium: "chromium", curl: "curl" });
  await startDocker();
  const engine = openEngine();
  const setUp = Promise.all([engine, ensureRigImage("light")]);
  if (files.length > 0) {
    await setUp;
    const projects = [...unitProjects, ...integration.projects];
    await runLanes([[["tests", () => jest({ ...integration, projects, files })]]]);
    return;
  }
  await withGo(() =>
    runLanes([quickParts(engine), [["integration", () => setUp.then(() => jest(integration))]]]),
  );
}

/**
 * `npm run test:e2e`: everything with the real images.
 * @param files parts of paths of test files, to run only those
 */
export async function testE2e(files: string[]): Promise<void> {
  await ensureDebianPackages({ chromium: "chromium", curl: "curl" });
  await startDocker();
  // The first time these take minutes, more than a test waits; processors and network are busy by turns.
  await Promise.all([openEngine(), ensureImages()]);
  const run: Omit<JestRun, "workers"> = { projects: ["e2e", "e2e-rolling"], verbose: true };
  if (files.length > 0) {
    await runLanes([[["e2e", () => jest({ ...run, files, workers: 1 })]]]);
    return;
  }
  // The first stops the Docker engine that the others use; `npm test` has the main job.
  const alone = "tests/e2e/dockerRestart";
  const others = "tests/e2e/(?!dockerRestart|mainJob)";
  await runLanes([
    [
      ["Docker restart", () => jest({ ...run, files: [alone], workers: 1 })],
      ["e2e", () => jest({ ...run, files: [others], workers: 3 })],
    ],
  ]);
}

/** Docker without anything of an earlier run in it. */
async function startDocker(): Promise<void> {
  await runAlone();
  await ensureDocker();
  await removeEarlierRuns();
}

/** Runs the lanes side by side, the parts of each in order, and prints the outcome. */
async function runLanes(lanes: readonly (readonly Part[])[]): Promise<void> {
  const outcomes: [string, Outcome, seconds: number][] = [];
  const runLane = async (lane: readonly Part[]) => {
    for (const [name, run] of lane) {
      progress(`Testing: ${name}`);
      const begin = performance.now();
      outcomes.push([name, await run(), (performance.now() - begin) / 1000]);
    }
  };
  await Promise.all(lanes.map(runLane));
  conclude(outcomes);
}

async function ensureImages(): Promise<void> {
  for (const flavour of ["static", "rolling"] as const) {
    await ensureRigImage("light", flavour);
    await ensureRigImage("real", flavour);
  }
  await ensureChromeImage();
  await ensureCoreImage("jammy");
  await ensureCoreImage("noble");
}

/** Puts Go on PATH during `work`; without an installed Go, downloads one for that time, as for the engine's build. */
async function withGo(work: () => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "openclaw-go-"));
  try {
    const { command, env } = await findGo(folder, process.env, progress);
    if (command !== "go") {
      Object.assign(process.env, env, { PATH: `${dirname(command)}:${process.env.PATH ?? ""}` });
    }
    await work();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A tool that says yes or no counts as one test. */
async function check(tool: string, ...args: string[]): Promise<Outcome> {
  return asOutcome(await shown`npx --no-install ${tool} ${args}`);
}

function asOutcome({ exitCode }: { exitCode: number | null }): Outcome {
  return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
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

/** What is compiled for the engine serves all. */
function goEnv(): NodeJS.ProcessEnv {
  return { ...process.env, ...compilation };
}

/** It calls shellcheck for the workflows' commands, as it is on this machine. */
async function actionlint(): Promise<Outcome> {
  const run = shown({ env: goEnv() });
  return asOutcome(await run`go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12`);
}

async function goTests(): Promise<Outcome> {
  // toolchain/go/cli has no code of its own: the build of the toolchain is its test.
  const modules: [string, ...string[]][] = [
    ["toolchain/go/ours"],
    // Vet would look at each of the 1,800 packages that its hundred lines depend on.
    ["toolchain/go/bridged", "-vet=off"],
  ];
  let outcome: Outcome = { passed: 0, failed: 0 };
  for (const [module, ...options] of modules) {
    const run = await $({
      cwd: module,
      env: goEnv(),
      quiet: true,
      nothrow: true,
    })`go test -json ${options} ./...`;
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
