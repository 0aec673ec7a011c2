import { readFileSync } from "node:fs";
import { join } from "node:path";

const scripts = join(__dirname, "../assets/host");

/**
 * A script of assets/host with its variables set, as one text to feed to `sh -s -- apply` or `sh -s -- remove`.
 * In this form neither the script nor a secret is in a process argument or in a file of the host.
 */
export function scriptWith(script: string, variables: Record<string, string>): string {
  return `${shellAssignments(variables)}\n${scriptText(script)}`;
}

/** The text of a script, with the text of each file that it includes by a line `. ./FILE` in the place of that line. */
function scriptText(script: string): string {
  return readFileSync(join(scripts, script), "utf8").replaceAll(
    /^\. \.\/([\w.-]+)$/gm,
    (_, included: string) => scriptText(included),
  );
}

/** Shell lines that set each variable to exactly its value, whatever characters it holds. */
export function shellAssignments(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join("\n");
}

/** A command for a shell to read: each argument is one word of it. */
export function words(command: readonly string[]): string {
  return command.map(word).join(" ");
}

/** A text as one word of a shell's, quoted only if that is needed. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoted(text);
}

/** A text as one word of a shell's. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
