import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { scriptWith } from "../../components/host/shell";

let folder: string;
let directory: string;
const at = (...path: string[]) => join(folder, ...path);
// Whoever runs the tests can give a directory to itself.
const { uid, gid } = userInfo();
const owner = `${uid.toString()}:${gid.toString()}`;
const well = `directory: of ${owner}; data: of ${owner}\n`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "data-directory-"));
  directory = at("srv/openclaw");
  // A stand-in for Docker that writes down what it was asked; there is one container with the data.
  writeFileSync(
    at("docker"),
    `#!/bin/sh\necho "$*" >>${at("asked")}\nif [ "$1" = ps ]; then echo gateway; fi\n`,
    { mode: 0o755 },
  );
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function run(action: string, removeData = false, givenTo = owner) {
  const variables = {
    DIRECTORY: directory,
    OWNER: givenTo,
    REMOVE_DATA: removeData.toString(),
  };
  return spawnSync("sh", ["-s", "--", action], {
    input: scriptWith("data-directory.sh", variables),
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` },
  });
}

const look = () => run("look").stdout;
const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const asked = () => readFileSync(at("asked"), "utf8").trim().split("\n");

test("is made for its owner, seen, and made again when it is gone", () => {
  expect(look()).toBe("directory: missing; data: missing\n");
  expect(run("apply").stdout).toBe(well);
  expect([mode(directory), mode(join(directory, "data"))]).toEqual(["750", "750"]);
  expect(look()).toBe(well);

  rmSync(join(directory, "data"), { recursive: true });
  expect(look()).toBe(`directory: of ${owner}; data: missing\n`);
  expect(run("apply").stdout).toBe(well);
});

test("a container that has one which is gone is restarted, and none otherwise", () => {
  run("apply");
  expect(asked()).toEqual([`ps --quiet --filter volume=${directory}/data`, "restart gateway"]);
  rmSync(at("asked"));
  run("apply");
  expect(existsSync(at("asked"))).toBe(false);
});

test.each([
  ["750", "750"],
  ["2751", "2751"],
  ["700", "700"],
])("a mode that serves is the user's choice (%s)", (given) => {
  run("apply");
  chmodSync(directory, parseInt(given, 8));

  expect(look()).toBe(well);
  expect(run("apply").stdout).toBe(well);
  expect(mode(directory)).toBe(given);
});

test.each([
  ["777", "775"],
  ["550", "750"],
])("a mode that does not (%s) is noticed and repaired (%s)", (given, repaired) => {
  run("apply");
  chmodSync(join(directory, "data"), parseInt(given, 8));

  expect(look()).toBe(`directory: of ${owner}; data: of ${owner}, mode ${given}\n`);
  expect(run("apply").stdout).toBe(well);
  expect(mode(join(directory, "data"))).toBe(repaired);
});

test.each([
  [
    "a file",
    (path: string) => {
      writeFileSync(path, "mine");
    },
  ],
  [
    "a link",
    (path: string) => {
      symlinkSync("/nowhere", path);
    },
  ],
])("%s in its place is named and not touched", (_, make) => {
  mkdirSync(at("srv"));
  make(directory);

  expect(look()).toBe("directory: not a directory; data: missing\n");
  const { status, stderr } = run("apply");
  expect([status, stderr]).toEqual([1, `${directory} is there already and is not a directory\n`]);
});

test("stays with its data unless their removal is asked for", () => {
  run("apply");
  writeFileSync(join(directory, "data/conversation"), "");

  expect(run("remove").status).toBe(0);
  expect(existsSync(join(directory, "data/conversation"))).toBe(true);
  expect(run("remove", true).status).toBe(0);
  expect(existsSync(directory)).toBe(false);
});

test("stays with what somebody else put beside the data", () => {
  run("apply");
  writeFileSync(join(directory, "mine"), "");

  expect(run("remove", true).status).toBe(0);
  expect([existsSync(join(directory, "data")), existsSync(join(directory, "mine"))]).toEqual([
    false,
    true,
  ]);
});

test("a wrong owner is put right, of the directories alone", () => {
  run("apply");
  writeFileSync(join(directory, "data/file"), "");
  // Only root can give something away.
  writeFileSync(at("chown"), `#!/bin/sh\necho "$@" >>${at("given")}\n`, { mode: 0o755 });
  run("apply", false, "12345:54321");

  expect(readFileSync(at("given"), "utf8")).toBe(
    `12345:54321 ${directory}\n12345:54321 ${directory}/data\n`,
  );
});

test("its removal does not follow links out of the data", () => {
  run("apply");
  mkdirSync(at("elsewhere"));
  writeFileSync(at("elsewhere/file"), "mine");
  symlinkSync(at("elsewhere"), join(directory, "data/link"));

  expect(run("remove", true).status).toBe(0);
  expect(existsSync(at("elsewhere/file"))).toBe(true);
});
