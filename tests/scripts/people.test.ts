import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptWith } from "../../host/shell";

let folder: string;
const input = JSON.stringify({ people: { ann: { role: "admin", password: "it's $(secret)" } } });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-people-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs the script with a fake Docker that keeps its arguments, environment and input, and ends with `status`. */
function tell(status: number) {
  const docker = `#!/bin/sh
echo "$*" >${folder}/arguments
env >${folder}/environment
cat >${folder}/input
echo 'people: ERROR: the reason' >&2
exit ${status.toString()}
`;
  writeFileSync(join(folder, "docker"), docker, { mode: 0o755 });
  return spawnSync("sh", ["-s", "--", "apply"], {
    input: scriptWith("people.sh", { CONTAINER: "openclaw", INPUT: input }),
    env: { PATH: `${folder}:${process.env.PATH ?? ""}` },
    encoding: "utf8",
  });
}

const kept = (name: string) => readFileSync(join(folder, name), "utf8");

test("hands the people to the container over standard input only", () => {
  const { status } = tell(0);

  expect(status).toBe(0);
  expect(kept("input")).toBe(input);
  expect(kept("arguments")).toContain("exec --interactive openclaw");
  expect(kept("arguments") + kept("environment")).not.toContain("secret");
});

test("fails with the reason if the gateway refuses them", () => {
  const { status, stderr } = tell(78);

  expect([status, stderr.trim()]).toEqual([78, "people: ERROR: the reason"]);
});
