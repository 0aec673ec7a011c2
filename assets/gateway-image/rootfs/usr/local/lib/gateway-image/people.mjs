// Who may come in, and what of OpenClaw's configuration needs no restart, in the gateway that runs (README.md).
//   apply    by "docker exec -i", as root: reads {people, roles, config} from standard input
//   assign   by the service "people", after each start of the gateway: gives people their roles
// nginx has names and passwords in a file that it reads at each request. OpenClaw keeps a role for each person in its data:
// another role closes that person's connections only, while a change of the policy in openclaw.json closes all of them.
// Secrets are never printed, and never stand in a process argument.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import {
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

const GATEWAY = "127.0.0.1:18789";
/** What the service of the gateway says of it; the first thing that it does, when all other files are there. */
const DOWN = `${RUN}/public/down.json`;
const environment = (name) => fs.readFileSync(`${RUN}/env/${name}`, "utf8").trimEnd();

class Refused extends Error {}

/** A container can be told of people as soon as it runs, and may take a while to prepare itself. */
async function waitUntilPrepared() {
  const deadline = performance.now() + 120_000;
  while (!fs.existsSync(DOWN)) {
    if (performance.now() > deadline)
      throw new Error("the container has not prepared itself within 120 s");
    await sleep(100);
  }
}

async function isStarted() {
  try {
    const answer = await fetch(`http://${GATEWAY}/startupz`, { signal: AbortSignal.timeout(3000) });
    return answer.ok && (await answer.json()).status === "started";
  } catch {
    return false;
  }
}

/** Opens a connection to the gateway: as a person whom nginx would name, or with the gateway's token as its owner. */
function connect(person) {
  const settings = JSON.parse(fs.readFileSync(`${RUN}/settings.json`, "utf8"));
  const asPerson = {
    [environment("OPENCLAW_IMAGE_USER_HEADER")]: person,
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Proto": "http",
    ...(settings.allowedOrigins[0] && { Origin: settings.allowedOrigins[0] }),
  };
  const client =
    person === undefined
      ? { id: "gateway-client", mode: "backend" }
      : { id: "openclaw-control-ui", mode: "webchat", buildId: "dev" };
  const socket = new WebSocket(`ws://${GATEWAY}${settings.basePath}/`, {
    headers: person === undefined ? {} : asPerson,
  });
  const waiting = new Map();
  const call = (method, params) =>
    new Promise((resolve, reject) => {
      const id = String(waiting.size + 1);
      waiting.set(id, { method, resolve, reject });
      setTimeout(() => reject(new Error(`${method}: no answer within 30 s`)), 30_000).unref();
      socket.send(JSON.stringify({ type: "req", id, method, params }));
    });
  return new Promise((resolve, reject) => {
    const fail = (why) => {
      const error = new Error(`the gateway's WebSocket: ${why}`);
      for (const each of waiting.values()) each.reject(error);
      reject(error);
    };
    const limit = setTimeout(() => {
      fail("no answer within 10 s");
      socket.close();
    }, 10_000);
    socket.onerror = () => fail("it can't be opened");
    socket.onclose = ({ code, reason }) => {
      clearTimeout(limit);
      fail(`closed with ${code} ${reason}`);
    };
    socket.onmessage = ({ data }) => {
      const { type, event, id, ok, payload, error } = JSON.parse(data);
      if (event === "connect.challenge") {
        const auth =
          person === undefined ? { password: environment("OPENCLAW_GATEWAY_PASSWORD") } : {};
        call("connect", {
          minProtocol: 4,
          maxProtocol: 4,
          client: { version: "dev", platform: "linux", ...client },
          role: "operator",
          scopes: person === undefined ? ["operator.admin"] : [],
          auth,
        }).then(() => {
          clearTimeout(limit);
          resolve({ call, close: () => socket.close() });
        }, reject);
      } else if (type === "res") {
        const { method, resolve: answer, reject: refuse } = waiting.get(id) ?? {};
        if (ok) answer?.(payload);
        else refuse?.(new Error(`${method}: ${error?.message}`));
      }
    };
  });
}

/** Makes the gateway's roles those of the people: creates who is new, and ends the connections of who is out or has `ended`. */
async function assignRoles(people, ended = []) {
  const owner = await connect();
  try {
    const profiles = async () =>
      (await owner.call("users.list", {})).profiles.filter(({ mergedInto }) => !mergedInto);
    const names = new Map(Object.keys(people).map((name) => [name.toLowerCase(), name]));
    const nameOf = ({ emails }) => emails.map((each) => names.get(each)).find(Boolean);
    let known = await profiles();
    for (const profile of known) {
      if (profile.role && nameOf(profile) === undefined) {
        await owner.call("users.setRole", { profileId: profile.id, role: null });
      }
    }
    const isNew = (name) => !known.some((profile) => nameOf(profile) === name);
    const created = Object.keys(people).filter(isNew);
    for (const name of created) {
      (await connect(name)).close();
    }
    if (created.length > 0) known = await profiles();
    for (const [name, { role }] of Object.entries(people)) {
      const profile = known.find((each) => nameOf(each) === name);
      if (profile === undefined)
        throw new Error("the gateway does not know a person who was just there");
      if (profile.role !== role || ended.includes(name)) {
        await owner.call("users.setRole", { profileId: profile.id, role });
      }
    }
  } finally {
    owner.close();
  }
}

/** Starts a gateway that was stopped because it refused its configuration: there may be a better one now. */
function startIfRefused() {
  const { status } = JSON.parse(fs.readFileSync(DOWN, "utf8"));
  if (status === "refused") execFileSync("s6-svc", ["-u", "/run/service/gateway"]);
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
  const { people, roles, config = {} } = given;
  const problems = checkPeople(people, roles);
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
  const live = { people: hashed, roles, config };
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
