import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptWith, shellAssignments, words } from "../../host/shell";
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

test("Docker's client on a server gets its arguments as they are, however ssh is called", () => {
  const options = ["-o", 'KnownHostsCommand=/bin/sh -c "echo server key"'];
  // In place of ssh: prints its options, and has a shell read the rest as one line.
  const client = 'printf "%s\\0" "$1" "$2"; shift 3; eval "$*"';
  const folder = mkdtempSync(join(tmpdir(), "openclaw-docker-"));
  writeFileSync(join(folder, "docker"), '#!/bin/sh\nprintf "%s\\0" "$@"\n', { mode: 0o700 });
  const env = {
    ...process.env,
    PATH: `${folder}:${process.env.PATH ?? ""}`,
    SSH_COMMAND: words(["sh", "-c", client, "ssh", ...options, "server"]),
  };
  // No argument of the scripts has two lines.
  const given = texts.filter((text) => !text.includes("\n"));
  const read = execFileSync("assets/ssh/docker.sh", given, { encoding: "utf8", env });
  rmSync(folder, { recursive: true });

  expect(read.split("\0").slice(0, -1)).toEqual([...options, ...given]);
});

test.each(texts)("a shell reads back %j unchanged", (value) => {
  const script = `${shellAssignments({ VALUE: value })}\nprintf %s "$VALUE"`;

  expect(execFileSync("sh", { input: script, encoding: "utf8" })).toBe(value);
});

test("a script comes after its variables", () => {
  const text = scriptWith("data-directory.sh", { DIRECTORY: "/srv/x" });

  expect(text).toMatch(/^DIRECTORY='\/srv\/x'\n#!\/bin\/sh\n/);
});
