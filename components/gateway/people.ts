import type * as pulumi from "@pulumi/pulumi";

/** What a role lets a person do, in OpenClaw's own words. */
export interface Role {
  /** What it may do in the conversations of others. */
  readonly sessions: { readonly others: "none" | "view" | "suggest" | "write" };
  /** The agents that it may use. */
  readonly agents: "*" | readonly string[];
  /** The most that it may do, such as `operator.read` and `operator.write`. */
  readonly scopes: readonly string[];
  /** Whether new conversations need a sandbox. */
  readonly sandbox?: "required" | undefined;
}

/** The scopes that OpenClaw knows. */
export const operatorScopes = [
  "operator.admin",
  "operator.read",
  "operator.write",
  "operator.approvals",
  "operator.pairing",
  "operator.questions",
  "operator.talk",
  "operator.talk.secrets",
  "operator.sessions.read",
  "operator.sessions.write",
] as const;

/** The roles that every gateway has; a role of the settings with such a name takes its place. */
export const builtInRoles = {
  /** Everything, the configuration too. */
  admin: { sessions: { others: "write" }, agents: "*", scopes: ["operator.admin"] },
  /** What the work with agents needs; no configuration. */
  member: {
    sessions: { others: "write" },
    agents: "*",
    scopes: ["operator.read", "operator.write", "operator.approvals", "operator.questions"],
  },
  /** Reads. */
  observer: { sessions: { others: "view" }, agents: "*", scopes: ["operator.read"] },
} as const satisfies Record<string, Role>;

/** Someone who may come in. */
export interface Person {
  /** One of the roles. */
  readonly role: string;
  /** 12 to 256 characters; treated as secret. @default 32 generated letters and digits */
  readonly password?: pulumi.Input<string> | undefined;
}

/** Returns whom the checks of a gateway log in as: the first by name. */
export function firstOf(names: readonly string[]): string | undefined {
  return [...names].sort()[0];
}
