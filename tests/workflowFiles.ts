import { readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parse } from "yaml";

/** The fields of a workflow's step that the tests read. */
export interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Job {
  readonly if?: string;
  readonly environment?: string;
  readonly "runs-on": string;
  readonly env?: Readonly<Record<string, string>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly concurrency?: Readonly<Record<string, unknown>>;
  readonly "timeout-minutes"?: number;
  readonly steps: readonly Step[];
}

export interface Workflow {
  readonly on: object;
  readonly permissions: unknown;
  readonly defaults: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const root = resolve(__dirname, "..");
const folder = join(root, ".github/workflows");

/** All workflows of this project by file name. */
export const workflows: ReadonlyMap<string, Workflow> = new Map(
  readdirSync(folder).map((file) => [file, parse(workflowText(file)) as Workflow]),
);

/** Returns the text of a workflow's file. */
export function workflowText(file: string): string {
  return readFileSync(join(folder, file), "utf8");
}

/** A step that runs commands. */
export interface RunStep extends Step {
  /** Its file and name. */
  readonly key: string;
  readonly run: string;
}

/** The steps of a job that run commands, those of this project's own actions in their place. */
export function runStepsOf(file: string, job: string): RunStep[] {
  return (workflows.get(file)?.jobs[job]?.steps ?? []).flatMap((step) =>
    step.uses?.startsWith("./") === true
      ? withKeys(actionSteps(step.uses), basename(step.uses))
      : withKeys([step], `${file} ${job}`),
  );
}

function actionSteps(action: string): Step[] {
  const text = readFileSync(join(root, action, "action.yml"), "utf8");
  return (parse(text) as { runs: { steps: Step[] } }).runs.steps;
}

function withKeys(steps: readonly Step[], place: string): RunStep[] {
  return steps.flatMap(({ run, ...step }) =>
    run === undefined ? [] : [{ ...step, run, key: `${place}: ${step.name ?? ""}` }],
  );
}

/** The keys of all steps that run commands. */
export function allRunSteps(): string[] {
  return [...workflows].flatMap(([file, { jobs }]) =>
    Object.keys(jobs).flatMap((job) => runStepsOf(file, job).map(({ key }) => key)),
  );
}
