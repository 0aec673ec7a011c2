import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { scriptWith } from "../../host/shell";
import { describeAsRoot } from "../support/asRoot";

let folder: string;
let directory: string;
const at = (...path: string[]) => join(folder, ...path);
// Whoever runs the tests can give a directory to itself.
const { uid, gid } = userInfo();
const owner = `${uid.toString()}:${gid.toString()}`;
const well = `data: of ${owner}\n`;

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

function run(action: string, removeData = false, givenTo = owner, stack = "dev") {
  const variables = {
    DIRECTORY: directory,
    OWNER: givenTo,
    STACK: stack,
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

test("is created for its owner, found by look, and recreated when it is missing", () => {
  expect(look()).toBe("data: missing\n");
  expect(run("apply").stdout).toBe(well);
  expect([mode(directory), mode(join(directory, "data"))]).toEqual(["755", "750"]);
  expect(look()).toBe(well);

  rmSync(join(directory, "data"), { recursive: true });
  expect(look()).toBe("data: missing\n");
  expect(run("apply").stdout).toBe(well);
});

test("of another stack is neither used nor deleted", () => {
  run("apply");
  const refused = `${directory}/data is of stack dev: choose another path`;
  expect(run("apply", false, owner, "other").stderr).toContain(refused);
  expect(run("remove", true, owner, "other").stderr).toContain(refused);

  expect(look()).toBe(well);
  expect(run("remove", true).status).toBe(0);
  expect(run("apply", false, owner, "other").stdout).toBe(well);
});

test("without a record of a stack is not deleted", () => {
  mkdirSync(join(directory, "data"), { recursive: true });
  const { status, stderr } = run("remove", true);

  expect([status, stderr]).toEqual([
    1,
    `${directory}/data has no record of stack dev, so it is not deleted\n`,
  ]);
  expect(existsSync(join(directory, "data"))).toBe(true);
});

test("restarts only a container that mounts a deleted directory", () => {
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
])("keeps a usable mode that the user chose (%s)", (given) => {
  run("apply");
  chmodSync(join(directory, "data"), parseInt(given, 8));

  expect(look()).toBe(well);
  expect(run("apply").stdout).toBe(well);
  expect(mode(join(directory, "data"))).toBe(given);
});

test.each([
  ["777", "775"],
  ["550", "750"],
])("detects and repairs an unusable mode (%s) (%s)", (given, repaired) => {
  run("apply");
  chmodSync(join(directory, "data"), parseInt(given, 8));

  expect(look()).toBe(`data: of ${owner}, mode ${given}\n`);
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
])("refuses %s at its path and leaves it unchanged", (_, make) => {
  mkdirSync(directory, { recursive: true });
  make(join(directory, "data"));

  expect(look()).toBe("data: not a directory\n");
  const { status, stderr } = run("apply");
  expect([status, stderr]).toEqual([
    1,
    `${directory}/data is there already and is not a directory\n`,
  ]);
});

test("is kept with its data unless removeData is set", () => {
  run("apply");
  writeFileSync(join(directory, "data/conversation"), "");

  expect(run("remove").status).toBe(0);
  expect(existsSync(join(directory, "data/conversation"))).toBe(true);
  expect(run("remove", true).status).toBe(0);
  expect(existsSync(directory)).toBe(false);
});

test("remove keeps the directory and its files from other programs", () => {
  run("apply");
  writeFileSync(join(directory, "mine"), "");

  expect(run("remove", true).status).toBe(0);
  expect([existsSync(join(directory, "data")), existsSync(join(directory, "mine"))]).toEqual([
    false,
    true,
  ]);
});

describe("a wrong owner", () => {
  const given = () => (existsSync(at("given")) ? readFileSync(at("given"), "utf8") : "");
  const applyFor = (givenTo: string) => {
    // Only root can give something away.
    writeFileSync(at("chown"), `#!/bin/sh\necho "$@" >>${at("given")}\n`, { mode: 0o755 });
    return run("apply", false, givenTo);
  };

  test("is repaired if this script created the directory", () => {
    run("apply");
    writeFileSync(join(directory, "data/file"), "");
    applyFor("12345:54321");

    expect(given()).toBe(`--no-dereference 12345:54321 ${directory}/data\n`);
  });

  test("is repaired if the directory is empty", () => {
    mkdirSync(join(directory, "data"), { recursive: true });
    applyFor("12345:54321");

    expect(given()).toBe(`--no-dereference 12345:54321 ${directory}/data\n`);
  });

  test("is refused and kept if another program created the directory and it is not empty", () => {
    mkdirSync(join(directory, "data"), { recursive: true });
    writeFileSync(join(directory, "data/file"), "");
    const { status, stderr } = applyFor("12345:54321");

    expect([status, given()]).toEqual([1, ""]);
    expect(stderr).toContain(`${directory}/data is there already and belongs to ${owner}, and its`);
  });

  test("is refused and kept if another directory replaced the one that was created", () => {
    run("apply");
    renameSync(join(directory, "data"), join(directory, "before"));
    mkdirSync(join(directory, "data"));
    writeFileSync(join(directory, "data/file"), "");

    expect([applyFor("12345:54321").status, given()]).toEqual([1, ""]);
  });
});

test("removal does not follow links out of the data", () => {
  run("apply");
  mkdirSync(at("elsewhere"));
  writeFileSync(at("elsewhere/file"), "mine");
  symlinkSync(at("elsewhere"), join(directory, "data/link"));

  expect(run("remove", true).status).toBe(0);
  expect(existsSync(at("elsewhere/file"))).toBe(true);
});

test("removal deletes the record of the directory", () => {
  run("apply");
  run("remove", true);

  expect(readdirSync(at("srv"))).toEqual([]);
});

describeAsRoot("another account", () => {
  const stranger = 12345;
  const strangers = `${stranger.toString()}:${stranger.toString()}`;
  /** As an earlier version left it: the directory above belonged to the gateway's account too. */
  const makeAsFormer = () => {
    mkdirSync(join(directory, "data"), { recursive: true });
    chownSync(directory, stranger, stranger);
    chownSync(join(directory, "data"), stranger, stranger);
  };

  test("that owned the parent directory in an earlier version loses it, and keeps the data", () => {
    makeAsFormer();
    writeFileSync(join(directory, "data/conversation"), "");

    expect(run("look", false, strangers).stdout).toBe(
      `data: of ${strangers}, exposed by ${directory}\n`,
    );
    expect(run("apply", false, strangers).stdout).toBe(`data: of ${strangers}\n`);
    expect([statSync(directory).uid, mode(directory)]).toEqual([0, "755"]);
    expect(statSync(join(directory, "data")).uid).toBe(stranger);
  });

  test("that replaced the data by a link gets ownership of nothing", () => {
    makeAsFormer();
    rmSync(join(directory, "data"), { recursive: true });
    mkdirSync(at("etc"));
    symlinkSync(at("etc"), join(directory, "data"));
    const { status, stderr } = run("apply", false, strangers);

    expect([status, stderr]).toEqual([
      1,
      `${directory}/data is there already and is not a directory\n`,
    ]);
    expect(statSync(at("etc")).uid).toBe(0);
  });

  test.each([
    [
      "that owns a directory further above",
      () => {
        mkdirSync(at("srv"));
        chownSync(at("srv"), stranger, stranger);
      },
    ],
    [
      "that can write to a directory further above",
      () => {
        mkdirSync(at("srv"));
        chmodSync(at("srv"), 0o777);
      },
    ],
    [
      "that owns the directory above with other files in it",
      () => {
        makeAsFormer();
        writeFileSync(join(directory, "notes"), "");
      },
    ],
  ])("%s is a reason to refuse the path", (_, make) => {
    make();
    const { status, stderr } = run("apply", false, strangers);

    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/ belongs to, or can be written by, another account than root/),
    ]);
    expect(run("remove", true, strangers).status).toBe(existsSync(directory) ? 1 : 0);
  });

  test("that owns an empty directory keeps it", () => {
    const other = "23456:23456";
    mkdirSync(join(directory, "data"), { recursive: true });
    chownSync(join(directory, "data"), stranger, stranger);
    const { status, stderr } = run("apply", false, other);

    expect([status, statSync(join(directory, "data")).uid]).toEqual([1, stranger]);
    expect(stderr).toContain(
      `/data is there already and belongs to ${strangers}, and its owner is`,
    );
  });

  test("gets ownership of an empty directory of root, and of one that the program created", () => {
    mkdirSync(join(directory, "data"), { recursive: true });
    expect(run("apply", false, strangers).stdout).toBe(`data: of ${strangers}\n`);
    rmSync(directory, { recursive: true });

    expect(run("apply", false, strangers).status).toBe(0);
    chownSync(join(directory, "data"), 23456, 23456);
    expect(run("apply", false, strangers).stdout).toBe(`data: of ${strangers}\n`);
  });

  test("follows a link that root created", () => {
    mkdirSync(at("disk"));
    symlinkSync("disk", at("srv"));

    expect(run("apply", false, strangers).stdout).toBe(`data: of ${strangers}\n`);
    expect(statSync(at("disk/openclaw/data")).uid).toBe(stranger);
  });
});
