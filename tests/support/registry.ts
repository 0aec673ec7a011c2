import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureDebianPackages } from "../../host/packages";
import { eventually, get } from "./docker";

/** A registry on this machine's loopback, to which Docker speaks HTTP. */
export interface Registry {
  /** Host and port, the prefix of an image's name. */
  readonly address: string;
  stop(): void;
}

/** Starts Debian's docker-registry with its data in `folder`; it refuses requests without the login. */
export async function startRegistry(
  folder: string,
  port: number,
  login: { username: string; password: string },
): Promise<Registry> {
  await ensureDebianPackages({ "docker-registry": "docker-registry" });
  mkdirSync(folder, { recursive: true });
  const passwords = join(folder, "htpasswd");
  // bcrypt, the only format that the registry accepts; perl's libcrypt supports it.
  const salt = "$2y$05$0123456789012345678901";
  const hashed = spawnSync("perl", ["-e", `chomp($p = <STDIN>); print crypt($p, '${salt}')`], {
    input: login.password,
    encoding: "utf8",
  }).stdout;
  writeFileSync(passwords, `${login.username}:${hashed}\n`, { mode: 0o600 });
  const address = `127.0.0.1:${port.toString()}`;
  if ((await get(`http://${address}/v2/`)).status !== 0) {
    throw new Error(`${address} is taken: end the docker-registry of a run that was killed`);
  }
  const config = {
    version: 0.1,
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, "data") } },
    http: { addr: address },
    auth: { htpasswd: { realm: "test", path: passwords } },
  };
  const file = join(folder, "config.yml");
  writeFileSync(file, JSON.stringify(config));
  // It ends with a killed run.
  const command = ["--pdeathsig", "TERM", "docker-registry", "serve", file];
  const server = spawn("setpriv", command, { stdio: "ignore" });
  await eventually(
    "the registry answers",
    () => get(`http://${address}/v2/`),
    ({ status }) => status === 401,
  );
  return { address, stop: () => server.kill() };
}
