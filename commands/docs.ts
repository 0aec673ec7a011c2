import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

const projectSchema = z.object({
  config: z.record(z.string(), z.object({ description: z.string(), default: z.unknown() })),
});

/** The settings of a Pulumi.yaml as a table in Markdown. */
export function settingsTable(project: string): string {
  const { config } = projectSchema.parse(parse(project));
  const rows = Object.entries(config).map(
    ([key, setting]) => `| \`${key}\` | ${shown(setting.default)} | ${setting.description} |`,
  );
  return ["| setting | default | what it is |", "|---|---|---|", ...rows].join("\n");
}

/** A default for people; nothing where it is empty, and the description tells what that means. */
function shown(value: unknown): string {
  const values = (Array.isArray(value) ? (value as unknown[]) : [value]).filter(
    (each) => each !== "" && each !== 0 && JSON.stringify(each) !== "{}",
  );
  return values.map((each) => `\`${String(each)}\``).join(", ");
}

/** `npm run docs`: the README's table of settings, made anew from Pulumi.yaml. */
export function docs(): void {
  const readme = readFileSync("README.md", "utf8");
  const table = settingsTable(readFileSync("Pulumi.yaml", "utf8"));
  writeFileSync(
    "README.md",
    readme.replace(/^\| setting \|.*\n(\|.*\n)*/m, () => `${table}\n`),
  );
}
