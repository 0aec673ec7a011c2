import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HostTarget } from "../components/host/target";
import { fromHome, type Settings } from "./index";
import type { SshHost } from "./schema";

/**
 * The machine that a stack's settings name. For a server it writes what OpenSSH's client needs to
 * `.build/ssh/STACK/`: every command and the Docker provider go through that one configuration.
 */
export function hostTarget({ host }: Pick<Settings, "host">, stack: string): HostTarget {
  if (host === undefined) {
    return {};
  }
  const folder = sshFolder(stack);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string) => {
    const file = join(folder, name);
    // Several of these may run at once; a file that is right is not touched.
    if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
      writeFileSync(file, text, { mode: 0o600 });
    }
    return file;
  };
  const key =
    host.privateKey === undefined ? undefined : write("key", withLineEnd(host.privateKey));
  write("known_hosts", knownHosts(host));
  return {
    ssh: {
      configFile: write("config", sshConfig(host, folder, key ?? host.privateKeyFile)),
      alias: serverAlias,
      needsSudo: host.user !== "root",
    },
  };
}

/** Removes the private key that {@link hostTarget} wrote for the time of a command. */
export function forgetKey(stack: string): void {
  rmSync(join(sshFolder(stack), "key"), { force: true });
}

function sshFolder(stack: string): string {
  return join(".build", "ssh", stack);
}

/** ssh refuses a key whose last line has no end. */
function withLineEnd(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

/**
 * What the configuration calls the two servers. The state knows these names and nothing else of the way there: a server
 * that has got another address, or is behind a jump host now, is still the one that the state is about.
 */
const serverAlias = "openclaw-server";
const jumpAlias = "openclaw-jump-host";

function knownHosts(host: SshHost): string {
  const line = (alias: string, server: Pick<SshHost, "hostKey" | "hostKeyFile">) =>
    `${alias} ${server.hostKey ?? readFileSync(fromHome(server.hostKeyFile ?? ""), "utf8").trim()}\n`;
  return line(serverAlias, host) + (host.jump ? line(jumpAlias, host.jump) : "");
}

/** What `ssh -F` reads (ssh_config(5)); paths are relative, so that state and logs name no machine's own. */
export function sshConfig(host: SshHost, folder: string, keyFile: string | undefined): string {
  const server = (
    alias: string,
    { address, port, user }: Pick<SshHost, "address" | "port" | "user">,
  ) => [
    `Host ${alias}`,
    `  HostName ${address}`,
    `  Port ${port.toString()}`,
    `  User ${user}`,
    // By this name in known_hosts, whatever port it is behind.
    `  HostKeyAlias ${alias}`,
  ];
  return [
    ...(host.jump ? server(jumpAlias, host.jump) : []),
    ...server(serverAlias, host),
    ...(host.jump ? [`  ProxyJump ${jumpAlias}`] : []),
    // One connection for everything; sshd allows ten sessions on it, and what finds no place opens its own.
    "  ControlMaster auto",
    `  ControlPath ${folder}/master`,
    "  ControlPersist 20",
    "Host *",
    "  BatchMode yes",
    "  StrictHostKeyChecking yes",
    `  UserKnownHostsFile ${folder}/known_hosts`,
    "  GlobalKnownHostsFile none",
    "  UpdateHostKeys no",
    ...(keyFile === undefined
      ? []
      : [`  IdentityFile "${keyFile}"`, "  IdentitiesOnly yes", "  IdentityAgent none"]),
    "  ConnectTimeout 10",
    "  ServerAliveInterval 10",
    "  ServerAliveCountMax 3",
    "  LogLevel ERROR",
    "",
  ].join("\n");
}
