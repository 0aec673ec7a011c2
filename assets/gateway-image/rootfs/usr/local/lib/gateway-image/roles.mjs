// The roles of people in the gateway that runs, for people.mjs and signOn.mjs: OpenClaw keeps a role for each person in its data.
import fs from "node:fs";
import { readSignedIn, RUN } from "./live.mjs";

const GATEWAY = "127.0.0.1:18789";
const environment = (name) => fs.readFileSync(`${RUN}/env/${name}`, "utf8").trimEnd();

export async function isStarted() {
  try {
    const answer = await fetch(`http://${GATEWAY}/startupz`, { signal: AbortSignal.timeout(3000) });
    return answer.ok && (await answer.json()).status === "started";
  } catch {
    return false;
  }
}

/** Opens a connection to the gateway: as a person whom nginx would name, or with the gateway's token as its owner. */
export function connect(person) {
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

/** The people of a gateway, each with emails (the name is one) and a role. */
async function profilesOf(owner) {
  return (await owner.call("users.list", {})).profiles.filter(({ mergedInto }) => !mergedInto);
}

/** Makes the gateway's roles those of the people: creates who is new, and ends the connections of who is out or has `ended`. */
export async function assignRoles(people, ended = []) {
  const owner = await connect();
  try {
    const local = Object.keys(people).map((name) => name.toLowerCase());
    // Those who came by the organisation's login have none of their own here.
    const signedIn = Object.entries(readSignedIn()).filter(([name]) => !local.includes(name));
    const all = [...signedIn, ...Object.entries(people).map(([name, { role }]) => [name, role])];
    const names = new Map(all.map(([name]) => [name.toLowerCase(), name]));
    const nameOf = ({ emails }) => emails.map((each) => names.get(each)).find(Boolean);
    let known = await profilesOf(owner);
    for (const profile of known) {
      if (profile.role && nameOf(profile) === undefined) {
        await owner.call("users.setRole", { profileId: profile.id, role: null });
      }
    }
    const isNew = ([name]) => !known.some((profile) => nameOf(profile) === name);
    const created = all.filter(isNew);
    for (const [name] of created) {
      (await connect(name)).close();
    }
    if (created.length > 0) known = await profilesOf(owner);
    for (const [name, role] of all) {
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

/** Gives one person another role, or with null none, which ends the connections of that person. */
export async function assignRole(name, role) {
  const owner = await connect();
  try {
    const find = async () => (await profilesOf(owner)).find(({ emails }) => emails.includes(name));
    let profile = await find();
    if (profile === undefined) {
      if (role === null) return;
      (await connect(name)).close();
      profile = await find();
    }
    if ((profile.role ?? null) !== role) {
      await owner.call("users.setRole", { profileId: profile.id, role });
    }
  } finally {
    owner.close();
  }
}
