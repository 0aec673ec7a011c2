import {
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The text of a file, or nothing where there is none. */
export function readIfThere(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** A path with `~/` for this user's home, as ssh takes it too. */
export function fromHome(path: string): string {
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : path;
}

/**
 * Writes a file so that no process reads half of it: a command on another stack reads its settings meanwhile, and a stack with
 * no settings is one for this machine.
 */
export function replaceFile(file: string, text: string): void {
  const place = realpathSync(file);
  const partial = `${place}.${process.pid.toString()}`;
  writeFileSync(partial, text, { mode: statSync(place).mode });
  renameSync(partial, place);
}
