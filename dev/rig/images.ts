import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { $ } from "zx";
import { contextHash } from "../../components/contextHash";
import { docker } from "../../tests/support/docker";
import { lightFolder, useLightOpenclaw } from "../../tests/support/lightOpenclaw";
import { createHostNetwork, hostFlags } from "./hostContainer";
import { progress } from "../../host/terminal";

const repository = join(__dirname, "../..");
const upstreamBase = "node:26-bookworm-slim";

/** What a server with KASM is like. */
export interface Flavour {
  /** Release of Debian, of which its Docker is. */
  readonly debian: "bookworm" | "trixie";
  readonly kasmVersion: string;
  readonly kasmDirectory: string;
  /** What KASM's bin/start adds to `docker compose up`. */
  readonly startOptions: string;
  /** Ubuntu of KASM's core image there. */
  readonly core: CoreRelease;
}

/** `static` is a server of some years, `rolling` one as KASM installs it now (images that are pulled and containers made anew at each start). */
export const flavours = {
  static: {
    debian: "bookworm",
    kasmVersion: "1.17.0",
    kasmDirectory: "/opt/kasm",
    startOptions: "",
    core: "jammy",
  },
  rolling: {
    debian: "trixie",
    kasmVersion: "1.19.0",
    kasmDirectory: "/data/kasm",
    startOptions: "--force-recreate",
    core: "noble",
  },
} as const satisfies Record<string, Flavour>;

/** Folders here that are images of the inner Docker, and the names that they have there without KASM's version. */
const innerImages = {
  "kasm-proxy": "kasmweb/proxy",
  "kasm-db": "kasmweb/postgres",
  "kasm-api": "kasmweb/api",
  "kasm-agent": "kasmweb/agent",
  session: "kasmweb/session-like:1.17.0",
} as const;

/** Those of them that work on KASM's database; what they share is put beside their files while they are built. */
const withDatabase = ["kasm-api", "kasm-agent"];
const clientFolder = join(__dirname, "postgres-client");
const apiFolder = join(__dirname, "../../tests/kasmApi");
const gatewayFolder = join(repository, "assets/gateway-image");

/** Which OpenClaw a server's Docker has built an image with already, so that deployments to a rig need not. */
export type CachedOpenclaw = "light" | "real";

/**
 * Makes sure that the image of a rig is on this machine's Docker, with KASM installed in it, and gives its name. Each part
 * is built when something that it is made from has changed.
 */
export async function ensureRigImage(
  openclaw: CachedOpenclaw,
  name: keyof typeof flavours = "static",
): Promise<string> {
  const flavour: Flavour = flavours[name];
  const base = baseName();
  const host = hostFrom(base, name);
  const inner = Object.keys(innerImages).map((folder) => builtFrom(folder, base));
  const ready = `openclaw-kasm/rig-ready-${name}-${openclaw}:${contextHash(
    join(__dirname, "host"),
    {
      parts: [host, ...inner].map(({ name }) => name).join(),
      gateway: contextHash(gatewayFolder),
      light: openclaw === "light" ? contextHash(lightFolder) : "",
    },
  )}`;
  if (await isThere(ready)) {
    return ready;
  }
  await ensureBase(base);
  await ensureBuilt(host, base, {
    SUITE: flavour.debian,
    KASM_VERSION: flavour.kasmVersion,
    KASM_DIRECTORY: flavour.kasmDirectory,
    KASM_START_OPTIONS: flavour.startOptions,
  });
  for (const part of inner) {
    await ensureBuilt(part, base);
  }
  const names = new Map([[base, upstreamBase]]);
  for (const { folder, name } of inner) {
    const there = innerImages[folder as keyof typeof innerImages];
    names.set(name, there.includes(":") ? there : `${there}:${flavour.kasmVersion}`);
  }
  await prepare(ready, host.name, names, openclaw);
  return ready;
}

/**
 * Makes sure that the stand-in for KASM's Chrome image is on this machine's Docker and gives its name. It is no part of
 * a rig's image, because the browser would more than double what each rig unpacks at its start.
 */
export async function ensureChromeImage(): Promise<string> {
  const base = baseName();
  const session = builtFrom("session", base);
  const chrome = builtFrom("chrome", session.name);
  if (!(await isThere(chrome.name))) {
    await ensureBase(base);
    await ensureBuilt(session, base);
    await ensureBuilt(chrome, session.name);
  }
  return chrome.name;
}

/** Ubuntu releases that KASM has core images of. */
export type CoreRelease = "jammy" | "noble";

/**
 * Makes sure that the stand-in for KASM's core image on that Ubuntu is on this machine's Docker and gives its name. As with
 * Chrome's, it is no part of a rig's image.
 */
export async function ensureCoreImage(release: CoreRelease): Promise<string> {
  return await ensureOnBase("core-image", release);
}

/** Makes sure that the light stand-in for a gateway is on this machine's Docker and gives its name. */
export async function ensureLightImage(): Promise<string> {
  return await ensureOnBase("../bench/light-image");
}

/** @param suite the Ubuntu of an image that is built on several */
async function ensureOnBase(folder: string, suite?: CoreRelease): Promise<string> {
  const base = baseName();
  const { name } = builtFrom(folder, base);
  const part = { folder, name: suite === undefined ? name : name.replace(":", `-${suite}:`) };
  if (!(await isThere(part.name))) {
    await ensureBase(base);
    await ensureBuilt(part, base, suite === undefined ? {} : { SUITE: suite });
  }
  return part.name;
}

interface Part {
  /** Folder of its files, seen from this one. */
  readonly folder: string;
  readonly name: string;
}

/** The rigs' own name of the base: no stack takes it from them. */
function baseName(): string {
  return `openclaw-kasm/rig-base:${contextHash(join(repository, "assets/base-image"), { upstream: upstreamBase })}`;
}

async function ensureBase(base: string): Promise<void> {
  await $({
    cwd: repository,
    quiet: true,
  })`assets/base-image/ensure.sh ${base} ${upstreamBase}`;
  await removeOlder(base);
}

function builtFrom(folder: string, base: string): Part {
  const shared: Record<string, string> = withDatabase.includes(folder)
    ? { api: contextHash(apiFolder), client: contextHash(clientFolder) }
    : {};
  const hash = contextHash(join(__dirname, folder), { base, ...shared });
  return { folder, name: `openclaw-kasm/rig-${basename(folder)}:${hash}` };
}

/** The host of a flavour; its name has the flavour in it, because each has one of its own. */
function hostFrom(base: string, flavour: keyof typeof flavours): Part {
  const hash = contextHash(join(__dirname, "host"), { base, ...flavours[flavour] });
  return { folder: "host", name: `openclaw-kasm/rig-host-${flavour}:${hash}` };
}

async function isThere(image: string): Promise<boolean> {
  return (await $({ quiet: true, nothrow: true })`docker image inspect ${image}`).exitCode === 0;
}

async function ensureBuilt(
  { folder, name }: Part,
  base: string,
  values: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (await isThere(name)) {
    return;
  }
  progress(`Building the rig's image ${name}`);
  const context = mkdtempSync(join(tmpdir(), "openclaw-rig-image-"));
  try {
    cpSync(join(__dirname, folder), context, { recursive: true });
    if (withDatabase.includes(folder)) {
      await addShared(context);
    }
    const buildArguments = Object.entries({ BASE_IMAGE: base, ...values }).flatMap(
      ([argument, value]) => ["--build-arg", `${argument}=${value}`],
    );
    // The clone's modes depend on the umask; images are read by other accounts than root.
    await $({ quiet: true })`chmod -R u=rwX,go=rX ${context}`;
    await $({ quiet: true })`docker build ${buildArguments} --tag ${name} ${context}`;
  } finally {
    rmSync(context, { recursive: true });
  }
  await removeOlder(name);
}

/** The API, and PostgreSQL's client with its packages: fetched here, where npm trusts what this machine trusts. */
async function addShared(context: string): Promise<void> {
  cpSync(apiFolder, join(context, "kasmApi"), { recursive: true });
  cpSync(clientFolder, join(context, "postgres-client"), { recursive: true });
  await $({
    cwd: join(context, "postgres-client"),
    quiet: true,
  })`npm ci --ignore-scripts --no-audit --no-fund`;
  await $({ cwd: context, quiet: true })`mv postgres-client/node_modules .`;
}

/** Installs KASM on a host and keeps the result as image `ready`. `names` are the inner images and what they are called there. */
async function prepare(
  ready: string,
  host: string,
  names: ReadonlyMap<string, string>,
  openclaw: CachedOpenclaw,
): Promise<void> {
  progress(`Installing KASM in the rig's image ${ready}`);
  const gateway = mkdtempSync(join(tmpdir(), "openclaw-rig-gateway-"));
  cpSync(gatewayFolder, gateway, { recursive: true });
  if (openclaw === "light") {
    useLightOpenclaw(gateway);
  }
  const run = `openclaw-kasm-rig-prepare-${process.pid.toString()}`;
  const pairs = [...names].map(([image, name]) => `${image}=${name}`);
  const mounts = Object.entries({
    [gateway]: "/run/gateway-image",
    [process.env.NODE_EXTRA_CA_CERTS ?? "/dev/null"]: "/run/extra-ca.pem",
  }).flatMap(([here, there]) => ["--volume", `${here}:${there}:ro`]);
  try {
    await createHostNetwork(run);
    await $({
      quiet: true,
    })`docker save ${[...names.keys()]} | docker run --interactive --network ${run} --name ${run} ${hostFlags(`/${run}`, run)} ${mounts} ${host} rig-prepare ${pairs}`;
    await docker("commit", "--change", 'CMD ["rig-boot"]', run, ready);
  } finally {
    const leftovers = $({ quiet: true, nothrow: true });
    await leftovers`docker rm --force ${run}`;
    await leftovers`docker volume rm --force ${run}`;
    await leftovers`docker network rm ${run}`;
    await removeCgroups(host, `/${run}`);
    rmSync(gateway, { recursive: true });
  }
  await removeOlder(ready);
}

/** Images of the same part that no rig uses any more. */
async function removeOlder(name: string): Promise<void> {
  const [part = ""] = name.split(":");
  const all = await docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", part);
  for (const older of all.split("\n").filter((image) => image !== "" && image !== name)) {
    await $({ quiet: true, nothrow: true })`docker image rm ${older}`;
  }
}

/** Takes away the control groups that a killed host left on the machine. */
export async function removeCgroups(image: string, cgroupParent: string): Promise<void> {
  const script = `find /sys/fs/cgroup -depth -type d \\( -path "*$1" -o -path "*$1/*" \\) -exec rmdir {} +`;
  await $({
    quiet: true,
    nothrow: true,
  })`docker run --rm --network none --volume /sys/fs/cgroup:/sys/fs/cgroup:rw ${image} sh -c ${script} sh ${cgroupParent}`;
}
