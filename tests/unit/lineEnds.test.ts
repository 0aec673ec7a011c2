import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

test("scripts have the line ends of Unix in a clone that is told to make those of Windows", () => {
  const folder = mkdtempSync(join(tmpdir(), "line-ends-"));
  const clone = join(folder, "clone");
  execFileSync("git", [
    ...["-c", "core.autocrlf=true", "-c", "core.eol=crlf", "clone"],
    ...["--quiet", "--depth", "1", `file://${process.cwd()}`, clone],
  ]);
  const files = ["assets", "cli", "toolchain", "tests/image"].flatMap((room) =>
    readdirSync(join(clone, room), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name)),
  );
  const windows = files.filter((file) => readFileSync(file).includes("\r\n"));
  rmSync(folder, { recursive: true });

  expect(files.length).toBeGreaterThan(50);
  expect(windows).toEqual([]);
});
