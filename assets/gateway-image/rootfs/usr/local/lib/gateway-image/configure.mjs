// Runs as the gateway's user before every start of the gateway: puts the managed keys into OpenClaw's own configuration
// and leaves the user's other keys alone. Ends with 78 (the supervisor does not try again) when it can't.
import fs from "node:fs";
import { createRequire } from "node:module";

const STATE = process.env.OPENCLAW_STATE_DIR;
const CONFIG = `${STATE}/openclaw.json`;
// Which keys were managed last time: those that are no longer are taken out again. It stands outside the state folder,
// because OpenClaw starts 4 s faster on a new volume when it finds nothing but its configuration in there.
const RECORD = "/data/.gateway-image-managed.json";
const settings = JSON.parse(fs.readFileSync("/run/gateway-image/settings.json", "utf8"));
const live = JSON.parse(fs.readFileSync("/run/gateway-image/live-config.json", "utf8"));
const fixed = JSON.parse(fs.readFileSync("/run/gateway-image/config.json", "utf8"));

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const clone = (value) => JSON.parse(JSON.stringify(value));

class Refused extends Error {}

/** Puts `from` over `into`, object by object; lists and plain values are replaced. */
function merge(into, from) {
  for (const [key, value] of Object.entries(from)) {
    if (key === "__proto__") throw new Refused('config: "__proto__" is no key of OpenClaw');
    if (isObject(value) && Object.keys(value).length > 0) {
      if (!isObject(into[key])) into[key] = {};
      merge(into[key], value);
    } else {
      into[key] = clone(value);
    }
  }
  return into;
}

/** The paths of all values that are not objects with something in them. */
function leaves(value, path = []) {
  if (!isObject(value) || Object.keys(value).length === 0) return [path];
  return Object.entries(value).flatMap(([key, child]) => leaves(child, [...path, key]));
}

const at = (object, path) =>
  path.reduce((value, key) => (isObject(value) ? value[key] : undefined), object);

/** Takes the value out, and the objects around it that are empty then. */
function remove(object, path) {
  const [key, ...rest] = path;
  if (!isObject(object) || !Object.hasOwn(object, key)) return;
  if (rest.length > 0) remove(object[key], rest);
  if (rest.length === 0 || (isObject(object[key]) && Object.keys(object[key]).length === 0))
    delete object[key];
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
    return parse(text);
  } catch (error) {
    throw new Refused(
      `${file} is not valid: ${error.message}. Repair it, or move it away to start with a fresh one.`,
    );
  }
}

function write(file, value) {
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = fs.openSync(temporary, "w", 0o600);
  fs.writeSync(handle, `${JSON.stringify(value, null, 2)}\n`);
  fs.fsyncSync(handle);
  fs.closeSync(handle);
  fs.renameSync(temporary, file);
}

/** OpenClaw accepts JSON5, so the user may have written it; its parser is loaded only then. */
function parseConfig(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    const require = createRequire(fs.realpathSync("/usr/local/bin/openclaw"));
    value = require("json5").parse(text);
  }
  if (!isObject(value)) throw new Error("it must hold an object");
  return value;
}

// For what the configuration does not set. The terminal would be a shell in this container, with the provider keys in
// its environment, for everyone with the dashboard's password; the configuration can turn it on. The version is the image's.
const DEFAULTS = { gateway: { terminal: { enabled: false } }, update: { checkOnStart: false } };

// What a device may be approved for by itself: all that the dashboard asks for. A person's role is the limit, and a device
// without a person is refused while there are roles.
const DEVICE_SCOPES = [
  "operator.admin",
  "operator.read",
  "operator.write",
  "operator.approvals",
  "operator.pairing",
  "operator.questions",
  "operator.talk.secrets",
];

// What the front door in this image rests on: see README.md. The login is nginx's, and nginx is the one trusted proxy.
// It names no people: OpenClaw closes all connections when this policy changes, so people.mjs gives them their roles.
const ours = {
  gateway: {
    mode: "local",
    bind: "loopback",
    trustedProxies: ["127.0.0.1", "::1"],
    auth: {
      mode: "trusted-proxy",
      trustedProxy: {
        // OpenClaw fills it in from its environment; unfilled it is no name that a request could have.
        userHeader: "${OPENCLAW_IMAGE_USER_HEADER}",
        allowLoopback: true,
        deviceAutoApprove: { enabled: true, scopes: DEVICE_SCOPES },
      },
    },
    roles: {
      default: "unassigned",
      definitions: {
        ...live.roles,
        unassigned: { sessions: { others: "none" }, agents: [], scopes: [] },
      },
    },
    controlUi: {
      ...(settings.basePath && { basePath: settings.basePath }),
      ...(settings.allowedOrigins.length > 0 && { allowedOrigins: settings.allowedOrigins }),
    },
  },
};

function configure() {
  fs.mkdirSync(STATE, { recursive: true, mode: 0o700 });
  fs.mkdirSync(process.env.OPENCLAW_WORKSPACE_DIR, { recursive: true });

  const given = merge(merge({}, fixed), live.config);
  const managed = merge(merge({}, given), ours);
  // An empty object says nothing, and a token or password beside the proxy's login makes the gateway refuse to start.
  if (Object.keys(managed.gateway.controlUi).length === 0) delete managed.gateway.controlUi;
  for (const key of ["token", "password"]) delete managed.gateway.auth[key];
  for (const path of leaves(given)) {
    if (path.length > 0 && !same(at(managed, path), at(given, path))) {
      console.log(
        `configure: config.${path.join(".")} is set by this image; the given value is not used`,
      );
    }
  }

  const before = read(CONFIG, parseConfig);
  const config = clone(before ?? {});
  const paths = leaves(managed);
  for (const path of read(RECORD, JSON.parse) ?? []) {
    if (!paths.some((other) => same(other, path))) remove(config, path);
  }
  // Who may come in is not a matter of merging.
  if (isObject(config.gateway)) {
    delete config.gateway.auth;
    delete config.gateway.roles;
  }
  merge(config, managed);
  for (const path of leaves(DEFAULTS)) {
    if (at(config, path) === undefined)
      merge(
        config,
        path.reduceRight((value, key) => ({ [key]: value }), at(DEFAULTS, path)),
      );
  }

  // The record is written first: a recorded key that is missing does no harm, but an unrecorded key would never be removed.
  if (!same(read(RECORD, JSON.parse), paths)) write(RECORD, paths);
  if (before === undefined || !same(before, config)) {
    write(CONFIG, config);
    console.log(`configure: ${CONFIG} ${before === undefined ? "created" : "updated"}`);
  }
}

try {
  configure();
} catch (error) {
  console.error(
    `configure: ERROR: ${error instanceof Refused ? error.message : `${error.message} (uid ${process.getuid()})`}`,
  );
  process.exit(78);
}
