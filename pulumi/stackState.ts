import { z } from "zod";
import { type Engine, pulumiJson } from "./engine";

/** What a stack's state says of the last deployment; secrets are in clear. */
export interface StackState {
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Its containers by name. */
  readonly containers: ReadonlyMap<string, DeclaredContainer>;
  readonly images: readonly DeclaredImage[];
}

/** An image that is built or pulled. */
export interface DeclaredImage {
  readonly kind: "gateway" | "browser" | "desktop" | "offsite";
  readonly id: string;
}

/** A container as it was declared. */
export interface DeclaredContainer {
  readonly id: string;
  /** `NAME=VALUE`, beside what its image brings. */
  readonly environment: readonly string[];
}

/** Reads a stack's state: one question for outputs and resources, because each takes the CLI half a second. */
export async function readState(engine: Engine, stack: string): Promise<StackState> {
  const args = ["stack", "export", "--show-secrets", "--stack", stack];
  return parseState(await pulumiJson(engine, args));
}

const resourceSchema = z.object({
  type: z.string(),
  urn: z.string().default(""),
  id: z.string().default(""),
  delete: z.boolean().default(false),
  inputs: z.record(z.string(), z.unknown()).default({}),
  outputs: z.record(z.string(), z.unknown()).default({}),
});
const stateSchema = z.object({
  deployment: z.object({ resources: z.array(resourceSchema).default([]) }),
});
const imageSchema = z.object({ imageId: z.string() });
const containerSchema = z.object({ name: z.string(), envs: z.array(z.string()).default([]) });

/** What `pulumi stack export --show-secrets` prints. */
export function parseState(exported: unknown): StackState {
  // One that is being replaced is there twice.
  const resources = stateSchema
    .parse(exported)
    .deployment.resources.filter((resource) => !resource.delete);
  const outputs = resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs ?? {};
  const containers = resources.filter(({ type }) => type === "docker:index/container:Container");
  return {
    outputs: z.record(z.string(), z.unknown()).parse(inClear(outputs)),
    containers: new Map(
      containers.map(({ id, inputs }) => {
        const { name, envs } = containerSchema.parse(inClear(inputs));
        return [name, { id, environment: envs }] as const;
      }),
    ),
    images: resources
      .filter(({ type }) => type === "docker:index/remoteImage:RemoteImage")
      .flatMap(({ urn, outputs }) => {
        const { data } = imageSchema.safeParse(outputs);
        return data ? [{ kind: imageKind(urn), id: data.imageId }] : [];
      }),
  };
}

function imageKind(urn: string): DeclaredImage["kind"] {
  if (urn.includes("openclaw:index:OpenClawKasmImage$")) {
    return "desktop";
  }
  const [, beside] = /-(browser|offsite)-image$/.exec(urn) ?? [];
  return (beside as "browser" | "offsite" | undefined) ?? "gateway";
}

const secretSchema = z.object({
  "4dabf18193072939515e22adb298388d": z.string(),
  plaintext: z.string(),
});

/** Secrets stand in the state as objects with Pulumi's own key, and what they hold is JSON. */
function inClear(value: unknown): unknown {
  const secret = secretSchema.safeParse(value);
  if (secret.success) {
    return inClear(JSON.parse(secret.data.plaintext));
  }
  if (Array.isArray(value)) {
    return value.map(inClear);
  }
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inClear(each)]))
    : value;
}
