import * as pulumi from "@pulumi/pulumi";
import { ObservedState, type ObservedStateArgs } from "./observedState";
import { scriptWith } from "../host/shell";
import { type HostTarget, shellOnTarget } from "../host/target";

/** Inputs of {@link HostState}. */
export interface HostStateArgs extends Pick<ObservedStateArgs, "expected" | "identity"> {
  /** The machine that it is on. */
  readonly target: pulumi.Input<HostTarget>;
  /** File name under assets/host. It is called as root with `apply`, `look` and `remove`. */
  readonly script: string;
  /** Shell variables that the script finds set; they stand in the state in clear, so no secrets. */
  readonly variables: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Seconds that each action may take. Defaults to 600: Docker may take minutes to delete much data or a large image. */
  readonly seconds?: number;
}

/** Something on a host that a script makes, looks at and takes away. */
export class HostState extends ObservedState {
  constructor(name: string, args: HostStateArgs, opts?: pulumi.CustomResourceOptions) {
    super("HostState", name, stateByScript(args), opts);
  }
}

/** A state of a host's as its script keeps it, which it is fed over standard input. */
export function stateByScript({
  target,
  script,
  variables,
  seconds = 600,
  ...args
}: HostStateArgs): ObservedStateArgs {
  return {
    ...args,
    command: (action) =>
      pulumi
        .output(target)
        .apply((known) => shellOnTarget(known, action, { asRoot: true, seconds })),
    // Getting to a server, and a clean-up there, take their time too.
    seconds: seconds + 60,
    stdin: pulumi.output(variables).apply((known) => scriptWith(script, known)),
  };
}
