// The little of Docker's API that the agent needs.
import { request } from "node:http";

/** Calls the engine; throws with the engine's error. Returns an empty or non-JSON answer as text. */
export async function docker(method, path, body) {
  const { status, text } = await call(method, path, body);
  if (status >= 400) {
    throw new Error(`docker ${method} ${path}: ${status} ${text.trim()}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Runs a command in a container; gives its exit code and all that it said. `options` are those of Docker's API. */
export async function exec(container, command, options = {}) {
  const { Id } = await docker("POST", `/containers/${container}/exec`, {
    ...options,
    Cmd: command,
    AttachStdout: true,
    AttachStderr: true,
    // With a terminal the output comes as it is, without frames around each piece.
    Tty: true,
  });
  const output = String(await docker("POST", `/exec/${Id}/start`, { Detach: false, Tty: true }));
  const { ExitCode } = await docker("GET", `/exec/${Id}/json`);
  return { exitCode: ExitCode, output };
}

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath: "/var/run/docker.sock",
        method,
        path,
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
      },
      (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }),
        );
        response.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
