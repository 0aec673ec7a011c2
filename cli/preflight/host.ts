import { answerSeconds, dockerHangs } from "../../host/docker";
import { HostError } from "../../host/hostError";
import { which } from "zx";
import type { HostTarget } from "../../host/target";
import { profilesDirectory } from "../../components/hostDirectory";
import { profilePath } from "../../components/tileDefaults";
import { doorName, routeVariables } from "../../components/nginxRouteFile";
import { notOwn, otherStack } from "../../components/stackLabel";
import { namespace, type Settings } from "../../config";
import {
  hasDoors,
  hostSetting,
  imageHosts,
  kasmHost,
  privateAddressOf,
  privateAddressSetting,
  routeServers,
} from "../../config/host";
import { instancesOf } from "../../config/instances";
import { type Needs, needs, type Part } from "../../config/plans";
import { routeOf } from "../../config/route";
import { sharedDirectory } from "../../config/workspaces";
import { type Deployment, gatewaysOf, type HostDeployment, onHosts } from "../../pulumi/deployment";
import { runHostScript } from "../../host/run";
import { lostConnection } from "../../host/sshProblem";
import { overlayProblems } from "./swarm";
import { containerNames, networkNames } from "../../config/containers";

/** What assets/host/facts.sh prints: every value by its name, in order. */
export type HostFacts = ReadonlyMap<string, readonly string[]>;

/** The first value of that name, which is the only one of most. */
export const first = (facts: HostFacts, name: string) => facts.get(name)?.[0];

/**
 * Looks at the hosts on which the stack is to run, and changes nothing.
 * @param ownIds ids of the containers and networks that are the stack's own already
 * @param makesImages whether there are images to make even where all gateways are there already
 * @throws HostError with all that stands in the way
 */
export async function checkHost(
  deployment: Deployment,
  ownIds: readonly string[],
  makesImages = false,
): Promise<void> {
  const { stack } = deployment;
  const found = await onEach(onHosts(deployment), async ({ settings, target: own }) =>
    hostProblems({ settings, stack }, ownIds, await hostFacts(settings, own), makesImages),
  );
  const overlay = found.length === 0 ? await overlayProblems(deployment) : [];
  const servers = found.length === 0 ? hostsOfRoutes(deployment) : [];
  const refused = await onEach(servers, async ({ target: own, host }) => {
    const asked = gatewaysOf(deployment).map(({ settings }) =>
      routeProblems({ settings, stack, target: own }, host),
    );
    return [...new Set((await Promise.all(asked)).flat())];
  });
  const problems = [...found, ...overlay, ...refused];
  if (problems.length > 0) {
    throw new HostError(problems);
  }
}

/** Asks each host for problems, side by side. With several hosts each problem names its host. */
async function onEach(
  hosts: readonly HostDeployment[],
  ask: (deployment: HostDeployment) => Promise<readonly string[]>,
): Promise<string[]> {
  const found = await Promise.all(
    hosts.map(async (each) => {
      const problems = await ask(each).catch((error: unknown) => {
        if (error instanceof HostError) return error.problems;
        throw error;
      });
      return hosts.length === 1
        ? problems
        : problems.map((problem) => `${hostSetting(each.host)}: ${problem}`);
    }),
  );
  return found.flat();
}

/**
 * Checks, before a command works on data without a deployment, whether containers and data are the stack's own: its settings
 * may have been changed since, to what is another's.
 * @param ownIds as {@link checkHost} takes them
 * @throws HostError with all that is not
 */
export async function checkOwner(
  { settings, stack, target }: Pick<Deployment, "settings" | "stack" | "target">,
  ownIds: readonly string[],
): Promise<void> {
  const facts = await hostFacts(settings, target);
  const problems = facts.has("complete")
    ? [...foreignContainers(settings, ownIds, facts), ...ownerProblems({ settings, stack }, facts)]
    : [dockerHangs];
  if (problems.length > 0) {
    throw new HostError(problems);
  }
}

/**
 * Checks this machine before Docker is installed on it.
 * @throws HostError with what stands in the way and can be seen without Docker
 */
export async function checkBeforeDocker({
  settings,
  target,
}: Pick<Deployment, "settings" | "target">): Promise<void> {
  if ((await which("docker", { nothrow: true })) !== null) {
    return;
  }
  const problems = problemsBeforeDocker(settings, await hostFacts(settings, target));
  if (problems.length > 0) {
    throw new HostError(problems);
  }
}

async function hostFacts(settings: Settings, target: HostTarget): Promise<HostFacts> {
  const { exitCode, stdout, stderr } = await runHostScript(target, {
    script: "facts.sh",
    action: "look",
    variables: {
      CONTAINERS: containerNames(settings).join(" "),
      DIRECTORY: settings.directory,
      DIRECTORIES: [...directoriesOf(settings).keys()].join(" "),
      KASM_DIRECTORY: settings.kasmDirectory,
      IMAGE: settings.kasmImage.build ? desktopImage(settings) : "",
      NETWORKS: networkNames(settings).join(" "),
      VOLUMES: [...volumesOf(settings).keys()].join(" "),
      NEEDS_SUDO: target.ssh?.needsSudo ? "yes" : "no",
    },
    // A Docker engine that hangs never ends.
    seconds: answerSeconds,
  });
  const lost = lostConnection(settings.host, settings.onHost ?? kasmHost, exitCode, stderr);
  if (lost !== undefined) {
    throw new HostError([lost]);
  }
  if (settings.host) {
    refuseTalkingShell(stdout);
  }
  // Of what Docker does not answer, the rest has been said; here it is the look itself that failed.
  if (exitCode !== 0 && stdout === "") {
    throw new HostError([`it can't be inspected: ${stderr.trim() || "no answer"}`]);
  }
  return parseFacts(stdout);
}

/**
 * What a login shell prints on standard output ends up in every answer of the server, and breaks Docker's connection.
 * @throws HostError that names it
 */
function refuseTalkingShell(stdout: string): void {
  const greeting = stdout.split("facts=begin\n")[0]?.trim().split("\n")[0] ?? "";
  if (greeting !== "") {
    throw new HostError([
      `the login shell of openclaw:host prints text before it runs a command (${JSON.stringify(greeting.slice(0, 100))}): expected none. Take it out of the shell's start-up file (~/.bashrc), or let it be printed only where $- has an i`,
    ]);
  }
}

/** Returns the hosts with an nginx of KASM's that leads to the gateways. */
function hostsOfRoutes(deployment: Deployment): HostDeployment[] {
  const servers = routeServers(deployment.settings);
  return onHosts(deployment).filter(({ host }) => servers.includes(host));
}

async function routeProblems(
  { settings, stack, target }: Pick<Deployment, "settings" | "stack" | "target">,
  server: string,
): Promise<string[]> {
  const route = routeOf(settings, server);
  if (route === undefined) {
    return [];
  }
  const { stdout, stderr, exitCode } = await runHostScript(target, {
    script: "nginx-route.sh",
    action: "check",
    variables: routeVariables(route, stack),
    asRoot: true,
  });
  const problems = stdout.split("\n").filter((line) => line !== "");
  return exitCode === 0 ? problems : [...problems, stderr.trim()];
}

/** The lines of assets/host/facts.sh as values by name. */
export function parseFacts(output: string): HostFacts {
  const facts = new Map<string, string[]>();
  for (const line of output.split("\n")) {
    const [name, value] = [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)];
    if (line.includes("=")) {
      facts.set(name, [...(facts.get(name) ?? []), value]);
    }
  }
  return facts;
}

/** Everything about the host that stands in the way of what the settings ask for, in words. */
export function hostProblems(
  { settings, stack }: Pick<Deployment, "settings" | "stack">,
  ownIds: readonly string[],
  facts: HostFacts,
  makesImages = false,
): string[] {
  const sudoError = facts.get("sudoError")?.[0];
  const unfit = [
    ...(sudoError === undefined
      ? []
      : [
          `${settings.host?.user ?? "this user"} may not use sudo without a password: ${sudoError}; expected that, or openclaw:host.user root`,
        ]),
    ...(facts.get("missing") ?? []).map((tool) => `the command ${tool} is needed and not there`),
  ];
  const error = facts.get("dockerError")?.[0];
  if (error !== undefined) {
    const rights = /permission denied/i.test(error)
      ? `; expected that ${settings.host?.user ?? "this user"} may use Docker (group docker)`
      : "";
    return [...unfit, `Docker can't be used: ${error}${rights}`];
  }
  if (!facts.has("complete")) {
    return [...unfit, dockerHangs];
  }
  const found = (what: "container" | "published") =>
    (facts.get(what) ?? []).map((line) => line.split(" ") as [name: string, value: string]);
  const own = found("container").flatMap(([name, id]) => (ownIds.includes(id) ? [name] : []));
  const instances = instancesOf(settings).map(({ settings }) => settings);
  const missing = instances.filter(({ containerName }) => !own.includes(containerName));
  const problems = [
    ...unfit,
    ...engineProblems(settings, facts),
    ...sizeProblems(needs(settings), facts),
  ];

  problems.push(...memoryProblems(missing.length, facts));
  // Without a gateway here, it shows in forwarders or in the desktop image whether images are there already.
  const isFirst =
    instances.length > 0
      ? missing.length === instances.length
      : getsImages(settings) && own.length === 0 && !facts.has("image");
  if (makesImages || isFirst) {
    problems.push(...diskProblems(settings, facts));
  }
  problems.push(
    ...foreignContainers(settings, ownIds, facts),
    ...ownerProblems({ settings, stack }, facts),
  );
  for (const instance of [...instances, ...doorsOf(settings)]) {
    const sockets = found("published")
      .filter(([name]) => name === instance.containerName && own.includes(name))
      .map(([, socket]) => socket);
    problems.push(...addressProblems(instance, facts), ...portProblems(instance, sockets, facts));
  }
  return [...new Set(problems), ...kasmImageProblems(settings, facts)];
}

/** Whether images are built on the host that settings are narrowed to. */
function getsImages(settings: Settings): boolean {
  const { kasmImage, onHost = kasmHost } = settings;
  return kasmImage.build || imageHosts(settings).includes(onHost);
}

/** What is published of gateways for a KASM server elsewhere, in the form of a gateway's own settings. */
function doorsOf(settings: Settings): Published[] {
  const { onHost = kasmHost } = settings;
  const privateAddress = privateAddressOf(settings);
  return privateAddress === undefined || !hasDoors(settings)
    ? []
    : instancesOf(settings).map(({ settings: own }) => ({
        containerName: doorName(own.containerName),
        port: own.port,
        publishAddresses: [privateAddress],
        instances: own.instances,
        addressSetting: privateAddressSetting(onHost),
      }));
}

/** Where a container is published, and the setting that says so. */
type Published = Pick<Settings, "containerName" | "port" | "publishAddresses" | "instances"> & {
  readonly addressSetting?: string;
};

/** What Docker's engine lacks without which limits fail, or differ from what was asked for at each refresh. */
const engineLimits: Readonly<Record<string, string>> = {
  CpuCfsQuota: "processors: expected a kernel with CONFIG_CFS_BANDWIDTH",
  MemoryLimit: "memory: expected a kernel with memory control groups (cgroup_enable=memory)",
  SwapLimit: "swap: expected the kernel's parameters cgroup_enable=memory swapaccount=1",
};

/** Kinds of engines in which a directory of the host is another one for a container, or is shut. */
const engineKinds: Readonly<Record<string, string>> = {
  rootless:
    "runs rootless, and OpenClaw's files on the host belong to root and to uid 1000: expected the engine that root runs",
  userns:
    "maps users (userns-remap), so a container is not the owner of its files on the host: expected userns-remap off",
  selinux:
    "labels containers by SELinux, which shuts directories of the host to them: expected selinux-enabled off",
};

/** What Docker's engine can't do, and this program needs. */
function engineProblems(settings: Settings, facts: HostFacts): string[] {
  const osType = facts.get("osType")?.[0] ?? "linux";
  if (osType !== "linux") {
    return [`Docker runs containers of ${osType}: expected those of linux`];
  }
  const limits = (facts.get("lacks") ?? []).map(
    (name) => `Docker can't limit ${engineLimits[name] ?? name} (docker info: ${name} is false)`,
  );
  const { dataVolume, nginxRoute, workspaces } = settings;
  const usesDirectories =
    dataVolume === "" || nginxRoute.mode !== "none" || workspaces.desktop !== undefined;
  if (!usesDirectories) {
    return limits;
  }
  const root = facts.get("dockerRoot")?.[0] ?? "";
  const hint = `; or use no directory of the host: ${namespace}:dataVolume, no nginxRoute and no desktop tile`;
  const kinds = (facts.get("security") ?? []).flatMap((option) => {
    const kind = engineKinds[/^name=(\w+)/.exec(option)?.[1] ?? ""];
    return kind === undefined ? [] : [`Docker ${kind}${hint}`];
  });
  return [
    ...limits,
    ...kinds,
    ...(root.startsWith("/var/snap/")
      ? [
          `Docker is a snap, which sees no directory of the host but home directories: expected Docker's own package or the distribution's${hint}`,
        ]
      : []),
  ];
}

/** Containers and networks that have the names of the settings and are not in the stack's state. */
function foreignContainers(
  { overlay }: Settings,
  ownIds: readonly string[],
  facts: HostFacts,
): string[] {
  const settingOf = (what: string, name: string) =>
    what === "network" && name === overlay?.name ? "overlay.name" : `${what}Name`;
  return (["container", "network"] as const).flatMap((what) =>
    (facts.get(what) ?? [])
      .map((line) => line.split(" "))
      .filter(([, id = ""]) => !ownIds.includes(id))
      .map(
        ([name = ""]) =>
          `there is a ${what} named ${name} already that this stack did not make: remove it or change ${namespace}:${settingOf(what, name)}`,
      ),
  );
}

/** Volumes for data, with the settings that name them. */
function volumesOf(settings: Settings): Map<string, string> {
  const names = instancesOf(settings).flatMap(({ settings: { dataVolume } }) => dataVolume || []);
  return new Map(names.map((name) => [name, "dataVolume"]));
}

/** Directories that are made on the host, with the settings that name them. */
function directoriesOf(settings: Settings): Map<string, string> {
  const data = settings.dataVolume
    ? []
    : instancesOf(settings).map(
        ({ settings: { directory } }) => [`${directory}/data`, "directory"] as const,
      );
  const { desktop } = settings.workspaces;
  const sessions =
    desktop === undefined
      ? []
      : ([
          [sharedDirectory(settings, desktop), "workspaces.desktop.sharedDirectory"],
          [
            profilesDirectory(profilePath({ ...desktop, host: settings })),
            "workspaces.desktop.persistentProfilePath",
          ],
        ] as const);
  return new Map([...data, ...sessions].filter(([path]) => path !== ""));
}

/** The name under which KASM's tiles start the desktop image. */
function desktopImage({ kasmImage }: Settings): string {
  return `${kasmImage.name}:latest`;
}

/**
 * What another stack or another program created, by its label or by a record beside a directory. A directory without a record
 * may be used: the script that keeps it never changes or deletes what it did not create.
 */
function ownerProblems(
  { settings, stack }: Pick<Deployment, "settings" | "stack">,
  facts: HostFacts,
): string[] {
  const named = [
    { what: "volume", names: volumesOf(settings), refusal: notOwn },
    { what: "directory", names: directoriesOf(settings), refusal: otherStacks },
    {
      what: "image",
      names: new Map([[desktopImage(settings), "kasmImage.name"]]),
      refusal: notOwn,
    },
  ];
  return named.flatMap(({ what, names, refusal }) =>
    (facts.get(what) ?? []).flatMap((line) => {
      const [name = "", owner = ""] = line.split(" ");
      const reason = refusal(owner, stack);
      return reason === undefined
        ? []
        : [`the ${what} ${name} ${reason}: change ${namespace}:${names.get(name) ?? what}`];
    }),
  );
}

function otherStacks(owner: string, stack: string): string | undefined {
  const other = otherStack(owner, stack);
  return other && `is of stack ${other}`;
}

/** Returns what prevents a deployment on a machine without Docker; Docker's address and disk do not exist yet. */
export function problemsBeforeDocker(settings: Settings, facts: HostFacts): string[] {
  const instances = instancesOf(settings);
  return [
    ...memoryProblems(instances.length, facts),
    ...dataDiskProblems(settings, facts),
    ...instances.flatMap((instance) => portProblems(instance.settings, [], facts)),
  ];
}

function amount(facts: HostFacts, name: string): number {
  return Number(facts.get(name)?.[0] ?? Infinity);
}

/** What a number of gateways that are to be started finds too little of. */
function memoryProblems(count: number, facts: HostFacts): string[] {
  const [needed, available] = [count * leastAvailableMb, amount(facts, "availableMb")];
  return available < needed
    ? [
        `OpenClaw needs ${needed.toString()} MiB of free memory to start, ${available.toString()} MiB are available`,
      ]
    : [];
}

function diskProblems(settings: Settings, facts: HostFacts): string[] {
  const [needed, free] = [freeSpaceMb(settings), amount(facts, "freeMb")];
  const docker =
    free < needed
      ? [
          `Docker's disk needs ${needed.toString()} MiB of free space for images, their build and desktops, ${free.toString()} MiB are free`,
        ]
      : [];
  return [...docker, ...dataDiskProblems(settings, facts)];
}

function dataDiskProblems({ dataVolume, directory }: Settings, facts: HostFacts): string[] {
  const free = amount(facts, "dataFreeMb");
  return dataVolume === "" && free < leastDataMb
    ? [
        `the disk of ${namespace}:directory ${directory} needs ${leastDataMb.toString()} MiB of free space, ${free.toString()} MiB are free`,
      ]
    : [];
}

/** What the host has too little of, whatever else runs on it. */
function sizeProblems({ cores, memoryMb, diskMb }: Needs, facts: HostFacts): string[] {
  const short = (parts: readonly Part[], fact: string, unit: string, owner: string) => {
    const there = Number(facts.get(fact)?.[0] ?? Infinity);
    const [first] = parts;
    const asking =
      parts.length === 1 && first
        ? `${namespace}:${first.by} asks`
        : `${parts.map(({ by, amount }) => `${namespace}:${by} (${amount.toString()})`).join(", ")} together ask`;
    return sum(parts) <= there
      ? []
      : [`${asking} for ${sum(parts).toString()} ${unit}, ${owner} has ${there.toString()}`];
  };
  return [
    ...short(cores, "cores", "processor cores", "Docker"),
    ...short(memoryMb, "memoryMb", "MiB of memory", "the machine"),
    ...short(diskMb, "diskMb", "MiB of disk", "Docker's disk"),
  ];
}

/** The gateway at rest takes about 1 GiB (measured); below this it would be killed while it starts. Its limit is for what it does later. */
const leastAvailableMb = 1536;

/** OpenClaw's own files and a start on what people leave there. */
const leastDataMb = 512;

/** Base image, gateway image and the layers between them, with room to spare. */
const leastFreeMb = 5120;

/** KASM's core image, ours on it, and the layers between them. */
const kasmImageMb = 6144;

/** Debian's Chromium and what it needs, on the base image. */
const browserImageMb = 1024;

/** What a first deployment writes; a desktop plan's disk has room for the images too. */
function freeSpaceMb(settings: Settings): number {
  const images =
    leastFreeMb +
    (settings.kasmImage.build ? kasmImageMb : 0) +
    (settings.browser === "sidecar" ? browserImageMb : 0);
  return Math.max(images, sum(needs(settings).diskMb));
}

function sum(parts: readonly Part[]): number {
  return parts.reduce((total, { amount }) => total + amount, 0);
}

/** KASM asks for a core image of its own minor version; a tag without one, or a digest, is taken on trust. */
function kasmImageProblems({ kasmImage }: Settings, facts: HostFacts): string[] {
  const server = facts.get("kasmVersion")?.[0];
  const [wanted, found] = [server, kasmImage.baseImage?.split(":")[1]].map(
    (version) => /^\d+\.\d+(?=\.|$)/.exec(version ?? "")?.[0],
  );
  if (!kasmImage.build || wanted === undefined || found === undefined || wanted === found) {
    return [];
  }
  return [
    `${namespace}:kasmImage has the baseImage ${kasmImage.baseImage ?? ""}, the KASM server is ${server ?? ""}: expected a tag that starts with ${wanted}`,
  ];
}

function addressProblems(
  { publishAddresses, addressSetting = `${namespace}:publishAddresses` }: Published,
  facts: HostFacts,
): string[] {
  const addresses = facts.get("address") ?? [];
  return publishAddresses
    .filter(
      (address) =>
        address !== "0.0.0.0" && !address.startsWith("127.") && !addresses.includes(address),
    )
    .map(
      (address) =>
        `${addressSetting} has ${address}, which is not an address of this host (${addresses.join(", ")})`,
    );
}

function portProblems(settings: Published, own: readonly string[], facts: HostFacts): string[] {
  const listening = (facts.get("listening") ?? [])
    .map(decodeSocket)
    .filter((socket) => !own.includes(socket));
  const hint =
    settings.instances.length > 0
      ? `; if a gateway of this stack has it that is to go or to move, run down first, which keeps the data`
      : "";
  const port = settings.port.toString();
  return settings.publishAddresses.flatMap((address) => {
    const taken = listening.find(
      (socket) =>
        socket.endsWith(`:${port}`) &&
        (address === "0.0.0.0" || socket === `${address}:${port}` || socket === `0.0.0.0:${port}`),
    );
    return taken === undefined
      ? []
      : [
          `port ${port} on ${address} is taken by another program (listening on ${taken}): free it or change ${namespace}:port${hint}`,
        ];
  });
}

/**
 * `127.0.0.1:8180` from the kernel's `0100007F:1FF4`. The any-address of IPv6 reads as 0.0.0.0, because it takes the
 * port of IPv4 too; other IPv6 addresses are of no interest here.
 */
export function decodeSocket(socket: string): string {
  const [address = "", port = ""] = socket.split(":");
  const bytes = (address.match(/../g) ?? []).map((byte) => parseInt(byte, 16));
  const isAny = bytes.every((byte) => byte === 0);
  const readable = isAny ? "0.0.0.0" : bytes.length === 4 ? bytes.reverse().join(".") : "[ipv6]";
  return `${readable}:${parseInt(port, 16).toString()}`;
}
