import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Policies, PolicyPack } from "@pulumi/policy";
import { parse } from "yaml";
import { dataRule, type Image, imageAgeRule, type Rule, rules, type Workspace } from "./rules";

/** The sentences of a rule for a resource, which may be of a kind that it says nothing about. */
function problems(rule: Rule, type: string, props: Record<string, unknown>): string[] {
  return [...(rule.type?.(type) ?? []), ...ofKind(rule, type, props)];
}

function ofKind(rule: Rule, type: string, props: Record<string, unknown>): string[] {
  switch (type) {
    case "docker:index/container:Container":
      return rule.container?.(props) ?? [];
    case "docker:index/remoteImage:RemoteImage":
      return rule.image?.(props as unknown as Image) ?? [];
    case "docker:index/network:Network":
      return rule.network?.(props) ?? [];
    case "docker:index/volume:Volume":
      return rule.volume?.(props) ?? [];
    case "pulumi-nodejs:dynamic/openclaw:KasmWorkspace":
      return rule.workspace?.(props as unknown as Workspace) ?? [];
    default:
      return [];
  }
}

const resourcePolicies: Policies = rules.map((rule) => ({
  name: rule.name,
  description: rule.description,
  validateResource: ({ type, props }, report) => {
    for (const problem of problems(rule, type, props)) {
      report(problem);
    }
  },
}));

const dataPolicy: Policies[number] = {
  name: dataRule.name,
  description: dataRule.description,
  validateStack: ({ resources }, report) => {
    for (const { type, urn, props } of resources) {
      if (type === "openclaw:index:OpenClawStandalone") {
        for (const problem of dataRule.problems(props, isRemovalAsked(urn))) {
          report(problem, urn);
        }
      }
    }
  },
};

const imageAgePolicy: Policies[number] = {
  name: imageAgeRule.name,
  description: imageAgeRule.description,
  validateResource: ({ type, urn, props }, report) => {
    if (type === "docker:index/remoteImage:RemoteImage") {
      const maxDays = Number(setting(urn, "maxImageDays") ?? 0);
      for (const problem of imageAgeRule.problems(props as unknown as Image, maxDays)) {
        report(problem);
      }
    }
  },
};

/** Whether the settings of a resource's stack ask for the data's removal. */
function isRemovalAsked(urn: string): boolean {
  return String(setting(urn, "removeDataOnDestroy")) === "true";
}

/** Reads a setting of a resource's stack; the SDK gives a pack no settings. */
function setting(urn: string, key: string): unknown {
  const stack = urn.split("::")[0]?.split(":")[2] ?? "";
  const file = join(__dirname, "..", `Pulumi.${stack}.yaml`);
  const settings = (existsSync(file) ? parse(readFileSync(file, "utf8")) : {}) as {
    config?: Record<string, unknown>;
  };
  return settings.config?.[`openclaw:${key}`];
}

new PolicyPack("openclaw", {
  enforcementLevel: "mandatory",
  policies: [...resourcePolicies, imageAgePolicy, dataPolicy],
});
