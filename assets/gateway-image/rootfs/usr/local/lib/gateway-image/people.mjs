// Who may come in, and what of OpenClaw's configuration needs no restart, in the gateway that runs (README.md).
//   apply    by "docker exec -i", as root: reads {people, roles, groups, config} from standard input
//   assign   by the service "people", after each start of the gateway: gives people their roles
// nginx has names and passwords in a file that it reads at each request. OpenClaw keeps a role for each person in its data:
// another role closes that person's connections only, while a change of the policy in openclaw.json closes all of them.
// Secrets are never printed, and never stand in a process argument.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import {
  checkGroups,
  checkPeople,
  isObject,
  LIVE,
  passwordHash,
  readLive,
  replaceFile,
  RUN,
  writeHtpasswd,
  writeLiveConfig,
} from "./live.mjs";
import { assignRoles, connect, isStarted } from "./roles.mjs";

class Refused extends Error {}

/** What the service of the gateway says of it; the first thing that it does, when all other files are there. */
const DOWN = `${RUN}/public/down.json`;

/** A container can be told of people as soon as it runs, and may take a while to prepare itself. */
async function waitUntilPrepared() {
  const deadline = Date.now() + 120_000;
  while (!fs.existsSync(DOWN)) {
    if (Date.now() > deadline)
      throw new Error("the container has not prepared itself within 120 s");
    await sleep(100);
  }
}

/** Starts a gateway that was stopped because it refused its configuration: there may be a better one now. */
function startIfRefused() {
  const { status } = JSON.parse(fs.readFileSync(DOWN, "utf8"));
  if (status !== "refused") return;
  // First: the check that follows would take the old end for a new one.
  replaceFile(DOWN, JSON.stringify({ ok: false, status: "unreachable" }), 0o644);
  execFileSync("s6-svc", ["-u", "/run/service/gateway"]);
}

/** Puts the configuration into openclaw.json, which the gateway watches. */
function configure() {
  execFileSync(
    "s6-envdir",
    [`${RUN}/env`, "s6-setuidgid", "node", "node", "/usr/local/lib/gateway-image/configure.mjs"],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
}

/** Waits until the gateway has these roles: it takes a configuration in a moment after the file was written. */
async function waitForRoles(roles) {
  const owner = await connect();
  try {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const { valid, issues = [], runtimeConfig, config } = await owner.call("config.get", {});
      if (valid === false) {
        const where = issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
        throw new Refused(`OpenClaw refuses this configuration: ${where}`);
      }
      const { definitions = {} } = (runtimeConfig ?? config)?.gateway?.roles ?? {};
      if (Object.keys(roles).every((name) => Object.hasOwn(definitions, name))) return;
      if (Date.now() > deadline) throw new Error("the gateway did not take its roles within 20 s");
      await sleep(200);
    }
  } finally {
    owner.close();
  }
}

async function apply() {
  const given = JSON.parse(fs.readFileSync(0, "utf8"));
  const { people, roles, groups = [], config = {} } = given;
  const problems = [...checkPeople(people, roles), ...checkGroups(groups, roles)];
  if (!isObject(config)) problems.push("config: expected an object");
  if (problems.length > 0) throw new Refused(problems.join("\n"));

  await waitUntilPrepared();
  const before = readLive();
  const hashed = Object.fromEntries(
    Object.entries(people).map(([name, { role, password }]) => [
      name,
      { role, hash: passwordHash(password, before?.people[name]?.hash) },
    ]),
  );
  const live = { people: hashed, roles, groups, config };
  const started = await isStarted();
  replaceFile(LIVE, JSON.stringify(live), 0o600);
  // Who is out is refused from here on; who is new comes in with the role only.
  const stayed = Object.entries(hashed).filter(([name]) => before?.people[name]);
  writeHtpasswd(Object.fromEntries(stayed));
  const isOther =
    !isDeepStrictEqual(before?.config, config) || !isDeepStrictEqual(before?.roles, roles);
  if (isOther) {
    writeLiveConfig(live);
    if (started) configure();
  }
  // The gateway's first start waits for this file.
  fs.writeFileSync(`${RUN}/live`, "");
  if (!started && !(await isStarted())) {
    startIfRefused();
    return;
  }
  if (isOther) {
    try {
      await waitForRoles(roles);
    } catch (error) {
      if (error instanceof Refused && before !== undefined) {
        // People's part holds; a configuration that a restart would not survive does not.
        const kept = { ...live, config: before.config, roles: before.roles };
        replaceFile(LIVE, JSON.stringify(kept), 0o600);
        writeLiveConfig(kept);
        configure();
      }
      throw error;
    }
  }
  const ended = stayed.flatMap(([name, { hash }]) =>
    hash === before.people[name].hash ? [] : name,
  );
  await assignRoles(hashed, ended);
  writeHtpasswd(hashed);
}

async function assign() {
  const start = fs.readFileSync(`${RUN}/started`, "utf8");
  while (!(await isStarted())) await sleep(300);
  await assignRoles(readLive().people);
  writeHtpasswd(readLive().people);
  fs.writeFileSync(`${RUN}/assigned`, start);
}

try {
  await (process.argv[2] === "apply" ? apply() : assign());
  process.exit(0);
} catch (error) {
  console.error(`people: ERROR: ${error.message}`);
  process.exit(error instanceof Refused ? 78 : 1);
}
