import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { scriptWith } from "../../host/shell";
import { type HostTarget, onTarget, shellOnTarget } from "../../host/target";
import type { Settings } from "../../config";
import type { Instance } from "../../config/instances";
import { type Metadata, opened, readMetadata, sealed } from "./backupFile";
import type { Deployment, HostDeployment } from "../../pulumi/deployment";
import { dockerOn } from "../../host/run";
import { lostConnection } from "../../host/sshProblem";
import { UserError } from "../../host/userError";
import { progress } from "../../host/terminal";

/** The data of a gateway that is deployed, and what is needed to work on it. */
export interface GatewayData {
  readonly stack: string;
  readonly instance: Instance;
  readonly target: HostTarget;
  /** Name of the gateway's container. */
  readonly container: string;
  /** Where the data is, as `docker run --mount` takes it. */
  readonly mount: string;
  /** The directory with the data in it, where a restore has its place: nothing in the gateway leads there. */
  readonly parent: DataParent;
  /** Id of the gateway's image. */
  readonly image: string;
  /** Version of OpenClaw in that image. */
  readonly openclawVersion: string;
}

interface DataParent {
  /** As `docker run --mount` takes it. */
  readonly mount: string;
  /** Name of the data's directory in it. */
  readonly name: string;
}

const programs = join(__dirname, "../../assets/data-container");
const program = (name: string) => readFileSync(join(programs, name), "utf8");

/**
 * Looks where a gateway's data is and which OpenClaw works on it.
 * @throws UserError where there is no gateway
 */
export async function openData(
  deployment: HostDeployment,
  instance: Instance,
): Promise<GatewayData> {
  const { stack, target, settings, host } = deployment;
  const container = instance.settings.containerName;
  const found = await dockerOn(target, "container", "inspect", "--format", "{{.Image}}", container);
  const lost = lostConnection(settings.host, host, found.exitCode, found.stderr);
  if (lost !== undefined) {
    throw new UserError(lost);
  }
  if (found.exitCode !== 0) {
    throw new UserError(
      `Stack ${stack} has no container ${container} (${found.stderr.trim()}); npm run up -- --stack ${stack} makes one.`,
    );
  }
  return await openDataWith(deployment, instance, found.stdout.trim());
}

/**
 * Opens the data of a gateway that may have no container.
 * @param image id of the image with the OpenClaw and the tools that work on it
 */
export async function openDataWith(
  { stack, target }: Pick<Deployment, "stack" | "target">,
  instance: Instance,
  image: string,
): Promise<GatewayData> {
  const { settings } = instance;
  const container = settings.containerName;
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
  const parent = await dataParent(target, settings);
  const mount = dataMount(settings);
  return { stack, instance, target, container, mount, parent, image, openclawVersion };
}

/** The directory that holds the data: the one that the settings name, or Docker's own of a volume. */
async function dataParent(
  target: HostTarget,
  { dataVolume, directory }: Settings,
): Promise<DataParent> {
  const mount = (source: string) => `type=bind,source=${source},target=/backup`;
  if (dataVolume === "") {
    return { mount: mount(directory), name: "data" };
  }
  const format = ["--format", "{{.Mountpoint}}"];
  const { stdout, stderr } = await dockerOn(target, "volume", "inspect", ...format, dataVolume);
  const [, source, name] = /^(\/.+)\/([^/]+)$/.exec(stdout.trim()) ?? [];
  if (source === undefined || name === undefined) {
    throw new UserError(
      `Docker does not say where the volume ${dataVolume} is: ${(stderr || stdout).trim()}`,
    );
  }
  return { mount: mount(source), name };
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

/** Seconds that reading, checking or writing of all data may take: a gateway is stopped meanwhile. */
const limitSeconds = 3600;

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
    LIMIT_SECONDS: limitSeconds.toString(),
    AFTERWARDS: afterwards,
  });
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  refuseTooLarge(data.container, await measure(data), freeBytes(dirname(file)));
  const partial = `${file}.${process.pid.toString()}.partial`;
  try {
    progress(`Saving the data of ${data.container}, which is stopped for that time`);
    // More than the limit of the reading alone: stopping and starting take their time too.
    const seconds = limitSeconds + 300;
    const source = run(shellOnTarget(data.target, "apply", { asRoot: false, seconds }));
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

const measureSchema = z.object({
  bytes: z.coerce.number(),
  diskBytes: z.coerce.number(),
  freeBytes: z.coerce.number(),
  longest: z.string(),
});

/** How much data there is: what all files are long, what they take on disk, and what is free on Docker's disk. */
type Measure = z.output<typeof measureSchema>;

async function measure(data: GatewayData): Promise<Measure> {
  const printed = await feed(data, Readable.from([]), ["measure"], {
    mount: `${data.mount},readonly`,
    problem: `The data of ${data.container} can't be measured; nothing has been changed`,
  });
  return measureSchema.parse(
    Object.fromEntries(
      printed
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    ),
  );
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/**
 * Checks, while the gateway still runs, whether there is room for a backup: here, and on the server, where it is unpacked
 * to be checked.
 * @throws UserError where there is not; a sparse file of a few kilobytes may be the reason
 */
export function refuseTooLarge(container: string, data: Measure, freeHere: number): void {
  const mib = (bytes: number) => `${Math.ceil(bytes / 1048576).toString()} MiB`;
  const refuse = (need: number, free: number, place: string) => {
    if (need > free) {
      throw new UserError(
        `A backup of ${container} needs ${mib(need)} ${place}, and ${mib(free)} are free; nothing has been changed. The longest file is ${JSON.stringify(data.longest)}.`,
      );
    }
  };
  refuse(data.bytes, data.freeBytes, "on Docker's disk to be checked");
  refuse(data.diskBytes, freeHere, "where it is saved");
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
  return await stageContent(data, file, await opened(file, passphrase));
}

/** Stages what a stream brings as {@link stage} does. */
async function stageContent(data: GatewayData, name: string, content: Readable): Promise<Metadata> {
  progress(`Checking ${name}: every file, every database`);
  const printed = await feed(data, content, ["stage", program("databases.mjs")], {
    parent: data.parent,
    problem: `${name} can't be restored; nothing has been changed`,
  });
  const metadata = readMetadata(printed);
  if (metadata === undefined) {
    await act(data, "discard");
    throw new UserError(
      `${name} has a format that this version of the project does not know; nothing has been changed.`,
    );
  }
  return metadata;
}

/**
 * Stages a backup that is off the machine as {@link stage} does; what it brings passes through here, and is kept nowhere.
 * @param source the command line that writes it to standard output
 * @param input what the command reads
 */
export async function stageFrom(
  data: GatewayData,
  name: string,
  source: readonly string[],
  input = "",
): Promise<Metadata> {
  const { child, done } = run([...source]);
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [staged, { exitCode, errors }] = await Promise.all([
    stageContent(data, name, child.stdout).catch((error: unknown) => error as Error),
    done,
  ]);
  if (staged instanceof Error) {
    throw errors === "" ? staged : new UserError(`${staged.message}; ${errors}`);
  }
  if (exitCode !== 0) {
    await act(data, "discard");
    throw new UserError(`${name} can't be read; nothing has been changed: ${errors}`);
  }
  return staged;
}

/** Works on the staged and the present data: see assets/data-container/data.sh. The gateway has to be stopped for most. */
export async function act(
  data: GatewayData,
  action: "swap" | "look" | "undo" | "discard",
): Promise<string> {
  const problem = `The data of ${data.container} can't be worked on`;
  const { parent } = data;
  return (await feed(data, Readable.from([]), [action], { parent, problem })).trim();
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

/** What a helper sees: the data alone, the directory that holds it, or nothing. */
interface View {
  readonly mount?: string;
  readonly parent?: DataParent;
}

function helperCommand(data: GatewayData, args: string[], { mount, parent }: View): string[] {
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
    ...(parent === undefined ? [] : ["--mount", parent.mount, "--env", `DATA_NAME=${parent.name}`]),
    ...["--entrypoint", "timeout", data.image, limitSeconds.toString()],
    ...["sh", "-c", program("data.sh"), "data.sh", ...args],
  ];
  return onTarget(data.target, command);
}

/** Gives an archive to an action of data.sh, and what that prints. */
async function feed(
  data: GatewayData,
  content: Readable,
  args: string[],
  { problem, ...view }: View & { problem: string },
): Promise<string> {
  const { child, done } = run(helperCommand(data, args, view));
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

/** The error of a pipe after its reader has ended. */
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
    const ending =
      exitCode === 124
        ? `it took longer than ${limitSeconds.toString()} s`
        : `status ${String(exitCode)}`;
    throw new UserError(`${problem}: ${errors || ending}`);
  }
}
