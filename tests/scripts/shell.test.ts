import { execFileSync } from "node:child_process";
import { scriptWith, shellAssignments } from "../../host/shell";
import { within } from "../../host/shellCommand";
import { onTarget } from "../../host/target";

const texts = [
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
  '{{.ID}} {{.Label "openclaw-kasm.stack"}}',
];

test("passes the arguments of a command unchanged to a server's shell and on this machine", () => {
  const ssh = { options: ["-F", "none"], alias: "server", needsSudo: false };
  const command = ["printf", "%s\\0", ...texts];
  const [client, , file, alias, ...sent] = onTarget({ ssh }, command);

  expect([client, file, alias]).toEqual(["ssh", "none", "server"]);
  // The client sends them as one line.
  const read = execFileSync("sh", ["-c", sent.join(" ")], { encoding: "utf8" });
  expect(read.split("\0").slice(0, -1)).toEqual(texts);
  expect(onTarget({}, command)).toEqual(command);
});

test.each(texts)("a shell reads back %j unchanged", (value) => {
  const script = `${shellAssignments({ VALUE: value })}\nprintf %s "$VALUE"`;

  expect(execFileSync("sh", { input: script, encoding: "utf8" })).toBe(value);
});

test("a program with a time limit has no shell around it that would tell of its end in another way", async () => {
  const asked = await within(9)`sh -c ${"echo $PPID"}`;
  const ended = await within(1)`sleep 30`;

  expect(asked.stdout.trim()).toBe(process.pid.toString());
  expect(ended.signal).toBe("SIGKILL");
});

test("a script comes after its variables", () => {
  const text = scriptWith("data-directory.sh", { DIRECTORY: "/srv/x" });

  expect(text).toMatch(/^DIRECTORY='\/srv\/x'\n#!\/bin\/sh\n/);
});
