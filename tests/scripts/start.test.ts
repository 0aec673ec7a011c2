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

describe("a machine that can't run commands", () => {
  const start = (pretend: string) => {
    const folder = mkdtempSync(join(tmpdir(), "start-"));
    const file = join(folder, "pretend.cjs");
    writeFileSync(file, pretend);
    const args = ["--require", file, "cli/start.mjs", "cli", "up"];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    rmSync(folder, { recursive: true });
    return { status, stderr };
  };

  test("Windows is refused by name", () => {
    const { status, stderr } = start(
      'Object.defineProperty(process, "platform", { value: "win32" });',
    );

    expect(stderr).toMatch(/^Windows itself can't run this command: run it in WSL /);
    expect(status).toBe(1);
  });

  test("so is a checkout on a drive of Windows in WSL", () => {
    const { status, stderr } = start(`
      require("os").release = () => "5.15.167.4-microsoft-standard-WSL2";
      require("url").fileURLToPath = () => "/mnt/c/Users/jane/openclaw-kasm/";
      require("module").syncBuiltinESMExports();`);

    expect(stderr).toMatch(/^This checkout is on a drive of Windows \(\/mnt\/c\/Users\/jane/);
    expect(status).toBe(1);
  });
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
