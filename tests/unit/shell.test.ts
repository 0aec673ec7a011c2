import { execFileSync } from "node:child_process";
import { scriptWith, shellAssignments } from "../../components/host/shell";

test.each([
  "plain",
  "",
  "it's",
  "''",
  "$HOME `id` $(id)",
  'say "hi"',
  "back\\slash",
  "two\nlines",
  "%s;&|<>*?~#",
  "ü€",
])("a shell reads back %j unchanged", (value) => {
  const script = `${shellAssignments({ VALUE: value })}\nprintf %s "$VALUE"`;

  expect(execFileSync("sh", { input: script, encoding: "utf8" })).toBe(value);
});

test("a script comes after its variables", () => {
  const text = scriptWith("data-directory.sh", { DIRECTORY: "/srv/x" });

  expect(text).toMatch(/^DIRECTORY='\/srv\/x'\n#!\/bin\/sh\n/);
});
