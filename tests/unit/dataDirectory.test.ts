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
// Whoever runs the tests can give a directory to itself.
const { uid, gid } = userInfo();
const own = `${uid.toString()}:${gid.toString()}`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "data-directory-"));
  directory = join(folder, "srv/openclaw");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function run(action: string, { owner = own, removeData = "false" } = {}) {
  const { status, stderr } = spawnSync("sh", ["-s", "--", action], {
    input: scriptWith("data-directory.sh", {
      DIRECTORY: directory,
      OWNER: owner,
      REMOVE_DATA: removeData,
    }),
    env: { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` },
    encoding: "utf8",
  });
  return { status, stderr };
}
const done = { status: 0, stderr: "" };

/** Owner and mode of the directory and of the data in it. */
const both = () =>
  [directory, join(directory, "data")].map((path) => {
    const { uid, gid, mode } = statSync(path);
    return `${uid.toString()}:${gid.toString()} ${(mode & 0o7777).toString(8)}`;
  });

test("is made with its owner, closed to others, and made again where part of it is gone", () => {
  expect(run("apply")).toEqual(done);
  expect(both()).toEqual([`${own} 750`, `${own} 750`]);
  rmSync(join(directory, "data"), { recursive: true });

  expect(run("apply")).toEqual(done);
  expect(both()).toEqual([`${own} 750`, `${own} 750`]);
});

test("a second time changes nothing: neither the mode somebody chose nor what is in it", () => {
  run("apply");
  chmodSync(directory, 0o711);
  chmodSync(join(directory, "data"), 0o2770);
  writeFileSync(join(directory, "data/file"), "mine", { mode: 0o604 });
  const before = statSync(join(directory, "data"));

  expect(run("apply")).toEqual(done);
  expect(both()).toEqual([`${own} 711`, `${own} 2770`]);
  expect(statSync(join(directory, "data")).ctimeMs).toBe(before.ctimeMs);
  expect(readFileSync(join(directory, "data/file"), "utf8")).toBe("mine");
});

test("a wrong owner is put right, of the directories alone", () => {
  run("apply");
  writeFileSync(join(directory, "data/file"), "");
  // Only root can give something away.
  writeFileSync(join(folder, "chown"), `#!/bin/sh\necho "$@" >>'${folder}/given'\n`, {
    mode: 0o755,
  });

  expect(run("apply", { owner: "12345:54321" })).toEqual(done);
  expect(readFileSync(join(folder, "given"), "utf8")).toBe(
    `12345:54321 ${directory}\n12345:54321 ${directory}/data\n`,
  );
});

test.each<[what: string, put: (path: string) => void]>([
  [
    "a file",
    (path) => {
      writeFileSync(path, "mine");
    },
  ],
  [
    "a link to a directory",
    (path) => {
      symlinkSync(tmpdir(), path);
    },
  ],
  [
    "a link to nothing",
    (path) => {
      symlinkSync("gone", path);
    },
  ],
])("%s in its place, or in its data's, is named and not touched", (_, put) => {
  const data = join(directory, "data");
  mkdirSync(directory, { recursive: true });
  put(data);
  expect(run("apply")).toEqual({
    status: 1,
    stderr: `${data} is there already and is not a directory\n`,
  });

  rmSync(directory, { recursive: true });
  put(directory);
  expect(run("apply")).toEqual({
    status: 1,
    stderr: `${directory} is there already and is not a directory\n`,
  });
});

describe("its end", () => {
  const data = () => join(directory, "data/.openclaw/openclaw.json");

  beforeEach(() => {
    run("apply");
    mkdirSync(join(directory, "data/.openclaw"));
    writeFileSync(data(), "{}");
  });

  test("keeps everything", () => {
    expect(run("remove")).toEqual(done);
    expect(existsSync(data())).toBe(true);
  });

  test("takes everything where that is asked for, twice too", () => {
    expect(run("remove", { removeData: "true" })).toEqual(done);
    expect(existsSync(directory)).toBe(false);
    expect(run("remove", { removeData: "true" })).toEqual(done);
  });

  test("leaves the directory with somebody else's files in it", () => {
    writeFileSync(join(directory, "notes"), "mine");

    expect(run("remove", { removeData: "true" })).toEqual(done);
    expect(existsSync(join(directory, "data"))).toBe(false);
    expect(readFileSync(join(directory, "notes"), "utf8")).toBe("mine");
  });

  test("does not follow links out of the data", () => {
    const elsewhere = join(folder, "elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, "file"), "mine");
    symlinkSync(elsewhere, join(directory, "data/link"));

    expect(run("remove", { removeData: "true" })).toEqual(done);
    expect(existsSync(join(elsewhere, "file"))).toBe(true);
  });
});
