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

test("is made, seen, and made again when it is gone", () => {
  expect(run("look")).toBe("directory: missing\n");
  expect(run("apply")).toBe(`directory: of ${owner}\n`);
  expect(run("look")).toBe(`directory: of ${owner}\n`);
  expect(run("apply")).toBe(`directory: of ${owner}\n`);
});

test("goes with what was made for it, and leaves everything else", () => {
  run("apply");
  run("remove");

  expect(existsSync(join(folder, "profiles"))).toBe(false);
  expect(existsSync(folder)).toBe(true);
  run("remove");
});

test("stays with what users put into it", () => {
  run("apply");
  mkdirSync(join(directory, "ann"));
  run("remove");

  expect(existsSync(join(directory, "ann"))).toBe(true);
});

test("something else in its place is named and not touched", () => {
  mkdirSync(join(folder, "profiles"));
  writeFileSync(directory, "mine");

  expect(() => run("apply")).toThrow(`${directory} is there already and is not a directory`);
});

test("a directory of others that is not empty keeps its owner", () => {
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

  test("is refused to another one, which does not remove it either", () => {
    run("apply");
    expect(() => run("apply", owner, "other")).toThrow(
      `${directory} is of stack dev: choose another`,
    );
    run("remove", owner, "other");

    expect(existsSync(directory)).toBe(true);
    expect(record()).toMatch(/^stack=dev\nmade=\d+\n$/);
  });

  test("stays the stack's own as long as users have something in it", () => {
    run("apply");
    mkdirSync(join(directory, "ann"));
    run("remove");

    expect(() => run("apply", owner, "other")).toThrow(`${directory} is of stack dev`);
    expect(run("apply")).toBe(`directory: of ${owner}\n`);
  });
});
