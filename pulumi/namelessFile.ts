import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file that only this process and its children have, and that is gone with them. */
export function namelessFile(): { writing: number; reading: number } {
  const folder = mkdtempSync(join(tmpdir(), "openclaw-log-"));
  const file = join(folder, "log");
  const open = { writing: openSync(file, "w", 0o600), reading: openSync(file, "r") };
  rmSync(folder, { recursive: true });
  return open;
}
