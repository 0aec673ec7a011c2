import { spawnSync } from "node:child_process";
import { hasPassphrase, jumpAlias, keyInFile } from "./sshOptions";
import { hostSetting, type Server } from "./server";
import { fromHome } from "./files";

/**
 * Returns why a command did not get to a server, in the words of {@link sshProblem}, if that is what failed.
 * @param server none for this machine
 */
export function lostConnection(
  server: Server | undefined,
  name: string,
  exitCode: number | null,
  said: string,
): string | undefined {
  return server && exitCode === 255 ? sshProblem(said, server, name) : undefined;
}

/**
 * Why OpenSSH's client could not get to the server, in words that say what to do, from what it printed.
 * Exit status 255 is ssh's own failure; any other belongs to the command on the server.
 * @param name of the host, by which the message names its setting
 */
export function sshProblem(said: string, host: Server, name: string): string {
  const setting = hostSetting(name);
  const server = serverOf(host);
  const via = host.jump ? ` (by way of ${host.jump.user}@${host.jump.address})` : "";
  const lines = said.trim().split("\n");
  const [, problem] =
    reasons(host, `${server}${via}`, setting).find(([pattern]) => pattern.test(said)) ?? [];
  return (
    problem?.(lines) ??
    `${server}${via} can't be reached: ${lines.at(-1) || "no answer"}. Check ${setting}, the network, and that SSH runs there`
  );
}

/** The server as people name it: that of an alias is in their own configuration. */
function serverOf({ address, port, user, sshConfigFile }: Server): string {
  if (sshConfigFile !== undefined) {
    return address;
  }
  const host = address.includes(":") ? `[${address}]` : address;
  return `${user ?? "root"}@${host}:${(port ?? 22).toString()}`;
}

type Reason = readonly [said: RegExp, problem: (lines: readonly string[]) => string];

/** Most specific first: a key that can't be used ends as a denied permission too. */
function reasons(host: Server, server: string, setting: string): Reason[] {
  const jump = host.jump && `${host.jump.user}@${host.jump.address}`;
  return [
    [
      /No .* host key is known for/,
      () =>
        host.sshConfigFile === undefined
          ? changedKey(server, setting)
          : `the host key of ${server} is not known: compare it in one "ssh ${host.address}", or set ${setting}.hostKey`,
    ],
    ...(jump === undefined
      ? []
      : ([
          [new RegExp(`host key for ${jumpAlias}`, "i"), () => changedKey(jump, setting)],
        ] as const)),
    [
      /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/,
      () => changedKey(server, setting),
    ],
    [
      /Bad configuration option: knownhostscommand/i,
      () => "the SSH client of this machine is too old: expected OpenSSH 8.5 or newer (ssh -V)",
    ],
    [
      /Load key|invalid format|UNPROTECTED|bad permissions/,
      (lines) =>
        `the private key for ${server} can't be used: ${lines.find((line) => /Load key|invalid|permissions/.test(line)) ?? ""}`,
    ],
    [
      /agent refused operation|signing failed/,
      (lines) =>
        `the SSH agent does not sign for ${server}: ${lines.find((line) => line.includes("sign")) ?? ""}`,
    ],
    [
      /Too many authentication failures/,
      () =>
        `${server} ends the connection after too many keys that the SSH agent offers: expected ${setting}.privateKeyFile, which names the right one`,
    ],
    [
      /Permission denied \(/,
      (lines) => lockedKey(host, server, setting) ?? denied(host, server, setting, lines),
    ],
  ];
}

function changedKey(server: string, setting: string): string {
  return `the host key of ${server} is not the one in ${setting}. If the server really was set up anew, take the new key from its /etc/ssh/ssh_host_ed25519_key.pub; otherwise the connection may be intercepted`;
}

/** The client names the server that refused. */
function denied(host: Server, server: string, setting: string, lines: readonly string[]): string {
  const jump = host.jump && `${host.jump.user}@${host.jump.address}`;
  const isJump = lines.some((line) => line.startsWith(`${jump ?? " "}: Permission denied (`));
  const [place, user] = isJump
    ? [`the jump host ${jump ?? ""}`, host.jump?.user]
    : [server, host.user];
  return `${place} does not let ${user ?? "this user"} in with ${keyOf(host, setting)}: expected a key that is in its ~/.ssh/authorized_keys`;
}

/** A key with a passphrase that no agent holds: the client does not say a word of it. */
function lockedKey(
  { privateKey, privateKeyFile }: Server,
  server: string,
  setting: string,
): string | undefined {
  const key = privateKey ?? keyInFile(privateKeyFile);
  if (key === undefined || !hasPassphrase(key)) {
    return undefined;
  }
  if (privateKeyFile === undefined) {
    return `the key in ${setting}.privateKey has a passphrase: expected one without for ${server}, or ${setting}.privateKeyFile and an SSH agent that holds the key`;
  }
  return isInAgent(fromHome(privateKeyFile))
    ? undefined
    : `the key in ${privateKeyFile} has a passphrase, and no SSH agent holds it for ${server}: ssh-add ${privateKeyFile}, then try again`;
}

function isInAgent(file: string): boolean {
  const run = (program: string, ...args: string[]) => {
    const { status, stdout } = spawnSync(program, args, {
      encoding: "utf8",
      env: process.env,
    });
    return status === 0 ? stdout : "";
  };
  const [, fingerprint] = run("ssh-keygen", "-lf", file).split(" ");
  return fingerprint !== undefined && run("ssh-add", "-l").includes(` ${fingerprint} `);
}

function keyOf({ privateKey, privateKeyFile, sshConfigFile }: Server, setting: string): string {
  if (sshConfigFile !== undefined) {
    return `the keys that ${sshConfigFile} names`;
  }
  if (privateKey !== undefined) {
    return `the key in ${setting}.privateKey`;
  }
  return privateKeyFile === undefined ? "a key of the SSH agent" : `the key in ${privateKeyFile}`;
}
