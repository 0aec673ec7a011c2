import { spawn } from "node:child_process";
import { existsSync, openSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { $, within } from "./shellCommand";
import { ensureDebianPackages, installsPackages } from "./packages";
import { isRunning } from "./process";
import { UserError } from "./userError";
import { progress } from "./terminal";
import { readIfThere } from "./files";

/** Seconds within which a Docker engine answers, also on a busy disk and while it deletes a large volume; one that takes longer hangs. */
export const answerSeconds = 30;

/** What is wrong with an engine that takes a question and never replies. */
export const dockerHangs = `Docker does not answer: no reply within ${answerSeconds.toString()} s. Restart the Docker service, then try again`;

/**
 * Makes sure that a Docker engine answers on this machine. As root on Debian or Ubuntu it installs and starts one;
 * elsewhere, and where DOCKER_HOST names another engine, it says what is missing.
 * @throws UserError when there is no engine that answers
 */
export async function ensureDocker(): Promise<void> {
  const problem = await dockerProblem();
  if (problem === undefined) {
    return;
  }
  if (problem === "hangs") {
    throw new UserError(`${dockerHangs}.`);
  }
  if (process.env.DOCKER_HOST) {
    throw new UserError(
      `The Docker engine at DOCKER_HOST=${process.env.DOCKER_HOST} can't be used: ${problem}`,
    );
  }
  if (!installsPackages()) {
    throw new UserError(
      `Docker can't be used: ${problem}\nInstall and start it (https://docs.docker.com/engine/install), or run this command as root on Debian or Ubuntu, where it does so itself.`,
    );
  }
  await ensureDebianPackages({ dockerd: "docker.io", iptables: "iptables", curl: "curl" });
  await start();
}

/** What keeps Docker from answering, `"hangs"` when it takes the question and never replies. */
async function dockerProblem(): Promise<string | undefined> {
  const asked = await within(answerSeconds)`docker version --format ${"{{.Server.Version}}"}`;
  if (asked.exitCode === 0) {
    return undefined;
  }
  return asked.signal === null ? (asked.stderr || asked.stdout).trim() : "hangs";
}

async function start(): Promise<void> {
  if (existsSync("/run/systemd/system")) {
    progress("Starting Docker (systemctl start docker)");
    const { exitCode, stderr } = await $({ quiet: true, nothrow: true })`systemctl start docker`;
    if (exitCode !== 0) {
      throw new UserError(
        `Docker could not be started (systemctl start docker): ${stderr.trim()}\nSee what it says: journalctl -u docker`,
      );
    }
  } else if (!isOwnedBy(pidFiles.dockerd, "dockerd")) {
    progress("Starting Docker (dockerd)");
    removeStalePidFiles();
    const log = openSync("/var/log/dockerd.log", "a");
    spawn("dockerd", { detached: true, stdio: ["ignore", log, log] }).unref();
  }
  const end = performance.now() + 60_000;
  while (performance.now() < end) {
    if ((await dockerProblem()) === undefined) {
      return;
    }
    await sleep(500);
  }
  throw new UserError(
    "Docker was started and does not answer after 60 s; see /var/log/dockerd.log or journalctl -u docker.",
  );
}

/** By its file and not by its name: an engine at another socket is a different one. */
const pidFiles = {
  dockerd: "/var/run/docker.pid",
  containerd: "/var/run/docker/containerd/containerd.pid",
} as const;

function isOwnedBy(file: string, name: string): boolean {
  const pid = readIfThere(file)?.trim();
  return pid !== undefined && isRunning(Number(pid), name);
}

/** A killed engine leaves its pid files, and dockerd takes any process that has got such a number since for itself. */
function removeStalePidFiles(): void {
  for (const [name, file] of Object.entries(pidFiles)) {
    if (!isOwnedBy(file, name)) {
      rmSync(file, { force: true });
    }
  }
}
