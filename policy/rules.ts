import { isAbsolute, relative } from "node:path";
import type { ContainerArgs, RemoteImageArgs } from "@pulumi/docker";
import type { Unwrap } from "@pulumi/pulumi";
import { looksSecret } from "../components/kasmApi/secretNames";

/** A container of Docker's. */
export type Container = Partial<Unwrap<ContainerArgs>>;

/** An image that is pulled or built. */
export type Image = Unwrap<RemoteImageArgs>;

/** A workspace in KASM, from which KASM starts containers. */
export interface Workspace {
  /** Docker reference; nothing for a link. */
  readonly image?: string;
  /** Arguments of docker-py's `containers.run`. */
  readonly runConfig: {
    readonly privileged?: boolean;
    readonly volumes?: readonly string[] | object;
    readonly environment?: Readonly<Record<string, string>>;
  };
  /** By directory of the agent's host. */
  readonly volumeMappings?: object;
  /** The user's word that secrets may stand in `runConfig`. */
  readonly allowSecretsInRunConfig?: boolean;
}

/**
 * What every resource of a kind has to hold to. A check gets the resource's inputs, secrets in clear, and gives a
 * sentence for each thing that is wrong, which names what to do and repeats no value that may be a secret.
 */
export interface Rule {
  readonly name: string;
  readonly description: string;
  readonly container?: (container: Container) => string[];
  readonly image?: (image: Image) => string[];
  readonly workspace?: (workspace: Workspace) => string[];
}

export const rules: readonly Rule[] = [
  {
    name: "ports-on-chosen-addresses",
    description: "No port is open on all addresses of the host.",
    container: ({ ports, publishAllPorts, networkMode }) => [
      ...(ports ?? [])
        .filter(({ ip }) => ip === undefined || anyAddress.includes(ip))
        .map(
          ({ internal }) =>
            `Port ${internal.toString()} is published on all addresses: choose some (openclaw:publishAddresses).`,
        ),
      ...(publishAllPorts ? ["All ports are published: name those that people need."] : []),
      ...(networkMode === "host" ? ["It shares the host's network: give it one of its own."] : []),
    ],
  },
  {
    name: "not-privileged",
    description: "No container is privileged: it could do what the host's root can.",
    container: ({ privileged }) => (privileged ? [unprivileged] : []),
    workspace: ({ runConfig }) => (runConfig.privileged ? [unprivileged] : []),
  },
  {
    name: "no-docker-socket",
    description: "No container has Docker's socket: who has it is root on the host.",
    container: ({ volumes, mounts }) =>
      withSocket([
        ...(volumes ?? []).map(({ hostPath }) => hostPath),
        ...(mounts ?? []).map(({ source }) => source),
      ]),
    workspace: ({ volumeMappings, runConfig: { volumes } }) =>
      withSocket([
        ...Object.keys(volumeMappings ?? {}),
        ...(Array.isArray(volumes) ? (volumes as string[]) : Object.keys(volumes ?? {})).map(
          (volume) => volume.split(":")[0],
        ),
      ]),
  },
  {
    name: "images-pinned",
    description: "Images are pinned: the same declaration is the same image tomorrow.",
    // A preview can't know the id of an image that is still to be pulled or built; an id is always pinned.
    container: (container) => unpinned(known(() => container.image)),
    // What is built is pinned by what it is built from.
    image: ({ name, build }) => (build === undefined ? unpinned(name) : []),
    workspace: (workspace) => unpinned(known(() => workspace.image)),
  },
  {
    name: "memory-limited",
    description: "Memory is limited: nothing takes the host down with it.",
    container: ({ memory }) =>
      (memory ?? 0) > 0 ? [] : ["It may take all memory: set a limit (openclaw:memoryMb)."],
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
    workspace: ({ runConfig, allowSecretsInRunConfig }) =>
      allowSecretsInRunConfig
        ? []
        : Object.entries(runConfig.environment ?? {})
            .filter(([name, value]) => looksSecret(name) && value !== "")
            .map(([name]) => `Its run config sets ${name}: use a launch form or a file.`),
  },
];

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

const dayMilliseconds = 86_400_000;

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
    const days = Math.floor((now - Date.parse(from)) / dayMilliseconds);
    return days > maxDays
      ? [
          `Its packages are ${days.toString()} days old, and openclaw:maxImageDays is ${maxDays.toString()}: npm run rebuild.`,
        ]
      : [];
  },
};

const unprivileged = "It runs privileged: give it the capabilities that it needs.";

const anyAddress = ["", "0.0.0.0", "::", "[::]"];

/** The one problem of each path that is Docker's socket or a directory above it. */
function withSocket(paths: readonly (string | undefined)[]): string[] {
  return paths
    .filter((path) => path !== undefined)
    .filter((path) => sockets.some((socket) => isWithin(path, socket)))
    .map((path) => `${path} gives it Docker's socket: leave it on the host.`);
}

const sockets = ["/var/run/docker.sock", "/run/docker.sock"];

function isWithin(directory: string, path: string): boolean {
  const rest = relative(directory, path);
  return isAbsolute(directory) && !rest.startsWith("..");
}

function unpinned(reference: string | undefined): string[] {
  const tag = /:([^:/]+)$/.exec(reference ?? "")?.[1];
  const isPinned = reference?.includes("sha256:") || (tag !== undefined && tag !== "latest");
  return isPinned || !reference
    ? []
    : [`Its image ${reference} may be another one tomorrow: name a tag or digest.`];
}

/** A property, or nothing while a preview can't know it: the policy SDK throws when such a one is read. */
function known<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
