import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Agent, request } from "undici";
import type { Patience } from "../../../providers/kasm/client";
import type { Connection } from "../../../providers/kasm/transport";

/** What happens to the next calls of a name; the kinds are those of tests/kasmApi/handler.mjs. */
export interface Fault {
  readonly call: string;
  /** Limits the fault to calls with this text in the body. */
  readonly containing?: string;
  readonly kind: "drop" | "cut" | "slow" | "silence" | "answer";
  readonly times?: number;
  readonly status?: number;
  readonly body?: unknown;
  readonly ms?: number;
}

export type Row = Record<string, unknown>;

/** Creates a self-signed certificate for 127.0.0.1. */
export interface Certificate {
  readonly keyFile: string;
  readonly certificateFile: string;
  readonly pem: string;
  readonly fingerprint: string;
}

/** As a person's patience would be, for a server in the next process. */
export const shortPatience: Patience = {
  answer: 3000,
  readAgain: [20, 20],
  permission: 0,
  late: 300,
  look: 20,
  agent: 0,
};

const folder = mkdtempSync(join(tmpdir(), "kasm-api-"));

/** Removes what the certificates of this test file left. */
export function removeCertificates(): void {
  rmSync(folder, { recursive: true, force: true });
}

export function makeCertificate(name: string): Certificate {
  const keyFile = join(folder, `${name}.key`);
  const certificateFile = join(folder, `${name}.pem`);
  const names = ["-subj", "/CN=kasm", "-addext", "subjectAltName=IP:127.0.0.1"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", keyFile, "-out", certificateFile];
  execFileSync("openssl", ["req", "-x509", "-days", "2", ...key, ...names, ...files], {
    stdio: "ignore",
  });
  const pem = readFileSync(certificateFile, "utf8");
  const fingerprint = new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
  return { keyFile, certificateFile, pem, fingerprint };
}

/** KASM's API with its tables in memory (tests/kasmApi/server.mjs), in a process of its own, over TLS. */
export class StandIn {
  readonly apiKey = "key-of-the-test";
  readonly apiSecret = "secret-of-the-test-xQ8";
  private port = 0;
  private process: ChildProcess | undefined;
  private agent = new Agent();

  constructor(private certificate: Certificate) {}

  /** How to get to it, trusting its certificate as an authority. */
  get connection(): Connection {
    return {
      kasmUrl: `https://127.0.0.1:${this.port.toString()}`,
      apiKey: this.apiKey,
      apiSecret: this.apiSecret,
      caPem: this.certificate.pem,
      fingerprint: "",
    };
  }

  /** @param options of tests/kasmApi/handler.mjs; a stopped server starts again at its address, empty */
  async start(options: object = {}, certificate = this.certificate): Promise<void> {
    this.certificate = certificate;
    this.agent = new Agent({ connect: { ca: certificate.pem } });
    const child = spawn(process.execPath, [join(__dirname, "../../kasmApi/server.mjs")], {
      env: {
        PORT: this.port.toString(),
        TLS_KEY: certificate.keyFile,
        TLS_CERTIFICATE: certificate.certificateFile,
        API_KEY: this.apiKey,
        API_SECRET: this.apiSecret,
        OPTIONS: JSON.stringify({ keyCacheMs: 0, images: [], ...options }),
      },
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.process = child;
    const [line] = await new Promise<string[]>((resolve, reject) => {
      child.once("exit", () => {
        reject(new Error("the stand-in of KASM's API did not start"));
      });
      createInterface(child.stdout).once("line", (first) => {
        resolve([first]);
      });
    });
    this.port = (JSON.parse(line ?? "{}") as { port: number }).port;
  }

  async stop(): Promise<void> {
    const child = this.process;
    if (child?.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    }
    await this.agent.destroy();
  }

  /** Empties KASM and removes all faults. */
  async reset(options: object = {}): Promise<void> {
    await this.faults();
    const usual = {
      keyCacheMs: 0,
      deniedStatus: 403,
      jsonAsText: false,
      refuseCategories: false,
      removeOnce: false,
      licensedForCasting: true,
      tolerant: false,
      availableAfterMs: 0,
      looksEveryMs: 0,
      images: [],
    };
    await this.ask("options", { ...usual, ...options });
    await this.addToDefaultGroup(true);
    for (const table of ["cast_configs", "kasms", "group_images", "images"]) {
      await this.remove(table);
    }
    await this.log();
  }

  /** Sets whether KASM adds new workspaces to its default group. */
  async addToDefaultGroup(value: boolean): Promise<void> {
    const name = "add_images_to_default_group";
    await this.update("settings", { name }, { value: value ? "True" : "False" });
  }

  /**
   * Does `work` while the server is down, or shows another certificate; then it is back with all that it had of
   * workspaces and cast configs.
   */
  async outage(
    work: () => Promise<void>,
    options: object,
    certificate?: Certificate,
  ): Promise<void> {
    const usual = this.certificate;
    const tables = ["images", "group_images", "cast_configs"];
    const rows = await Promise.all(tables.map((table) => this.find(table)));
    await this.stop();
    try {
      if (certificate) {
        await this.start(options, certificate);
      }
      await work();
    } finally {
      await this.stop();
      await this.start(options, usual);
    }
    for (const [index, table] of tables.entries()) {
      for (const row of rows[index] ?? []) {
        await this.insert(table, row);
      }
    }
  }

  async faults(...faults: Fault[]): Promise<void> {
    await this.ask("faults", faults);
  }

  async options(changes: object): Promise<void> {
    await this.ask("options", changes);
  }

  async find(table: string, where: Row = {}): Promise<Row[]> {
    return (await this.ask("find", { table, where })) as Row[];
  }

  async insert(table: string, row: Row): Promise<Row> {
    return (await this.ask("insert", { table, row })) as Row;
  }

  async update(table: string, where: Row, changes: Row): Promise<void> {
    await this.ask("update", { table, where, changes });
  }

  async remove(table: string, where: Row = {}): Promise<void> {
    await this.ask("remove", { table, where });
  }

  async addKey(name: string, permissions: number[], readOnly = false): Promise<Connection> {
    const keys = { apiKey: `key-${name}`, apiSecret: `secret-${name}-xQ8` };
    await this.ask("key", { name, ...keys, permissions, readOnly });
    return { ...this.connection, ...keys };
  }

  /** Returns the calls since the last call of this method. */
  async log(): Promise<{ call: string; body: Row }[]> {
    return (await this.ask("log", {})) as { call: string; body: Row }[];
  }

  /** Names of the groups that see a workspace, as often as it is in them. */
  async groupsOf(imageId: unknown): Promise<string[]> {
    const members = await this.find("group_images", { image_id: imageId });
    const groups = await this.find("groups");
    return members
      .map(({ group_id }) => String(groups.find((group) => group.group_id === group_id)?.name))
      .sort();
  }

  /** Calls the API as any program may, with the key that may do everything unless another is given. */
  async call(
    call: string,
    body: Row,
    { apiKey, apiSecret }: Pick<Connection, "apiKey" | "apiSecret"> = this,
  ): Promise<{ status: number; type: string; body: unknown }> {
    const response = await request(`${this.connection.kasmUrl}/api/public/${call}`, {
      method: "POST",
      body: JSON.stringify({ api_key: apiKey, api_key_secret: apiSecret, ...body }),
      dispatcher: this.agent,
    });
    const type = String(response.headers["content-type"]);
    const answer = await (type === "application/json"
      ? response.body.json()
      : response.body.text());
    return { status: response.statusCode, type, body: answer };
  }

  private async ask(what: string, body: object): Promise<unknown> {
    const { statusCode, body: answer } = await request(
      `${this.connection.kasmUrl}/api/stand-in/${what}`,
      { method: "POST", body: JSON.stringify(body), dispatcher: this.agent },
    );
    const text = await answer.text();
    if (statusCode !== 200) {
      throw new Error(`stand-in/${what}: ${statusCode.toString()} ${text}`);
    }
    return JSON.parse(text) as unknown;
  }
}
