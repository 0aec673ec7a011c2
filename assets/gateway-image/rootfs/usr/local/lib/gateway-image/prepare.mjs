// Runs as root at every start of the container, before anything else: reads and checks the two input files and lays out
// below /run what nginx and the gateway need. Secrets are never printed, and never stand in a process argument.
import { execFileSync } from "node:child_process";
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import {
  ADMIN,
  BY_HAND,
  isName,
  isObject,
  isPassword,
  NGINX,
  NGINX_RUN,
  NODE,
  OPENID,
  OPENID_RUN,
  passwordHash,
  readLive,
  replaceFile,
  RUN,
  writeHtpasswd,
  writeLiveConfig,
} from "./live.mjs";

const INPUT = "/etc/openclaw-gateway";
const SETTINGS = `${INPUT}/settings.json`;
const SECRETS = `${INPUT}/secrets.json`;
const AUTHORITIES = `${INPUT}/extra-ca.pem`;
const OPENID_MODULE = "/usr/lib/apache2/modules/mod_auth_openidc.so";

const problems = [];
const problem = (where, text) => problems.push(`${where}: ${text}`);

/** The parsed object, or undefined where the file is absent or (reported) unusable. */
function readObject(file) {
  let text;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error.code !== "ENOENT")
      problem(file, `can't be read (${error.code}); it must be a file that root owns`);
    return undefined;
  }
  try {
    const value = JSON.parse(text);
    if (isObject(value)) return value;
    problem(file, "must hold a JSON object");
  } catch {
    // The parser's own message quotes the text, which may be a secret.
    problem(file, "is not valid JSON");
  }
  return undefined;
}

function onlyKeys(file, object, known) {
  for (const key of Object.keys(object)) {
    if (!known.includes(key)) problem(file, `unknown key "${key}"; known are ${known.join(", ")}`);
  }
}

function readSettings() {
  const settings = {
    username: process.env.AUTH_USERNAME || "admin",
    basePath: "",
    allowedOrigins: [],
    openPaths: {},
    waitsForPeople: false,
    ...readObject(SETTINGS),
  };
  onlyKeys(SETTINGS, settings, [
    "username",
    "basePath",
    "allowedOrigins",
    "openPaths",
    "waitsForPeople",
    "oidc",
  ]);
  const { username, basePath, allowedOrigins, waitsForPeople, oidc } = settings;
  if (!isName(username)) {
    problem(
      `${SETTINGS}: username (or AUTH_USERNAME)`,
      "expected 1 to 64 letters, digits or . _ @ + -",
    );
  }
  if (typeof waitsForPeople !== "boolean")
    problem(`${SETTINGS}: waitsForPeople`, "expected true or false");
  if (typeof basePath !== "string" || !/^(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/.test(basePath)) {
    problem(
      `${SETTINGS}: basePath`,
      'expected "" or a path like "/openclaw" without a slash at its end',
    );
  } else if (basePath === "/healthz" || basePath.startsWith("/healthz/")) {
    problem(`${SETTINGS}: basePath`, "/healthz is the health check");
  }
  const isOrigin = (value) => typeof value === "string" && /^https?:\/\/[^/?#\s"]+$/.test(value);
  if (!Array.isArray(allowedOrigins) || !allowedOrigins.every(isOrigin)) {
    problem(
      `${SETTINGS}: allowedOrigins`,
      'expected a list of origins like "http://host:port", without a path',
    );
  }
  checkOpenPaths(settings.openPaths);
  if (oidc !== undefined) checkOidc(oidc);
  return settings;
}

/** They get into Apache's configuration. */
function checkOidc(oidc) {
  const where = `${SETTINGS}: oidc`;
  if (!isObject(oidc)) {
    problem(where, "expected an object with issuer, clientId, scopes and groupsClaim");
    return;
  }
  onlyKeys(where, oidc, ["issuer", "clientId", "scopes", "groupsClaim"]);
  const isUrl = (value) => URL.canParse(value) && /^https?:/.test(value);
  const isWord = (value) => typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
  const { issuer, clientId, scopes, groupsClaim } = oidc;
  if (!isWord(issuer) || !isUrl(issuer)) problem(`${where}.issuer`, "expected an address");
  if (!isWord(clientId)) problem(`${where}.clientId`, "expected a text without spaces");
  if (!isWord(groupsClaim)) problem(`${where}.groupsClaim`, "expected the name of a claim");
  if (!Array.isArray(scopes) || !scopes.every(isWord) || !scopes.includes("openid"))
    problem(`${where}.scopes`, 'expected a list of scopes with "openid"');
  if (!fs.existsSync(OPENID_MODULE))
    problem(where, "this image can't; build it with EXTRA_PACKAGES=libapache2-mod-auth-openidc");
}

/** They get into nginx's configuration. */
function checkOpenPaths(openPaths) {
  const where = `${SETTINGS}: openPaths`;
  if (!isObject(openPaths)) {
    problem(where, 'expected an object like {"webhooks": ["/hooks"], "api": ["/v1"]}');
    return;
  }
  onlyKeys(where, openPaths, ["webhooks", "api"]);
  const lists = Object.values(openPaths);
  const isPath = (value) =>
    typeof value === "string" && /^(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/.test(value);
  const paths = lists.flat();
  if (
    !lists.every(Array.isArray) ||
    !paths.every((path) => isPath(path) && path !== "/healthz") ||
    new Set(paths).size !== paths.length
  ) {
    problem(
      where,
      'expected lists of paths like "/hooks", none twice and without a slash at the end',
    );
  }
}

// Variables with which a "provider key" would change how the processes work instead of what they may use.
const RESERVED = /^(PATH|HOME|USER|SHELL|IFS|ENV|BASH_ENV|TMPDIR|(OPENCLAW|NODE|NPM|LD|SSL)_.*)$/;

function readSecrets({ waitsForPeople, oidc }) {
  const given = readObject(SECRETS);
  const secrets = { providerKeys: {}, config: {}, ...given };
  const { providerKeys } = secrets;
  onlyKeys(SECRETS, secrets, [
    "password",
    "gatewayToken",
    "providerKeys",
    "config",
    "oidcClientSecret",
  ]);
  const isClientSecret = (value) =>
    typeof value === "string" && /^(?!exec:)[\x21-\x7e]+$/.test(value);
  if (oidc !== undefined && !isClientSecret(secrets.oidcClientSecret)) {
    problem(
      `${SECRETS}: oidcClientSecret`,
      'expected a text without spaces that does not begin with "exec:"',
    );
  }
  if (!isObject(secrets.config))
    problem(`${SECRETS}: config`, "expected an object with OpenClaw configuration");
  const passwordFile = process.env.AUTH_PASSWORD_FILE;
  if (passwordFile && secrets.password === undefined) {
    try {
      secrets.password = fs.readFileSync(passwordFile, "utf8").replace(/\r?\n$/, "");
    } catch (error) {
      problem(`AUTH_PASSWORD_FILE=${passwordFile}`, `can't be read (${error.code})`);
    }
  } else if (!given && !waitsForPeople && problems.length === 0) {
    problem(SECRETS, "is missing, and AUTH_PASSWORD_FILE is not set: there would be no password");
    return secrets;
  }
  // It is for the command line in this container only; who runs the image by hand needs none.
  secrets.gatewayToken ??= randomBytes(32).toString("hex");

  const isWord = (value) =>
    typeof value === "string" && /^[^\p{Cc}]+$/u.test(value) && value.trim() === value;
  if (!waitsForPeople && !isPassword(secrets.password)) {
    problem(
      `${SECRETS}: password (or AUTH_PASSWORD_FILE)`,
      "expected 12 to 256 bytes without control characters or blanks at the ends",
    );
  }
  if (!isWord(secrets.gatewayToken))
    problem(`${SECRETS}: gatewayToken`, "expected a string without control characters");
  if (!isObject(providerKeys)) {
    problem(`${SECRETS}: providerKeys`, 'expected an object like {"ANTHROPIC_API_KEY": "…"}');
  } else {
    for (const [name, value] of Object.entries(providerKeys)) {
      const where = `${SECRETS}: providerKeys.${name}`;
      if (!/^[A-Z][A-Z0-9_]*$/.test(name))
        problem(where, "is not the name of an environment variable");
      else if (RESERVED.test(name))
        problem(where, "is no provider key: this variable steers the processes themselves");
      else if (!isWord(value))
        problem(where, "expected a string that is not empty and has no control characters");
    }
  }
  return secrets;
}

/** PEM of certificate authorities that the gateway trusts beside the usual ones, of a network that re-signs TLS. */
function readAuthorities() {
  let text;
  try {
    text = fs.readFileSync(AUTHORITIES, "utf8");
  } catch (error) {
    if (error.code !== "ENOENT") problem(AUTHORITIES, `can't be read (${error.code})`);
    return undefined;
  }
  try {
    new X509Certificate(text);
  } catch {
    problem(AUTHORITIES, "holds no certificate; expected PEM");
  }
  return text;
}

/** The gateway could read the password otherwise, and with it whatever the gateway's agents run. */
function closeSecretsFile() {
  const mode = fs.existsSync(SECRETS) ? fs.statSync(SECRETS).mode : 0;
  if ((mode & 0o077) === 0) return;
  try {
    fs.chmodSync(SECRETS, 0o600);
  } catch {
    console.log(
      `start-gateway: WARNING: ${SECRETS} can be read by others than root, and its mode can't be changed`,
    );
  }
}

function folder(path, mode, owner = { uid: 0, gid: 0 }) {
  if (fs.existsSync(path)) return;
  fs.mkdirSync(path);
  fs.chmodSync(path, mode);
  fs.chownSync(path, owner.uid, owner.gid);
}

/** The owner comes last: without CAP_FOWNER and CAP_DAC_OVERRIDE root can't touch it afterwards. */
function file(path, text, mode, owner) {
  fs.writeFileSync(path, text, { mode });
  fs.chmodSync(path, mode);
  if (owner) fs.chownSync(path, owner.uid, owner.gid);
}

/** Gives the data to the gateway's user: root owns a volume that Docker created, and the data of an image that ran as root. */
function ownData() {
  const owned = ["/data/workspace", "/data/.openclaw"];
  try {
    for (const path of owned) {
      if (fs.lstatSync(path, { throwIfNoEntry: false })?.uid === 0) {
        console.log(`start-gateway: giving ${path} to uid ${NODE.uid}`);
        execFileSync("chown", ["-R", "-h", `${NODE.uid}:${NODE.gid}`, path], { stdio: "inherit" });
      }
    }
    if (fs.statSync("/data").uid !== NODE.uid) fs.chownSync("/data", NODE.uid, NODE.gid);
  } catch (error) {
    // Some network file systems refuse that. It may still be writable: configure.mjs will see.
    console.log(
      `start-gateway: WARNING: could not give /data to uid ${NODE.uid} (${error.code ?? error.message})`,
    );
  }
}

/** The networks that this container is on. KASM's proxy is on one of them; from elsewhere no other client is named. */
function ownNetworks() {
  return Object.values(os.networkInterfaces())
    .flat()
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address, netmask, cidr }) => {
      const mask = netmask.split(".");
      const first = address.split(".").map((part, index) => Number(part) & Number(mask[index]));
      return `${first.join(".")}/${cidr.split("/")[1]}`;
    });
}

// Browsers keep a login by origin and realm. Gateways behind one origin differ in path, those that take turns at one
// address (a tunnel's end) in the container's name, which is its host name.
const realmOf = (basePath) =>
  `OpenClaw ${os.hostname().replaceAll(/[^A-Za-z0-9._-]/g, "_")}${basePath}`;

/**
 * Cookies don't heed ports: gateways on one address would overwrite each other's under one name. KASM's route lets cookies through
 * with names that begin like these.
 */
function cookieName(kind, basePath) {
  const suffix = createHash("sha256").update(realmOf(basePath)).digest("hex").slice(0, 8);
  return `__openclaw_${kind}_${suffix}`;
}

/** What is new for nginx at each start. All values are hexadecimal, addresses, or of the letters that are checked above. */
function startConf({ basePath, oidc }) {
  const realm = realmOf(basePath);
  const name = cookieName("known", basePath);
  const value = randomBytes(16).toString("hex");
  const cookie = `${name}=${value}; Path=${basePath || "/"}; HttpOnly; SameSite=Lax`;
  return `${ownNetworks()
    .map((network) => `set_real_ip_from ${network};\n`)
    .join(
      "",
    )}${gatewayCookies()}${oidc ? doorWithOidc(realm) : doorWithoutOidc(realm)}map $cookie_${name} $is_known {
  default 0;
  ${value} 1;
}
map "$is_known $forwarded_proto" $known_cookie {
  "0 https" "${cookie}; Secure";
  "0 http" "${cookie}";
  default "";
}
`;
}

/**
 * The cookies that the gateway gets: none of an organisation's login, because browsers send those of other gateways on the same host
 * name too. Each map takes one out; a request with more than all of them can take out has none left.
 */
function gatewayCookies() {
  const own = "\\b__openclaw_(?:session|state)_[^;]*";
  let [maps, left] = ["", "$http_cookie"];
  for (let count = 1; count <= 16; count++) {
    maps += `map ${left} $cookies_${count} {
  "~^(?<others>.*?)(?:;\\s*)?${own}(?<rest>.*)$" "$others$rest";
  default ${left};
}
`;
    left = `$cookies_${count}`;
  }
  return `${maps}map ${left} $gateway_cookies {
  "~${own}" "";
  default ${left};
}
`;
}

/** The realm of the login, and the name of the person. */
function doorWithoutOidc(realm) {
  return `map '' $realm {
  default "${realm}";
}
map '' $person {
  default $remote_user;
}
`;
}

/**
 * The same with an organisation's login: a browser without a password is not asked for one, and a name that comes with a password
 * counts only where no other was proven.
 */
function doorWithOidc(realm) {
  return `map $http_authorization $realm {
  '' off;
  default "${realm}";
}
map $signed_in $person {
  '' $remote_user;
  default $signed_in;
}
map "$request_method $http_upgrade $http_accept" $is_page {
  "~^GET  .*text/html" 1;
  default 0;
}
`;
}

/** nginx's part of the organisation's login. */
const loginByOidc = `satisfy any;
auth_request /.sign-on/auth;
auth_request_set $signed_in $upstream_http_x_signed_in;
error_page 401 = @sign_on;
error_page 403 = /.sign-on/refused;
`;

function signOnConf({ basePath }) {
  const socket = `http://unix:${NGINX_RUN}/sign-on.sock`;
  const apache = "http://127.0.0.1:18791";
  const location = (place, to, own = "") => `location ${place} {
${own}  include /etc/gateway-image/sign-on.conf;
  proxy_pass ${to};
}
`;
  return [
    location(`= ${basePath}/oidc/callback`, apache),
    location(`= ${basePath}/oidc/logout`, `${socket}:/logout`),
    location(`= ${basePath}/oidc/out`, `${socket}:/out`),
    location(
      "= /.sign-on/auth",
      `${socket}:/auth`,
      '  internal;\n  proxy_pass_request_body off;\n  proxy_set_header Content-Length "";\n',
    ),
    location("= /.sign-on/refused", `${socket}:/refused`, "  internal;\n"),
    // Only a page that a person opens leads to the provider; all else learns that there is no login.
    location("@sign_on", apache, "  if ($is_page = 0) {\n    return 401;\n  }\n"),
  ].join("");
}

/** Apache's own part: the provider and what proves to it that it is this gateway. */
function providerConf({ basePath, oidc: { issuer, clientId, scopes } }, clientSecret, authorities) {
  // Apache puts a variable in place of "${NAME}".
  const quoted = (value) =>
    `"${value.replaceAll(/["\\]/g, "\\$&").replaceAll("${", () => "${dollar}{")}"`;
  const directives = {
    OIDCProviderMetadataURL: `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`,
    OIDCClientID: clientId,
    OIDCClientSecret: clientSecret,
    OIDCScope: scopes.join(" "),
    OIDCRedirectURI: `${basePath}/oidc/callback`,
    OIDCCookie: cookieName("session", basePath),
    // Apache deletes those that it can't read: with one prefix, a login at a gateway would end the one under way at another.
    OIDCStateCookiePrefix: `${cookieName("state", basePath)}_`,
    OIDCCookiePath: basePath || "/",
    // Sessions are in Apache's memory, so the key need not outlive it.
    OIDCCryptoPassphrase: randomBytes(32).toString("hex"),
    ...(authorities !== undefined && { OIDCCABundlePath: `${OPENID_RUN}/authorities.pem` }),
  };
  const lines = Object.entries(directives).map(([name, value]) => `${name} ${quoted(value)}\n`);
  return `Define dollar $\n${lines.join("")}`;
}

/**
 * Locations without the login. A webhook's client is named, as everywhere. An API client is not: the gateway takes its token as a
 * bearer only of clients that come through no proxy. Below a base path the paths are the gateway's own behind it.
 */
function openPathsConf({ basePath, openPaths: { webhooks = [], api = [] } }) {
  const location = (path, own) =>
    ["=", "^~"]
      .map((kind) => {
        const end = kind === "=" ? "" : "/";
        return `location ${kind} ${basePath}${path}${end} {
${own}  include /etc/gateway-image/open-path.conf;
  proxy_pass http://127.0.0.1:18789${path}${end};
}
`;
      })
      .join("");
  const asWebhook = `  proxy_set_header X-Forwarded-For $client_address;
  proxy_set_header X-Forwarded-Proto $forwarded_proto;
`;
  const asApi = `  if ($http_authorization !~* "^bearer .") {
    return 401;
  }
  proxy_set_header X-Forwarded-For "";
  proxy_set_header X-Forwarded-Proto "";
`;
  return [
    ...webhooks.map((path) => location(path, asWebhook)),
    ...api.map((path) => location(path, asApi)),
  ].join("");
}

/**
 * Lets in the people of the container's last start. A container that waits for people and was told of none refuses everyone, and
 * its gateway does not start before.
 */
function prepareLive() {
  if (!settings.waitsForPeople) {
    const hash = passwordHash(secrets.password);
    const people = { [settings.username]: { role: "admin", hash } };
    replaceFile(BY_HAND, JSON.stringify({ people, roles: { admin: ADMIN }, config: {} }), 0o600);
  }
  const live = readLive();
  writeHtpasswd(live?.people ?? {});
  if (live === undefined) return;
  writeLiveConfig(live);
  fs.writeFileSync(`${RUN}/live`, "");
}

const settings = readSettings();
const secrets = readSecrets(settings);
const authorities = readAuthorities();
if (problems.length > 0) {
  for (const line of problems) console.error(`start-gateway: ERROR: ${line}`);
  process.exit(78);
}
closeSecretsFile();

// What a stopped container's last run left behind. (Not nginx's tmp: without CAP_DAC_OVERRIDE root can't look into it.)
fs.rmSync(RUN, { recursive: true, force: true });
const confs = [
  ...["start.conf", "user-header.conf", "open-paths.conf", "base-path.conf"],
  ...["login-oidc.conf", "sign-on.conf"],
];
for (const name of ["htpasswd", ...confs]) fs.rmSync(`${NGINX_RUN}/${name}`, { force: true });
folder(RUN, 0o755);
folder(`${RUN}/public`, 0o755);
folder(NGINX_RUN, 0o755);
folder(`${NGINX_RUN}/tmp`, 0o700, NGINX);
prepareLive();
const cookie = cookieName("session", settings.basePath);
const known = { ...settings, ...(settings.oidc && { oidc: { ...settings.oidc, cookie } }) };
file(`${RUN}/settings.json`, JSON.stringify(known), 0o644);
// For configure.mjs alone, which runs as the gateway's user.
file(`${RUN}/config.json`, JSON.stringify(secrets.config), 0o400, NODE);

// The gateway's environment, in the form of s6-envdir. The token is named "password" because the gateway's trusted-proxy
// mode forbids a token; it lets the command line in this container in.
folder(`${RUN}/env`, 0o700);
// Node reads it at its start, from a place that the gateway's user can read.
if (authorities !== undefined) file(`${RUN}/extra-ca.pem`, authorities, 0o644);
// The header in which nginx names the user has a new name at each start. The gateway's configuration refers to the
// variable, so that the name is in no file of the data and in no backup.
const userHeader = `x-openclaw-user-${randomBytes(16).toString("hex")}`;
const environment = {
  ...secrets.providerKeys,
  OPENCLAW_GATEWAY_PASSWORD: secrets.gatewayToken,
  OPENCLAW_IMAGE_USER_HEADER: userHeader,
  HOME: "/data",
  ...(authorities !== undefined && { NODE_EXTRA_CA_CERTS: `${RUN}/extra-ca.pem` }),
};
for (const [name, value] of Object.entries(environment))
  file(`${RUN}/env/${name}`, `${value}\n`, 0o600);

const forNginx = (name, text) => file(`${NGINX_RUN}/${name}`, text, 0o400, NGINX);
forNginx("start.conf", startConf(settings));
forNginx("open-paths.conf", openPathsConf(settings));
forNginx("user-header.conf", `proxy_set_header ${userHeader} $person;\n`);
if (settings.basePath) {
  // try_files comes after the login, a plain "return" would come before it.
  forNginx(
    "base-path.conf",
    `location = / {
  include /etc/gateway-image/login.conf;
  try_files /nothing @base_path;
}
location @base_path {
  return 302 ${settings.basePath}/;
}
`,
  );
}

if (settings.oidc !== undefined) {
  forNginx("login-oidc.conf", loginByOidc);
  forNginx("sign-on.conf", signOnConf(settings));
  folder(OPENID_RUN, 0o755);
  fs.rmSync(`${OPENID_RUN}/provider.conf`, { force: true });
  const conf = providerConf(settings, secrets.oidcClientSecret, authorities);
  file(`${OPENID_RUN}/provider.conf`, conf, 0o400, OPENID);
  if (authorities !== undefined) {
    const usual = fs.readFileSync("/etc/ssl/certs/ca-certificates.crt", "utf8");
    file(`${OPENID_RUN}/authorities.pem`, `${usual}${authorities}`, 0o644);
  }
  folder(`${OPENID_RUN}/tmp`, 0o700, OPENID);
}

// nginx opens its access log by name, and the container's output is a pipe that only root may open.
try {
  fs.chmodSync("/proc/self/fd/1", 0o622);
} catch {
  console.log("start-gateway: WARNING: nginx can't write its access log to this output");
}
ownData();
console.log(
  `start-gateway: dashboard at ${settings.basePath}/, provider keys: ${Object.keys(secrets.providerKeys).join(" ") || "none"}`,
);
