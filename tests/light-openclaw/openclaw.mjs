#!/usr/bin/env node
// A light OpenClaw for tests of this program's own behaviour: the same commands, files, probes and exit statuses as far
// as the gateway image and the project's commands use them, ready in half a second. It answers with what the model
// provider of its configuration says, keeps the conversation in SQLite, and refuses keys that it does not know.
import { mkdirSync, readFileSync, watchFile } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { acceptWebSocket } from "./webSocket.mjs";

const PORT = 18789;
/** Exit status of OpenClaw for a configuration that it refuses. */
const REFUSED = 78;
const KNOWN = {
  "": [
    "agents",
    "browser",
    "channels",
    "gateway",
    "hooks",
    "logging",
    "models",
    "plugins",
    "ui",
    "update",
  ],
  gateway: [
    "auth",
    "bind",
    "controlUi",
    "http",
    "mode",
    "publicOrigin",
    "roles",
    "terminal",
    "trustedProxies",
  ],
};
const state = process.env.OPENCLAW_STATE_DIR ?? "";
const token = process.env.OPENCLAW_GATEWAY_PASSWORD ?? process.env.OPENCLAW_GATEWAY_TOKEN ?? "";
const { version } = JSON.parse(
  readFileSync(join(dirname(fileURLToPath(import.meta.url)), "package.json"), "utf8"),
);

/** The configuration as its file has it, and what is wrong with it. */
function configFile() {
  const config = JSON.parse(readFileSync(join(state, "openclaw.json"), "utf8"));
  const issues = Object.entries(KNOWN).flatMap(([path, known]) => {
    const unknown = Object.keys((path === "" ? config : config[path]) ?? {}).filter(
      (key) => !known.includes(key),
    );
    return unknown.length > 0
      ? [{ path, message: `Unrecognized key: "${unknown.join('", "')}"` }]
      : [];
  });
  return { config, issues };
}

function readConfig() {
  const { config, issues } = configFile();
  for (const { path, message } of issues) {
    console.error(`Config invalid: ${path || "<root>"}: ${message}`);
    process.exit(REFUSED);
  }
  return config;
}

function openDatabase(name, schema) {
  const file = join(state, name);
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA journal_mode = WAL; ${schema}`);
  return database;
}

/** What a request shows as a bearer. */
const bearerOf = ({ headers }) => /^Bearer (.*)$/.exec(headers.authorization ?? "")?.[1];

/** Fills in a variable of the environment. */
const fill = (text) => text.replace(/^\$\{(.*)\}$/, (_, name) => process.env[name] ?? "");

/** Asks the first model provider of the configuration, with the key that it names from the environment. */
async function ask(config, text) {
  const [provider] = Object.values(config.models?.providers ?? {});
  const key = fill(provider.apiKey);
  const answer = await fetch(`${provider.baseUrl}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": key },
    body: JSON.stringify({ model: "light", messages: [{ role: "user", content: text }] }),
  });
  return (await answer.json()).content[0].text;
}

function runGateway() {
  process.title = "openclaw";
  let config = readConfig();
  const profiles = openDatabase(
    "state/profiles.sqlite",
    "CREATE TABLE IF NOT EXISTS profiles (email TEXT PRIMARY KEY, role TEXT)",
  );
  const profileOf = (email) =>
    profiles.prepare("SELECT email, role FROM profiles WHERE email = ?").get(email);
  const connections = new Set();
  // A valid change is taken in as it is; one of the policy of who may come in ends all connections.
  watchFile(join(state, "openclaw.json"), { interval: 200 }, () => {
    const { config: next, issues } = configFile();
    const policy = ({ gateway = {} }) => [gateway.auth, gateway.roles, gateway.trustedProxies];
    if (issues.length > 0) return;
    const isOther = !isDeepStrictEqual(policy(config), policy(next));
    config = next;
    if (isOther) for (const { socket } of connections) socket.close(4001, "gateway auth changed");
  });
  openDatabase(
    "state/openclaw.sqlite",
    "CREATE TABLE IF NOT EXISTS meta (key TEXT, value BLOB)",
  ).exec(
    "INSERT INTO meta SELECT 'filling', zeroblob(16384) WHERE NOT EXISTS (SELECT 1 FROM meta)",
  );
  const conversation = openDatabase(
    "agents/main/sessions.sqlite",
    "CREATE TABLE IF NOT EXISTS messages (role TEXT, text TEXT)",
  );
  const add = conversation.prepare("INSERT INTO messages VALUES (?, ?)");
  const { basePath = "" } = config.gateway?.controlUi ?? {};
  const page = `<!doctype html><html data-openclaw-control-ui-base-path="${basePath}"><openclaw-app></openclaw-app></html>`;
  const userHeader = fill(config.gateway?.auth?.trustedProxy?.userHeader ?? "");
  const userOf = ({ headers }) => headers[userHeader.toLowerCase()];
  const isKnown = (request) => userOf(request) || request.headers["x-light-token"] === token;

  /** What the connection of a person, or of the gateway's owner, may ask for. */
  const methods = {
    connect: (connection, { auth }) => {
      const { user } = connection;
      if (!user && auth?.password !== token) throw new Error("unauthorized");
      if (user) profiles.prepare("INSERT OR IGNORE INTO profiles VALUES (?, NULL)").run(user);
      connection.role = user ? profileOf(user).role : "owner";
      const { definitions = {} } = config.gateway?.roles ?? {};
      connection.scopes = user ? (definitions[connection.role]?.scopes ?? []) : ["operator.admin"];
      return { type: "hello-ok", auth: { role: "operator", scopes: connection.scopes } };
    },
    "users.list": () => ({
      profiles: profiles
        .prepare("SELECT email, role FROM profiles")
        .all()
        .map(({ email, role }) => ({ id: email, emails: [email], ...(role && { role }) })),
    }),
    "users.self": ({ user }) => ({ profile: { id: user, ...profileOf(user) } }),
    "users.setRole": (_, { profileId, role }) => {
      profiles.prepare("UPDATE profiles SET role = ? WHERE email = ?").run(role, profileId);
      for (const { user, socket } of connections) {
        if (user === profileId) socket.close(4001, "operator role changed");
      }
      return { profile: { id: profileId, role } };
    },
    "config.get": () => {
      const { issues } = configFile();
      return { valid: issues.length === 0, issues, config };
    },
  };
  const needed = { "users.setRole": "operator.admin", "config.get": "operator.read" };

  const json = (response, status, body) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  const server = createServer((request, response) => {
    if (request.url === "/startupz" || request.url === "/healthz") {
      json(response, 200, { ok: true, status: "started", version });
    } else if (request.url.startsWith("/hooks/")) {
      const isRight = config.hooks?.token && bearerOf(request) === config.hooks.token;
      json(response, isRight ? 200 : 401, { ok: isRight });
    } else if (request.url.startsWith("/v1/")) {
      // The token counts from a client only that comes through no proxy.
      const isDirect = !Object.keys(request.headers).some((name) =>
        /^x-forwarded|^x-real-ip|^forwarded$/.test(name),
      );
      json(response, isDirect && bearerOf(request) === token ? 200 : 401, { object: "list" });
    } else if (!isKnown(request)) {
      json(response, 401, { error: "unauthorized" });
    } else if (request.url === "/light/messages" && request.method === "POST") {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", async () => {
        const text = Buffer.concat(parts).toString();
        const answer = await ask(config, text).catch((error) => String(error));
        add.run("user", text);
        add.run("assistant", answer);
        json(response, 200, { answer });
      });
    } else if (request.url === "/light/messages") {
      json(response, 200, { messages: conversation.prepare("SELECT * FROM messages").all() });
    } else {
      response.writeHead(200, { "content-type": "text/html" }).end(page);
    }
  });
  server.on("upgrade", (request, stream) => {
    stream.on("error", () => stream.destroy());
    const user = userOf(request)?.toLowerCase();
    const connection = { user, scopes: undefined };
    connection.socket = acceptWebSocket(request, stream, (text) => {
      const { id, method, params } = JSON.parse(text);
      const answer = (body) => connection.socket.send(JSON.stringify({ type: "res", id, ...body }));
      const may = (scope) =>
        connection.scopes?.includes("operator.admin") || connection.scopes?.includes(scope);
      try {
        if (method !== "connect" && needed[method] && !may(needed[method]))
          throw new Error(`missing scope: ${needed[method]}`);
        answer({ ok: true, payload: methods[method](connection, params) });
      } catch (error) {
        answer({ ok: false, error: { message: error.message } });
      }
    });
    connections.add(connection);
    stream.on("close", () => connections.delete(connection));
    connection.socket.send(
      JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } }),
    );
  });
  // The real one answers after seconds; nothing may rely on a started process being ready.
  setTimeout(() => {
    server.listen(PORT, "127.0.0.1", () =>
      console.log(`light OpenClaw ${version} listens on ${PORT}`),
    );
  }, 400);
  process.on("SIGTERM", () => process.exit(0));
}

/** Asks the gateway that runs in this container. */
async function call(path, options = {}) {
  const answer = await fetch(`http://127.0.0.1:${PORT}${path}`, {
    ...options,
    headers: { "x-light-token": token },
  });
  if (!answer.ok) {
    throw new Error(`the gateway answers ${answer.status}`);
  }
  return await answer.json();
}

const { values, positionals } = parseArgs({
  strict: false,
  allowPositionals: true,
  options: { message: { type: "string" }, agent: { type: "string" }, params: { type: "string" } },
});
const command = positionals.slice(0, 2).join(" ");
if (values.version) {
  console.log(`OpenClaw ${version} (light)`);
} else if (command === "gateway run") {
  runGateway();
} else if (command === "gateway health") {
  await call("/healthz");
  console.log("Gateway Health\nOK");
} else if (command === "gateway call" && positionals[2] === "chat.history") {
  console.log(JSON.stringify(await call("/light/messages")));
} else if (command === "agent") {
  console.log((await call("/light/messages", { method: "POST", body: values.message })).answer);
} else {
  console.error(`The light OpenClaw has no command ${process.argv.slice(2).join(" ")}`);
  process.exitCode = 1;
}
