// The part of the inputs that can change while the gateway runs, and the files that are made of it: for prepare.mjs at the
// container's start and for people.mjs in a container that runs.
import { execFileSync } from "node:child_process";
import fs from "node:fs";

/** Written by people.mjs, read by signOn.mjs too. It is in the container's own layer: a container that is started again has it still. */
export const LIVE = "/etc/openclaw-gateway/live.json";
export const RUN = "/run/gateway-image";
/** Used if the image is run by hand: its inputs may be mounted, and nothing can be written beside them. */
export const BY_HAND = `${RUN}/live.json`;
/** Written by signOn.mjs: the roles of those who came by the organisation's login, by name. */
export const SIGNED_IN = `${RUN}/signed-in.json`;
export const NGINX_RUN = "/run/nginx";
export const NODE = { uid: 1000, gid: 1000 };
export const NGINX = { uid: 33, gid: 33 }; // www-data
/** The user of the program that speaks with an organisation's login: "proxy", which nothing else here uses. */
export const OPENID = { uid: 13, gid: 13 };
export const OPENID_RUN = "/run/openid";

/** The role of the one user of an image that is run by hand. */
export const ADMIN = { sessions: { others: "write" }, agents: "*", scopes: ["operator.admin"] };

export const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** No colon, which ends a name in nginx's file. */
export const isName = (value) =>
  typeof value === "string" && /^[A-Za-z0-9._@+-]{1,64}$/.test(value);

// openssl reads no more than 256 bytes. The program's own check of its settings has the same limits.
export function isPassword(value) {
  const length = typeof value === "string" ? Buffer.byteLength(value) : 0;
  return length >= 12 && length <= 256 && /^[^\p{Cc}]+$/u.test(value) && value.trim() === value;
}

/** What is wrong with people and roles, a line for each; without their passwords. */
export function checkPeople(people, roles) {
  if (!isObject(people) || !isObject(roles)) return ["people and roles: expected objects"];
  const names = Object.keys(people);
  const lower = names.map((name) => name.toLowerCase());
  return Object.entries(people).flatMap(([name, person]) => [
    ...(isName(name) ? [] : ["people: expected names of 1 to 64 letters, digits or . _ @ + -"]),
    ...(lower.filter((each) => each === name.toLowerCase()).length === 1
      ? []
      : [`people: OpenClaw takes "${name}" and another one as the same name`]),
    ...(isObject(person) && isPassword(person.password)
      ? []
      : [
          `people.${name}.password: expected 12 to 256 bytes without control characters or blanks at the ends`,
        ]),
    ...(isObject(person) && Object.hasOwn(roles, person.role)
      ? []
      : [`people.${name}.role: expected one of ${Object.keys(roles).join(", ")}`]),
  ]);
}

/** What is wrong with the roles of an organisation's groups. */
export function checkGroups(groups, roles) {
  const isGroup = (each) =>
    isObject(each) && typeof each.group === "string" && Object.hasOwn(roles, each.role);
  return Array.isArray(groups) && groups.every(isGroup)
    ? []
    : ["groups: expected a list of objects with group and one of the roles"];
}

export function readSignedIn() {
  return fs.existsSync(SIGNED_IN) ? JSON.parse(fs.readFileSync(SIGNED_IN, "utf8")) : {};
}

export function readLive() {
  const file = [BY_HAND, LIVE].find((each) => fs.existsSync(each));
  return file && JSON.parse(fs.readFileSync(file, "utf8"));
}

/** The owner comes last: without CAP_FOWNER and CAP_DAC_OVERRIDE root can't touch it afterwards. A reader finds the old text or the new one. */
export function replaceFile(path, text, mode, owner) {
  // Another process may replace it at the same time.
  const temporary = `${path}.${process.pid}`;
  fs.rmSync(temporary, { force: true });
  fs.writeFileSync(temporary, text, { mode });
  fs.chmodSync(temporary, mode);
  if (owner) fs.chownSync(temporary, owner.uid, owner.gid);
  fs.renameSync(temporary, path);
}

/** Hashes a password for nginx; the hash stays as long as the password does. */
export function passwordHash(password, before) {
  const hash = (...salt) =>
    execFileSync("openssl", ["passwd", "-6", ...salt, "-stdin"], {
      input: `${password}\n`,
      encoding: "utf8",
    }).trim();
  const salt = before?.split("$")[2];
  return salt !== undefined && hash("-salt", salt) === before ? before : hash();
}

/** nginx reads it at each request: no reload, which would leave a process behind for every change. */
export function writeHtpasswd(people) {
  const lines = Object.entries(people).map(([name, { hash }]) => `${name}:${hash}\n`);
  replaceFile(`${NGINX_RUN}/htpasswd`, lines.join(""), 0o400, NGINX);
}

/** For configure.mjs alone, which runs as the gateway's user. */
export function writeLiveConfig({ roles, config }) {
  replaceFile(`${RUN}/live-config.json`, JSON.stringify({ roles, config }), 0o400, NODE);
}
