// Runs restic on the gateway's repository. Its keys are in files that only root reads, never in an argument or environment.
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";

const inputs = "/etc/offsite";
const keysFile = "/root/.mc/config.json";

/** What the container was given: docs are in README.md of the image. */
export const settings = JSON.parse(fs.readFileSync(`${inputs}/settings.json`, "utf8"));
const { endpoint, bucket, prefix, proxy } = settings;
export const repository = `${endpoint}/${bucket}/${prefix}`;

const authorities = `${inputs}/extra-ca.pem`;
const environment = {
  PATH: process.env.PATH,
  HOME: "/root",
  // Beside the directory of the usual ones, which Go reads too.
  ...(fs.existsSync(authorities) && { SSL_CERT_FILE: authorities }),
  ...(proxy && { HTTP_PROXY: proxy, HTTPS_PROXY: proxy }),
};

/** A failure with words for people. */
export class Failure extends Error {
  /** @param wait whether another attempt before the next day would fail too, and stop the gateway for nothing */
  constructor(message, { wait = false } = {}) {
    super(message);
    this.wait = wait;
  }
}

const { accessKey, secretKey } = JSON.parse(fs.readFileSync(keysFile, "utf8")).hosts.s3;
const password = fs.readFileSync(`${inputs}/password`, "utf8");

/** A text without the secrets, whatever a program wrote. */
export function redacted(text) {
  return [password, secretKey, accessKey].reduce((all, each) => all.replaceAll(each, "***"), text);
}

/**
 * Starts restic; its standard output is for the caller.
 * @param seconds after which it is ended; restic itself tries for a quarter of an hour to reach a storage
 */
export function start(args, seconds = 12 * 3600) {
  const shared = ["--repo", `s3:${repository}`, "--password-file", `${inputs}/password`];
  const cache = ["--cache-dir", "/var/cache/offsite"];
  return spawn("restic", [...shared, ...cache, ...args], {
    cwd: "/backup",
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: seconds * 1000,
    killSignal: "SIGKILL",
  });
}

/**
 * Waits for the end of a restic.
 * @throws Failure with the end of what it wrote
 */
export async function ended(child, { accepted = [0] } = {}) {
  let errors = "";
  child.stderr.on("data", (chunk) => (errors = (errors + chunk).slice(-4000)));
  const [code, signal] = await once(child, "close");
  if (!accepted.includes(code)) {
    // Of a storage that does not answer restic asks whether there is a repository.
    const [said] = redacted(errors).split("Is there a repository at");
    const lines = said.split("\n").filter((line) => line.trim() !== "");
    throw new Failure(lines.slice(-3).join("; ") || `restic ended with ${code ?? signal}`);
  }
}

/** Runs restic and returns what it wrote. */
export async function restic(args, { seconds, accepted } = {}) {
  const child = start(args, seconds);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => (output += chunk));
  await ended(child, { accepted });
  return output;
}

/** Tag of a backup that is proven to be whole; others are what an interrupted run left. */
export const wholeTag = "whole";

/** All snapshots, the oldest first. */
export async function snapshots() {
  const found = JSON.parse(await restic(["snapshots", "--json"])) ?? [];
  return found
    .map(({ short_id, time, tags = [] }) => ({
      id: short_id,
      time: new Date(time).toISOString(),
      isWhole: tags.includes(wholeTag),
    }))
    .sort((one, other) => (one.time < other.time ? -1 : 1));
}
