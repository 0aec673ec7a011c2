import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, httpsGet } from "../../dev/rig/https";
import type { Rig } from "../../dev/rig/rig";
import { eventually } from "./docker";
import { type Project, refusal } from "./project";
import { kasmDirectory, kasmUrl } from "./workerRig";

export const containersFolder = `${kasmDirectory}/current/conf/nginx/containers.d`;

/** Modes and owners of OpenClaw's directories, as {@link KasmServer.dataModes} returns them. */
export const dataFolders = "/opt/openclaw 755 0:0\n/opt/openclaw/data 750 1000:1000";

// One program cuts them all: a new one for each time would keep a processor busy. Since OpenSSH 9.8 a connection has a
// program of its own.
const enough = "/run/openclaw-cut-enough";
const cutConnections = `
  until [ -e ${enough} ]; do
    pkill -f '^sshd(-session)?: kasm-admin'
    sleep 0.05
  done
  rm ${enough}`;

/** A rig to which stack `kasm` of a project is deployed, as its people and its administrator see it. */
export class KasmServer {
  constructor(
    private readonly rig: Rig,
    private readonly project: Project,
  ) {}

  get ca(): Buffer {
    return readFileSync(join(this.rig.folder, "ca.pem"));
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return await httpsGet(`${kasmUrl}${path}`, this.ca, headers);
  }

  async statusOf(path: string, headers: Record<string, string> = {}): Promise<number> {
    return (await this.get(path, headers)).status;
  }

  /** Status of KASM's own API. */
  async kasmStatus(): Promise<number> {
    return await this.statusOf("/api/__healthcheck");
  }

  async containersFiles(): Promise<string> {
    return await this.rig.exec(`ls -A ${containersFolder}`);
  }

  async dataModes(): Promise<string> {
    return await this.rig.exec("stat -c '%n %a %u:%g' /opt/openclaw /opt/openclaw/data");
  }

  /** KASM's services; a restarted one is another line. */
  async services(): Promise<string> {
    return await this.rig.exec(
      "docker inspect --format '{{.Name}} {{.Id}} {{.State.StartedAt}}' kasm_proxy kasm_db kasm_api kasm_agent",
    );
  }

  /** Waits until a path is answered as wanted: on a busy machine an answer may be late, and a reload of nginx's. */
  async answers(path: string, status: number, headers: Record<string, string> = {}): Promise<void> {
    await eventually(
      `${path} answers ${status.toString()}`,
      () => this.statusOf(path, headers),
      (answered) => answered === status,
    );
  }

  /** Expects that nginx accepts its configuration, and that KASM answers. */
  async expectKasmWorks(): Promise<void> {
    await this.rig.exec("docker exec kasm_proxy nginx -t");
    // No answer is a late one on a busy machine; any other than this one is a failure.
    const status = await eventually(
      "KASM answers",
      () => this.kasmStatus(),
      (answered) => answered !== 0,
    );
    expect(status).toBe(200);
  }

  /** Cuts every SSH connection, new ones too, from the time when the engine reports a step until it ends. */
  async cutAt(step: RegExp, command: string): Promise<void> {
    const cut = async (group: number) => {
      const cutting = this.rig.exec(cutConnections);
      while (isThere(group)) {
        await sleep(200);
      }
      await this.rig.exec(`touch ${enough}`);
      await cutting;
    };
    const [end] = await this.project.actAt(step, cut, command, "--stack", "kasm");
    expect(refusal(end)).toMatch(step);
    await this.expectKasmWorks();
  }

  /** Kills the engine and all that belongs to it as soon as it says that it is at a step. */
  async killAt(step: RegExp, command: string): Promise<void> {
    const kill = (group: number) => process.kill(-group, "SIGKILL");
    const [{ exitCode }] = await this.project.actAt(step, kill, command, "--stack", "kasm");
    expect([step, exitCode]).toEqual([step, null]);
    await this.expectKasmWorks();
  }
}

function isThere(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}
