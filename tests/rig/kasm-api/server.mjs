// Stands in for kasm_api behind kasm_proxy: KASM's page, its health check and the question whether a request is a user's.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";

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

function databaseAnswers() {
  return new Promise((resolve) => {
    const socket = connect({ host: process.env.PGHOST, port: 5432, timeout: 2000 });
    const done = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
    socket.once("timeout", () => done(false));
  });
}

const server = createServer((request, response) => {
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
