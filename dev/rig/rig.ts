import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { $ } from "zx";
import { ensureDocker } from "../../host/docker";
import { UserError } from "../../host/userError";
import { docker } from "../../tests/support/docker";
import { forwardThrough } from "./forward";
import { createHostNetwork, hostFlags } from "./hostContainer";
import { httpsGet } from "./https";
import {
  type CachedOpenclaw,
  flavours,
  ensureChromeImage,
  ensureCoreImage,
  ensureRigImage,
  type Flavour,
  removeCgroups,
} from "./images";
import { type ApiKey, ensureKeys, hostIdentity, newApiKey, readApiKey } from "./keys";
import { progress } from "../../host/terminal";

/** Which rig, and where it is reached. */
export interface RigOptions {
  /** Rigs with different names can run at the same time. @default "rig" */
  readonly name?: string;
  /** Port on 127.0.0.1 for SSH. @default 2222 */
  readonly sshPort?: number;
  /** Port on 127.0.0.1 for KASM. @default 8443 */
  readonly httpsPort?: number;
  /**
   * Processor cores that its Docker sees, a multiple of 8 up to 64: Docker refuses limits above the cores that are there.
   * @default the machine's
   */
  readonly cores?: number;
  /** Which OpenClaw its Docker has built a gateway's image with already. @default "real" */
  readonly openclaw?: CachedOpenclaw;
  /** Which kind of server it is. @default "static" */
  readonly flavour?: keyof typeof flavours;
}

/** What a command on the host came to. */
export interface Executed {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Which workspace a user opens, and how. */
export interface WorkspaceOptions {
  /** Name of the user. @default "user@kasm.local" */
  readonly user?: string;
  /** What the session is to open, as a link or a cast names it. */
  readonly kasmUrl?: string;
  /** The user's answers to the workspace's launch form. */
  readonly selections?: Record<string, string>;
}

/** A session that was started from a registered workspace. */
export interface WorkspaceSession {
  readonly containerId: string;
  readonly kasmId: string;
  /** Its address on the host; {@link Rig.forward} leads there. */
  readonly address: string;
}

/** What is to happen to the next calls of KASM's API by that name; see tests/kasmApi/handler.mjs. */
export interface ApiFault {
  readonly call: string;
  /** `drop`: not done, no answer; `cut`: done, no answer; `slow`: after `ms`; `answer`: this one, and nothing done. */
  readonly kind: "drop" | "cut" | "slow" | "answer";
  readonly times?: number;
  readonly status?: number;
  readonly body?: unknown;
  readonly ms?: number;
}

/** A running host with KASM on it, as its administrator and its users see it. */
export interface Rig {
  readonly name: string;
  readonly sshPort: number;
  readonly httpsPort: number;
  /**
   * Folder with what a client needs: `id_ed25519` and `id_ed25519.pub` (of kasm-admin, plain and docker-only),
   * `host_key.pub` (the SSH server's), `ca.pem` (the certificate to trust for https), `api_key.json` (of KASM's API,
   * with every permission).
   */
  readonly folder: string;
  readonly kasmVersion: string;
  /** Where KASM is installed. */
  readonly kasmDirectory: string;
  /** Name that KASM's core image has there, once {@link addCoreImage} has put it there. */
  readonly coreImage: string;
  /** The setting `openclaw:host` that leads to it, as an admin who uses sudo. */
  readonly host: Record<string, unknown>;
  /** Runs a bash script as root on the host and gives its output, trimmed; fails with what it said to stderr. */
  exec(script: string): Promise<string>;
  /** As {@link exec}, whatever the exit status is. */
  tryExec(script: string): Promise<Executed>;
  /**
   * What is on the host, to be compared before and after: `kasm` (its directory without logs), `etc`, `homes` (/root and
   * /home) with mode, owner and hash of each file; `containers` with image and networks, `networks`, `volumes`, `images`.
   */
  inventory(): Promise<Record<string, string[]>>;
  /** Starts a session as KASM's agent does and gives its container's id; fails when nginx refuses to reload. */
  startSession(options?: { extraHosts?: string[] }): Promise<string>;
  /** The key with every permission of KASM's API. */
  readonly apiKey: ApiKey;
  /** Makes another key of KASM's API, as an admin does in its pages. */
  addApiKey(permissions: readonly number[], options?: { readOnly?: boolean }): Promise<ApiKey>;
  /** Disturbs the next calls of KASM's API; an empty list ends it. */
  disturbApi(faults: readonly ApiFault[]): Promise<void>;
  /** Asks KASM's database and gives what psql prints without frames, or does there what an admin would do by hand. */
  sql(statements: string): Promise<string>;
  /** Rows of the tables that deployments and sessions change, to be compared before and after. */
  tables(): Promise<Record<"images" | "group_images" | "cast_configs" | "kasms", object[]>>;
  /** Puts the stand-in for `kasmweb/chrome` on the host, where the agent finds it. */
  addChrome(): Promise<void>;
  /** The stand-in for KASM's core image, to build desktop images on. */
  addCoreImage(): Promise<void>;
  /** Puts an image of this machine on the host, under another name. */
  addImage(image: string, name: string): Promise<void>;
  /**
   * Starts a session as KASM does when a user clicks a tile, from nothing but what was registered.
   * @throws Error in the agent's words, such as "No resources are available to create the requested Kasm"
   */
  startWorkspace(friendlyName: string, options?: WorkspaceOptions): Promise<WorkspaceSession>;
  /** As {@link startWorkspace}, by a cast's link. */
  startCast(key: string, options?: WorkspaceOptions): Promise<WorkspaceSession>;
  /** A port on this machine's 127.0.0.1 that leads to one of the host's network until `close`. */
  forward(address: string, port: number): Promise<{ readonly port: number; close(): void }>;
  /** Ends a session. */
  stopSession(id: string): Promise<void>;
  /** Makes the agent write and remove that many sessions' files, with a reload of nginx after each step. */
  churn(times: number): Promise<void>;
  /** How many SSH logins there have been. */
  sshConnections(): Promise<number>;
  /** Powers off without warning, then on: containers restart in a random order. Returns when KASM answers. */
  reboot(): Promise<void>;
  /** KASM's upgrade to the next patch release, with all that it loses on the way. */
  upgrade(): Promise<void>;
  /** Recreates kasm_proxy from its compose file. */
  recreateProxy(): Promise<void>;
}

/**
 * Starts a rig, or finds it running, and returns when its KASM answers. What is missing for it is built first.
 * @throws UserError when there is a rig of that name on other ports or from another state of this folder
 */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { name = "rig", sshPort = 2222, httpsPort = 8443, cores } = options;
  const { openclaw = "real", flavour = "static" } = options;
  await ensureDocker();
  const image = await ensureRigImage(openclaw, flavour);
  const rig = new ContainerRig(name, sshPort, httpsPort, flavours[flavour], cores);
  await rig.start(image);
  return rig;
}

/**
 * What the kernel allows the rig's running containers with names that begin so, by name, in cores and GiB: what is in force,
 * whatever Docker or a database say.
 */
export async function limitsInForce(
  rig: Rig,
  prefix: string,
): Promise<Record<string, { cores: number; memoryGb: number }>> {
  const text =
    await rig.exec(`for name in $(docker ps --filter name=^${prefix} --format '{{.Names}}'); do
    echo $name $(docker exec --user 0 $name sh -c '
      cd /sys/fs/cgroup
      if [ -e cpu.max ]; then cat cpu.max memory.max
      else cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes; fi')
  done`);
  const rows = text.split("\n").map((line) => line.split(" "));
  return Object.fromEntries(
    rows.map(([name = "", quota, period, bytes]) => [
      name,
      { cores: Number(quota) / Number(period), memoryGb: Number(bytes) / 2 ** 30 },
    ]),
  );
}

/** Takes a rig away: container, volume, network, control groups and keys. Images stay for the next one. */
export async function removeRig(name = "rig"): Promise<void> {
  const quiet = $({ quiet: true, nothrow: true });
  const id = identifier(name);
  const image = (await quiet`docker inspect --format ${"{{.Image}}"} ${id}`).stdout.trim();
  await quiet`docker rm --force --volumes ${id}`;
  await quiet`docker volume rm --force ${id}`;
  await quiet`docker network rm ${id}`;
  if (image !== "") {
    await removeCgroups(image, `/${id}`);
  }
  rmSync(folderOf(name), { recursive: true, force: true });
}

/** Name of the container, the volume, the network and the control group of a rig. */
function identifier(name: string): string {
  return `openclaw-kasm-rig-${name}`;
}

function folderOf(name: string): string {
  return join(__dirname, "../../.build/rig", name);
}

/** What a key needs for all that this project does with KASM's API. */
const allPermissions = [300, 400, 401, 441, 700, 701, 702, 703, 900, 901, 902, 903, 904];

class ContainerRig implements Rig {
  readonly folder: string;
  readonly host: Record<string, unknown>;
  readonly kasmVersion: string;
  readonly kasmDirectory: string;
  readonly coreImage: string;
  private readonly id: string;

  constructor(
    readonly name: string,
    readonly sshPort: number,
    readonly httpsPort: number,
    private readonly flavour: Flavour,
    private readonly cores?: number,
  ) {
    this.kasmVersion = flavour.kasmVersion;
    this.kasmDirectory = flavour.kasmDirectory;
    this.coreImage = `kasmweb/core-ubuntu-${flavour.core}:${flavour.kasmVersion}`;
    this.folder = folderOf(name);
    this.host = {
      address: "127.0.0.1",
      port: sshPort,
      user: "kasm-admin",
      privateKeyFile: join(this.folder, "id_ed25519"),
      hostKeyFile: join(this.folder, "host_key.pub"),
    };
    this.id = identifier(name);
  }

  async start(image: string): Promise<void> {
    if ((await this.state("{{.State.Status}}")) === "created") {
      // Whoever made it was stopped before it had its keys.
      await docker("rm", this.id);
    }
    await this.checkExisting(image);
    await ensureKeys(this.folder);
    if (!(await this.exists())) {
      progress(`Starting rig ${this.name}`);
      await this.create(image);
    }
    const started = await $({ quiet: true, nothrow: true })`docker start ${this.id}`;
    if (started.exitCode !== 0) {
      throw new UserError(`Rig ${this.name} can't be started: ${started.stderr.trim()}`);
    }
    await this.answers();
    await this.insertApiKey("rig", this.apiKey, allPermissions);
  }

  async exec(script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.tryExec(script);
    if (exitCode !== 0) {
      throw new Error(
        `on rig ${this.name}, exit status ${exitCode}: ${stderr.trim() || stdout.trim()}`,
      );
    }
    return stdout.trim();
  }

  async tryExec(script: string): Promise<Executed> {
    const { exitCode, stdout, stderr } = await $({
      quiet: true,
      nothrow: true,
    })`docker exec ${this.id} bash -c ${script}`;
    return { exitCode: exitCode ?? 1, stdout, stderr };
  }

  async inventory(): Promise<Record<string, string[]>> {
    const script = readFileSync(join(__dirname, "inventory.sh"), "utf8");
    const inventory: Record<string, string[]> = {};
    for (const line of (await this.exec(script)).split("\n").sort()) {
      const [section = "", entry = ""] = line.split("\t");
      (inventory[section] ??= []).push(entry);
    }
    return inventory;
  }

  async startSession(options: { extraHosts?: string[] } = {}): Promise<string> {
    const { containerId } = await this.agent("POST", "/sessions", options);
    return containerId ?? "";
  }

  get apiKey(): ApiKey {
    return readApiKey(this.folder);
  }

  async addApiKey(
    permissions: readonly number[],
    { readOnly = false }: { readOnly?: boolean } = {},
  ): Promise<ApiKey> {
    const key = newApiKey();
    await this.insertApiKey(key.api_key, key, permissions, readOnly);
    return key;
  }

  /** The form of tests/kasmApi/api.mjs; a key that is there already stays. */
  private async insertApiKey(
    name: string,
    key: ApiKey,
    permissions: readonly number[],
    readOnly = false,
  ): Promise<void> {
    const salt = randomBytes(8).toString("hex");
    const hash = createHash("sha256").update(`${key.api_key_secret}${salt}`).digest("hex");
    await this.sql(`
      WITH made AS (
        INSERT INTO api_configs (name, api_key, api_key_secret_hash, salt, read_only)
        VALUES ('${name}', '${key.api_key}', '${hash}', '${salt}', ${readOnly.toString()})
        ON CONFLICT DO NOTHING RETURNING api_id)
      INSERT INTO group_permissions (api_id, permission_id)
      SELECT api_id, permission_id FROM made, unnest(ARRAY[${permissions.join()}]::integer[]) AS permission_id`);
  }

  async disturbApi(faults: readonly ApiFault[]): Promise<void> {
    await this.ask("kasm_api", 8080, "POST", "/api/stand-in/faults", faults);
  }

  async sql(statements: string): Promise<string> {
    const { stdout } = await $({
      quiet: true,
      input: statements,
    })`docker exec --interactive ${this.id} docker exec --interactive kasm_db psql -U kasmapp -d kasm -X -q -A -t -v ON_ERROR_STOP=1`;
    return stdout.trim();
  }

  async tables() {
    const rows = (name: string) =>
      `'${name}', (SELECT coalesce(json_agg(r ORDER BY r::text), '[]') FROM ${name} r)`;
    const names = ["images", "group_images", "cast_configs", "kasms"];
    const text = await this.sql(`SELECT json_build_object(${names.map(rows).join()})`);
    return JSON.parse(text) as Awaited<ReturnType<Rig["tables"]>>;
  }

  async addChrome(): Promise<void> {
    await this.addImage(await ensureChromeImage(), `kasmweb/chrome:${this.kasmVersion}`);
  }

  async addCoreImage(): Promise<void> {
    await this.addImage(await ensureCoreImage(this.flavour.core), this.coreImage);
  }

  async addImage(image: string, name: string): Promise<void> {
    if ((await this.tryExec(`docker image inspect ${name}`)).exitCode !== 0) {
      await $({
        quiet: true,
      })`docker save ${image} | docker exec --interactive ${this.id} docker load --quiet`;
      await this.exec(`docker tag ${image} ${name} && docker image rm ${image}`);
    }
  }

  async startWorkspace(
    friendlyName: string,
    options: WorkspaceOptions = {},
  ): Promise<WorkspaceSession> {
    return await this.open({ friendlyName }, options);
  }

  async startCast(castKey: string, options: WorkspaceOptions = {}): Promise<WorkspaceSession> {
    return await this.open({ castKey }, options);
  }

  private async open(
    which: object,
    { user: username, ...options }: WorkspaceOptions,
  ): Promise<WorkspaceSession> {
    const asked = { ...which, username, ...options };
    return (await this.agent("POST", "/workspaces", asked)) as unknown as WorkspaceSession;
  }

  async forward(address: string, port: number) {
    return await forwardThrough(this.id, address, port);
  }

  async stopSession(id: string): Promise<void> {
    await this.agent("DELETE", `/sessions/${id}`);
  }

  async churn(times: number): Promise<void> {
    await this.agent("POST", "/churn", { times });
  }

  async sshConnections(): Promise<number> {
    return Number(
      await this.exec("grep --count '^Accepted publickey for ' /var/log/sshd.log || true"),
    );
  }

  async reboot(): Promise<void> {
    await docker("kill", "--signal", "KILL", this.id);
    await docker("start", this.id);
    await this.answers();
  }

  async upgrade(): Promise<void> {
    await this.exec("/usr/local/share/kasm_release/upgrade.sh");
    await this.answers();
  }

  async recreateProxy(): Promise<void> {
    await this.exec(
      `cd ${this.kasmDirectory}/current/docker && docker compose up -d --force-recreate --no-deps proxy`,
    );
    await this.answers();
  }

  private async exists(): Promise<boolean> {
    return (await this.state("{{.Id}}")) !== undefined;
  }

  /** What Docker says of the container, nothing when there is none. */
  private async state(format: string): Promise<string | undefined> {
    const asked = await $({
      quiet: true,
      nothrow: true,
    })`docker inspect --type container --format ${format} ${this.id}`;
    return asked.exitCode === 0 ? asked.stdout.trim() : undefined;
  }

  private async label(name: string): Promise<string | undefined> {
    return await this.state(`{{index .Config.Labels "openclaw-kasm.rig.${name}"}}`);
  }

  private get ports(): string {
    return `${this.sshPort} ${this.httpsPort}`;
  }

  /** A stack may be deployed to a rig that exists: it is never replaced unasked. */
  private async checkExisting(image: string): Promise<void> {
    if (!(await this.exists())) {
      return;
    }
    const problems = [
      (await this.label("ports")) !== this.ports && "it is on other ports",
      (await this.label("image")) !== image && "dev/rig has changed since it was made",
      !existsSync(join(this.folder, "id_ed25519")) && "its keys are in another checkout",
    ].filter(Boolean);
    if (problems.length > 0) {
      throw new UserError(
        `There is a rig named ${this.name} that can't be used as it is: ${problems.join(", ")}. Take it away first: npm run rig -- down --name ${this.name}`,
      );
    }
  }

  private async create(image: string): Promise<void> {
    const leftovers = $({ quiet: true, nothrow: true });
    await leftovers`docker volume rm --force ${this.id}`;
    await leftovers`docker network rm ${this.id}`;
    await createHostNetwork(this.id);
    await this.createDisk(image);
    await docker(
      "create",
      ...["--name", this.id, "--network", this.id],
      ...["--publish", `127.0.0.1:${this.sshPort}:22`],
      ...["--publish", `127.0.0.1:${this.httpsPort}:443`],
      ...["--label", `openclaw-kasm.rig.image=${image}`],
      ...["--label", `openclaw-kasm.rig.ports=${this.ports}`],
      ...hostFlags(`/${this.id}`, this.id),
      ...(this.cores === undefined ? [] : ["--env", `RIG_CORES=${this.cores}`]),
      image,
    );
    await $({
      cwd: this.folder,
      quiet: true,
    })`tar --create --owner 0 --group 0 --transform ${"s,^,rig/,"} ${hostIdentity} | docker cp - ${`${this.id}:/etc/`}`;
  }

  private async createDisk(image: string): Promise<void> {
    await docker("volume", "create", this.id);
    await docker(
      ...["run", "--rm", "--network", "none"],
      // For the attributes that Docker keeps with the files of an image.
      ...["--cap-add", "SYS_ADMIN"],
      // A small page cache: in a virtual machine fresh memory can cost more than the disk does (8 s against 2 s, measured).
      ...["--memory", "200m"],
      ...["--volume", `${this.id}:/var/lib/docker`],
      ...[image, "rig-unpack"],
    );
  }

  /** Waits until the host has started everything and KASM answers through its proxy. */
  private async answers(): Promise<void> {
    const ca = readFileSync(join(this.folder, "ca.pem"));
    const url = `https://127.0.0.1:${this.httpsPort}/api/__healthcheck`;
    // Not Date.now(): a corrected clock is no reason to give up.
    const end = performance.now() + 120_000;
    for (;;) {
      const { status, body } = await httpsGet(url, ca);
      if (status === 200 && (await this.tryExec("test -e /run/rig-booted")).exitCode === 0) {
        return;
      }
      if (performance.now() > end || (await this.state("{{.State.Running}}")) !== "true") {
        throw new Error(
          `rig ${this.name}: KASM does not answer, last ${status} ${body}; see docker logs ${this.id}`,
        );
      }
      await sleep(100);
    }
  }

  private async agent(
    method: string,
    path: string,
    body: object = {},
  ): Promise<{ containerId?: string }> {
    return await this.ask("kasm_agent", 4444, method, `/agent${path}`, body);
  }

  /** Asks one of KASM's services from the host; it may still be starting. */
  private async ask(
    service: string,
    port: number,
    method: string,
    path: string,
    body: object,
  ): Promise<{ containerId?: string }> {
    const { exitCode, stdout, stderr } = await $({
      quiet: true,
      nothrow: true,
      input: JSON.stringify(body),
    })`docker exec --interactive ${this.id} bash -c ${`
      address=$(docker inspect --format '{{.NetworkSettings.Networks.kasm_default_network.IPAddress}}' ${service})
      for _ in {1..100}; do
        : 2>/dev/null >"/dev/tcp/$address/${port.toString()}" && break
        sleep 0.1
      done
      curl --silent --show-error --fail-with-body --request ${method} --data @- "http://$address:${port.toString()}${path}"`}`;
    const answer = (stdout === "" ? {} : JSON.parse(stdout)) as {
      containerId?: string;
      error_message?: string;
    };
    if (exitCode !== 0) {
      throw new Error(answer.error_message ?? stderr.trim());
    }
    return answer;
  }
}
