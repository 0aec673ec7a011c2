import type { Deployment } from "../../pulumi/deployment";

/** A deployment without an engine, all hosts of which are reached the same way unless `targetOf` says otherwise. */
export function deploymentOf(
  parts: Pick<Deployment, "settings" | "stack" | "target"> & Partial<Deployment>,
): Deployment {
  const engine = { pulumi: "/no/pulumi", env: {}, stateFolder: undefined };
  return {
    engine,
    targetOf: () => parts.target,
    problemOf: () => Promise.resolve(undefined),
    leftOut: [],
    ...parts,
  };
}
