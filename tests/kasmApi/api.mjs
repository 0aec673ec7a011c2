// KASM's Developer API as the reference knows it (1.15 to 1.17), awkward parts included. It works on a storage
// (memoryStorage.mjs, postgresStorage.mjs) and gives answers {status, body}; a body that is a text is no JSON.
// The forms of its answers are held against fixtures/ by tests/scripts/kasmApi/fixtures.test.ts.
import { createHash } from "node:crypto";

const allUsers = "68d557ac-4cac-42cc-a9f3-1c7c853de0f3";

/** kasm_proxy's own page in place of the API's, after any exception. */
const errorPage = { status: 500, body: "<html><body><H1>Internal Error</H1></body></html>" };

/** An exception in the server. */
class Crash extends Error {}

/** What KASM says with status 200 when it does not do something. */
class Refusal extends Error {}

class Denial extends Error {}

/** Fields of a workspace by the form in which they are kept. What is not among them is silently ignored. */
const imageFields = {
  cores: number,
  description: asIs,
  docker_registry: asIs,
  docker_token: asIs,
  docker_user: asIs,
  image_src: asIs,
  enabled: asIs,
  friendly_name: asIs,
  hash: asIs,
  memory: number,
  name: asIs,
  x_res: number,
  y_res: number,
  run_config: dictionary,
  exec_config: dictionary,
  volume_mappings: volumes,
  launch_config: dictionary,
  categories: lines,
  persistent_profile_path: asIs,
  restrict_to_network: asIs,
  restrict_network_names: asIs,
  allow_network_selection: asIs,
  restrict_to_server: asIs,
  server_id: asIs,
  restrict_to_zone: asIs,
  zone_id: asIs,
  session_time_limit: number,
  require_gpu: asIs,
  gpu_count: number,
  hidden: asIs,
  notes: asIs,
  image_type: asIs,
  link_url: asIs,
  cpu_allocation_method: asIs,
  uncompressed_size_mb: number,
};

/** Fields that need permission 904 besides. */
const resourceFields = [
  "cores",
  "memory",
  "docker_registry",
  "docker_user",
  "docker_token",
  "gpu_count",
];

/** Fields that the server's code falls over. */
const fatalFields = [
  "available",
  "default_category",
  "zones",
  "networks",
  "persistent_profile_settings",
];

const imageDefaults = {
  enabled: true,
  available: false,
  hidden: false,
  image_type: "Container",
  cpu_allocation_method: "Inherit",
  restrict_to_network: false,
  restrict_to_server: false,
  restrict_to_zone: false,
};

const castFields =
  "casting_config_name key image_id group_id allowed_referrers limit_sessions session_remaining limit_ips ip_request_limit ip_request_seconds error_url enable_sharing disable_control_panel disable_tips disable_fixed_res allow_anonymous require_recaptcha kasm_url dynamic_kasm_url dynamic_docker_network allow_resume enforce_client_settings allow_kasm_audio allow_kasm_uploads allow_kasm_downloads allow_kasm_clipboard_down allow_kasm_clipboard_up allow_kasm_microphone allow_kasm_sharing allow_kasm_gamepad allow_kasm_webcam allow_kasm_printing kasm_audio_default_on kasm_ime_mode_default_on valid_until remote_app_configs".split(
    " ",
  );

/** Behaviour that differs between servers, or that a test needs faster. */
export const defaultOptions = {
  /** Milliseconds for which what is known of a key is kept, right or wrong. */
  keyCacheMs: 10_000,
  /** 401 in the code of 1.15, 403 on a running server. */
  deniedStatus: 403,
  /** Whether JSON columns are answered as text. */
  jsonAsText: false,
  /** Whether categories of any form make the server fall over. */
  refuseCategories: false,
  /** Whether remove_images_group removes a workspace once, or all its duplicates. */
  removeOnce: false,
  licensedForCasting: true,
  /** Whether a create without parameters makes an empty record, and an update of an unknown id a record with that id. */
  tolerant: false,
};

export function createApi({ storage, options = {} }) {
  const quirks = { ...defaultOptions, ...options };
  const keys = new Map();

  /** What is known of a key: {valid, readOnly, permissions}. */
  async function knownKey(apiKey, secret) {
    const known = keys.get(`${apiKey} ${secret}`);
    if (known && known.until > Date.now()) {
      return known;
    }
    const [row] = await storage.find("api_configs", { api_key: String(apiKey) });
    const hash = row && createHash("sha256").update(`${secret}${row.salt}`).digest("hex");
    const granted = row ? await storage.find("group_permissions", { api_id: row.api_id }) : [];
    const key = {
      valid: row !== undefined && row.enabled !== false && row.api_key_secret_hash === hash,
      readOnly: row?.read_only === true,
      permissions: new Set(granted.map(({ permission_id }) => permission_id)),
      until: Date.now() + quirks.keyCacheMs,
    };
    keys.set(`${apiKey} ${secret}`, key);
    return key;
  }

  const may = (key, ...anyOf) => anyOf.some((number) => key.permissions.has(number));
  const need = (key, ...anyOf) => {
    if (!may(key, ...anyOf)) {
      throw new Denial("Unauthorized");
    }
  };

  const images = {
    async get() {
      return { images: (await storage.find("images")).map(presentImage) };
    },
    async create({ target_image: target }, key) {
      if (!target?.friendly_name && !quirks.tolerant) {
        throw new Refusal("Missing required parameters.");
      }
      const row = { ...imageDefaults, ...imageRow(target ?? {}, key) };
      const image = await storage.insert("images", row);
      const [setting] = await storage.find("settings", { name: "add_images_to_default_group" });
      if (setting?.value === "True") {
        await storage.insert("group_images", { group_id: allUsers, image_id: image.image_id });
      }
      return { image: presentImage(image) };
    },
    async update({ target_image: target }, key) {
      const row = imageRow(target ?? {}, key);
      const { image_id } = await toUpdate("images", "image_id", target);
      await storage.update("images", { image_id }, row);
      return { image: presentImage((await storage.find("images", { image_id }))[0]) };
    },
    async delete({ target_image: target }) {
      const { image_id } = await existing("images", "image_id", target);
      await storage.remove("images", { image_id });
      return {};
    },
  };

  const groups = {
    async get() {
      const rows = await storage.find("groups");
      return { groups: rows.map((row) => ({ ...row, group_id: withoutDashes(row.group_id) })) };
    },
    async images({ target_group: target }) {
      return groupImages((await existing("groups", "group_id", target)).group_id);
    },
    async add(body, key) {
      const row = await membership(body, key);
      // It may be there already.
      await storage.insert("group_images", row);
      return groupImages(row.group_id);
    },
    async remove(body, key) {
      const row = await membership(body, key);
      const members = await storage.find("group_images", row);
      for (const { group_image_id } of quirks.removeOnce ? members.slice(0, 1) : members) {
        await storage.remove("group_images", { group_image_id });
      }
      return groupImages(row.group_id);
    },
  };

  const users = {
    async get() {
      const groupRows = await storage.find("groups");
      const list = [];
      for (const { user_id, username, realm, locked, disabled } of await storage.find("users")) {
        const members = await storage.find("user_groups", { user_id });
        const own = members.map(({ group_id }) => ({
          name: groupRows.find((row) => row.group_id === group_id)?.name,
          group_id: withoutDashes(group_id),
        }));
        list.push({
          ...{ user_id: withoutDashes(user_id), username, realm: realm ?? "local" },
          ...{ locked: locked ?? false, disabled: disabled ?? false, groups: own },
        });
      }
      return { users: list };
    },
  };

  const casts = {
    async get() {
      return { cast_configs: (await storage.find("cast_configs")).map(presentCast) };
    },
    async create({ target_cast_config: target }) {
      const isWhole = target?.casting_config_name && target.key && target.image_id;
      if (!isWhole && !quirks.tolerant) {
        throw new Refusal("Missing required parameters.");
      }
      await refuseTwice(target ?? {});
      const row = await storage.insert("cast_configs", castRow(target ?? {}));
      return { cast_config: presentCast(row) };
    },
    async update({ target_cast_config: target }) {
      const { cast_config_id } = await toUpdate("cast_configs", "cast_config_id", target);
      await refuseTwice(target);
      await storage.update("cast_configs", { cast_config_id }, castRow(target));
      const [row] = await storage.find("cast_configs", { cast_config_id });
      return { cast_config: presentCast(row) };
    },
    async delete({ target_cast_config: target }) {
      const { cast_config_id } = await existing("cast_configs", "cast_config_id", target);
      await storage.remove("cast_configs", { cast_config_id });
      return {};
    },
  };

  /** What each call does and any of which permissions let it. */
  const calls = {
    get_images: [images.get, 900],
    create_image: [images.create, 902],
    update_image: [images.update, 901],
    delete_image: [images.delete, 903],
    get_users: [users.get, 300],
    get_groups: [groups.get, 400],
    get_images_group: [groups.images, 400],
    add_images_group: [groups.add, 401, 441],
    remove_images_group: [groups.remove, 401, 441],
    get_cast_configs: [casts.get, 700],
    create_cast_config: [casts.create, 702],
    update_cast_config: [casts.update, 701],
    delete_cast_config: [casts.delete, 703],
  };

  async function call(name, body) {
    const [run, ...permissions] = calls[name] ?? [];
    if (run === undefined) {
      return { status: 404, body: "<html><body><h1>404 Not Found</h1></body></html>" };
    }
    try {
      const key = await knownKey(body.api_key, body.api_key_secret);
      if (!key.valid) {
        return { status: 403, body: { error_message: "Access Denied" } };
      }
      if (name.includes("cast_config") && !quirks.licensedForCasting) {
        return { status: 403, body: { error_message: "This feature is not licensed" } };
      }
      need(key, ...permissions);
      if (key.readOnly && !name.startsWith("get_")) {
        throw new Denial("Unauthorized");
      }
      return { status: 200, body: await run(body, key) };
    } catch (error) {
      if (error instanceof Denial) {
        return { status: quirks.deniedStatus, body: { error_message: error.message } };
      }
      if (error instanceof Refusal) {
        return { status: 200, body: { error_message: error.message } };
      }
      console.error(`${name}: ${error.message}`);
      return errorPage;
    }
  }

  function imageRow(target, key) {
    if (resourceFields.some((field) => field in target)) {
      need(key, 904);
    }
    if (fatalFields.some((field) => field in target)) {
      throw new Crash("unexpected keyword argument");
    }
    if ("categories" in target && quirks.refuseCategories) {
      throw new Crash("categories");
    }
    const known = Object.keys(imageFields).filter((field) => target[field] !== undefined);
    return Object.fromEntries(
      known.map((field) => [field, imageFields[field](target[field], field)]),
    );
  }

  async function existing(table, idColumn, target) {
    const [row] = target?.[idColumn]
      ? await storage.find(table, { [idColumn]: target[idColumn] })
      : [];
    if (row === undefined) {
      throw new Refusal(`Could not find ${idColumn} in ${table}.`);
    }
    return row;
  }

  /** The row to update; a tolerant server makes it. */
  async function toUpdate(table, idColumn, target) {
    const id = target?.[idColumn];
    if (quirks.tolerant && id && (await storage.find(table, { [idColumn]: id })).length === 0) {
      return storage.insert(table, { [idColumn]: id });
    }
    return existing(table, idColumn, target);
  }

  async function membership({ target_group, target_image }, key) {
    const group = await existing("groups", "group_id", target_group);
    need(key, group.is_system ? 441 : 401);
    const image = await existing("images", "image_id", target_image);
    return { group_id: group.group_id, image_id: image.image_id };
  }

  async function groupImages(group_id) {
    const list = [];
    for (const { image_id } of await storage.find("group_images", { group_id })) {
      const [image] = await storage.find("images", { image_id });
      list.push({ image_id: withoutDashes(image_id), friendly_name: image?.friendly_name });
    }
    return { images: list };
  }

  async function refuseTwice(target) {
    for (const column of ["casting_config_name", "key"]) {
      const same = await storage.find("cast_configs", { [column]: target[column] ?? "" });
      const others = same.filter(
        (row) => withoutDashes(row.cast_config_id) !== withoutDashes(target.cast_config_id ?? ""),
      );
      if (others.length > 0) {
        throw new Refusal(`A cast config with this ${column} exists already.`);
      }
    }
  }

  function presentImage(row) {
    const json = ["run_config", "exec_config", "volume_mappings", "launch_config"];
    const texts = quirks.jsonAsText
      ? Object.fromEntries(json.map((field) => [field, JSON.stringify(row[field] ?? {})]))
      : {};
    return { ...withPlainIds(row), docker_token: null, ...texts };
  }

  return {
    call,
    /** Changes how the server behaves from now on. */
    set(changes) {
      Object.assign(quirks, changes);
      keys.clear();
    },
  };
}

/** A new key with its permissions, as an admin makes it in KASM's pages. */
export async function addKey(storage, { name, apiKey, apiSecret, permissions, readOnly = false }) {
  const salt = "of-the-stand-in";
  const { api_id } = await storage.insert("api_configs", {
    name,
    api_key: apiKey,
    api_key_secret_hash: createHash("sha256").update(`${apiSecret}${salt}`).digest("hex"),
    salt,
    enabled: true,
    read_only: readOnly,
  });
  for (const permission_id of permissions) {
    await storage.insert("group_permissions", { api_id, permission_id });
  }
}

function presentCast(row) {
  return withPlainIds(row);
}

function castRow(target) {
  const known = castFields.filter((field) => target[field] !== undefined);
  return Object.fromEntries(known.map((field) => [field, target[field]]));
}

function withPlainIds(row) {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      column.endsWith("_id") && typeof value === "string" ? withoutDashes(value) : value,
    ]),
  );
}

function withoutDashes(id) {
  return id.replaceAll("-", "");
}

function asIs(value) {
  return value;
}

function number(value, field) {
  if (value === null || value === "") {
    return null;
  }
  if (Number.isNaN(Number(value))) {
    throw new Crash(`${field}: ${value}`);
  }
  return Number(value);
}

function lines(value) {
  if (Array.isArray(value)) {
    throw new Crash("categories: a list has no split");
  }
  return String(value ?? "")
    .split("\n")
    .filter(Boolean);
}

function dictionary(value, field) {
  let parsed = value === "" || value === null ? {} : value;
  if (typeof parsed === "string") {
    try {
      parsed = JSON.parse(parsed);
    } catch {
      throw new Refusal(`Invalid json format for ${field}`);
    }
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new Refusal(`${field} is not JSON dictionary`);
  }
  return parsed;
}

function volumes(value, field) {
  const parsed = dictionary(value, field);
  for (const [directory, options] of Object.entries(parsed)) {
    const missing = ["bind", "mode", "uid", "gid"].filter((name) => options?.[name] === undefined);
    if (missing.length > 0) {
      throw new Refusal(
        `Config ${directory} is missing one or more required options {${missing.join(", ")}}`,
      );
    }
  }
  return parsed;
}
