import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { $ } from "zx";
import { cacheFolder } from "../../toolchain/store";
import { eventually, get } from "./docker";

/** Keys of the store; the secret one has what breaks quoting. */
export const storeKeys = { accessKey: "e2e-access-key", secretKey: `e2e#secret;key"with\\all` };

/** A store that speaks S3, where containers reach it. It checks the signature of each request. */
export class ObjectStore {
  readonly endpoint: string;
  private server: ChildProcess | undefined;

  private readonly place: string;

  /**
   * @param folder where its objects are, a file for each
   * @param address of this machine; on Docker's bridge unless given
   */
  constructor(
    private readonly folder: string,
    port: number,
    address = "172.17.0.1",
  ) {
    this.place = `${address}:${port.toString()}`;
    this.endpoint = `http://${this.place}`;
  }

  async start(): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    const options = ["--port", this.place, "--quiet", "posix", "--nometa", this.folder];
    const serve = [await program(), ...options];
    const { accessKey, secretKey } = storeKeys;
    // It ends with a killed run.
    this.server = spawn("setpriv", ["--pdeathsig", "TERM", ...serve], {
      stdio: "ignore",
      env: { ...process.env, ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
    });
    await eventually(
      "the store answers",
      () => get(this.endpoint),
      ({ status }) => status === 403,
    );
  }

  async stop(): Promise<void> {
    if (this.server?.kill()) {
      await once(this.server, "exit");
    }
  }

  /** All that is in the store: names and contents. */
  content(): string {
    return readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .map((entry) => {
        const file = join(entry.parentPath, entry.name);
        return entry.isFile() ? `${file}\n${readFileSync(file, "latin1")}` : file;
      })
      .join("\n");
  }
}

const version = "1.8.0";

/** The server's program, built once for a machine. */
async function program(): Promise<string> {
  const folder = join(cacheFolder(process.env), `versitygw-${version}`);
  const file = join(folder, "versitygw");
  if (!existsSync(file)) {
    const draft = `${folder}.draft-${process.pid.toString()}`;
    await $({
      quiet: true,
      env: { ...process.env, GOBIN: draft, CGO_ENABLED: "0" },
    })`go install github.com/versity/versitygw/cmd/versitygw@v${version}`;
    mkdirSync(folder, { recursive: true });
    renameSync(join(draft, "versitygw"), file);
  }
  return file;
}
