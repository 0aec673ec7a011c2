import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

test.each(["18.20.4", "20.18.3"])("Node %s is refused before anything is installed", (version) => {
  const folder = mkdtempSync(join(tmpdir(), "start-"));
  const pretend = join(folder, "pretend.cjs");
  writeFileSync(
    pretend,
    `Object.defineProperty(process.versions, "node", { value: "${version}" });`,
  );
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--require", pretend, "cli/start.mjs", "cli", "up"],
    {
      encoding: "utf8",
    },
  );
  rmSync(folder, { recursive: true });

  expect(stderr).toBe(
    `Node ${version} runs this command; 20.19 or newer is needed (https://nodejs.org).\n`,
  );
  expect(status).toBe(1);
});

test("works in a path with a space, and exits with the command's status", () => {
  const folder = join(mkdtempSync(join(tmpdir(), "start-")), "with a space");
  mkdirSync(join(folder, "cli"), { recursive: true });
  cpSync("cli/start.mjs", join(folder, "cli/start.mjs"));
  writeFileSync(join(folder, "cli/main.ts"), "process.exit(process.argv.length)");
  // As if they were installed already.
  writeFileSync(join(folder, "package-lock.json"), "{}");
  const stamp = createHash("sha256").update("{}").digest("hex");
  mkdirSync(join(folder, "node_modules"));
  writeFileSync(join(folder, "node_modules/.installed-lockfile"), stamp);
  symlinkSync(join(process.cwd(), "node_modules/tsx"), join(folder, "node_modules/tsx"));
  const { status, stderr } = spawnSync(process.execPath, ["cli/start.mjs", "cli", "one", "two"], {
    cwd: folder,
    encoding: "utf8",
  });
  rmSync(join(folder, ".."), { recursive: true });

  expect([status, stderr]).toEqual([4, ""]);
});
