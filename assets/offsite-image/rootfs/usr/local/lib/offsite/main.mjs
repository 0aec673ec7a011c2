// main.mjs COMMAND: keeps a gateway's backups off its machine.
//   schedule      waits for the time of the next backup, again and again
//   save [--now]  makes a backup if one is missing, or in any case; also of data that the backups so far are not of
//   list          prints the backups as JSON, the oldest first
//   dump ID       writes a backup to standard output, as assets/data-container/data.sh takes it
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createGzip } from "node:zlib";
import { withPause } from "./pause.mjs";
import {
  ended,
  Failure,
  redacted,
  repository,
  restic,
  settings,
  snapshots,
  start,
  wholeTag,
} from "./restic.mjs";
import { isDue, isMissing } from "./schedule.mjs";
import { readState, writeState } from "./state.mjs";

const run = promisify(execFile);
const programs = "/usr/local/lib/offsite";
const data = "/backup/data";
const say = (text) => console.log(`offsite: ${text}`);

/** Seconds within which a storage answers. */
const answerSeconds = 30;

/** Seconds that each step may take while the gateway is stopped. */
const pauseSeconds = 1200;
const limits = { timeout: pauseSeconds * 1000, killSignal: "SIGKILL" };

/** Opens the repository, or makes it if the storage has none. */
async function open() {
  const read = async () =>
    JSON.parse(await restic(["cat", "config"], { seconds: answerSeconds })).id;
  try {
    return await read();
  } catch (error) {
    if (!/does not exist/.test(error.message)) {
      throw error;
    }
    say(`making the repository ${repository}`);
    await restic(["init"], { seconds: answerSeconds });
    return await read();
  }
}

/** The repository that the data was last saved to; nothing for data that never was. */
function claimed() {
  try {
    return fs.readFileSync(`${data}/.offsite-repository`, "utf8").trim();
  } catch {
    return undefined;
  }
}

const tag = "unfinished";

/** Saves what `paths` name and returns the snapshot. */
async function backup(paths, { parent, ...options }) {
  const args = ["--json", "--tag", tag, ...(parent ? ["--parent", parent] : []), ...paths];
  const output = await restic(["backup", ...args], options);
  const messages = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const { snapshot_id: id, data_added: added } = messages.at(-1);
  return { id, added };
}

/** Proves that the databases are sound, before they take the place of those in older backups. */
async function checkDatabases() {
  try {
    await run("node", ["--no-warnings", `${programs}/databases.mjs`], { ...limits, cwd: data });
  } catch (error) {
    throw new Failure(error.stderr || error.message, { wait: true });
  }
}

async function makeBackup(repositoryId) {
  // Most is read, encrypted and sent while the gateway runs. A storage that can't be written to fails here. 3: files changed meanwhile.
  const { id: parent } = await backup(["data"], { accepted: [0, 3] });
  const { id, added } = await withPause(repositoryId, async (openclawVersion) => {
    const date = new Date().toISOString();
    const metadata = { format: 1, date, stack: settings.stack, openclawVersion };
    await run("sh", [`${programs}/data.sh`, "describe", JSON.stringify(metadata)], limits);
    await checkDatabases();
    return await backup(["backup.json", "SHA256SUMS", "data"], { parent, seconds: pauseSeconds });
  });
  await restic(["tag", "--set", wholeTag, id]);
  say(`saved to ${repository}, ${added} bytes in the gateway's pause`);
}

/** Deletes what interrupted runs left, and the backups that need not be kept; then checks those that stay. */
async function cleanUp(all) {
  const unfinished = all.filter(({ isWhole }) => !isWhole);
  if (unfinished.length > 0) {
    await restic(["forget", ...unfinished.map(({ id }) => id)]);
  }
  const { daily, weekly, monthly } = settings.keep;
  const keep = ["--keep-daily", daily, "--keep-weekly", weekly, "--keep-monthly", monthly];
  await restic(["forget", "--tag", wholeTag, "--group-by", "", ...keep.map(String), "--prune"]);
  // All that is there is read once a month.
  await restic(["check", `--read-data-subset=${new Date().getUTCDate()}/31`]);
}

const newest = (all) => all.filter(({ isWhole }) => isWhole).at(-1)?.time;

async function save(isForced) {
  const state = { ...readState(), attempt: new Date().toISOString() };
  const failed = (error) => {
    const problem = redacted(error instanceof Failure ? error.message : error.stack);
    writeState({ ...state, problem, wait: error.wait || undefined });
    say(`FAILED: ${problem}`);
    process.exitCode = 1;
  };
  try {
    const id = await open();
    await restic(["unlock"]);
    state.good = newest(await snapshots());
    if (state.good !== undefined && claimed() !== id && !isForced) {
      throw new Failure(
        `${repository} has backups of other data than this gateway has now: npm run restore -- offsite puts the last one in its place, npm run backup -- --offsite adds the present data to them`,
      );
    }
    if (isForced || isMissing(state, Date.now(), settings.time)) {
      await makeBackup(id);
      const all = await snapshots();
      state.good = newest(all);
      await cleanUp(all);
    }
    writeState({ ...state, problem: undefined, wait: undefined });
  } catch (error) {
    failed(error);
  }
}

async function schedule() {
  writeState(readState());
  say(`a backup to ${repository} each day at ${settings.time} UTC`);
  for (;;) {
    if (isDue(readState(), Date.now(), settings.time)) {
      // Where a command makes one at this time, that one is as good.
      await once(spawn("offsite", ["save"], { stdio: "inherit" }), "close");
    }
    await sleep(10_000);
  }
}

async function list() {
  const whole = (await snapshots()).filter(({ isWhole }) => isWhole);
  console.log(JSON.stringify(whole.map(({ id, time }) => ({ id, time }))));
}

async function dump(id) {
  const child = start(["dump", "--archive", "tar", id, "/"]);
  const gzip = createGzip({ level: 1 });
  const written = pipeline(gzip, process.stdout);
  // The end comes with success only: where it is unpacked, an archive without one is refused.
  await Promise.all([ended(child), pipeline(child.stdout, gzip, { end: false })]);
  gzip.end();
  await written;
}

// What is killed with its container ends its restic too.
process.on("SIGTERM", () => process.exit(143));
const [command, argument] = process.argv.slice(2);
const commands = {
  schedule,
  list,
  save: () => save(argument === "--now"),
  dump: () => dump(argument),
};
try {
  await commands[command]();
} catch (error) {
  console.error(redacted(error instanceof Failure ? error.message : error.stack));
  process.exitCode = 1;
}
