// Stands in for kasm_agent: starts and ends sessions, keeps one file for each in kasm_proxy's containers.d, and says in
// KASM's database which workspaces have their image here.
//   POST   /agent/sessions      {image?, extraHosts?}  -> {containerId}
//   POST   /agent/workspaces    {friendlyName or castKey, username?, kasmUrl?, selections?}
//                               -> {containerId, kasmId, address}: what KASM does when a user clicks a tile
//   DELETE /agent/sessions/ID
//   POST   /agent/churn         {times}: that many sessions' files come and go
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { readdir, rm, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { docker, exec } from "./docker.mjs";
import {
  begin,
  forgetOtherSessions,
  forgetSession,
  look,
  noteSession,
  opened,
  prepared,
} from "./workspaces.mjs";

const containersFolder = "/etc/nginx/conf.d/containers.d";
const network = "kasm_default_network";
const sessionLabel = "kasm.kasmid";

async function startSession({ image = "kasmweb/session-like:1.17.0", extraHosts = [] }) {
  const kasmId = randomBytes(16).toString("hex");
  const { containerId } = await started(kasmId, {
    Image: image,
    Labels: { [sessionLabel]: kasmId },
    HostConfig: { NetworkMode: network, ExtraHosts: extraHosts },
  });
  return { containerId };
}

async function startWorkspace({ selections, ...asked }) {
  const workspace = await opened(asked);
  const session = await prepared(workspace, network, sessionLabel);
  const { containerId, address } = await started(
    session.kasmId.replaceAll("-", ""),
    session.request,
    (id) => begin(workspace, id, selections),
  );
  await noteSession(workspace, session, { id: containerId, address });
  return { containerId, kasmId: session.kasmId, address };
}

/** Starts a container, does `first` in it and makes it reachable; what failed leaves nothing. */
async function started(kasmId, request, first = () => undefined) {
  const { Id: containerId } = await docker(
    "POST",
    `/containers/create?name=kasm_session_${kasmId}`,
    request,
  );
  try {
    await docker("POST", `/containers/${containerId}/start`);
    await first(containerId);
    const { Config, NetworkSettings } = await docker("GET", `/containers/${containerId}/json`);
    const address = NetworkSettings.Networks[network].IPAddress;
    await writeConfig(containerId, address, Config);
    await reloadAfterGenerating(containerId);
    await reachable(containerId);
    return { containerId, address };
  } catch (error) {
    await remove(containerId);
    throw error;
  }
}

async function stopSession(containerId) {
  await remove(containerId);
  await forgetSession(containerId);
  await reload();
  return {};
}

/** What many short sessions do to kasm_proxy, without their containers. */
async function churn({ times }) {
  for (let round = 0; round < times; round++) {
    const containerId = randomBytes(32).toString("hex");
    await writeConfig(containerId, "127.0.0.1");
    try {
      await reloadAfterGenerating(containerId);
    } finally {
      await rm(configFile(containerId));
    }
    await reload();
  }
  return {};
}

function configFile(containerId) {
  return `${containersFolder}/${containerId}.conf`;
}

/** KASM's desktops want TLS and a login, which the user does not see; the light stand-ins for sessions have neither. */
async function writeConfig(containerId, address, { Env = [] } = {}) {
  const environment = Object.fromEntries(Env.map((each) => each.split(/=(.*)/s)));
  const isDesktop = "KASM_VNC_PATH" in environment;
  const login = Buffer.from(`kasm_user:${environment.VNC_PW}`).toString("base64");
  const config = `location /desktop/${containerId}/ {
    auth_request /kasm_connect;
    proxy_pass ${isDesktop ? "https" : "http"}://${address}:6901/;
    ${isDesktop ? `proxy_set_header Authorization "Basic ${login}";` : ""}
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_buffering off;
    proxy_read_timeout 1800s;
}
`;
  await writeFile(configFile(containerId), config);
}

/** KASM does not test the configuration before: any file that nginx refuses makes the next session's start fail here. */
async function reloadAfterGenerating(containerId) {
  const { exitCode, output } = await reload();
  if (exitCode !== 0) {
    throw new Error(
      `Nginx failed to reload after generating config for container (${containerId}): ${output.trim()}`,
    );
  }
}

/** nginx answers the order to reload before it has done it. */
async function reachable(containerId) {
  for (let asked = 0; asked < 100; asked++) {
    if ((await proxyStatus(`/desktop/${containerId}/`)) !== 404) {
      return;
    }
    await sleep(50);
  }
  throw new Error(`kasm_proxy does not know the session ${containerId}`);
}

function proxyStatus(path) {
  return new Promise((resolve, reject) => {
    const options = { host: "kasm_proxy", path, agent: false, rejectUnauthorized: false };
    get(options, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", reject);
  });
}

async function reload() {
  const result = await exec("kasm_proxy", ["nginx", "-s", "reload"]);
  if (result.exitCode !== 0) {
    console.error(`Nginx reload failed (${result.output.trim()})`);
  }
  return result;
}

async function remove(containerId) {
  await rm(configFile(containerId), { force: true });
  await docker("DELETE", `/containers/${containerId}?force=true`);
}

/** Sessions don't outlive a reboot: what is left of them goes. Files that are no session's stay. */
async function removeDeadSessions() {
  const filters = encodeURIComponent(JSON.stringify({ label: [sessionLabel] }));
  const sessions = await docker("GET", `/containers/json?all=true&filters=${filters}`);
  for (const { Id } of sessions.filter(({ State }) => State !== "running")) {
    await remove(Id);
  }
  const living = sessions.filter(({ State }) => State === "running").map(({ Id }) => Id);
  // The database may start later than the agent.
  untilDone(() => forgetOtherSessions(living));
  for (const file of await readdir(containersFolder)) {
    const containerId = /^([0-9a-f]{64})\.conf$/.exec(file)?.[1];
    if (containerId !== undefined && !living.includes(containerId)) {
      await rm(`${containersFolder}/${file}`, { force: true });
    }
  }
}

async function untilDone(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      console.error(error.message);
      await sleep(1000);
    }
  }
}

const routes = [
  ["POST", /^\/agent\/sessions$/, (body) => startSession(body)],
  ["POST", /^\/agent\/workspaces$/, (body) => startWorkspace(body)],
  ["DELETE", /^\/agent\/sessions\/([0-9a-f]{64})$/, (body, id) => stopSession(id)],
  ["POST", /^\/agent\/churn$/, (body) => churn(body)],
];

async function answer(request, response) {
  const [, , handle] =
    routes.find(([method, path]) => request.method === method && path.test(request.url)) ?? [];
  const send = (status, value) => {
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (handle === undefined) {
    send(404, { error_message: "Not Found" });
    return;
  }
  try {
    const [, , , id] = request.url.split("/");
    const text = Buffer.concat(await Array.fromAsync(request)).toString();
    send(200, await handle(text === "" ? {} : JSON.parse(text), id));
  } catch (error) {
    console.error(error.message);
    send(500, { error_message: error.message });
  }
}

await removeDeadSessions();
createServer((request, response) => void answer(request, response)).listen(4444);

async function lookAgainAndAgain() {
  for (;;) {
    await untilDone(look);
    await sleep(1000);
  }
}
void lookAgainAndAgain();

// Node as process 1 has no default for it.
process.on("SIGTERM", () => process.exit());
