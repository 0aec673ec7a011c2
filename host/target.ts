import { word } from "./shell";

/** The machine that things are deployed to: this one, or a server that OpenSSH's client leads to. */
export interface HostTarget {
  /** How to get there; absent for this machine. */
  readonly ssh?: {
    /** Arguments of ssh: address, keys, host key, jump host, one shared connection. No secret is among them. */
    readonly options: readonly string[];
    /** What ssh calls the server. */
    readonly alias: string;
    /** Whether the login user has to use sudo for what only root may do. */
    readonly needsSudo: boolean;
  };
}

/**
 * The command line that runs `command` on the target as the login user; all of it is free of secrets. A server's shell
 * reads it once more: what it would take apart is quoted.
 */
export function onTarget({ ssh }: HostTarget, command: readonly string[]): string[] {
  return ssh ? ["ssh", ...ssh.options, ssh.alias, ...command.map(word)] : [...command];
}

/**
 * The command line that runs a script given on standard input, with `action` as its argument, for a number of seconds at
 * most; see {@link withinSeconds}.
 */
export function shellOnTarget(
  target: HostTarget,
  action: string,
  { asRoot, seconds }: { asRoot: boolean; seconds?: number | undefined },
): string[] {
  const script = ["sh", "-s", "--", action];
  const shell = seconds === undefined ? script : withinSeconds(target, seconds, script);
  return onTarget(target, asRoot && target.ssh?.needsSudo ? ["sudo", "-n", ...shell] : shell);
}

/**
 * A command that a server ends after a number of seconds: what is ended on this side only goes on there, and the shared
 * connection waits for it. On this machine it is the caller who ends it.
 */
export function withinSeconds(
  { ssh }: HostTarget,
  seconds: number,
  command: readonly string[],
): string[] {
  const limit = ["timeout", `--kill-after=${killAfter(seconds)}`, seconds.toString()];
  return ssh ? [...limit, ...command] : [...command];
}

/** Seconds that a script has for its clean-up once its time is over. */
function killAfter(seconds: number): string {
  return Math.ceil(seconds / 20).toString();
}
