import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
    ["--require", pretend, "commands/start.mjs", "up"],
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
