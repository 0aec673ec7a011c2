import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptWith } from "../../host/shell";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kasm-version-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** What the script prints of a KASM that is installed in the folder. */
function version(action = "look"): string {
  const { stdout, stderr, status } = spawnSync("sh", ["-s", "--", action], {
    input: scriptWith("kasm-version.sh", { KASM_DIRECTORY: folder, OTHERWISE: "1.17.0" }),
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}

test.each(["1.16.1", "1.19.0"])("the version that is installed: %s", (installed) => {
  mkdirSync(join(folder, installed));
  symlinkSync(join(folder, installed), join(folder, "current"));

  expect([version(), version("apply")]).toEqual([`${installed}\n`, `${installed}\n`]);
  expect(version("remove")).toBe("");
});

test("without KASM, or with a link that leads to no version, it is the other one", () => {
  expect(version()).toBe("1.17.0\n");
  symlinkSync(join(folder, "develop"), join(folder, "current"));
  expect(version()).toBe("1.17.0\n");
});
