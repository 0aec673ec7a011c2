// What the agent and KASM's manager do with the registered workspaces: see which images are here, start a session.
import { randomBytes, randomUUID } from "node:crypto";
import { postgresStorage } from "../../../tests/kasmApi/postgresStorage.mjs";
import { openDatabase } from "../postgres-client/database.mjs";
import { docker, exec } from "./docker.mjs";
import { containerRequest, mounts, words } from "./runArguments.mjs";

const database = openDatabase();
const storage = postgresStorage((text, values) => database.query(text, values));

/** Sets `available` of each workspace according to the images of this host; links and disabled ones are left alone. */
export async function look() {
  const tags = (await docker("GET", "/images/json")).flatMap(({ RepoTags }) => RepoTags ?? []);
  for (const { image_id, name, image_type, enabled, available } of await storage.find("images")) {
    const isHere = tags.includes(/:[^/]+$/.test(name ?? "") ? name : `${name}:latest`);
    if (enabled && image_type === "Container" && available !== isHere) {
      await storage.update("images", { image_id }, { available: isHere });
    }
  }
}

/**
 * The row of a workspace that a user opens by its tile or by a cast link, and with it what the session is told.
 * @throws Error with KASM's words where it would not start
 */
export async function opened({ friendlyName, castKey, username = "user@kasm.local", kasmUrl }) {
  const cast = castKey && (await one("cast_configs", { key: castKey }));
  const image = await one(
    "images",
    cast ? { image_id: cast.image_id } : { friendly_name: friendlyName },
  );
  const user = await one("users", { username });
  const groups = (await storage.find("user_groups", { user_id: user.user_id })).map(
    ({ group_id }) => group_id,
  );
  const shown = await storage.find("group_images", { image_id: image.image_id });
  if (!image.enabled || !shown.some(({ group_id }) => groups.includes(group_id))) {
    throw new Error(`${username} does not see the workspace ${image.friendly_name}`);
  }
  if (image.image_type !== "Container") {
    throw new Error(`${image.friendly_name} is a ${image.image_type}: nothing is started for it`);
  }
  if (!image.available) {
    throw new Error("No resources are available to create the requested Kasm");
  }
  const url = kasmUrl ?? cast?.kasm_url ?? "";
  return { image, user, url, castConfigId: cast?.cast_config_id ?? null };
}

/** Returns name and create request of a session's container; creates the directories that it mounts. */
export async function prepared({ image, user, url }, network, label) {
  for (const mount of mounts(image, user)) {
    await ownDirectory(mount);
  }
  const kasmId = randomUUID();
  const request = containerRequest({
    image,
    user,
    network,
    labels: { [label]: kasmId.replaceAll("-", "") },
    environment: {
      KASM_USER: user.username,
      VNC_PW: randomBytes(8).toString("hex"),
      ...(url === "" ? {} : { KASM_URL: url }),
    },
  });
  return { kasmId, request };
}

/** What happens in a session once it runs: the user's answers to the launch form, then the commands of exec_config. */
export async function begin({ image, url }, containerId, selections) {
  const destination = image.launch_config?.file_mapping?.destination;
  if (destination && selections) {
    await mustRun(containerId, {
      cmd: `sh -c 'printf %s "$SELECTIONS" >"$DESTINATION"'`,
      environment: { SELECTIONS: JSON.stringify(selections), DESTINATION: destination },
    });
  }
  const { first_launch, go } = image.exec_config ?? {};
  for (const step of [first_launch, url === "" ? undefined : go]) {
    if (step?.cmd) {
      await mustRun(containerId, {
        ...step,
        environment: { ...step.environment, KASM_URL: url },
      });
    }
  }
}

/** Notes a session that runs. */
export async function noteSession({ image, user, castConfigId }, { kasmId, request }, container) {
  const [server] = await storage.find("servers");
  const now = new Date();
  await storage.insert("kasms", {
    kasm_id: kasmId,
    container_id: container.id,
    container_ip: container.address,
    hostname: request.Hostname ?? container.id.slice(0, 12),
    cores: image.cores,
    memory: image.memory,
    operational_status: "running",
    operational_progress: 100,
    server_id: server?.server_id,
    user_id: user.user_id,
    image_id: image.image_id,
    cast_config_id: castConfigId,
    docker_network: request.HostConfig.NetworkMode,
    docker_environment: image.run_config?.environment ?? {},
    start_date: now,
    created_date: now,
  });
}

export async function forgetSession(containerId) {
  await storage.remove("kasms", { container_id: containerId });
}

/** After a reboot: only those sessions that live still. */
export async function forgetOtherSessions(living) {
  for (const { container_id } of await storage.find("kasms")) {
    if (!living.includes(container_id)) {
      await forgetSession(container_id);
    }
  }
}

async function one(table, where) {
  const rows = await storage.find(table, where);
  if (rows.length !== 1) {
    throw new Error(`${rows.length} rows of ${table} with ${JSON.stringify(where)}`);
  }
  return rows[0];
}

/** Creates a directory with its owner in a container, because the agent has access to Docker only. */
async function ownDirectory({ directory, uid, gid }) {
  const { Image } = await docker("GET", "/containers/kasm_agent/json");
  const { Id } = await docker("POST", "/containers/create", {
    Image,
    Cmd: ["chown", `${uid}:${gid}`, "/directory"],
    HostConfig: { NetworkMode: "none", Binds: [`${directory}:/directory`] },
  });
  try {
    await docker("POST", `/containers/${Id}/start`);
    const { StatusCode } = await docker("POST", `/containers/${Id}/wait`);
    if (StatusCode !== 0) {
      throw new Error(`could not make ${directory} belong to ${uid}:${gid}`);
    }
  } finally {
    await docker("DELETE", `/containers/${Id}?force=true`);
  }
}

async function mustRun(containerId, { cmd, user, privileged, workdir, environment = {} }) {
  const { exitCode, output } = await exec(containerId, words(cmd), {
    ...(user === undefined ? {} : { User: String(user) }),
    ...(privileged === undefined ? {} : { Privileged: privileged }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
  });
  if (exitCode !== 0) {
    throw new Error(`exec_config: ${cmd}: exit status ${exitCode}: ${output.trim()}`);
  }
}
