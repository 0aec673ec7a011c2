import { readFileSync, writeFileSync } from "node:fs";
import { descriptions } from "../config/descriptions";
import { shape } from "../config/schema";
import { componentsText } from "./componentsText";

/** Returns the settings as a Markdown table for a page in docs/. */
export function settingsTable(): string {
  const rows = Object.entries(descriptions).map(
    ([key, description]) =>
      `| \`${key}\` | ${shown(shape[key as keyof typeof shape].fallback)} | ${linked(description)} |`,
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
    (each) => each !== "" && each !== 0 && each !== undefined && typeof each !== "object",
  );
  return values.map((each) => `\`${String(each)}\``).join(", ");
}

/** `npm run docs`: writes the table of docs/settings.md from config/, and docs/components.md from doc comments. */
export function docs(): void {
  replaceIn("docs/settings.md", /^\| setting \|.*\n(\|.*\n)*/m, () => {
    return `${settingsTable()}\n`;
  });
  replaceIn("docs/components.md", /(?<=<!-- generated -->\n)[^]*/, () => `\n${componentsText()}\n`);
}

function replaceIn(file: string, part: RegExp, text: () => string): void {
  writeFileSync(file, readFileSync(file, "utf8").replace(part, text));
}
