import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { HostTarget } from "./target";
import { agentSocket, removeDeadAgents, startKeyAgent } from "./keyAgent";
import type { JumpServer, Server } from "./server";
import { UserError } from "./userError";
import { fromHome } from "./files";
import { publicKeysIn } from "./publicKeys";
import { words } from "./shell";

/** A host of a stack. What its SSH clients share on this machine is apart from other hosts' by these names. */
interface StackHost {
  readonly stack: string;
  /** Name of the Host component. */
  readonly name: string;
}

/**
 * Returns the way to a server, or to this machine if there is none. All that OpenSSH's client needs is on its command line:
 * resources keep it in their inputs, and reach the server from any machine that has the key. A given private key is in an
 * SSH agent, and in no file.
 * @param holder number of the process that needs the key; the agent ends after it
 * @throws UserError if ssh can't use the private key or the user's configuration
 */
export function hostTarget(
  host: Server | undefined,
  place: StackHost,
  holder: number = process.pid,
): HostTarget {
  const folder = agentFolder(place);
  removeDeadAgents(folder);
  if (host === undefined) {
    return {};
  }
  const agent = startAgent(host, folder, holder) ? agentSocket(folder) : undefined;
  const { sshConfigFile, address } = host;
  const [files, options] =
    sshConfigFile === undefined
      ? [["-F", "none"], directOptions(host, agent)]
      : [configFile(sshConfigFile), pinned(address, host)];
  return {
    ssh: {
      options: [...files, ...argumentsOf([...options, ...sharedBy(place), ...always])],
      alias: sshConfigFile === undefined ? serverAlias : address,
      needsSudo: (sshConfigFile === undefined ? host.user : userOf(address, files)) !== "root",
    },
  };
}

/** Folder of a host's SSH agents, relative to the project's folder. */
export function agentFolder(place: StackHost): string {
  return join(".build", "ssh", fileName(place));
}

function fileName({ stack, name }: StackHost): string {
  return `${stack}-${name}`.replaceAll(/[^\w.-]/g, "_");
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
 * What the client calls the two servers, which have no such names elsewhere: their host keys are looked up by it, whatever
 * address and port they are behind.
 */
const serverAlias = "openclaw-server";
export const jumpAlias = "openclaw-jump-host";

/** An option of ssh_config(5). */
type Option = readonly [name: string, value: string];

function argumentsOf(options: readonly Option[]): string[] {
  return options.flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

function directOptions(host: Server, agent: string | undefined): Option[] {
  const key = keyOptions(host, agent);
  return [
    ...serverOptions(host),
    ...pinned(serverAlias, host, agent),
    ...key,
    ...(host.jump ? [["ProxyCommand", jumpCommand(host.jump, key, agent)] as const] : []),
  ];
}

function serverOptions({ address, port, user }: JumpServer): Option[] {
  return [
    // A percent sign, which names the interface of an IPv6 address, begins a token there.
    ["HostName", address.replaceAll("%", "%%")],
    ["Port", (port ?? 22).toString()],
    ["User", user ?? "root"],
  ];
}

/**
 * The server has to show one of the given keys; without any it is one of the user's known hosts.
 * @param agent socket of the agent that has the key; ssh itself does not say that it does not exist
 */
function pinned(alias: string, { hostKey, hostKeyFile }: HostKey, agent?: string): Option[] {
  if (hostKey === undefined && hostKeyFile === undefined) {
    return [];
  }
  const keys = publicKeysIn(hostKey ?? readFileSync(fromHome(hostKeyFile ?? ""), "utf8"));
  const hint = "the SSH key of this stack comes from its program: use --run-program";
  const lines = [
    ...(agent === undefined ? [] : [`[ %I = ORDER ] || [ -S ${agent} ] || echo '${hint}' >&2`]),
    ...keys.map((key) => `echo ${alias} ${key}`),
  ].join("; ");
  return [
    ["HostKeyAlias", alias],
    ["KnownHostsCommand", `/bin/sh -c "${lines}"`],
    ["UserKnownHostsFile", "none"],
    ["GlobalKnownHostsFile", "none"],
  ];
}

type HostKey = Pick<JumpServer, "hostKey" | "hostKeyFile">;

/** One key, which an agent may sign for: that of the settings if it has the key, or else the user's. */
function keyOptions({ privateKeyFile }: Server, agent: string | undefined): Option[] {
  if (agent !== undefined) {
    return [
      ["IdentityAgent", agent],
      ["IdentityFile", "none"],
    ];
  }
  return privateKeyFile === undefined
    ? []
    : [
        ["IdentityFile", `"${privateKeyFile}"`],
        ["IdentitiesOnly", "yes"],
      ];
}

/** ProxyJump would give the client of the server in between no options. The key of the settings opens that server too. */
function jumpCommand(jump: JumpServer, key: readonly Option[], agent: string | undefined): string {
  const options = [...serverOptions(jump), ...pinned(jumpAlias, jump, agent), ...key, ...always];
  const command = words(["ssh", "-F", "none", ...argumentsOf(options)]);
  return `${command.replaceAll("%", "%%")} -W [%h]:%p ${jumpAlias}`;
}

/**
 * One connection for everything; sshd allows ten sessions on it, and what finds no place opens its own. The socket is in
 * the project's folder, which always exists: what runs no program, such as a plain "pulumi destroy", makes no other.
 */
function sharedBy(place: StackHost): Option[] {
  return [
    ["ControlMaster", "auto"],
    ["ControlPath", `.openclaw-ssh-${fileName(place)}`],
    ["ControlPersist", "20"],
  ];
}

const always: Option[] = [
  ["StrictHostKeyChecking", "yes"],
  ["BatchMode", "yes"],
  ["UpdateHostKeys", "no"],
  ["ConnectTimeout", "10"],
  ["ServerAliveInterval", "10"],
  ["ServerAliveCountMax", "3"],
  ["LogLevel", "ERROR"],
];

/** The user's own configuration: ssh finds its usual file by itself, whatever the home of the user is elsewhere. */
function configFile(file: string): string[] {
  return file === "~/.ssh/config" ? [] : ["-F", fromHome(file)];
}

/** The user that ssh would log in as. */
function userOf(address: string, files: readonly string[]): string | undefined {
  const { status, stdout, stderr, error } = spawnSync("ssh", [...files, "-G", address], {
    encoding: "utf8",
  });
  if (status !== 0) {
    const problem = error?.message ?? stderr.trim();
    throw new UserError(`ssh can't use the host's sshConfigFile: ${problem}`);
  }
  return /^user (.*)$/m.exec(stdout)?.[1];
}
