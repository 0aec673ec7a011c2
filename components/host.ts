import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { JumpServer, Server } from "../host/server";
import { hostTarget } from "../host/sshOptions";
import type { HostTarget } from "../host/target";
import { UserError } from "../host/userError";
import { HostState } from "../providers/hostState";
import { defaults } from "./defaults";

/** The members of an object as inputs. */
type Inputs<T> = { readonly [Key in keyof T]: pulumi.Input<T[Key]> };

/** Inputs of {@link Host}: how OpenSSH's client reaches a server. Without an address it is this machine. */
export interface HostArgs extends Partial<Inputs<Omit<Server, "jump" | "privateKey">>> {
  /** Text of the private key; treated as secret. It is kept in an SSH agent while the engine runs, and in no file. */
  readonly privateKey?: pulumi.Input<string> | undefined;
  /** A server in between. */
  readonly jump?: Inputs<JumpServer> | undefined;
  /** Directory in which KASM is installed there. @default "/opt/kasm" */
  readonly kasmDirectory?: string | undefined;
  /** IPv4 address at which a KASM server elsewhere reaches gateways here. @default none */
  readonly privateAddress?: pulumi.Input<string> | undefined;
}

/**
 * A machine with Docker that things are deployed to: this one, or a server by SSH. It owns the Docker provider.
 * @example
 * const host = new Host("kasm", { address: "kasm.example.com", user: "ops", hostKey, privateKey });
 */
export class Host {
  /** The way to run something there; known once a given key is in its agent. */
  readonly target: pulumi.Output<HostTarget>;
  /** Docker's provider for resources there; none for this machine, which the default provider serves. */
  readonly providers: readonly pulumi.ProviderResource[];
  /** Address of the server; none for this machine. */
  readonly address: pulumi.Output<string> | undefined;
  /** Directory in which KASM is installed there. */
  readonly kasmDirectory: string;
  /** Address at which a KASM server elsewhere reaches gateways there. */
  readonly privateAddress: pulumi.Output<string> | undefined;
  private kasm: HostState | undefined;

  /** @throws pulumi.RunError if a server has no host key */
  constructor(
    /** Name of its provider. */
    readonly name: string,
    args: HostArgs = {},
    opts?: pulumi.ResourceOptions,
  ) {
    const { kasmDirectory = defaults.kasmDirectory, privateAddress, address, ...others } = args;
    this.kasmDirectory = kasmDirectory;
    this.privateAddress = privateAddress === undefined ? undefined : pulumi.output(privateAddress);
    if (address === undefined) {
      this.target = pulumi.output({});
      this.providers = [];
      return;
    }
    if (!args.hostKey && !args.hostKeyFile && !args.sshConfigFile) {
      throw new pulumi.RunError(
        `Host ${name}: hostKey or hostKeyFile is required with address: the public key of the server, for example the line in its /etc/ssh/ssh_host_ed25519_key.pub.`,
      );
    }
    this.address = pulumi.output(address);
    // What is known of the way is in commands, and no secret: the key is in the agent.
    this.target = pulumi.unsecret(
      pulumi.output({ ...others, address }).apply((server) => targetOf(name, server)),
    );
    const ssh = this.target.apply((target) => target.ssh);
    const provider = new docker.Provider(
      name,
      {
        host: ssh.apply((way) => `ssh://${way?.alias ?? ""}`),
        sshOpts: ssh.apply((way) => [...(way?.options ?? [])]),
      },
      args.privateKey === undefined ? opts : pulumi.mergeOptions(opts, deletedByProgram(name)),
    );
    this.providers = [provider];
  }

  /**
   * Version of the KASM that is installed there, which its images have as their tag. It is asked again by each refresh;
   * without KASM it is the one that the tests build on.
   */
  get kasmVersion(): pulumi.Output<string> {
    this.kasm ??= new HostState(`${this.name}-kasm-version`, {
      target: this.target,
      script: "kasm-version.sh",
      variables: { KASM_DIRECTORY: this.kasmDirectory, OTHERWISE: defaults.kasmVersion },
      identity: this.kasmDirectory,
      seconds: 30,
    });
    return this.kasm.observed;
  }
}

/** The engine deletes after this program has ended: a key is there for the time of the process that started it. */
function targetOf(name: string, server: Server): HostTarget {
  try {
    return hostTarget(server, { stack: pulumi.getStack(), name }, process.ppid);
  } catch (error) {
    throw error instanceof UserError
      ? new pulumi.RunError(`Host ${name}: ${error.message}`)
      : error;
  }
}

/**
 * Returns options with which a destroy that does not run the program fails before it deletes anything: only the program
 * brings the key. The engine refuses it for every resource with such a hook, and names the hook.
 */
function deletedByProgram(name: string): pulumi.ResourceOptions {
  // Pulumi's mocks have no engine, and fail on a hook.
  if (pulumi.runtime.getEngine() === undefined) {
    return {};
  }
  const hook = new pulumi.ResourceHook(`SSH key of ${name}`, () => undefined);
  return { hooks: { beforeDelete: [hook] } };
}

/** The machine on which this program runs. */
export const thisMachine = new Host("this-machine");

/** Returns the options of a component with resources on a host's Docker. */
export function onHost(
  host: Host | undefined,
  opts: pulumi.ComponentResourceOptions | undefined,
): pulumi.ComponentResourceOptions {
  return pulumi.mergeOptions({ providers: [...(host?.providers ?? [])] }, opts);
}
