import {
  type Container,
  dataRule,
  type Image,
  imageAgeRule,
  type Rule,
  rules,
  type Workspace,
} from "../../policy/rules";

function rule(name: string): Rule {
  const found = rules.find((candidate) => candidate.name === name);
  if (found === undefined) {
    throw new Error(`no rule ${name}`);
  }
  return found;
}

/** A container that every rule is content with. */
const container: Container = {
  image: "sha256:0123",
  ports: [{ internal: 8080, external: 8180, ip: "127.0.0.1" }],
  volumes: [{ hostPath: "/opt/openclaw/data", containerPath: "/data" }],
  capabilities: { drops: ["ALL"], adds: ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"] },
  securityOpts: ["no-new-privileges:true"],
  networkMode: "openclaw-net",
  networksAdvanced: [{ name: "openclaw-net" }],
  memory: 2048,
  restart: "unless-stopped",
};

/** As the container of off-site backups is declared. */
const offsite: Container = {
  ...container,
  ports: [],
  volumes: [
    { hostPath: "/opt/openclaw/data", containerPath: "/backup/data", readOnly: true },
    { volumeName: "openclaw-pause", containerPath: "/run/openclaw-pause" },
  ],
  capabilities: { drops: ["ALL"], adds: ["CAP_DAC_OVERRIDE"] },
};

/** As the way through KASM's nginx is declared. */
const route: Container = {
  user: "65534:65534",
  readOnly: true,
  capabilities: { drops: ["ALL"] },
  volumes: [{ hostPath: "/opt/kasm", containerPath: "/opt/kasm" }],
};

/** A workspace that every rule is content with. */
const workspace: Workspace = {
  image: "kasmweb/chrome:1.17.0",
  runConfig: {
    hostname: "kasm",
    environment: { LAUNCH_URL: "http://172.17.0.1:8180/" },
    extra_hosts: { "host.docker.internal": "host-gateway" },
  },
  persistentProfilePath: "/opt/kasm/profiles/openclaw/{username}",
  execConfig: { go: { cmd: "true" }, assign: { cmd: "true" } },
  volumeMappings: { "/opt/openclaw/shared": { bind: "/mnt/openclaw-shared" } },
};

test.each(rules)("$name has no violation in this program's resources", ({ name }) => {
  expect(rule(name).container?.(container) ?? []).toEqual([]);
  expect(rule(name).container?.(offsite) ?? []).toEqual([]);
  expect(rule(name).workspace?.(workspace) ?? []).toEqual([]);
  expect(rule(name).image?.({ name: "coollabsio/openclaw:2026.9.6" }) ?? []).toEqual([]);
});

/** Directories of a host that no container may mount: of sockets, the system and accounts, and their parents. */
const hostPaths = [
  ...["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"],
  ...["/run/podman/podman.sock", "/opt/tools/docker.sock", "/var/run/", "/run", "/"],
  ...["/proc/1/root", "/etc", "/etc/", "/usr/local", "/root/.ssh", "/home/jane", "/dev"],
  ...["/opt/openclaw/../../etc", "/home/jane/.ssh", "/var/lib/docker", "/var/spool/cron"],
  ...["/var/lib/kubelet", "opt/openclaw", "."],
];

test.each<[string, Container, string]>([
  ...[undefined, "", "0.0.0.0", "::", "[::]", "0::0", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0", "0"].map(
    (ip): [string, Container, string] => [
      "ports-on-chosen-addresses",
      { ports: [{ internal: 8080, external: 8180, ...(ip === undefined ? {} : { ip }) }] },
      "Port 8080 is published on all addresses",
    ],
  ),
  ["ports-on-chosen-addresses", { publishAllPorts: true }, "All ports are published"],
  ["own-namespaces", { networkMode: "host" }, "shares the host's network"],
  ["own-namespaces", { networkMode: "container:kasm_proxy" }, "shares a network"],
  ["own-namespaces", { networksAdvanced: [{ name: "host" }] }, "shares the host's network"],
  ["own-namespaces", { ipcMode: "host" }, "shares memory"],
  ["own-namespaces", { ipcMode: "container:kasm_db" }, "shares memory"],
  ["own-namespaces", { pidMode: "host" }, "shares processes"],
  ["own-namespaces", { usernsMode: "host" }, "shares users"],
  ["own-namespaces", { cgroupnsMode: "host" }, "shares control groups"],
  ["not-privileged", { privileged: true }, "runs privileged"],
  ...["ALL", "all", "CAP_SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN", "CAP_OF_TOMORROW"].map(
    (capability): [string, Container, string] => [
      "not-privileged",
      { capabilities: { adds: [capability] } },
      `the capability ${capability}`,
    ],
  ),
  ...[
    "seccomp=unconfined",
    "seccomp:unconfined",
    "apparmor=unconfined",
    "label=disable",
    "systempaths=unconfined",
    "no-new-privileges:false",
  ].map((option): [string, Container, string] => [
    "confined",
    { securityOpts: [option] },
    `Its security option ${option}`,
  ]),
  ["known-arguments", { devices: [{ hostPath: "/dev/sda" }] }, "It has devices"],
  ["known-arguments", { deviceCgroupRules: ["b *:* rwm"] }, "It has deviceCgroupRules"],
  ["known-arguments", { gpus: "all" }, "It has gpus"],
  ["known-arguments", { groupAdds: ["docker"] }, "It has groupAdds"],
  ["known-arguments", { runtime: "other" }, "It has runtime"],
  ["known-arguments", { cgroupParent: "/" }, "It has cgroupParent"],
  ["known-arguments", { ofTomorrow: true } as Container, "It has ofTomorrow"],
  ...hostPaths.flatMap((path): [string, Container, string][] => [
    [
      "own-directories",
      { volumes: [{ hostPath: path, containerPath: "/host" }] },
      `It sees ${path} of the host`,
    ],
    [
      "own-directories",
      { mounts: [{ type: "bind", source: path, target: "/host" }] },
      `It sees ${path} of the host`,
    ],
  ]),
  ["own-directories", { volumes: [{ volumeName: "/etc", containerPath: "/e" }] }, "sees /etc"],
  [
    "own-directories",
    { volumes: [{ fromContainer: "kasm_agent" }] },
    "takes another container's volumes",
  ],
  [
    "own-directories",
    {
      mounts: [
        {
          type: "volume",
          source: "harmless",
          target: "/e",
          volumeOptions: { driverOptions: { type: "none", o: "bind", device: "/etc" } },
        },
      ],
    },
    "sees /etc",
  ],
  [
    "own-directories",
    {
      mounts: [
        {
          type: "volume",
          target: "/e",
          volumeOptions: { driverOptions: { type: "overlay", device: "o", o: "lowerdir=/etc" } },
        },
      ],
    },
    "sees o of the host",
  ],
  [
    "own-directories",
    { mounts: [{ type: "volume", target: "/e", volumeOptions: { driverName: "sshfs" } }] },
    "the driver sshfs",
  ],
  ["own-directories", { mounts: [{ type: "npipe", target: "/p" }] }, "a mount of type npipe"],
  ["own-directories", { ...route, user: "0:0" }, "It sees /opt/kasm of the host"],
  ["own-directories", { ...route, readOnly: false }, "It sees /opt/kasm of the host"],
  [
    "own-directories",
    { ...route, readOnly: false, uploads: [{ file: "/usr/bin/node", content: "" }] },
    "It sees /opt/kasm of the host",
  ],
  ["own-directories", { ...route, capabilities: {} }, "It sees /opt/kasm of the host"],
  [
    "own-directories",
    { ...route, volumes: [{ hostPath: "/opt/kasm/../../etc", containerPath: "/opt/kasm" }] },
    "It sees /opt/kasm/../../etc of the host",
  ],
  ...[
    "nginx",
    "nginx:latest",
    "nginx:stable",
    "nginx:1.29",
    "registry:5000/nginx",
    "node:24-bookworm-slim",
    "kasmweb/chrome:1.17.0-rolling",
    "kasmweb/chrome:1.17.0-rolling-daily",
    "nginx:1.29.1-mainline",
    "jenkins:2.541.1-lts",
    "app:1.2.3-preview",
    "coollabsio/openclaw:extended-stable",
    "debian:bookworm-20260101",
  ].map((image): [string, Container, string] => [
    "images-pinned",
    { image },
    `Its image ${image} may be another one tomorrow`,
  ]),
  ["memory-limited", {}, "It may take all memory"],
  ["memory-limited", { memory: 0 }, "It may take all memory"],
  ["memory-limited", { memory: 2048, memorySwap: -1 }, "It may take all swap"],
  ["restarted", {}, "Its restart policy is no"],
  ["restarted", { restart: "on-failure" }, "Its restart policy is on-failure"],
])("%s refuses a container with %j", (name, props, sentence) => {
  expect(rule(name).container?.(props)).toEqual([expect.stringContaining(sentence)]);
});

test.each<[string, Container]>([
  ["own-namespaces", { networkMode: "openclaw-net", ipcMode: "private" }],
  ["ports-on-chosen-addresses", { ports: [{ internal: 8080, ip: "::1" }] }],
  ["not-privileged", { capabilities: { drops: ["ALL"], adds: ["CAP_CHOWN", "SETUID"] } }],
  ["confined", { securityOpts: ["no-new-privileges:true"] }],
  // As the provider fills them in.
  ["known-arguments", { devices: [], gpus: "", runtime: "", __defaults: ["x"] } as Container],
  ["own-directories", { volumes: [{ volumeName: "openclaw-data", containerPath: "/data" }] }],
  ["own-directories", { volumes: [{ hostPath: "/var/lib/openclaw", containerPath: "/data" }] }],
  ["own-directories", { volumes: [{ hostPath: "/data/ai/openclaw", containerPath: "/data" }] }],
  ["own-directories", { mounts: [{ type: "tmpfs", target: "/tmp" }] }],
  ["own-directories", route],
  [
    "own-directories",
    {
      ...route,
      readOnly: false,
      uploads: [{ file: "/etc/openclaw-kasm-route.json", content: "{}" }],
    },
  ],
  ["images-pinned", { image: "registry:5000/nginx:1.29.1" }],
  ["images-pinned", { image: "openclaw-kasm:2026.9.6-0123456789ab" }],
  ["images-pinned", { image: `nginx@sha256:${"0".repeat(64)}` }],
  ["images-pinned", { image: `nginx:latest@sha256:${"0".repeat(64)}` }],
  ["restarted", { restart: "always" }],
])("%s allows a container with %j", (name, props) => {
  expect(rule(name).container?.(props)).toEqual([]);
});

test.each([
  [{ driverOpts: { type: "none", o: "bind", device: "/proc/1/root" } }, 1],
  [{ driverOpts: { type: "ext4", device: "/dev/sda1" } }, 1],
  // From the engine's own working directory, which is /.
  [{ driverOpts: { type: "none", o: "bind", device: "etc" } }, 1],
  [{ driverOpts: { o: "bind", device: "./etc" } }, 1],
  [{ driverOpts: { type: "overlay", device: "overlay", o: "lowerdir=/etc" } }, 1],
  [{ driver: "vieux/sshfs", driverOpts: { sshcmd: "root@host:/" } }, 1],
  [{ driver: "local", driverOpts: { type: "tmpfs", device: "tmpfs" } }, 0],
  [{ driverOpts: { type: "nfs", o: "addr=10.0.0.2", device: ":/export" } }, 0],
  [{ name: "openclaw-data" }, 0],
])("own-directories judges the volume %j", (volume, count) => {
  expect(rule("own-directories").volume?.(volume)).toHaveLength(count);
});

test.each([
  [{ driver: "macvlan", options: { parent: "eth0" } }, 2],
  [{ driver: "ipvlan" }, 1],
  [{ driver: "bridge", options: { "com.docker.network.bridge.gateway_mode_ipv4": "routed" } }, 1],
  [{ name: "openclaw-net", driver: "bridge" }, 0],
  [{ name: "openclaw-net" }, 0],
  [{ driver: "overlay", options: { encrypted: "", "com.docker.network.driver.mtu": "1400" } }, 0],
  [{ driver: "overlay", options: { "com.docker.network.bridge.name": "br0" } }, 1],
])("own-namespaces judges the network %j", (network, count) => {
  expect(rule("own-namespaces").network?.(network)).toHaveLength(count);
});

test.each([
  ["docker:index/service:Service", 1],
  ["docker:index/plugin:Plugin", 1],
  ["docker:index/container:Container", 0],
  ["random:index/randomPassword:RandomPassword", 0],
])("known-resources judges a %s", (type, count) => {
  expect(rule("known-resources").type?.(type)).toHaveLength(count);
});

test("accepts an image id that is unknown during preview", () => {
  const unknown = Object.defineProperty({}, "image", {
    get: () => {
      throw new Error("string value at .image can't be known during preview");
    },
  });

  expect(rule("images-pinned").container?.(unknown)).toEqual([]);
});

test.each<[Image, string[]]>([
  [{ name: "nginx" }, [expect.stringContaining("Its image nginx may be")]],
  [{ name: "kasmweb/chrome:latest" }, [expect.stringContaining("kasmweb/chrome:latest")]],
  [{ name: "kasmweb/chrome:1.17.0" }, []],
  [{ name: "openclaw-kasm:latest", build: { context: "assets/kasm-image" } }, []],
])("images-pinned judges the image %j", (image, expected) => {
  expect(rule("images-pinned").image?.(image)).toEqual(expected);
});

test.each<[string, Workspace, string]>([
  ["images-pinned", { image: "kasmweb/chrome", runConfig: {} }, "Its image kasmweb/chrome may be"],
  ["not-privileged", { runConfig: { privileged: true } }, "runs privileged"],
  ["not-privileged", { runConfig: { cap_add: ["ALL"] } }, "the capability ALL"],
  ["confined", { runConfig: { security_opt: ["seccomp=unconfined"] } }, "security option seccomp"],
  ["own-namespaces", { runConfig: { network_mode: "host" } }, "shares the host's network"],
  ["own-namespaces", { runConfig: { network: "container:kasm_db" } }, "shares a network"],
  ...[
    "devices",
    "device_requests",
    "mounts",
    "volumes_from",
    "pid_mode",
    "ipc_mode",
    "runtime",
  ].map((argument): [string, Workspace, string] => [
    "known-arguments",
    { runConfig: { [argument]: ["value"] } },
    `It has ${argument}, which no rule judges`,
  ]),
  [
    "known-arguments",
    { runConfig: {}, execConfig: { first_launch: { cmd: "true", privileged: true } } },
    "It has privileged, which no rule judges",
  ],
  [
    "own-directories",
    { runConfig: {}, persistentProfilePath: "/etc/{username}" },
    "It sees /etc of the host",
  ],
  ...["/{username}", "etc/{username}", "{username}"].map((path): [string, Workspace, string] => [
    "own-directories",
    { runConfig: {}, persistentProfilePath: path },
    "It sees / of the host",
  ]),
  ...hostPaths.flatMap((path): [string, Workspace, string][] => [
    [
      "own-directories",
      { runConfig: {}, volumeMappings: { [path]: { bind: "/s" } } },
      `It sees ${path} of the host`,
    ],
    ["own-directories", { runConfig: { volumes: [`${path}:/s`] } }, `It sees ${path} of the host`],
    [
      "own-directories",
      { runConfig: { volumes: { [path]: { bind: "/s", mode: "rw" } } } },
      `It sees ${path} of the host`,
    ],
  ]),
  [
    "no-secret-in-run-config",
    { runConfig: { environment: { ANTHROPIC_API_KEY: "sk-ant-value" } } },
    "Its run config sets ANTHROPIC_API_KEY",
  ],
  [
    "no-secret-in-run-config",
    { runConfig: { environment: ["TZ=UTC", "ANTHROPIC_API_KEY=sk-ant-value"] } },
    "Its run config sets ANTHROPIC_API_KEY",
  ],
  [
    "no-secret-in-run-config",
    { runConfig: { environment: { GREETING: "sk-ant-value-of-this-user" } } },
    "Its run config sets GREETING",
  ],
  [
    "no-secret-in-run-config",
    { runConfig: {}, execConfig: { go: { cmd: "true", environment: ["DB_PASS=sk-ant-value"] } } },
    "Its run config sets DB_PASS",
  ],
])("%s refuses a workspace with %j", (name, props, sentence) => {
  const problems = rule(name).workspace?.(props);

  expect(problems).toEqual([expect.stringContaining(sentence)]);
  expect(problems?.join("")).not.toContain("sk-ant-value");
});

test.each<[string, Workspace]>([
  ["own-directories", { runConfig: { volumes: ["a-volume:/data"] } }],
  ["images-pinned", { image: "", runConfig: {} }],
  ["no-secret-in-run-config", { runConfig: { environment: { ANTHROPIC_API_KEY: "" } } }],
  [
    "no-secret-in-run-config",
    { runConfig: { environment: { HF_TOKEN: "hf_value" } }, allowSecretsInRunConfig: true },
  ],
])("%s allows a workspace with %j", (name, props) => {
  expect(rule(name).workspace?.(props)).toEqual([]);
});

test.each([
  [true, false, []],
  [true, true, []],
  [false, true, []],
  [false, false, [expect.stringContaining("Its data goes with the stack")]],
])("data-kept: kept %j, removal requested %j", (keepsData, isRemovalAsked, expected) => {
  expect(dataRule.problems({ keepsData }, isRemovalAsked)).toEqual(expected);
});

test("data-kept refuses a gateway without this output", () => {
  expect(dataRule.problems({}, false)).toHaveLength(1);
});

describe("images-recent", () => {
  const now = Date.parse("2026-11-29T12:00:00Z");
  const built = (imagesFrom?: string): Image => ({
    name: "openclaw-kasm/gateway-dev:2026.9.6-0123456789ab",
    build: {
      context: "assets/gateway-image",
      buildArgs: { BASE_IMAGE: "base", ...(imagesFrom && { IMAGES_FROM: imagesFrom }) },
    },
  });
  const problems = (image: Image, maxDays: number) => imageAgeRule.problems(image, maxDays, now);

  test("refuses a built image that is too old or of unknown age", () => {
    expect(problems(built("2026-10-29T00:00:00Z"), 30)).toEqual([
      "Its packages are 31 days old, and openclaw:maxImageDays is 30: npm run rebuild.",
    ]);
    expect(problems(built(), 30)).toEqual([expect.stringContaining("is not known")]);
  });

  test.each<[string, Image, number]>([
    ["a built image that is recent", built("2026-10-30"), 30],
    ["a pulled image", { name: "coollabsio/openclaw:2026.9.6" }, 30],
    ["any image without a limit", built(), 0],
  ])("accepts %s", (_, image, maxDays) => {
    expect(problems(image, maxDays)).toEqual([]);
  });
});
