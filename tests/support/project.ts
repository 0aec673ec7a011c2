import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { $, type ProcessOutput } from "zx";
import { quoted } from "../../host/shell";
import { ensureToolchain, toolchainEnv } from "../../toolchain";
import { eventually } from "./docker";
import { useLightDesktop, useLightOpenclaw } from "./lightOpenclaw";

/** Output and exit status of a command, whatever the status was; `text` is both outputs together. */
export type Finished = Pick<ProcessOutput, "stdout" | "stderr" | "exitCode"> & {
  readonly text: string;
};

/** "ok", or everything that a failed command printed. */
export const outcome = ({ exitCode, text }: Finished) => (exitCode === 0 ? "ok" : text);

/** What a command printed that failed, as it should. */
export const refusal = ({ exitCode, text }: Finished) =>
  exitCode === 1 ? text : `no refusal, but exit status ${String(exitCode)}`;

/** Pulumi's last lines after an `up` that changed nothing. */
export const unchanged = /Resources:\s+\d+ unchanged\s/;

/** Pulumi's last lines after an `up` that updated at most, in place, how the server is reached. */
export const nothingReplaced = /Resources:\s+(~ \d+ updated\s+)?\d+ unchanged\s/;

/** `npm run` without npm and without the check of the packages. */
const withoutNpm = [process.execPath, "--require", "tsx/cjs", "cli/main.ts"];

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

  /**
   * Copies the files that a clone would have, from the working tree.
   * @param openclaw which OpenClaw is put into the gateway's image; see tests/light-openclaw/README.md
   */
  async checkout(openclaw: "light" | "real"): Promise<void> {
    const source = resolve(__dirname, "../..");
    requireInstalledPackages(source);
    await $({
      cwd: source,
      quiet: true,
    })`git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - | tar --extract --directory ${this.folder}`;
    symlinkSync(join(source, "node_modules"), join(this.folder, "node_modules"));
    if (openclaw === "light") {
      useLightOpenclaw(join(this.folder, "assets/gateway-image"));
      useLightDesktop(join(this.folder, "assets/kasm-image"));
      this.keepAnswersOfNpm();
    }
  }

  /** Has each answer of `npm view` used again: every one takes half a second of a processor. */
  private keepAnswersOfNpm(): void {
    const folder = join(this.folder, "state/npm");
    const script = [
      "#!/bin/sh",
      `PATH=${quoted(String(process.env.PATH))}`,
      '[ "$1" = view ] || exec npm "$@"',
      'kept=$(dirname "$0")/$(echo "$*" | md5sum | cut -c1-32)',
      '[ -s "$kept" ] || npm "$@" >"$kept" || { status=$?; cat "$kept"; rm "$kept"; exit "$status"; }',
      'cat "$kept"',
    ];
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "npm"), script.join("\n"), { mode: 0o755 });
    this.env.PATH = `${folder}:${String(process.env.PATH)}`;
  }

  /** Replaces the settings of a stack, and keeps the secrets of {@link setSecret}. */
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

  /** Sets how long the dashboard of a stack may take to answer. */
  async setTimeLimit(stack: string, seconds: number): Promise<void> {
    const limit = ["openclaw:readyTimeoutSeconds", seconds.toString()];
    await this.pulumi("config", "set", ...limit, "--stack", stack);
  }

  /** Runs `npm run <args>`; {@link run} is faster, so one test for each command does it so. */
  async npm(...args: string[]): Promise<Finished> {
    return finished(await $(this.quietly)`npm run --silent ${args}`);
  }

  /** Runs `status` until all is well: a host that is busy with others may take longer to answer than it waits. */
  async wellStatus(...options: string[]): Promise<Finished> {
    return await eventually(
      "all is well",
      () => this.run("status", ...options),
      ({ exitCode }) => exitCode === 0,
      180,
    );
  }

  /** As {@link run}, where PATH is another one. */
  async runOnPath(path: string, ...args: string[]): Promise<Finished> {
    const env = { ...this.env, PATH: path };
    return finished(await $({ ...this.quietly, env })`${withoutNpm} ${args}`);
  }

  /** As {@link run}, with something to read. */
  async runReading(input: string, ...args: string[]): Promise<Finished> {
    return finished(await $({ ...this.quietly, input })`${withoutNpm} ${args}`);
  }

  /** As {@link run}, with an SSH agent that holds the key of a file. */
  async runWithAgent(keyFile: string, ...args: string[]): Promise<Finished> {
    const script = 'ssh-add -q "$0" && "$@"';
    return finished(
      await $(this.quietly)`ssh-agent sh -c ${script} ${keyFile} ${withoutNpm} ${args}`,
    );
  }

  /** As {@link run}, where a name has the address of this machine's loopback. */
  async runKnowing(name: string, ...args: string[]): Promise<Finished> {
    const hosts = join(this.folder, "hosts");
    writeFileSync(hosts, `${readFileSync("/etc/hosts", "utf8")}\n127.0.0.1 ${name}\n`);
    const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
    return finished(
      await $(this.quietly)`unshare --mount sh -c ${script} ${hosts} ${withoutNpm} ${args}`,
    );
  }

  /** Runs a command as `npm run` does, without npm's own start. */
  async run(...args: string[]): Promise<Finished> {
    return finished(await $(this.quietly)`${withoutNpm} ${args}`);
  }

  /** Starts a command as {@link run} does, in a process group of its own, and gives the way to kill all of it at once. */
  start(...args: string[]) {
    return $({ ...this.quietly, detached: true })`${withoutNpm} ${args}`;
  }

  /**
   * Starts a command as {@link start} does, acts as soon as its output names a step of the engine's, and waits
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
    // Not Promise.all: where acting failed, the command would go on beside the next test.
    const [, result] = await Promise.allSettled([running, acted]);
    if (result.status === "rejected") {
      throw result.reason;
    }
    return [finished(await running), result.value];
  }

  /** Runs the Pulumi CLI by the project's command `pulumi`. */
  async pulumi(...args: string[]): Promise<Finished> {
    return await this.run("pulumi", ...args);
  }

  /** Runs the Pulumi CLI itself on this checkout's stacks, with nothing of the project's commands. */
  async plainPulumi(...args: string[]): Promise<Finished> {
    const toolchain = await ensureToolchain(() => undefined);
    const state = join(String(this.env.XDG_STATE_HOME), "openclaw-kasm");
    const env = {
      ...toolchainEnv(toolchain, this.env),
      PULUMI_BACKEND_URL: `file://${state}/stacks`,
      PULUMI_CONFIG_PASSPHRASE_FILE: join(state, "passphrase"),
    };
    return finished(await $({ ...this.quietly, env })`${toolchain.pulumi} ${args}`);
  }

  /** Sets a secret as a person does, its value over standard input. */
  async setSecret(stack: string, path: string, value: string): Promise<void> {
    const args = ["config", "set", "--secret", "--path", `openclaw:${path}`, "--stack", stack];
    const { exitCode, text } = await this.runReading(value, "pulumi", ...args);
    if (exitCode !== 0) {
      throw new Error(text);
    }
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
