import type { SshHost } from "../settings/schema";

/**
 * Why OpenSSH's client could not get to the server, in words that say what to do, from what it printed.
 * Exit status 255 is ssh's own failure; any other belongs to the command on the server.
 */
export function sshProblem(said: string, host: SshHost): string {
  const server = `${host.user}@${host.address}:${host.port.toString()}`;
  const via = host.jump ? ` (by way of ${host.jump.user}@${host.jump.address})` : "";
  const last = said.trim().split("\n").at(-1) ?? "";
  const reasons: [said: RegExp, problem: string][] = [
    [
      /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/,
      `the host key of ${server}${via} is not the one in openclaw:host. If the server really was set up anew, take the new key from its /etc/ssh/ssh_host_ed25519_key.pub; otherwise somebody may be in between`,
    ],
    ...jumpReasons(host, said),
    [
      /Permission denied \(/,
      `${server}${via} does not let ${host.user} in with ${keyOf(host)}: expected a key that is in its ~/.ssh/authorized_keys`,
    ],
    [
      /Load key|invalid format|UNPROTECTED|bad permissions/,
      `the private key for ${server} can't be used: ${last}`,
    ],
  ];
  return (
    reasons.find(([pattern]) => pattern.test(said))?.[1] ??
    `${server}${via} can't be reached: ${last || "no answer"}. Check openclaw:host, the network, and that SSH runs there`
  );
}

/** The client names the server that refused. */
function jumpReasons(host: SshHost, said: string): [said: RegExp, problem: string][] {
  const jump = host.jump && `${host.jump.user}@${host.jump.address}`;
  return jump !== undefined && said.includes(`${jump}: Permission denied (`)
    ? [
        [
          /Permission denied/,
          `the jump host ${jump} does not let ${host.jump?.user ?? ""} in with ${keyOf(host)}: expected a key that is in its ~/.ssh/authorized_keys`,
        ],
      ]
    : [];
}

function keyOf({ privateKey, privateKeyFile }: SshHost): string {
  if (privateKey !== undefined) {
    return "the key in openclaw:host.privateKey";
  }
  return privateKeyFile === undefined ? "a key of the SSH agent" : `the key in ${privateKeyFile}`;
}
