import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { scriptWith } from "../../host/shell";

let folder: string;
let directory: string;
// Whoever runs the tests can give a directory to itself.
const { uid, gid } = userInfo();
const owner = `${uid.toString()}:${gid.toString()}`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "session-directory-"));
  writeFileSync(join(folder, "another-program's"), "");
  directory = join(folder, "profiles/openclaw");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function run(action: string, givenTo = owner, stack = "dev"): string {
  const variables = { DIRECTORY: directory, OWNER: givenTo, STACK: stack };
  const input = scriptWith("session-directory.sh", variables);
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` };
  return execFileSync("sh", ["-s", "--", action], { input, encoding: "utf8", stdio: "pipe", env });
}

test("is created, found by look, and recreated when it is missing", () => {
  expect(run("look")).toBe("directory: missing\n");
  expect(run("apply")).toBe(`directory: of ${owner}\n`);
  expect(run("look")).toBe(`directory: of ${owner}\n`);
  expect(run("apply")).toBe(`directory: of ${owner}\n`);
});

test("is removed with the directories created for it, and nothing else", () => {
  run("apply");
  run("remove");

  expect(existsSync(join(folder, "profiles"))).toBe(false);
  expect(existsSync(folder)).toBe(true);
  run("remove");
});

test("is kept if it contains files of users", () => {
  run("apply");
  mkdirSync(join(directory, "ann"));
  run("remove");

  expect(existsSync(join(directory, "ann"))).toBe(true);
});

test("refuses anything else at its path and leaves it unchanged", () => {
  mkdirSync(join(folder, "profiles"));
  writeFileSync(directory, "mine");

  expect(() => run("apply")).toThrow(`${directory} is there already and is not a directory`);
});

test("keeps the owner of a directory that is not empty and was not created by this program", () => {
  mkdirSync(join(directory, "ann"), { recursive: true });
  writeFileSync(join(folder, "chown"), `#!/bin/sh\ntouch ${join(folder, "given")}\n`, {
    mode: 0o755,
  });

  expect(() => run("apply", "12345:54321")).toThrow(
    `${directory} is there already and belongs to ${owner}, and its owner is not changed`,
  );
  expect(existsSync(join(folder, "given"))).toBe(false);
});

describe("of a stack", () => {
  const record = () => readFileSync(join(folder, "profiles/.openclaw.openclaw-kasm"), "utf8");

  test("names the stack, even if the directory already existed", () => {
    mkdirSync(directory, { recursive: true });
    run("apply");

    expect(record()).toBe("stack=dev\nmade=\n");
  });

  test("is refused to another stack, which does not remove it either", () => {
    run("apply");
    expect(() => run("apply", owner, "other")).toThrow(
      `${directory} is of stack dev: choose another`,
    );
    run("remove", owner, "other");

    expect(existsSync(directory)).toBe(true);
    expect(record()).toMatch(/^stack=dev\nmade=\d+\n$/);
  });

  test("still belongs to the stack as long as it contains files of users", () => {
    run("apply");
    mkdirSync(join(directory, "ann"));
    run("remove");

    expect(() => run("apply", owner, "other")).toThrow(`${directory} is of stack dev`);
    expect(run("apply")).toBe(`directory: of ${owner}\n`);
  });
});
