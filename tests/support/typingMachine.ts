import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Tools of POSIX, and the few others of a Mac that scripts may use. No bash, timeout, setsid, flock or sha256sum. */
const tools = [
  ..."awk basename cat chmod cmp cp cut date dirname echo env expr false find grep head id kill".split(
    " ",
  ),
  ..."ln ls mkdir mktemp mv printf ps pwd rm rmdir sed sleep sort tail test touch tr true uniq wc xargs".split(
    " ",
  ),
];

/** What a deployment to a server needs there besides. */
const needed = ["sh", "node", "ssh", "ssh-add", "ssh-agent"];

/** Options of GNU's tools that BSD's don't have, as patterns of a shell. */
const foreign: Readonly<Record<string, string>> = {
  cp: "-T|-t",
  date: "-d*",
  find: "-printf",
  grep: "-P*",
  ln: "-T",
  mv: "-T",
  sed: "-i|-z|-s",
  sort: "-V",
};

/**
 * Makes a folder that is all of PATH on a machine to type on that is no Linux: tools of BSD's form, which refuse GNU's options,
 * and `uname` says Darwin. A shell's own `/bin/sh` is there everywhere.
 */
export function typingMachinePath(): string {
  const folder = mkdtempSync(join(tmpdir(), "openclaw-typing-machine-"));
  for (const tool of [...tools, ...needed]) {
    const real = execFileSync("sh", ["-c", 'command -v "$0" || true', tool], { encoding: "utf8" });
    // One of the shell's own is a program too.
    const program = real.startsWith("/") ? real.trim() : `/usr/bin/${tool}`;
    const refused = needed.includes(tool) ? "" : `--?*${foreign[tool] ? `|${foreign[tool]}` : ""}`;
    const check = refused
      ? `for each do case $each in --) break ;; ${refused}) echo "${tool}: illegal option $each" >&2; exit 64 ;; esac; done\n`
      : "";
    writeFileSync(join(folder, tool), `#!/bin/sh\n${check}exec '${program}' "$@"\n`, {
      mode: 0o755,
    });
  }
  writeFileSync(join(folder, "uname"), "#!/bin/sh\necho Darwin\n", { mode: 0o755 });
  return folder;
}
