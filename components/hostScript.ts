import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { scriptWith, words } from "../host/shell";
import { type HostTarget, shellOnTarget } from "../host/target";

/** Inputs of {@link hostScript}. */
export interface HostScriptArgs {
  /** The machine that it runs on. */
  readonly target: pulumi.Input<HostTarget>;
  /** File name under assets/host. The script is called with `apply` on create and change. */
  readonly script: string;
  /** Shell variables that the script finds set. They travel on standard input, so secrets may be among them. */
  readonly variables: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Values that, when they change, run the script again as a new resource; they are shown in previews, so no secrets. */
  readonly triggers: pulumi.Input<string>[];
}

/**
 * Runs a script of assets/host on the target as its login user. The script and its variables go over standard input: neither is in a
 * process argument, in an error text or in a file on the host.
 */
export function hostScript(
  name: string,
  args: HostScriptArgs,
  opts: pulumi.CustomResourceOptions,
): command.local.Command {
  const stdin = pulumi
    .output(args.variables)
    .apply((variables) => scriptWith(args.script, variables));
  return new command.local.Command(
    name,
    {
      create: pulumi
        .output(args.target)
        .apply((target) => words(shellOnTarget(target, "apply", { asRoot: false }))),
      triggers: args.triggers,
      stdin: pulumi.secret(stdin),
      logging: command.local.Logging.Stderr,
      addPreviousOutputInEnv: false,
    },
    opts,
  );
}
