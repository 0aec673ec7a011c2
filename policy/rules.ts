import { isIP, isIPv6 } from "node:net";
import { posix } from "node:path";
import type { ContainerArgs, NetworkArgs, RemoteImageArgs, VolumeArgs } from "@pulumi/docker";
import type { Unwrap } from "@pulumi/pulumi";
import { daysSince } from "../components/days";
import { defaults } from "../components/defaults";
import { isUsableDirectory, profilesDirectory } from "../components/hostDirectory";
import { looksSecret, variablesOf } from "../providers/kasm/secretNames";
import { credentialsFile, forwarderOwner } from "../components/nginxRouteFile";
import { valueLooksSecret } from "../components/secretTexts";

/** A container of Docker's. */
export type Container = Partial<Unwrap<ContainerArgs>>;

/** An image that is pulled or built. */
export type Image = Unwrap<RemoteImageArgs>;

/** A volume of Docker's. */
export type Volume = Unwrap<VolumeArgs>;

/** A network of Docker's. */
export type Network = Partial<Unwrap<NetworkArgs>>;

/** A workspace in KASM, from which KASM starts containers. */
export interface Workspace {
  /** Docker reference; nothing for a link. */
  readonly image?: string;
  /** Arguments of docker-py's `containers.run`. */
  readonly runConfig: RunConfig;
  /** Arguments of docker-py's `exec_run` by occasion. */
  readonly execConfig?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Where KASM keeps the users' homes: a bucket, or a path of the agent's host with a part for each user. */
  readonly persistentProfilePath?: string;
  /** By directory of the agent's host. */
  readonly volumeMappings?: object;
  /** The user's word that secrets may stand in `runConfig`. */
  readonly allowSecretsInRunConfig?: boolean;
}

/** The arguments of docker-py that a rule judges; there are others. */
export interface RunConfig {
  readonly privileged?: boolean;
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly network?: string;
  readonly network_mode?: string;
  readonly volumes?: readonly string[] | object;
  readonly environment?: readonly string[] | Readonly<Record<string, string>>;
  readonly [argument: string]: unknown;
}

/**
 * What every resource of a kind has to hold to. A check gets the resource's inputs, secrets in clear, and gives a
 * sentence for each thing that is wrong, which names what to do and repeats no value that may be a secret. What it
 * allows is listed: whatever else Docker and KASM know, now or later, is refused.
 */
export interface Rule {
  readonly name: string;
  readonly description: string;
  readonly container?: (container: Container) => string[];
  readonly image?: (image: Image) => string[];
  readonly volume?: (volume: Volume) => string[];
  readonly network?: (network: Network) => string[];
  readonly workspace?: (workspace: Workspace) => string[];
  /** For every resource, by its type. */
  readonly type?: (type: string) => string[];
}

const declaredRules: readonly Rule[] = [
  {
    name: "known-resources",
    description: "Docker's resources are of kinds that these rules judge.",
    type: (type) =>
      type.startsWith("docker:") && !judgedTypes.includes(type)
        ? [`No rule judges a ${type}: use one of ${judgedTypes.join(", ")}.`]
        : [],
  },
  {
    name: "known-arguments",
    description: "Containers have no options that these rules do not judge.",
    container: (container) => unknownArguments(container, containerArguments),
    workspace: ({ runConfig, execConfig }) => [
      ...unknownArguments(runConfig, runArguments),
      ...Object.values(execConfig ?? {}).flatMap((exec) => unknownArguments(exec, execArguments)),
    ],
  },
  {
    name: "ports-on-chosen-addresses",
    description: "No port is open on all addresses of the host.",
    container: ({ ports, publishAllPorts }) => [
      ...(ports ?? [])
        .filter(({ ip }) => !isOneAddress(ip))
        .map(
          ({ internal }) =>
            `Port ${internal.toString()} is published on all addresses: choose some (openclaw:publishAddresses).`,
        ),
      ...(publishAllPorts ? ["All ports are published: name those that people need."] : []),
    ],
  },
  {
    name: "own-namespaces",
    description: "No container shares network, processes or memory with the host or another one.",
    container: ({ networkMode, networksAdvanced, ipcMode, pidMode, usernsMode, cgroupnsMode }) => [
      ...[networkMode, ...(networksAdvanced ?? []).map(({ name }) => name)].flatMap(sharedNetwork),
      ...shared("memory (ipcMode)", ipcMode, ["private", "none", "shareable"]),
      ...shared("processes (pidMode)", pidMode, []),
      ...shared("users (usernsMode)", usernsMode, []),
      ...shared("control groups (cgroupnsMode)", cgroupnsMode, ["private"]),
    ],
    network: ({ driver, options }) => [
      ...(!driver || ["bridge", "overlay"].includes(driver)
        ? []
        : [
            `Its driver ${driver} may put containers on the host's own networks: choose bridge or overlay.`,
          ]),
      ...(driver === "overlay" ? foreignOptions(options) : Object.keys(options ?? {})).map(
        (option) =>
          `Its option ${option} may open ports beside those that are published: leave it out.`,
      ),
    ],
    workspace: ({ runConfig: { network, network_mode } }) =>
      [network, network_mode].flatMap(sharedNetwork),
  },
  {
    name: "not-privileged",
    description: "No container is privileged: it could do what the host's root can.",
    container: ({ privileged, capabilities }) => [
      ...(privileged ? [unprivileged] : []),
      ...(capabilities?.adds ?? []).flatMap(refusedCapability),
    ],
    workspace: ({ runConfig: { privileged, cap_add } }) => [
      ...(privileged ? [unprivileged] : []),
      ...(cap_add ?? []).flatMap(refusedCapability),
    ],
  },
  {
    name: "confined",
    description: "No container is without Docker's filters of system calls and AppArmor's profile.",
    container: ({ securityOpts }) => (securityOpts ?? []).flatMap(refusedSecurityOption),
    workspace: ({ runConfig: { security_opt } }) =>
      (security_opt ?? []).flatMap(refusedSecurityOption),
  },
  {
    name: "own-directories",
    description:
      "Containers see directories that are meant for them: none of the system's, and no socket of Docker or containerd.",
    container: ({ volumes, mounts, ...container }) => [
      ...(volumes ?? []).flatMap(({ hostPath, volumeName, fromContainer }) => [
        ...(isRoute(container, hostPath) ? [] : refusedPath(hostPath)),
        ...refusedVolumeName(volumeName),
        ...(fromContainer ? ["It takes another container's volumes: name its own."] : []),
      ]),
      ...(mounts ?? []).flatMap(({ type, source, volumeOptions }) => {
        switch (type) {
          case "tmpfs":
            return [];
          case "volume":
            return [
              ...refusedVolumeName(source),
              ...refusedDriver(volumeOptions?.driverName, volumeOptions?.driverOptions),
            ];
          case "bind":
            return refusedPath(source);
          default:
            return [`It has a mount of type ${type}: choose bind, volume or tmpfs.`];
        }
      }),
    ],
    volume: ({ driver, driverOpts }) => refusedDriver(driver, driverOpts),
    workspace: ({ persistentProfilePath, volumeMappings, runConfig: { volumes } }) => [
      ...refusedProfiles(persistentProfilePath),
      ...Object.keys(volumeMappings ?? {}).flatMap(refusedPath),
      ...(Array.isArray(volumes) ? (volumes as string[]) : Object.keys(volumes ?? {}))
        .map((volume) => volume.split(":")[0] ?? "")
        .flatMap((source) =>
          dockerName.test(source) ? refusedVolumeName(source) : refusedPath(source),
        ),
    ],
  },
  {
    name: "images-pinned",
    description: "Images are pinned: the same declaration is the same image tomorrow.",
    // A preview can't know the id of an image that is still to be pulled or built; an id is always pinned.
    container: ({ image }) => unpinned(image),
    // What is built is pinned by what it is built from.
    image: ({ name, build }) => (build === undefined ? unpinned(name) : []),
    workspace: ({ image }) => unpinned(image),
  },
  {
    name: "memory-limited",
    description: "Memory is limited: nothing takes the host down with it.",
    container: ({ memory, memorySwap }) => [
      ...((memory ?? 0) > 0 ? [] : ["It may take all memory: set a limit (openclaw:memoryMb)."]),
      ...((memorySwap ?? 0) < 0 ? ["It may take all swap: set memorySwap to a limit."] : []),
    ],
  },
  {
    name: "restarted",
    description: "What runs comes back after a crash and after the host's restart.",
    container: ({ restart }) =>
      ["always", "unless-stopped"].includes(restart ?? "no")
        ? []
        : [`Its restart policy is ${restart ?? "no"}: choose unless-stopped or always.`],
  },
  {
    name: "no-secret-in-run-config",
    description:
      "No secret is in a run config, where everybody with rights on KASM's images reads it.",
    workspace: ({ runConfig, execConfig, allowSecretsInRunConfig }) =>
      allowSecretsInRunConfig
        ? []
        : [runConfig, ...Object.values(execConfig ?? {})]
            .flatMap(({ environment }) => variablesOf(environment))
            .filter(
              ([name, value]) => (looksSecret(name) && value !== "") || valueLooksSecret(value),
            )
            .map(([name]) => `Its run config sets ${name}: use a launch form or a file.`),
  },
];

/** All rules. A property that a preview can't know yet is left out: the policy SDK throws when such a one is read. */
export const rules: readonly Rule[] = declaredRules.map((rule) => ({
  ...rule,
  ...(rule.container && { container: onKnown(rule.container) }),
  ...(rule.image && { image: onKnown(rule.image) }),
  ...(rule.volume && { volume: onKnown(rule.volume) }),
  ...(rule.network && { network: onKnown(rule.network) }),
  ...(rule.workspace && { workspace: onKnown(rule.workspace) }),
}));

/** What the outputs of an `OpenClawStandalone` say of its data. */
export interface Gateway {
  readonly keepsData?: boolean;
}

/** The rule that looks at a whole stack: the engine shows a policy no `retainOnDelete`, so the component says it. */
export const dataRule = {
  name: "data-kept",
  description: "OpenClaw's data outlives the stack, unless the settings ask for its removal.",
  problems: ({ keepsData }: Gateway, isRemovalAsked: boolean): string[] =>
    keepsData || isRemovalAsked
      ? []
      : ["Its data goes with the stack: keep it, or set openclaw:removeDataOnDestroy."],
};

/** The rule for which a stack sets the limit. A preview sees no image, but the setting that its packages are as old as. */
export const imageAgeRule = {
  name: "images-recent",
  description: "Built images are no older than openclaw:maxImageDays: they have Debian's fixes.",
  problems: ({ build }: Image, maxDays: number, now = Date.now()): string[] => {
    const from = build?.buildArgs?.IMAGES_FROM;
    if (build === undefined || maxDays === 0) {
      return [];
    }
    if (from === undefined) {
      return ["The age of its packages is not known: npm run rebuild sets openclaw:imagesFrom."];
    }
    const days = daysSince(Date.parse(from), now);
    return days > maxDays
      ? [
          `Its packages are ${days.toString()} days old, and openclaw:maxImageDays is ${maxDays.toString()}: npm run rebuild.`,
        ]
      : [];
  },
};

function onKnown<T>(check: (resource: T) => string[]): (resource: T) => string[] {
  return (resource) => check(known(resource) as T);
}

function known(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map((_, index) => knownMember(value, index));
  }
  return typeof value === "object" && value !== null
    ? Object.fromEntries(
        Object.getOwnPropertyNames(value).map((key) => [key, knownMember(value, key)]),
      )
    : value;
}

function knownMember(parent: object, key: string | number): unknown {
  try {
    return known((parent as Record<string | number, unknown>)[key]);
  } catch {
    return undefined;
  }
}

const judgedTypes = [
  "docker:index/container:Container",
  "docker:index/network:Network",
  "docker:index/remoteImage:RemoteImage",
  "docker:index/volume:Volume",
];

/** Options of a container that a rule judges or that reach nothing beyond it. */
const containerArguments = [
  ..."capabilities cgroupnsMode image ipcMode memory mounts networkMode networksAdvanced".split(
    " ",
  ),
  ..."pidMode ports privileged publishAllPorts restart securityOpts usernsMode volumes".split(" "),
  ..."attach command containerReadRefreshTimeoutMilliseconds cpuPeriod cpuQuota cpuSet".split(" "),
  ..."cpuShares cpus destroyGraceSeconds dns dnsOpts dnsSearches domainname entrypoints".split(" "),
  ..."envs healthcheck hostname hosts init labels logDriver logOpts logs maxRetryCount".split(" "),
  ..."memoryReservation memorySwap mustRun name platform readOnly removeVolumes rm".split(" "),
  ..."shmSize start stdinOpen stopSignal stopTimeout storageOpts tmpfs tty ulimits".split(" "),
  ..."uploads user wait waitTimeout workingDir".split(" "),
];

/** Arguments of docker-py's `containers.run` that a rule judges or that reach nothing beyond the session. */
const runArguments = [
  ..."cap_add environment network network_mode privileged security_opt volumes".split(" "),
  ..."cap_drop command cpu_shares cpuset_cpus detach dns dns_opt dns_search domainname".split(" "),
  ..."entrypoint extra_hosts hostname init labels mac_address mem_limit mem_reservation".split(" "),
  ..."memswap_limit name nano_cpus pids_limit platform read_only remove restart_policy".split(" "),
  ..."shm_size stdin_open stop_signal tmpfs tty ulimits user working_dir".split(" "),
];

const execArguments = "cmd detach environment stdin tty user workdir".split(" ");

function unknownArguments(given: object, judged: readonly string[]): string[] {
  return Object.entries(given)
    .filter(([name, value]) => !name.startsWith("__") && !judged.includes(name) && isSet(value))
    .map(([name]) => `It has ${name}, which no rule judges: leave it out.`);
}

/** Whether an option is more than the default that the provider fills in. */
function isSet(value: unknown): boolean {
  if (typeof value === "object" && value !== null) {
    return Object.keys(value).length > 0;
  }
  return Boolean(value);
}

/** One address of the host, and none of the many ways to write all of them. */
function isOneAddress(ip: string | undefined): boolean {
  const address = ip?.replace(/^\[(.*)\]$/, "$1") ?? "";
  const written = isIPv6(address) ? new URL(`http://[${address}]`).hostname : address;
  return isIP(address) !== 0 && !["0.0.0.0", "[::]", "[::ffff:0:0]"].includes(written);
}

/** Options of an overlay network that do more than encrypt or cut its packets. The swarm numbers it by one. */
function foreignOptions(options: Network["options"]): string[] {
  const own = ["encrypted", "mtu", "overlay.vxlanid_list"];
  return Object.keys(options ?? {}).filter(
    (option) => !own.includes(option.replace("com.docker.network.driver.", "")),
  );
}

function sharedNetwork(network: string | undefined): string[] {
  if (network === "host") {
    return ["It shares the host's network: give it one of its own."];
  }
  return !network || dockerName.test(network)
    ? []
    : [`It shares a network (${network}): give it one of its own.`];
}

const dockerName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

function shared(what: string, mode: string | undefined, own: readonly string[]): string[] {
  return !mode || own.includes(mode) ? [] : [`It shares ${what}: leave it out.`];
}

const unprivileged = "It runs privileged: give it the capabilities that it needs.";

/** Those that Docker gives any container, without raw sockets, device nodes and the kernel's log. */
const capabilities = [
  ..."CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE".split(" "),
  ..."SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split(" "),
];

function refusedCapability(capability: string): string[] {
  return capabilities.includes(capability.toUpperCase().replace(/^CAP_/, ""))
    ? []
    : [`It has the capability ${capability}: choose among ${capabilities.join(", ")}.`];
}

function refusedSecurityOption(option: string): string[] {
  const isStrict = /^(no-new-privileges([:=]true)?|seccomp[:=]builtin|apparmor[:=]docker-default)$/;
  return isStrict.test(option)
    ? []
    : [`Its security option ${option} may loosen it: leave it out.`];
}

/** Directories of accounts and services; those of this program have its name in them. */
const othersDirectories = /^\/(root|tmp|var)\/|\/\.|\.sock(et)?(\/|$)/;

function refusedPath(path: string | undefined): string[] {
  if (!path) {
    return [];
  }
  const isOwn = /^\/var\/(lib|opt)\/[^/]*openclaw[^/]*(\/|$)/.test(path);
  return isUsableDirectory(path) && (isOwn || !othersDirectories.test(path))
    ? []
    : [`It sees ${path} of the host: give it a directory of its own (openclaw:directory).`];
}

/**
 * The way from KASM's nginx to a gateway has its socket in KASM's directory, as an account that owns nothing there. Docker copies
 * a certificate only into a file system that is not read-only.
 */
function isRoute(
  { user, readOnly, uploads = [], capabilities }: Container,
  path: string | undefined,
): boolean {
  const hasCertificate = uploads.length === 1 && uploads[0]?.file === credentialsFile;
  return (
    path !== undefined &&
    `${posix.normalize(path)}/`.startsWith(`${defaults.kasmDirectory}/`) &&
    user === forwarderOwner &&
    (readOnly === true || hasCertificate) &&
    capabilities?.drops?.join() === "ALL" &&
    (capabilities.adds ?? []).length === 0
  );
}

function refusedVolumeName(name: string | undefined): string[] {
  return !name || dockerName.test(name) ? [] : refusedPath(name);
}

/** A bucket, or a directory of the host with one for each user in it. */
function refusedProfiles(path: string | undefined): string[] {
  return !path || path.startsWith("s3://") ? [] : refusedPath(profilesDirectory(path) || "/");
}

/**
 * A volume of Docker's local driver may be a directory or a disk of the host, and one of a type that is not known here may hold
 * such in its other options.
 */
function refusedDriver(
  driver: string | undefined,
  options: Readonly<Record<string, string>> | undefined,
): string[] {
  const { type = "", device = "" } = options ?? {};
  if (driver && driver !== "local") {
    return [`Its volume has the driver ${driver}, which no rule judges: choose local.`];
  }
  if (["nfs", "nfs4", "tmpfs"].includes(type)) {
    return [];
  }
  return Object.keys(options ?? {}).length === 0 ? [] : refusedPath(device || "/");
}

/** A tag with a whole version (1.29.1, 2026.9.6-slim) or a hash; tags that move have less than that or say so. */
const wholeVersion = /^v?\d+\.\d+\.\d+([.+_-][A-Za-z0-9._-]*)?$/;
const hash = /^([A-Za-z0-9._-]*-)?[0-9a-f]{12,64}$/;
const moving =
  /(^|[._-])(rolling|latest|stable|current|edge|nightly|daily|weekly|dev(el(op)?)?|main|master|snapshot|canary|next|unstable|testing|lts|mainline|head|tip|trunk|preview|experimental|live|prod(uction)?|staging)([._-]|$)/i;

function unpinned(reference: string | undefined): string[] {
  const tag = /:([^:/@]+)$/.exec(reference ?? "")?.[1] ?? "";
  const isPinned =
    // Docker takes no repository of that name.
    /(^|@)sha256:\w+$/.test(reference ?? "") ||
    ((wholeVersion.test(tag) || hash.test(tag)) && !moving.test(tag));
  return isPinned || !reference
    ? []
    : [`Its image ${reference} may be another one tomorrow: name a whole version or a digest.`];
}
