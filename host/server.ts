/** A server as OpenSSH's client reaches it. */
export interface Server extends JumpServer {
  /** Text of the private key. */
  readonly privateKey?: string | undefined;
  /** Path of the private key. Without either key the SSH agent's are tried. */
  readonly privateKeyFile?: string | undefined;
  /** A server in between. */
  readonly jump?: JumpServer | undefined;
  /** The user's own configuration (ssh_config(5)), in which `address` is an alias that says the rest. */
  readonly sshConfigFile?: string | undefined;
}

/** A server by its address and host key. */
export interface JumpServer {
  /** Host name, IP address, or alias of `sshConfigFile`. */
  readonly address: string;
  /** @default 22 */
  readonly port?: number | undefined;
  /** @default "root" */
  readonly user?: string | undefined;
  /** The server's public key, as in its /etc/ssh/ssh_host_ed25519_key.pub. */
  readonly hostKey?: string | undefined;
  /** Path of a file with the server's public keys. */
  readonly hostKeyFile?: string | undefined;
}

/** The host of `openclaw:host`, where KASM is, among a stack's hosts. */
export const kasmHost = "";

/** Returns the setting of a host, which messages call it. */
export function hostSetting(name: string): string {
  return name === kasmHost ? "openclaw:host" : `openclaw:hosts.${name}`;
}
