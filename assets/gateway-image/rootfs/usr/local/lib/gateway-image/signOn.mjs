// Lets in whom the organisation's login names, for nginx's auth_request: Apache's mod_auth_openidc speaks with the provider and
// keeps the sessions; this program turns groups into roles of the gateway, and ends the connections of who is out.
// As root, because it knows the gateway's token; on a socket that only nginx can open.
import fs from "node:fs";
import http from "node:http";
import { setInterval } from "node:timers";
import {
  isName,
  LIVE,
  NGINX,
  NGINX_RUN,
  readLive,
  readSignedIn,
  replaceFile,
  RUN,
  SIGNED_IN,
} from "./live.mjs";
import { assignRole } from "./roles.mjs";

const { basePath, oidc } = JSON.parse(fs.readFileSync(`${RUN}/settings.json`, "utf8"));
const SOCKET = `${NGINX_RUN}/sign-on.sock`;
const APACHE = { host: "127.0.0.1", port: 18791 };
/** So often the provider is asked again whether a person is still in and in which groups. */
const ASKED_EVERY_MS = 60_000;

/** Sessions by their cookie's value: as whom the provider named it, and when it was last asked. */
const sessions = new Map();
/** The role in the gateway of everyone with a session, by name. An earlier run of this program, without its sessions, left some. */
const roles = new Map(Object.entries(readSignedIn()));

/** Asks Apache as the browser with this cookie would. */
function ask(path, { cookie, host, proto }) {
  return new Promise((resolve, reject) => {
    const headers = {
      Host: host,
      "X-Forwarded-Proto": proto,
      ...(cookie && { Cookie: `${oidc.cookie}=${cookie}` }),
    };
    const asked = http.request(
      { ...APACHE, path: basePath + path, headers, maxHeaderSize: 512 * 1024, timeout: 60_000 },
      (answer) => {
        answer.resume();
        answer.on("end", () => resolve(answer));
      },
    );
    asked.on("timeout", () => asked.destroy(new Error("no answer within 60 s")));
    asked.on("error", reject);
    asked.end();
  });
}

/** What the provider says of a session's person; undefined if the session is over. */
async function claimsOf(session) {
  const { statusCode, headers } = await ask("/oidc/session", session);
  const parse = (name) =>
    headers[name] ? JSON.parse(Buffer.from(headers[name], "base64").toString("utf8")) : undefined;
  if (statusCode !== 200) return undefined;
  const told = parse("x-userinfo");
  if (told !== undefined) {
    // Some providers name groups in the ID token only.
    return { ...parse("x-id-token"), ...told };
  }
  // The provider did not answer, or not for this person. Apache would keep the session, and not send the browser there again.
  await logOut(session);
  return undefined;
}

/** Whether a name is that of a login with a password. */
function isLocal(name) {
  return Object.keys(readLive()?.people ?? {}).some((each) => each.toLowerCase() === name);
}

/** Says as whom and with which role a session is in, or why not. */
function judge(session) {
  const { email, email_verified: isVerified, [oidc.groupsClaim]: groups } = session.claims;
  const judged = (name, role, why) => Object.assign(session, { name, role, why });
  const refused = (why) => judged(undefined, undefined, why);
  if (typeof email !== "string" || !isName(email))
    return refused("The organisation's login names no e-mail address of yours that can be used.");
  // Some providers write it as a text.
  if (String(isVerified) === "false") return refused("Your e-mail address is not verified.");
  const name = email.toLowerCase();
  // Else whoever may choose an address there could be anyone here.
  if (isLocal(name))
    return refused("Your e-mail address is the name of a login with a password here.");
  // An address or, with an @ in front, the host name of addresses is a group of its own.
  const emails = [name, name.slice(name.lastIndexOf("@"))];
  const found = (readLive()?.groups ?? []).find(
    ({ group }) => [groups].flat().includes(group) || emails.includes(group.toLowerCase()),
  );
  return found
    ? judged(name, found.role, undefined)
    : refused("Neither your groups nor your e-mail address may use this dashboard.");
}

let settling = Promise.resolve();

/** Makes the gateway's roles those of the sessions, one change after the other. */
function settle() {
  settling = settling.catch(() => {}).then(settleOnce);
  return settling;
}

async function settleOnce() {
  const known = [...sessions.values()].filter(({ name }) => name);
  // What was asked last holds for all sessions of a person.
  known.sort((one, other) => one.askedAt - other.askedAt);
  const wanted = new Map(known.map(({ name, role }) => [name, role]));
  const changed = [...new Set([...wanted.keys(), ...roles.keys()])].filter(
    (name) => wanted.get(name) !== roles.get(name),
  );
  if (changed.length === 0) return;
  // First here: people.mjs takes the role of everyone who is neither here nor in the settings.
  replaceFile(SIGNED_IN, JSON.stringify(Object.fromEntries(wanted)), 0o600);
  for (const name of changed) {
    if (!isLocal(name)) await assignRole(name, wanted.get(name) ?? null);
    if (wanted.has(name)) roles.set(name, wanted.get(name));
    else roles.delete(name);
  }
}

/** Asks the provider about a session, once at a time, and keeps it if there is one. */
function check(session) {
  session.checking ??= (async () => {
    try {
      session.askedAt = Date.now();
      const claims = await claimsOf(session);
      if (claims === undefined) {
        forget(session);
      } else {
        session.claims = claims;
        judge(session);
        sessions.set(session.cookie, session);
      }
    } finally {
      session.checking = undefined;
    }
    await settle();
  })();
  return session.checking;
}

function forget(session) {
  session.isOver = true;
  sessions.delete(session.cookie);
}

/** Ends a session in Apache; the answer leads on to the provider's own log-out. */
function logOut(session) {
  const out = `${session.proto}://${session.host}${basePath}/oidc/out`;
  return ask(`/oidc/callback?logout=${encodeURIComponent(out)}`, session);
}

/** Most that is safe as one header on the way through other proxies. */
const LONGEST_LOCATION = 3000;

/** The provider's address for logging out: without the ID token if that is so long that a proxy on the way may refuse it. */
function shortened(location) {
  if (location.length <= LONGEST_LOCATION) return location;
  const url = new URL(location);
  url.searchParams.delete("id_token_hint");
  url.searchParams.set("client_id", oidc.clientId);
  return url.href;
}

const text = (value) => String(value ?? "").replaceAll(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

function page(answer, status, title, body) {
  answer.writeHead(status, {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  });
  answer.end(`<!doctype html><title>${title}</title><h1>${title}</h1><p>${body}\n`);
}

const handlers = {
  async "/auth"(session, answer) {
    if (session === undefined) return answer.writeHead(401).end();
    const isOld = Date.now() - (session.askedAt ?? 0) > ASKED_EVERY_MS;
    if (isOld || session.checking) await check(session);
    if (session.isOver) return answer.writeHead(401).end();
    if (session.name === undefined) return answer.writeHead(403).end();
    if (roles.get(session.name) !== session.role) await settle();
    answer.writeHead(204, { "X-Signed-In": session.name }).end();
  },
  "/refused"(session, answer) {
    const out = `<a href="${basePath}/oidc/logout">Log out</a>`;
    page(answer, 403, "No access", `${text(session?.why)} ${out}`);
  },
  async "/logout"(session, answer, place) {
    const { statusCode, headers } = await logOut(session ?? place);
    if (session !== undefined) forget(session);
    await settle();
    const { location, "set-cookie": cookies } = headers;
    answer.writeHead(location ? 302 : statusCode, {
      "Cache-Control": "no-store",
      ...(location && { Location: shortened(location) }),
      ...(cookies && { "Set-Cookie": cookies }),
    });
    answer.end();
  },
  "/out"(_, answer) {
    page(answer, 200, "Logged out", `<a href="${basePath}/">Log in again</a>`);
  },
};

const server = http.createServer((request, answer) => {
  const { host = "localhost", cookie = "", "x-forwarded-proto": proto = "http" } = request.headers;
  const place = { host, proto };
  const [, value] = new RegExp(`(?:^|;\\s*)${oidc.cookie}=([^;]+)`).exec(cookie) ?? [];
  const session = value && (sessions.get(value) ?? { ...place, cookie: value });
  const handler = handlers[new URL(request.url, "http://x").pathname];
  Promise.resolve(handler?.(session, answer, place)).catch((error) => {
    report(error);
    if (!answer.headersSent) answer.writeHead(503);
    answer.end();
  });
});

let reported;
function report({ message }) {
  if (message !== reported) console.error(`sign-on: ERROR: ${message}`);
  reported = message;
}

/** Whoever left a group, or is out at the provider, is out without asking for anything. */
let applied;
setInterval(() => {
  const { mtimeMs } = fs.statSync(LIVE, { throwIfNoEntry: false }) ?? {};
  if (mtimeMs !== applied) {
    applied = mtimeMs;
    sessions.forEach(judge);
  }
  for (const session of sessions.values()) {
    if (Date.now() - session.askedAt > ASKED_EVERY_MS) check(session).catch(report);
  }
  settle().catch(report);
}, 1000);

fs.rmSync(SOCKET, { force: true });
process.umask(0o177);
server.listen(SOCKET, () => fs.chownSync(SOCKET, NGINX.uid, NGINX.gid));
