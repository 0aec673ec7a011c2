import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Agent, fetch } from "undici";
import { $ } from "zx";
import { cacheFolder } from "../../toolchain/store";

/** A real provider of OpenID Connect, on Docker's bridge, where containers reach it. */
export interface IdentityProvider {
  readonly issuer: string;
  /** PEM file of the authority of its certificate. */
  readonly caFile: string;
  /** Puts a person into other groups, or with null takes the person out. */
  setGroups(name: string, groups: readonly string[] | null): Promise<void>;
  stop(): void;
}

/** The secret of the client `openclaw`, with what breaks quoting. */
export const clientSecret = `e2e"client\\secret;#$\{HOME}'01234`;

/**
 * Starts it.
 * @param folder where its certificate is written
 * @param dashboards addresses of the dashboard in browsers, without a slash at the end
 * @param people groups by the name of a person
 * @param host an address of this machine that the gateway reaches
 */
export async function startIdentityProvider(
  folder: string,
  port: number,
  dashboards: readonly string[],
  people: Readonly<Record<string, readonly string[]>>,
  host = "172.17.0.1",
): Promise<IdentityProvider> {
  const issuer = `https://${host}:${port.toString()}`;
  const [keyFile, caFile] = [join(folder, "idp.key"), join(folder, "idp.pem")];
  const subject = ["-subj", "/CN=identity provider", "-addext", `subjectAltName=IP:${host}`];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  await $({
    quiet: true,
  })`openssl req -x509 ${kind} ${subject} -keyout ${keyFile} -out ${caFile}`;
  const certificate = readFileSync(caFile, "utf8");
  // Builds need the authorities of this network too.
  const { NODE_EXTRA_CA_CERTS: others } = process.env;
  if (others) {
    writeFileSync(caFile, certificate + readFileSync(others, "utf8"));
  }
  const program = resolve("tests/image/identityProvider.mjs");
  // It ends with a killed run.
  const server = spawn("setpriv", ["--pdeathsig", "TERM", process.execPath, program], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  server.stdin.end(
    JSON.stringify({
      ...{ library: await library(), issuer, key: readFileSync(keyFile, "utf8"), certificate },
      redirects: dashboards.map((address) => `${address}/oidc/callback`),
      logouts: dashboards.map((address) => `${address}/oidc/out`),
      ...{ clientSecret, people },
    }),
  );
  await once(server.stdout, "data");
  const dispatcher = new Agent({ connect: { ca: certificate } });
  return {
    issuer,
    caFile,
    setGroups: async (name, groups) => {
      const body = JSON.stringify(groups);
      await fetch(`${issuer}/people/${name}`, { method: "PUT", body, dispatcher });
    },
    stop: () => {
      server.kill();
    },
  };
}

const version = "9.13.3";

/** Folder of the npm package `oidc-provider`, installed once for a machine. */
async function library(): Promise<string> {
  const folder = join(cacheFolder(process.env), `oidc-provider-${version}`);
  if (!existsSync(folder)) {
    const draft = `${folder}.draft-${process.pid.toString()}`;
    mkdirSync(draft, { recursive: true });
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    await $({
      quiet: true,
      cwd: draft,
    })`npm install --prefix . ${options} ${`oidc-provider@${version}`}`;
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
  }
  return folder;
}
