// Stands in for kasm_api behind kasm_proxy: KASM's page, its health check, the question whether a request is a user's,
// and the Developer API of tests/kasmApi. Its paths for tests are closed in kasm_proxy.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createHandler } from "../../../tests/kasmApi/handler.mjs";
import { postgresStorage } from "../../../tests/kasmApi/postgresStorage.mjs";
import { openDatabase } from "../postgres-client/database.mjs";

const username = "user@kasm.local";
const sessionToken = randomUUID();
const page = readFileSync(new URL("page.html", import.meta.url), "utf8")
  .replaceAll("{{username}}", username)
  .replaceAll("{{session_token}}", sessionToken);

/** Answers by path; the value is written to the response. */
const routes = {
  "/": (request, response) => {
    response.setHeader("Set-Cookie", [
      `username=${encodeURIComponent(username)}; Path=/; Secure; SameSite=Strict`,
      `session_token=${sessionToken}; Path=/; Secure; SameSite=Strict`,
    ]);
    send(response, 200, "text/html; charset=utf-8", page);
  },
  "/api/__healthcheck": async (request, response) => {
    const ok = await databaseAnswers();
    sendJson(response, ok ? 200 : 503, { ok });
  },
  // kasm_proxy shows its own page in place of this answer.
  "/api/boom": (request, response) => {
    sendJson(response, 500, { error_message: "boom" });
  },
  // nginx asks here (auth_request) before it lets a request through to a session.
  "/api/kasm_connect/": (request, response) => {
    const isUser = (request.headers.cookie ?? "")
      .split(/;\s*/)
      .includes(`session_token=${sessionToken}`);
    sendJson(response, isUser ? 200 : 401, {});
  },
};

function send(response, status, type, body) {
  response.writeHead(status, { "Content-Type": type });
  response.end(body);
}

function sendJson(response, status, value) {
  send(response, status, "application/json", JSON.stringify(value));
}

const database = openDatabase();
// Without images, because the rig's own agent says which workspaces are available.
const answerCall = createHandler({
  storage: postgresStorage((text, values) => database.query(text, values)),
  control: true,
});

async function databaseAnswers() {
  try {
    await database.query("SELECT 1");
    return true;
  } catch {
    return false;
  }
}

const server = createServer((request, response) => {
  if (answerCall(request, response)) {
    return;
  }
  const { pathname } = new URL(request.url, "http://kasm_api");
  const route = routes[pathname];
  if (route === undefined) {
    sendJson(response, 404, { error_message: "Not Found" });
    return;
  }
  Promise.resolve(route(request, response)).catch((error) => {
    console.error(error);
    sendJson(response, 500, { error_message: error.message });
  });
});
server.listen(8080);

// Node as process 1 has no default for it.
process.on("SIGTERM", () => process.exit());
