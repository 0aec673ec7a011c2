// Runs as the session's user before every start of the gateway: makes the user's own OpenClaw configuration one that can run in
// a session, and leaves what the user has set alone. Ends with 78, as the gateway does, when it can't.
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname } from "node:path";

const STATE = process.env.OPENCLAW_STATE_DIR || `${homedir()}/.openclaw`;
const CONFIG = `${STATE}/openclaw.json`;
// Which defaults were written last time. It stands outside the state folder, because OpenClaw starts faster on a new one when it
// finds nothing but its configuration in there.
const RECORD = `${homedir()}/.config/openclaw-kasm/defaults.json`;
/** Defaults of this site: mounted, or put into an image that is built on this one. */
const SITE = "/etc/openclaw-kasm/openclaw.json";

/** What a session rests on, whatever the user's file says. The token is the user's own and made below. */
const MANAGED = [
  ["gateway.mode", "local"],
  ["gateway.bind", "loopback"],
  ["gateway.port", 18789],
  ["gateway.auth.mode", "token"],
];

/** The version is the image's, and no browser has a sandbox of its own in a session's container. */
const DEFAULTS = { update: { checkOnStart: false }, browser: { noSandbox: true } };

class Refused extends Error {}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Path and value of everything that is not an object with something in it. */
function leaves(value, path = []) {
  if (!isObject(value) || Object.keys(value).length === 0) {
    return path.length > 0 ? [[path.join("."), value]] : [];
  }
  return Object.entries(value).flatMap(([key, child]) => {
    if (key === "__proto__" || key.includes("."))
      throw new Refused(`"${key}" is no key for ${SITE}`);
    return leaves(child, [...path, key]);
  });
}

function get(object, path) {
  return path.split(".").reduce((value, key) => (isObject(value) ? value[key] : undefined), object);
}

function set(object, path, value) {
  const keys = path.split(".");
  const last = keys.pop();
  const parent = keys.reduce((at, key) => {
    if (!isObject(at[key])) at[key] = {};
    return at[key];
  }, object);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
}

function read(file, parse) {
  let text;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw new Refused(`${file} can't be read (${error.code})`);
  }
  try {
    const value = parse(text);
    if (!isObject(value)) throw new Error("it must hold an object");
    return value;
  } catch (error) {
    throw new Refused(`${file} is not valid: ${error.message}`);
  }
}

/** OpenClaw accepts JSON5, so the user may have written it; its parser is loaded only then. */
function parseConfig(text) {
  try {
    return JSON.parse(text);
  } catch {
    const require = createRequire(fs.realpathSync("/usr/local/bin/openclaw"));
    return require("json5").parse(text);
  }
}

function write(file, value) {
  fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = fs.openSync(temporary, "w", 0o600);
  fs.writeSync(handle, `${JSON.stringify(value, null, 2)}\n`);
  fs.fsyncSync(handle);
  fs.closeSync(handle);
  fs.renameSync(temporary, file);
}

/** A default that the user has changed is the user's; one that is still as it was written last time follows image and site. */
function applyDefaults(config, defaults, before) {
  for (const [path, value] of Object.entries(before)) {
    if (!(path in defaults) && same(get(config, path), value)) set(config, path, undefined);
  }
  for (const [path, value] of Object.entries(defaults)) {
    const current = get(config, path);
    if (current === undefined || (path in before && same(current, before[path])))
      set(config, path, value);
  }
}

function configure() {
  fs.mkdirSync(STATE, { recursive: true, mode: 0o700 });
  const before = read(CONFIG, parseConfig);
  const config = JSON.parse(JSON.stringify(before ?? {}));

  const defaults = Object.fromEntries([
    ...leaves(DEFAULTS),
    ...leaves(read(SITE, parseConfig) ?? {}),
  ]);
  const record = read(RECORD, JSON.parse) ?? {};
  applyDefaults(config, defaults, record);
  if (!same(record, defaults)) write(RECORD, defaults);

  for (const [path, value] of MANAGED) set(config, path, value);
  // A reference to a secret that is kept elsewhere is an object; what is no token at all is replaced.
  const { token } = config.gateway.auth;
  if (!isObject(token) && !(typeof token === "string" && token.length >= 16))
    set(config, "gateway.auth.token", randomBytes(32).toString("base64url"));

  if (before === undefined || !same(before, config)) write(CONFIG, config);
  else if ((fs.statSync(CONFIG).mode & 0o077) !== 0) fs.chmodSync(CONFIG, 0o600);
}

try {
  configure();
} catch (error) {
  console.error(error instanceof Refused ? error.message : String(error));
  process.exit(78);
}
