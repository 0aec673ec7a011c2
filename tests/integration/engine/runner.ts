import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "zx";
import { Project } from "../../support/project";
import { allRunSteps, runStepsOf, workflows } from "../../workflowFiles";

/** What came of a step. */
export interface Ran {
  readonly status: number | null;
  /** Both outputs. */
  readonly text: string;
  /** What the step wrote for the run's page. */
  readonly summary: string;
}

/** Values of the expressions that a workflow uses, by their text between `${{` and `}}`. */
export type Context = Readonly<Record<string, string | undefined>>;

/** Keys of the steps that no runner of these tests has run yet. */
export const notYetRun = new Set(allRunSteps());

/**
 * Runs steps of this project's workflows, taken from their files, as GitHub's runner does: in a fresh checkout, with the
 * environment that the workflow gives and no other. There is no Docker within its reach, only a stand-in that writes
 * down what it is asked.
 */
export class Runner {
  readonly project = new Project();
  private readonly machine = mkdtempSync(join(tmpdir(), "openclaw-runner-"));
  readonly temp = join(this.machine, "temp");
  private readonly dockerLog = join(this.machine, "docker.log");
  private readonly bin = join(this.machine, "bin");

  constructor(private readonly context: Context) {}

  async start(): Promise<void> {
    await this.project.checkout("real");
    mkdirSync(this.temp);
    mkdirSync(this.bin);
    writeFileSync(this.dockerLog, "");
    writeFileSync(
      join(this.bin, "docker"),
      // Each volume carries the label of the stack that names it.
      `#!/bin/sh
printf '%s\\n' "$*" >>'${this.dockerLog}'
for name; do :; done
case $* in
  'volume inspect '*openclaw-data) echo "dev/$name" ;;
  'volume inspect '*) echo "\${name#openclaw-data-}/$name" ;;
esac
`,
      { mode: 0o755 },
    );
  }

  /** Calls that were made of `docker`. */
  dockerCalls(): string[] {
    return readFileSync(this.dockerLog, "utf8").split("\n").filter(Boolean);
  }

  /** Runs one step, whatever its condition says. */
  async run(file: string, job: string, name: string, inputs: Context = {}): Promise<Ran> {
    const found = runStepsOf(file, job).find((step) => step.name === name);
    if (found === undefined) {
      throw new Error(`there is no step "${name}" with commands in job ${job} of ${file}`);
    }
    notYetRun.delete(found.key);
    const context: Context = { ...this.context, "runner.temp": this.temp, ...inputs };
    const [script, summary] = ["step.sh", "summary.md"].map((file) => join(this.temp, file));
    writeFileSync(script ?? "", found.run);
    writeFileSync(summary ?? "", "");
    const { exitCode, stdout, stderr } = await $({
      cwd: this.project.folder,
      quiet: true,
      nothrow: true,
      env: {
        ...this.environment(summary ?? ""),
        ...evaluated(workflows.get(file)?.jobs[job]?.env, context),
        ...evaluated(found.env, context),
      },
    })`bash --noprofile --norc -eo pipefail ${script}`;
    return {
      status: exitCode,
      text: stdout + stderr,
      summary: readFileSync(summary ?? "", "utf8"),
    };
  }

  remove(): void {
    this.project.remove();
    rmSync(this.machine, { recursive: true });
  }

  private environment(summary: string): NodeJS.ProcessEnv {
    // The machine's own: how to reach its registries, and where the engine lies that it has made before.
    const kept = Object.entries(process.env).filter(([name]) =>
      /^(HOME|XDG_CACHE_HOME|GO\w+|npm_config_\w+|\w+_PROXY|NODE_EXTRA_CA_CERTS|LANG)$/i.test(name),
    );
    return {
      ...Object.fromEntries(kept),
      PATH: `${this.bin}:${process.env.PATH ?? ""}`,
      DOCKER_HOST: "unix:///nowhere/docker.sock",
      XDG_STATE_HOME: join(this.machine, "state"),
      CI: "true",
      GITHUB_ACTIONS: "true",
      GITHUB_REPOSITORY: "me/mine",
      GITHUB_API_URL: this.context.GITHUB_API_URL,
      GITHUB_RUN_ID: "42",
      GITHUB_STEP_SUMMARY: summary,
      RUNNER_ENVIRONMENT: "github-hosted",
      RUNNER_TEMP: this.temp,
    };
  }
}

/** The values of an `env:` block. An expression that the context says nothing about is a mistake of the test. */
function evaluated(
  block: Readonly<Record<string, string>> | undefined,
  context: Context,
): Record<string, string> {
  const value = (expression: string) => {
    if (!(expression in context)) {
      throw new Error(`the context has no value for \${{ ${expression} }}`);
    }
    return context[expression] ?? "";
  };
  return Object.fromEntries(
    Object.entries(block ?? {}).map(([name, text]) => [
      name,
      text.replaceAll(/\$\{\{ (.+?) \}\}/g, (_, expression: string) => value(expression)),
    ]),
  );
}
