// Turns a registered workspace into Docker's create request of a session's container; pure, without calls to KASM or Docker.

/** Docker's own names of the settings in run_config (docker-py's `containers.run`), each from the value it takes there. */
const hostSettings = {
  extra_hosts: (hosts) => ({
    ExtraHosts: Array.isArray(hosts)
      ? hosts
      : Object.entries(hosts).map(([name, address]) => `${name}:${address}`),
  }),
  dns: (servers) => ({ Dns: servers }),
  shm_size: (size) => ({ ShmSize: bytes(size) }),
  cap_add: (list) => ({ CapAdd: list }),
  cap_drop: (list) => ({ CapDrop: list }),
  security_opt: (list) => ({ SecurityOpt: list }),
  privileged: (value) => ({ Privileged: value }),
};
const containerSettings = {
  hostname: (name) => ({ Hostname: name }),
  user: (user) => ({ User: String(user) }),
  environment: () => ({}),
};

/**
 * @param image row of `images`
 * @param user row of `users`
 * @param environment what the session has beyond run_config
 * @throws Error as docker-py does, for an argument that it does not know
 */
export function containerRequest({ image, user, environment, network, labels }) {
  const config = image.run_config ?? {};
  const unknown = Object.keys(config).find(
    (name) => !(name in hostSettings) && !(name in containerSettings),
  );
  if (unknown !== undefined) {
    throw new Error(`run() got an unexpected keyword argument '${unknown}'`);
  }
  const apply = (settings) =>
    Object.entries(config)
      .filter(([name]) => name in settings)
      .map(([name, value]) => settings[name](value));
  return {
    Image: image.name,
    Env: Object.entries({ ...config.environment, ...environment }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    Labels: labels,
    ...Object.assign({}, ...apply(containerSettings)),
    HostConfig: {
      NetworkMode: network,
      Memory: image.memory ?? 0,
      ...cpu(image),
      Binds: mounts(image, user).map(({ directory, bind, mode }) => `${directory}:${bind}:${mode}`),
      ...Object.assign({}, ...apply(hostSettings)),
    },
  };
}

/** Directories of the host that a session has, its profile among them: {directory, bind, mode, uid, gid}. */
export function mounts(image, user) {
  const filled = (path) => filledIn(path, image, user);
  const mappings = Object.entries(image.volume_mappings ?? {}).map(([directory, mapping]) => ({
    ...mapping,
    directory: filled(directory),
  }));
  const profile = image.persistent_profile_path;
  return profile
    ? [
        ...mappings,
        { directory: filled(profile), bind: "/home/kasm-user", mode: "rw", uid: 1000, gid: 1000 },
      ]
    : mappings;
}

function filledIn(path, { image_id }, { user_id, username }) {
  const plain = (id) => id.replaceAll("-", "");
  return path
    .replaceAll("{user_id}", plain(user_id))
    .replaceAll("{username}", username)
    .replaceAll("{image_id}", plain(image_id));
}

/** Quotas are a limit; shares, and what the agent itself is set to, only count where others want the same core. */
function cpu({ cores, cpu_allocation_method: method }) {
  return method === "Quotas"
    ? { NanoCpus: Math.round((cores ?? 0) * 1e9) }
    : { CpuShares: Math.round((cores ?? 0) * 1024) };
}

function bytes(size) {
  const [, number, unit = ""] = /^(\d+)([bkmg]?)$/i.exec(String(size)) ?? [];
  return Number(number) * 1024 ** ["", "k", "m", "g"].indexOf(unit.toLowerCase().replace("b", ""));
}

/** Words of a command as Python's shlex splits them: docker's exec has no shell. */
export function words(command) {
  const list = [];
  let word;
  for (const [, single, double, escaped, plain, space] of command.matchAll(
    /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)|(\s+)/gs,
  )) {
    if (space !== undefined) {
      if (word !== undefined) {
        list.push(word);
      }
      word = undefined;
    } else {
      const unescaped = double?.replace(/\\(["\\])/g, "$1");
      word = (word ?? "") + (single ?? unescaped ?? escaped ?? plain);
    }
  }
  return word === undefined ? list : [...list, word];
}
