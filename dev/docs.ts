import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { componentsText } from "./componentsText";

const projectSchema = z.object({
  config: z.record(z.string(), z.object({ description: z.string(), default: z.unknown() })),
});

/** Returns the settings of a Pulumi.yaml as a Markdown table for a page in docs/. */
export function settingsTable(project: string): string {
  const { config } = projectSchema.parse(parse(project));
  const rows = Object.entries(config).map(
    ([key, setting]) =>
      `| \`${key}\` | ${shown(setting.default)} | ${linked(setting.description)} |`,
  );
  return ["| setting | default | what it is |", "|---|---|---|", ...rows].join("\n");
}

/** Makes a link of each place in docs/ that a description names, such as docs/kasm.md#tiles. */
function linked(description: string): string {
  return description.replace(
    /docs\/((\w+)\.md(?:#([\w-]+))?)/g,
    (_, target: string, page: string, section?: string) =>
      `[${(section ?? page).replaceAll("-", " ")}](${target})`,
  );
}

/** A default for people; nothing where it is empty, and the description tells what that means. */
function shown(value: unknown): string {
  const values = (Array.isArray(value) ? (value as unknown[]) : [value]).filter(
    (each) => each !== "" && each !== 0 && JSON.stringify(each) !== "{}",
  );
  return values.map((each) => `\`${String(each)}\``).join(", ");
}

/** `npm run docs`: writes the table of docs/settings.md from Pulumi.yaml, and docs/components.md from doc comments. */
export function docs(): void {
  replaceIn("docs/settings.md", /^\| setting \|.*\n(\|.*\n)*/m, () => {
    return `${settingsTable(readFileSync("Pulumi.yaml", "utf8"))}\n`;
  });
  replaceIn("docs/components.md", /(?<=<!-- generated -->\n)[^]*/, () => `\n${componentsText()}\n`);
}

function replaceIn(file: string, part: RegExp, text: () => string): void {
  writeFileSync(file, readFileSync(file, "utf8").replace(part, text));
}
