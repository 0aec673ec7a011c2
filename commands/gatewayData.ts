import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { scriptWith } from "../components/host/shell";
import { type HostTarget, onTarget, shellOnTarget } from "../components/host/target";
import type { Settings } from "../settings";
import type { Instance } from "../settings/instances";
import { type Metadata, opened, readMetadata, sealed } from "./backupFile";
import type { Deployment } from "./deployment";
import { progress } from "./engine";
import { dockerOn } from "./onHost";
import { sshProblem } from "./ssh";
import { UserError } from "./userError";

/** The data of a gateway that is deployed, and what is needed to work on it. */
export interface GatewayData {
  readonly stack: string;
  readonly instance: Instance;
  readonly target: HostTarget;
  /** Name of the gateway's container. */
  readonly container: string;
  /** Where the data is, as `docker run --mount` takes it. */
  readonly mount: string;
  /** Id of the gateway's image. */
  readonly image: string;
  /** Version of OpenClaw in that image. */
  readonly openclawVersion: string;
}

const programs = join(__dirname, "../assets/data-container");
const program = (name: string) => readFileSync(join(programs, name), "utf8");

/**
 * Looks where a gateway's data is and which OpenClaw works on it.
 * @throws UserError where there is no gateway
 */
export async function openData(
  { stack, target }: Deployment,
  instance: Instance,
): Promise<GatewayData> {
  const { settings } = instance;
  const container = settings.containerName;
  const found = await dockerOn(target, "container", "inspect", "--format", "{{.Image}}", container);
  if (settings.host && found.exitCode === 255) {
    throw new UserError(sshProblem(found.stderr, settings.host));
  }
  if (found.exitCode !== 0) {
    throw new UserError(
      `Stack ${stack} has no container ${container} (${found.stderr.trim()}); npm run up -- --stack ${stack} makes one.`,
    );
  }
  const image = found.stdout.trim();
  const said = await dockerOn(
    target,
    ...["run", "--rm", "--network", "none", "--entrypoint", "openclaw", image, "--version"],
  );
  const [openclawVersion] = /\d{4}\.\d+\.\d+(-[0-9a-z.]+)?/.exec(said.stdout) ?? [];
  if (openclawVersion === undefined) {
    throw new UserError(
      `The image of ${container} does not tell its version: ${(said.stderr || said.stdout).trim()}`,
    );
  }
  await forgetHelper(target, container);
  return { stack, instance, target, container, mount: dataMount(settings), image, openclawVersion };
}

/**
 * Takes away a helper that was made and, because its maker was killed, never started.
 * @throws UserError where one is at work
 */
async function forgetHelper(target: HostTarget, container: string): Promise<void> {
  const name = helper({ container });
  const found = await dockerOn(
    target,
    "container",
    "inspect",
    "--format",
    "{{.State.Running}}",
    name,
  );
  if (found.stdout.trim() === "true") {
    throw new UserError(`The data of ${container} is being worked on, by the container ${name}.`);
  }
  if (found.exitCode === 0) {
    // With its volume without a name, which the image asks for.
    await dockerOn(target, "rm", "--force", "--volumes", name);
  }
}

/** `--mount` of the data at the place where assets/data-container/data.sh works on it. */
export function dataMount({ dataVolume, directory }: Settings): string {
  return dataVolume
    ? `type=volume,source=${dataVolume},target=/backup/data`
    : `type=bind,source=${directory}/data,target=/backup/data`;
}

/** The container in which data is read and written; two at once would be in each other's way. */
const helper = ({ container }: Pick<GatewayData, "container">) => `${container}-data-helper`;

/**
 * Saves the data to a file, only readable by this user, and proves by reading it back that all of it is there.
 * @param afterwards whether the gateway, which is stopped for it, is started again or left stopped
 * @throws UserError when that was not possible; the gateway is as before then
 */
export async function save(
  data: GatewayData,
  file: string,
  passphrase: string | undefined,
  afterwards: "start" | "stay",
): Promise<Metadata> {
  if (existsSync(file)) {
    throw new UserError(`${file} is there already: name another file.`);
  }
  const metadata: Metadata = {
    format: 1,
    date: new Date().toISOString(),
    stack: data.stack,
    openclawVersion: data.openclawVersion,
  };
  const script = scriptWith("save-data.sh", {
    CONTAINER: data.container,
    HELPER: helper(data),
    MOUNT: data.mount,
    IMAGE: data.image,
    PROGRAM: program("data.sh"),
    METADATA: JSON.stringify(metadata),
    AFTERWARDS: afterwards,
  });
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const partial = `${file}.${process.pid.toString()}.partial`;
  try {
    progress(`Saving the data of ${data.container}, which is stopped for that time`);
    const source = run(shellOnTarget(data.target, "apply", { asRoot: false }));
    source.child.stdin.end(script);
    const written = pipeline(
      await sealed(source.child.stdout, passphrase),
      createWriteStream(partial, { mode: 0o600, flags: "wx", flush: true }),
    );
    await bothDone(written, source.done, "The data could not be saved");
    progress("Reading the backup back: every file, every database");
    await feed(data, await opened(partial, passphrase), ["check", program("databases.mjs")], {
      problem: "The backup is not sound",
    });
    renameSync(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    if (afterwards === "stay") {
      await startGateway(data);
    }
    throw error;
  }
  return metadata;
}

/**
 * Reads a backup, proves that all of it is there, and puts it beside the present data, which is not touched.
 * @throws UserError when anything is wrong with it; nothing has changed then
 */
export async function stage(
  data: GatewayData,
  file: string,
  passphrase: string | undefined,
): Promise<Metadata> {
  progress(`Checking ${file}: every file, every database`);
  const content = await opened(file, passphrase);
  const printed = await feed(data, content, ["stage", program("databases.mjs")], {
    mount: data.mount,
    problem: `${file} can't be restored; nothing has been changed`,
  });
  const metadata = readMetadata(printed);
  if (metadata === undefined) {
    await act(data, "discard");
    throw new UserError(
      `${file} has a format that this version of the project does not know; nothing has been changed.`,
    );
  }
  return metadata;
}

/** Works on the staged and the present data: see assets/data-container/data.sh. The gateway has to be stopped for most. */
export async function act(
  data: GatewayData,
  action: "swap" | "look" | "undo" | "discard",
): Promise<string> {
  const problem = `The data of ${data.container} can't be worked on`;
  return (await feed(data, Readable.from([]), [action], { mount: data.mount, problem })).trim();
}

/**
 * Stops the gateway, so that nothing but the caller works on its data.
 * @throws UserError unless it is seen to be stopped or gone
 */
export async function stopGateway({
  target,
  container,
}: Pick<GatewayData, "target" | "container">): Promise<void> {
  const stopped = await dockerOn(target, "stop", container);
  const format = ["--format", "{{.State.Running}}"];
  const { stdout, stderr } = await dockerOn(target, "container", "inspect", ...format, container);
  if (stdout.trim() !== "false" && !/no such container/i.test(stderr)) {
    throw new UserError(
      `${container} can't be stopped, so its data is left alone: ${(stopped.stderr || stderr).trim() || "it goes on running"}`,
    );
  }
}

export async function startGateway({ target, container }: GatewayData): Promise<void> {
  await dockerOn(target, "start", container);
}

function helperCommand(data: GatewayData, args: string[], mount?: string): string[] {
  const capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"];
  const command = [
    ...["docker", "run", "--rm", "--interactive", "--name", helper(data)],
    ...[
      "--network",
      "none",
      "--log-driver",
      "none",
      "--no-healthcheck",
      "--user",
      "0",
      "--cap-drop",
      "ALL",
    ],
    ...capabilities.flatMap((name) => ["--cap-add", name]),
    ...(mount === undefined ? [] : ["--mount", mount]),
    ...["--entrypoint", "sh", data.image, "-c", program("data.sh"), "data.sh", ...args],
  ];
  return onTarget(data.target, command);
}

/** Gives an archive to an action of data.sh, and what that prints. */
async function feed(
  data: GatewayData,
  content: Readable,
  args: string[],
  { mount, problem }: { mount?: string; problem: string },
): Promise<string> {
  const { child, done } = run(helperCommand(data, args, mount));
  const printed = lastOf(child.stdout);
  await bothDone(pipeline(content, child.stdin), done, problem);
  return printed();
}

interface Ended {
  readonly exitCode: number | null;
  readonly errors: string;
}

/** Starts a command; its output is left to whoever reads it. */
function run([command = "", ...args]: string[]) {
  const child = spawn(command, args, { stdio: "pipe" });
  return { child, done: ended(child) };
}

async function ended(child: ChildProcess): Promise<Ended> {
  const errors = lastOf(child.stderr);
  const [exitCode] = (await once(child, "close")) as [number | null];
  return { exitCode, errors: errors().trim() };
}

/** The last of what a stream says: a program that goes wrong may say any amount. */
function lastOf(stream: Readable | null): () => string {
  let text = "";
  stream?.on("data", (chunk: Buffer) => (text = (text + chunk.toString()).slice(-4000)));
  return () => text;
}

/** What a pipe says whose reader has ended. */
const brokenPipe = ["EPIPE", "ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"];

/** Waits for a stream and for the command at its one end, which explains more than a broken pipe does. */
async function bothDone(
  flow: Promise<void>,
  command: Promise<Ended>,
  problem: string,
): Promise<void> {
  const [flowed, { exitCode, errors }] = await Promise.all([
    flow.then(
      () => undefined,
      (error: unknown) => error as NodeJS.ErrnoException,
    ),
    command,
  ]);
  if (flowed !== undefined && !brokenPipe.includes(flowed.code ?? "")) {
    throw new UserError(`${problem}: ${flowed.message}`);
  }
  if (exitCode !== 0) {
    throw new UserError(`${problem}: ${errors || `status ${String(exitCode)}`}`);
  }
}
