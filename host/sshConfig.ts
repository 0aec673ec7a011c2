import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { HostTarget } from "./target";
import { agentSocket, removeDeadAgents, startKeyAgent } from "./keyAgent";
import type { JumpServer, Server } from "./server";
import { UserError } from "./userError";
import { fromHome } from "./files";
import { publicKeysIn } from "./publicKeys";

/**
 * Returns the way to a server, or to this machine if there is none. It writes what OpenSSH's client needs to a folder:
 * every command and the Docker provider use that one configuration. A given private key is in an SSH agent, and in no file.
 * @param folder relative to the project's folder
 * @param holder number of the process that needs the key; the agent ends after it
 * @throws UserError if ssh can't use the private key
 */
export function hostTarget(
  host: Server | undefined,
  folder: string,
  holder: number = process.pid,
): HostTarget {
  removeDeadAgents(folder);
  if (host === undefined) {
    return {};
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string) => {
    const file = join(folder, name);
    // Several of these may run at once; a file that is right is not touched.
    if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
      writeFileSync(file, text, { mode: 0o600 });
    }
    return file;
  };
  const hasAgent = startAgent(host, folder, holder);
  write("known_hosts", knownHosts(host));
  const ofUser =
    host.sshConfigFile === undefined ? undefined : resolve(fromHome(host.sshConfigFile));
  const options =
    ofUser === undefined
      ? directOptions(host, folder, hasAgent)
      : aliasOptions(host, folder, write("user-config", userConfig(ofUser)));
  return {
    ssh: {
      configFile: write("config", sshConfig({ host, folder, options, ofUser })),
      alias: serverAlias,
      needsSudo: options.find(([name]) => name === "User")?.[1] !== "root",
    },
  };
}

/** Returns the folder of a stack with a server in its settings. */
export function sshFolder(stack: string): string {
  return join(".build", "ssh", stack);
}

/** Starts the agent if ssh can't read the key where it is: in the settings, or in a file with Windows' line ends. */
function startAgent({ privateKey, privateKeyFile }: Server, folder: string, holder: number) {
  const given = privateKey ?? keyInFile(privateKeyFile);
  const key = given && withLineEnds(given);
  if (key === undefined || key === "" || (privateKey === undefined && key === given)) {
    return false;
  }
  if (hasPassphrase(key)) {
    // The user's own agent has the one of a file; in the settings it is of no use, which the server's refusal tells.
    return privateKey !== undefined;
  }
  const problem = startKeyAgent(folder, key, holder);
  if (problem !== undefined) {
    const place = privateKey === undefined ? "privateKeyFile" : "privateKey";
    throw new UserError(`ssh can't use the host's ${place}: ${problem}`);
  }
  return true;
}

/** The text of a private key's file; of a public key in its place the agent has the private one. */
export function keyInFile(file: string | undefined): string | undefined {
  const text = file && existsSync(fromHome(file)) ? readFileSync(fromHome(file), "utf8") : "";
  return /^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text) ? text : undefined;
}

/** Whether the text of a private key is encrypted. */
export function hasPassphrase(key: string): boolean {
  if (/^(Proc-Type: 4,ENCRYPTED|-----BEGIN ENCRYPTED PRIVATE KEY-----)/m.test(key)) {
    return true;
  }
  const [, body] = /^-----BEGIN OPENSSH PRIVATE KEY-----\s([^-]*)/.exec(key) ?? [];
  const binary = Buffer.from(body ?? "", "base64");
  // After the format's name comes that of the cipher, with its length in front.
  const [format, cipher] = [binary.subarray(0, 15), binary.subarray(19, 23)];
  return format.equals(Buffer.from("openssh-key-v1\0")) && !cipher.equals(Buffer.from("none"));
}

/** ssh refuses a key with Windows' line ends, or without an end of the last line. */
function withLineEnds(text: string): string {
  return `${text.replaceAll("\r\n", "\n").replace(/\n$/, "")}\n`;
}

/**
 * What the configuration calls the two servers. The state knows these names and nothing else of the way there: a server
 * that has got another address, or is behind a jump host now, is still the one that the state is about.
 */
const serverAlias = "openclaw-server";
export const jumpAlias = "openclaw-jump-host";

function knownHosts(host: Server): string {
  const lines = (alias: string, { hostKey, hostKeyFile }: HostKey) => {
    const file = hostKeyFile && readFileSync(fromHome(hostKeyFile), "utf8");
    const keys = hostKey === undefined ? publicKeysIn(file ?? "") : [hostKey];
    return keys.map((key) => `${alias} ${key}\n`).join("");
  };
  return lines(serverAlias, host) + (host.jump ? lines(jumpAlias, host.jump) : "");
}

type HostKey = Pick<JumpServer, "hostKey" | "hostKeyFile">;

/** An option of ssh_config(5). */
type Option = readonly [name: string, value: string];

function directOptions(host: Server, folder: string, hasAgent: boolean): Option[] {
  return [
    ...serverOptions(serverAlias, host),
    ...checkedBy(folder),
    ...(host.jump ? [["ProxyJump", jumpAlias] as const] : []),
    ...(hasAgent ? agentOptions(folder) : keyOptions(host.privateKeyFile)),
  ];
}

function serverOptions(
  alias: string,
  { address, port, user }: Pick<JumpServer, "address" | "port" | "user">,
): Option[] {
  return [
    // A percent sign, which names the interface of an IPv6 address, begins a token there.
    ["HostName", address.replaceAll("%", "%%")],
    ["Port", (port ?? 22).toString()],
    ["User", user ?? "root"],
    // By this name in known_hosts, whatever port it is behind.
    ["HostKeyAlias", alias],
  ];
}

/** The server has to show a key of the settings'. */
function checkedBy(folder: string): Option[] {
  return [
    ["UserKnownHostsFile", `${folder}/known_hosts`],
    ["GlobalKnownHostsFile", "none"],
  ];
}

/** The one key that the agent of the settings holds. */
function agentOptions(folder: string): Option[] {
  return [
    ["IdentityAgent", agentSocket(folder)],
    ["IdentityFile", "none"],
  ];
}

/** One key; if it has a passphrase, an agent that holds it signs. */
function keyOptions(keyFile: string | undefined): Option[] {
  return keyFile === undefined
    ? []
    : [
        ["IdentityFile", `"${keyFile}"`],
        ["IdentitiesOnly", "yes"],
      ];
}

/** The options of a server, beside its name, that say how to get there and in. */
const wayOptions = [
  ...["Port", "User", "AddressFamily", "BindAddress", "BindInterface", "ProxyJump", "ProxyCommand"],
  ...["HostKeyAlias", "UserKnownHostsFile", "GlobalKnownHostsFile", "KnownHostsCommand"],
  ...["IdentityFile", "CertificateFile", "IdentityAgent", "IdentitiesOnly", "PKCS11Provider"],
  ...["SecurityKeyProvider", "GSSAPIAuthentication", "PreferredAuthentications"],
  ...["HostKeyAlgorithms", "PubkeyAcceptedAlgorithms", "KexAlgorithms", "Ciphers", "MACs"],
];

/** What the user's own configuration says of an alias, for the server under the name by which the state knows it. */
function aliasOptions(host: Server, folder: string, configFile: string): Option[] {
  const { address } = host;
  const [found, defaults] = [resolved(configFile, address), resolved("none", address)];
  const own = wayOptions.flatMap((name): Option[] => {
    const values = found.get(name) ?? [];
    // A default that is written down means something else: host key algorithms lose their order by known keys.
    const isDefault = name !== "User" && isDeepStrictEqual(values, defaults.get(name) ?? []);
    return isDefault ? [] : values.map((value) => [name, aliasValue(name, value, address)]);
  });
  const hasKey = host.hostKey !== undefined || host.hostKeyFile !== undefined;
  return [
    // The first value of an option counts.
    ...(hasKey ? [["HostKeyAlias", serverAlias] as const, ...checkedBy(folder)] : []),
    ["HostName", aliasValue("HostName", found.get("HostName")?.[0] ?? address, address)],
    ...own,
  ];
}

/** The values of the options that ssh would use for a server. */
function resolved(configFile: string, address: string): ReadonlyMap<string, readonly string[]> {
  const args = ["-F", configFile, "-G", address];
  const { status, stdout, stderr, error } = spawnSync("ssh", args, { encoding: "utf8" });
  if (status !== 0) {
    const problem = error?.message ?? stderr.trim();
    throw new UserError(`ssh can't use the host's sshConfigFile: ${problem}`);
  }
  const lines = stdout.split("\n").map((line) => /^(\S+) (.*)$/.exec(line) ?? []);
  return new Map(
    ["HostName", ...wayOptions].map((name) => [
      name,
      lines.flatMap(([, found, value = ""]) => (found === name.toLowerCase() ? [value] : [])),
    ]),
  );
}

function aliasValue(name: string, value: string, alias: string): string {
  switch (name) {
    case "HostName":
      return value.replaceAll("%", "%%");
    case "IdentityFile":
    case "CertificateFile":
      return `"${value.replaceAll("%n", alias)}"`;
    default:
      return value.replaceAll("%n", alias);
  }
}

/** The user's configuration and the system's, in the order in which ssh reads them. */
function userConfig(file: string): string {
  return `  Include "${file}"\n  Include /etc/ssh/ssh_config\n`;
}

interface ConfigParts {
  readonly host: Server;
  readonly folder: string;
  /** The server's own options. */
  readonly options: readonly Option[];
  /** The user's own configuration, for the servers in between. */
  readonly ofUser: string | undefined;
}

/** What `ssh -F` reads (ssh_config(5)); paths of this project are relative, so that state and logs name no machine's own. */
function sshConfig({ host, folder, options, ofUser }: ConfigParts): string {
  const block = (alias: string, own: readonly Option[]) => [
    `Host ${alias}`,
    ...own.map(([name, value]) => `  ${name} ${value}`),
  ];
  // The key in the settings opens the server in between too.
  const keys = options.filter(([name]) => /^Identit(y(Agent|File)|iesOnly)$/.test(name));
  const jump = host.jump
    ? [...serverOptions(jumpAlias, host.jump), ...checkedBy(folder), ...keys]
    : [];
  return [
    ...(host.jump ? block(jumpAlias, [...jump, ["StrictHostKeyChecking", "yes"]]) : []),
    ...block(serverAlias, options),
    "  StrictHostKeyChecking yes",
    // One connection for everything; sshd allows ten sessions on it, and what finds no place opens its own.
    "  ControlMaster auto",
    `  ControlPath ${folder}/master`,
    "  ControlPersist 20",
    "Host *",
    "  BatchMode yes",
    "  UpdateHostKeys no",
    "  ConnectTimeout 10",
    "  ServerAliveInterval 10",
    "  ServerAliveCountMax 3",
    "  LogLevel ERROR",
    ...(ofUser === undefined ? [] : [`Host * !${serverAlias}`, userConfig(ofUser)]),
    "",
  ].join("\n");
}
