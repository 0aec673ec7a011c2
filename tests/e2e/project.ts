import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { $, type ProcessOutput } from "zx";
import { eventually } from "./docker";

/** Output and exit status of a command, whatever the status was; `text` is both outputs together. */
export type Finished = Pick<ProcessOutput, "stdout" | "stderr" | "exitCode"> & {
  readonly text: string;
};

/**
 * A checkout of this project as a user has it, with state and passphrase of its own: commands are run in it as a
 * person would, and nothing of the person's own stacks is touched. The toolchain and the packages are shared.
 */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), "openclaw-e2e-"));
  private readonly env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv = {}) {
    const person = Object.entries(process.env).filter(
      ([name]) => !/^PULUMI_(BACKEND|CONFIG)_/.test(name),
    );
    const own = { XDG_STATE_HOME: join(this.folder, "state"), NO_COLOR: "1" };
    this.env = { ...Object.fromEntries(person), ...own, ...env };
  }

  private get quietly() {
    return { cwd: this.folder, env: this.env, quiet: true, nothrow: true } as const;
  }

  /** Copies what a clone would hold, as it stands in the working tree. */
  async checkout(): Promise<void> {
    const source = resolve(__dirname, "../..");
    requireInstalledPackages(source);
    await $({
      cwd: source,
      quiet: true,
    })`git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - | tar --extract --directory ${this.folder}`;
    symlinkSync(join(source, "node_modules"), join(this.folder, "node_modules"));
  }

  /** Writes the settings of a stack anew; the secrets that {@link setSecret} put there stay. */
  settings(stack: string, settings: Record<string, unknown>): void {
    const file = join(this.folder, `Pulumi.${stack}.yaml`);
    const { config: before = {}, ...rest } = (
      existsSync(file) ? parse(readFileSync(file, "utf8")) : {}
    ) as { config?: Record<string, unknown> };
    const secrets = Object.entries(before).filter(([, value]) =>
      JSON.stringify(value).includes('"secure":'),
    );
    const given = Object.entries(settings).map(([key, value]) => [`openclaw:${key}`, value]);
    const config = Object.fromEntries([...secrets, ...given]) as object;
    writeFileSync(file, stringify({ ...rest, config }));
  }

  /** Runs `npm run <args>`. */
  async npm(...args: string[]): Promise<Finished> {
    return finished(await $(this.quietly)`npm run --silent ${args}`);
  }

  /** Runs `npm run status` until all is well: a host that is busy with others may take longer to answer than it waits. */
  async wellStatus(...options: string[]): Promise<Finished> {
    return await eventually(
      "all is well",
      () => this.npm("status", "--", ...options),
      ({ exitCode }) => exitCode === 0,
    );
  }

  /** As {@link npm}, with something to read. */
  async npmReading(input: string, ...args: string[]): Promise<Finished> {
    return finished(await $({ ...this.quietly, input })`npm run --silent ${args}`);
  }

  /** As {@link npm}, with an SSH agent that holds the key of a file. */
  async npmWithAgent(keyFile: string, ...args: string[]): Promise<Finished> {
    const script = 'ssh-add -q "$0" && npm run --silent "$@"';
    return finished(await $(this.quietly)`ssh-agent sh -c ${script} ${keyFile} ${args}`);
  }

  /** Runs a command as `npm run` does, without npm's own start. */
  async command(...args: string[]): Promise<Finished> {
    return finished(
      await $(this.quietly)`${process.execPath} --import tsx commands/main.ts ${args}`,
    );
  }

  /** Starts `npm run <args>` in a process group of its own and gives the way to kill all of it at once. */
  start(...args: string[]) {
    return $({ ...this.quietly, detached: true })`npm run --silent ${args}`;
  }

  /**
   * Starts `npm run <args>` as {@link start} does, acts as soon as its output names a step of the engine's, and waits
   * for the end of both.
   * @param act gets the number of the process group
   * @throws Error when the command ends before it comes to that step
   */
  async actAt<T>(
    step: RegExp,
    act: (group: number) => T | Promise<T>,
    ...args: string[]
  ): Promise<[Finished, T]> {
    const running = this.start(...args);
    let said = "";
    const acted = new Promise<T>((resolve, reject) => {
      const look = (chunk: Buffer) => {
        said += chunk.toString();
        if (step.test(said)) {
          running.stdout.off("data", look);
          resolve(Promise.resolve().then(() => act(running.pid ?? 0)));
        }
      };
      running.stdout.on("data", look);
      void running.then(({ stderr }) => {
        reject(new Error(`it did not come to ${String(step)}: ${said}${stderr}`));
      });
    });
    const [output, result] = await Promise.all([running, acted]);
    return [finished(output), result];
  }

  /** Runs the Pulumi CLI by `npm run pulumi -- <args>`. */
  async pulumi(...args: string[]): Promise<Finished> {
    return await this.npm("pulumi", "--", ...args);
  }

  /** Sets a secret as a person does, its value over standard input. */
  async setSecret(stack: string, path: string, value: string): Promise<void> {
    await $({
      cwd: this.folder,
      env: this.env,
      quiet: true,
      input: value,
    })`npm run --silent pulumi -- config set --secret --path ${`openclaw:${path}`} --stack ${stack}`;
  }

  /** A secret output in clear. */
  async secretOutput(stack: string, name: string): Promise<string> {
    const { stdout } = await this.pulumi(
      "stack",
      "output",
      name,
      "--show-secrets",
      "--stack",
      stack,
    );
    return stdout.trim();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function finished({ stdout, stderr, exitCode }: ProcessOutput): Finished {
  return { stdout, stderr, exitCode, text: stdout + stderr };
}

/** Any command in a checkout would else install packages through the link, and empty the shared folder as npm does. */
function requireInstalledPackages(source: string): void {
  const lockfile = readFileSync(join(source, "package-lock.json"));
  const stamp = join(source, "node_modules/.installed-lockfile");
  const installed = existsSync(stamp) ? readFileSync(stamp, "utf8") : "none";
  if (installed !== createHash("sha256").update(lockfile).digest("hex")) {
    throw new Error("package-lock.json has changed: run `npm run pulumi -- version` first");
  }
}
