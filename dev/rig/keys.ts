import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "zx";
import { ensureDebianPackages } from "../../host/packages";

/** A key of KASM's API, with the names that the API has for its parts. */
export interface ApiKey {
  readonly api_key: string;
  readonly api_key_secret: string;
}

/** A new key, in the form of KASM's own. */
export function newApiKey(): ApiKey {
  return {
    api_key: randomBytes(6).toString("hex"),
    api_key_secret: randomBytes(16).toString("hex"),
  };
}

/** The key with every permission, in the rig's folder. */
export function readApiKey(folder: string): ApiKey {
  return JSON.parse(readFileSync(join(folder, "api_key.json"), "utf8")) as ApiKey;
}

/** What a rig is given to be recognised by; the private key of the people is not among it. */
export const hostIdentity = [
  "id_ed25519.pub",
  "host_key",
  "host_key.pub",
  "ca.pem",
  "tls_key.pem",
] as const;

/**
 * Makes a rig's keys in `folder`, each one only where it is not there yet: SSH keys of the people (`id_ed25519`) and of
 * the host (`host_key`), the certificate that its KASM shows (`ca.pem`), which is the one to trust, and a key of its API (`api_key.json`).
 */
export async function ensureKeys(folder: string): Promise<void> {
  await ensureDebianPackages({ "ssh-keygen": "openssh-client", openssl: "openssl" });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const run = $({ cwd: folder, quiet: true });
  for (const key of ["id_ed25519", "host_key"]) {
    if (!existsSync(join(folder, key))) {
      await run`ssh-keygen -q -t ed25519 -N ${""} -C openclaw-kasm-rig -f ${key}`;
    }
  }
  if (!existsSync(join(folder, "ca.pem"))) {
    await run`openssl req -x509 -newkey rsa:2048 -nodes -days 1825 -subj /CN=localhost -addext subjectAltName=DNS:localhost,DNS:host.docker.internal,IP:127.0.0.1 -keyout tls_key.pem -out ca.pem`;
    chmodSync(join(folder, "tls_key.pem"), 0o600);
  }
  if (!existsSync(join(folder, "api_key.json"))) {
    writeFileSync(join(folder, "api_key.json"), JSON.stringify(newApiKey()), { mode: 0o600 });
  }
}
