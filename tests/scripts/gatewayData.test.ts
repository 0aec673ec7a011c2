import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dataMount, refuseTooLarge, stopGateway } from "../../cli/backup/gatewayData";
import { scriptWith } from "../../host/shell";
import { parseSettings } from "../../config";

let folder: string;
const at = (...path: string[]) => join(folder, ...path);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gateway-data-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test.each([
  [{}, "type=bind,source=/opt/openclaw/data,target=/backup/data"],
  [{ directory: "/srv/claw" }, "type=bind,source=/srv/claw/data,target=/backup/data"],
  [{ dataVolume: "claw" }, "type=volume,source=claw,target=/backup/data"],
])("the data of %j is at %s", (values: Record<string, string>, mount) => {
  expect(dataMount(parseSettings({ values, encrypted: [] }))).toBe(mount);
});

describe("stopping the gateway before work on its data", () => {
  const path = process.env.PATH;
  afterEach(() => {
    process.env.PATH = path;
  });

  test.each<[docker: string, outcome: string]>([
    ["case $1 in container) echo false ;; esac", "stopped"],
    ["echo 'Error: No such container: openclaw' >&2; exit 1", "stopped"],
    ["case $1 in container) echo true ;; *) echo 'cannot stop' >&2; exit 1 ;; esac", "cannot stop"],
    ["case $1 in container) echo true ;; esac", "it goes on running"],
    ["echo 'Cannot connect to the Docker daemon' >&2; exit 1", "Cannot connect to the Docker"],
  ])("with Docker as `%s`: %s", async (docker, outcome) => {
    writeFileSync(at("docker"), `#!/bin/sh\n${docker}\n`, { mode: 0o700 });
    process.env.PATH = `${folder}:${path ?? ""}`;
    const stopping = stopGateway({ target: {}, container: "openclaw" }).then(
      () => "stopped",
      (error: unknown) => (error as Error).message,
    );

    expect(await stopping).toContain(outcome);
  });
});

describe("data.sh", () => {
  /** Runs an action on a folder in place of the mount; DATABASES is a program that is content. */
  function run(action: string, input?: Buffer, databases = ""): SpawnSyncReturns<Buffer> {
    const program = readFileSync("assets/data-container/data.sh", "utf8");
    const args = action === "save" ? ['{"format":1}'] : [databases];
    return spawnSync(
      "sh",
      ["-c", program.replace("root=/backup", `root=${folder}`), "data.sh", action, ...args],
      {
        input,
        env: { ...process.env, TMPDIR: folder, PATH: `${folder}:${process.env.PATH ?? ""}` },
      },
    );
  }
  /** Makes all disks have so many bytes free. */
  const free = (bytes: number) => {
    writeFileSync(at("df"), `#!/bin/sh\necho Avail\necho ${bytes.toString()}\n`, { mode: 0o755 });
  };
  const aside = () => at(".openclaw-kasm-restore");
  const files = () => readdirSync(at("data")).sort();
  const backup = () => run("save").stdout;

  beforeEach(() => {
    mkdirSync(at("data/.openclaw"), { recursive: true });
    writeFileSync(at("data/.openclaw/openclaw.json"), "{}", { mode: 0o600 });
    writeFileSync(at("data/it's a name"), "one");
    chmodSync(at("data"), 0o751);
  });

  test("a backup passes its check, and a restore replaces the data with the saved modes", () => {
    const saved = backup();
    rmSync(at("data/.openclaw"), { recursive: true });
    writeFileSync(at("data/it's a name"), "spoiled");
    writeFileSync(at("data/new"), "new");
    chmodSync(at("data"), 0o700);

    expect(run("check", saved).status).toBe(0);
    const staged = run("stage", saved);
    expect(staged.stdout.toString()).toBe('{"format":1}\n');
    expect(readFileSync(at("data/it's a name"), "utf8")).toBe("spoiled");
    expect(statSync(aside()).mode & 0o777).toBe(0o700);

    expect(run("swap").status).toBe(0);
    expect(run("look").stdout.toString()).toBe("swapped\n");
    expect(files()).toEqual([".openclaw", "it's a name"]);
    expect(readFileSync(at("data/it's a name"), "utf8")).toBe("one");
    expect(statSync(at("data/.openclaw/openclaw.json")).mode & 0o777).toBe(0o600);
    expect(statSync(at("data")).mode & 0o777).toBe(0o751);

    expect(run("discard").status).toBe(0);
    expect(files()).toEqual([".openclaw", "it's a name"]);
    expect(run("look").stdout.toString()).toBe("");
  });

  test("an undo restores everything that a swap put aside", () => {
    const saved = backup();
    writeFileSync(at("data/new"), "new");
    chmodSync(at("data"), 0o700);
    run("stage", saved);
    run("swap");
    writeFileSync(at("data/made-by-the-gateway"), "");

    expect(run("undo").status).toBe(0);
    expect(files()).toEqual([".openclaw", "it's a name", "new"]);
    expect(statSync(at("data")).mode & 0o777).toBe(0o700);
  });

  test("an undo without data aside only deletes the staged data", () => {
    run("stage", backup());

    expect(run("undo").status).toBe(0);
    expect(files()).toEqual([".openclaw", "it's a name"]);
  });

  test.each([
    ["a swap, in the middle of putting aside", "old.partial", ["it's a name"], [".openclaw"]],
    ["an undo, in the middle of deleting", "old.whole", ["rubbish"], [".openclaw", "it's a name"]],
    ["an undo, in the middle of putting back", "old.partial", [".openclaw"], ["it's a name"]],
  ])("undoes %s, that was interrupted", (_, name, present, put) => {
    rmSync(at("data"), { recursive: true });
    mkdirSync(at("data"));
    mkdirSync(join(aside(), name), { recursive: true });
    present.forEach((each) => {
      writeFileSync(at("data", each), "");
    });
    put.forEach((each) => {
      writeFileSync(join(aside(), name, each), "");
    });

    expect(run("look").stdout.toString()).toBe("torn\n");
    expect(run("stage", backup()).stderr.toString()).toContain("is still there");
    expect(run("undo").status).toBe(0);
    expect(files()).toEqual([".openclaw", "it's a name"]);
  });

  test("a backup omits staged data and data put aside", () => {
    run("stage", backup());
    writeFileSync(join(aside(), "secret"), "");
    const listed = spawnSync("tar", ["-tz"], { input: backup(), encoding: "utf8" }).stdout;

    expect(listed).toContain("data/.openclaw/openclaw.json\n");
    expect(listed).not.toContain("openclaw-kasm-restore");
  });

  describe("a compromised gateway, which can do anything below /data", () => {
    test("can't access staged data", () => {
      const saved = backup();
      const before = files();
      expect(run("stage", saved).status).toBe(0);

      expect(files()).toEqual(before);
      rmSync(at("data"), { recursive: true });
      mkdirSync(at("data/.openclaw-kasm-restore/new/data"), { recursive: true });
      writeFileSync(at("data/.openclaw-kasm-restore/new/data/evil"), "");
      expect(run("swap").status).toBe(0);
      expect(files()).toEqual([".openclaw", "it's a name"]);
    });

    test.each(["old", "old.partial", "old.whole"])(
      "can't prevent a restore by creating %s",
      (name) => {
        const saved = backup();
        for (const folder of [".openclaw-kasm-restore", ".openclaw"]) {
          mkdirSync(at("data", folder, name), { recursive: true });
        }

        expect(run("look").stdout.toString()).toBe("");
        expect(run("stage", saved).status).toBe(0);
        expect(run("swap").status).toBe(0);
        expect(files()).toEqual([".openclaw", "it's a name"]);
      },
    );
  });

  test("a restore drops setuid and setgid bits", () => {
    chmodSync(at("data/it's a name"), 0o6755);
    const saved = backup();
    run("stage", saved);
    run("swap");

    expect(statSync(at("data/it's a name")).mode & 0o7777).toBe(0o755);
  });

  test("a sparse file stays sparse in a backup and after a restore", () => {
    writeFileSync(at("data/sparse"), "");
    truncateSync(at("data/sparse"), 200 * 1048576);
    const saved = backup();
    expect(run("stage", saved).status).toBe(0);
    expect(run("swap").status).toBe(0);

    expect(saved.length).toBeLessThan(4096);
    const { size, blocks } = statSync(at("data/sparse"));
    expect([size, blocks * 512]).toEqual([200 * 1048576, 0]);
  });

  test.each<[string, () => void]>([
    [
      "with more than is free",
      () => {
        writeFileSync(at("data/large"), Buffer.alloc(3_000_000));
      },
    ],
    [
      "with a sparse file that is longer than what is free",
      () => {
        writeFileSync(at("data/large"), "");
        truncateSync(at("data/large"), 3_000_000);
      },
    ],
  ])("refuses a backup %s, and deletes what it unpacked", (_, make) => {
    make();
    const saved = backup();
    rmSync(at("data/large"));
    free(2_000_000);

    for (const action of ["check", "stage"]) {
      const { status, stderr } = run(action, saved);
      expect([status, stderr.toString()]).toEqual([1, expect.stringContaining("that are free")]);
    }
    expect([files(), existsSync(aside())]).toEqual([[".openclaw", "it's a name"], false]);
  });

  test("is measured by length and disk usage of its files and by the longest file", () => {
    free(1000);
    writeFileSync(at("data/two\nlines"), "");
    truncateSync(at("data/two\nlines"), 5_000_000);

    expect(run("measure").stdout.toString()).toMatch(
      /^bytes=5000005\ndiskBytes=\d+\nfreeBytes=900\nlongest=two\?lines\n$/,
    );
  });

  test("saves and restores a file name with a line feed", () => {
    writeFileSync(at("data/two\nlines"), "");
    const saved = backup();
    run("stage", saved);
    run("swap");

    expect(files()).toEqual([".openclaw", "it's a name", "two\nlines"]);
  });

  /** A backup in which something was changed after it was saved. */
  function tampered(change: (unpacked: string) => void): Buffer {
    const unpacked = mkdtempSync(at("unpacked-"));
    spawnSync("tar", ["-xz", "-C", unpacked], { input: backup() });
    change(unpacked);
    return spawnSync("tar", ["-cz", "-C", unpacked, "."]).stdout;
  }

  test.each<[string, (folder: string) => void, string]>([
    [
      "a changed file",
      (root) => {
        appendFileSync(join(root, "data/it's a name"), "x");
      },
      "it's a name",
    ],
    [
      "a file more",
      (root) => {
        writeFileSync(join(root, "data/more"), "");
      },
      "./more",
    ],
    [
      "a file less",
      (root) => {
        rmSync(join(root, "data/it's a name"));
      },
      "it's a name",
    ],
    [
      "no checksums",
      (root) => {
        rmSync(join(root, "SHA256SUMS"));
      },
      "it has no SHA256SUMS",
    ],
    [
      "a link for its data",
      (root) => {
        renameSync(join(root, "data"), join(root, "other"));
        symlinkSync("other", join(root, "data"));
      },
      "its data is a link",
    ],
    [
      "no metadata",
      (root) => {
        rmSync(join(root, "backup.json"));
      },
      "it has no backup.json",
    ],
  ])("refuses a backup with %s, and deletes what it unpacked", (_, change, said) => {
    const backup = tampered(change);

    for (const action of ["check", "stage"]) {
      const { status, stderr } = run(action, backup);
      expect([status, stderr.toString()]).toEqual([1, expect.stringContaining(said)]);
    }
    expect(files()).toEqual([".openclaw", "it's a name"]);
  });

  test.each([
    ["half of a backup", () => backup().subarray(0, 100)],
    ["something else", () => Buffer.from("hello")],
    ["nothing", () => Buffer.alloc(0)],
  ])("refuses %s", (_, input) => {
    expect(run("stage", input()).status).not.toBe(0);
    expect(files()).toEqual([".openclaw", "it's a name"]);
  });

  test("fails if a database is damaged", () => {
    const { status, stderr } = run(
      "stage",
      backup(),
      "console.error('damaged'); process.exitCode = 1",
    );

    expect([status, stderr.toString()]).toEqual([1, "damaged\n"]);
    expect(existsSync(aside())).toBe(false);
  });
});

describe("save-data.sh", () => {
  /** A stand-in for Docker that writes down what it was asked, with `run` as the way in which data is read. */
  function standIn(state: string, run: string): void {
    writeFileSync(
      at("docker"),
      `#!/bin/sh
case "$1 $2" in
  "container inspect") exit 1 ;;
  "inspect --format") echo ${state} ;;
  "run "*) ${run} ;;
  *) echo "$*" >>${at("asked")} ;;
esac`,
      { mode: 0o755 },
    );
  }
  const asked = () =>
    existsSync(at("asked")) ? readFileSync(at("asked"), "utf8").trim().split("\n") : [];
  const env = () => ({ ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` });
  const input = (afterwards: string) =>
    scriptWith("save-data.sh", {
      CONTAINER: "claw",
      HELPER: "helper",
      MOUNT: "m",
      IMAGE: "i",
      PROGRAM: "p",
      METADATA: "{}",
      LIMIT_SECONDS: "3600",
      AFTERWARDS: afterwards,
    });
  const save = (afterwards = "start") =>
    spawnSync("sh", ["-s", "--", "apply"], { input: input(afterwards), env: env() });
  const restarted = ["stop claw", "rm --force --volumes helper", "start claw"];

  test("stops a running gateway, writes its data and starts it again", () => {
    standIn("running", "echo data");
    const { status, stdout } = save();

    expect([status, stdout.toString()]).toEqual([0, "data\n"]);
    expect(asked()).toEqual(restarted);
  });

  test("leaves it stopped if requested", () => {
    standIn("running", "echo data");

    expect(save("stay").status).toBe(0);
    expect(asked()).toEqual(["stop claw", "rm --force --volumes helper"]);
  });

  test.each(["start", "stay"])("starts it again when its data can't be read (%s)", (afterwards) => {
    standIn("running", "exit 3");

    expect(save(afterwards).status).toBe(3);
    expect(asked()).toEqual(restarted);
  });

  test("does not start a gateway that did not run", () => {
    standIn("exited", "echo data");

    expect(save().status).toBe(0);
    expect(asked()).toEqual([]);
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"] as const)(
    "starts it again after %s",
    async (signal) => {
      standIn("running", `touch ${at("reading")}; exec sleep 30`);
      const child = spawn("sh", ["-s", "--", "apply"], {
        env: env(),
        stdio: ["pipe", "ignore", "ignore"],
      });
      child.stdin.end(input("start"));
      await until(() => existsSync(at("reading")));
      child.kill(signal);
      await once(child, "exit");

      // After SIGKILL the guard looks once more for what Docker started meanwhile.
      const expected = signal === "SIGKILL" ? [...restarted, ...restarted.slice(1, 2)] : restarted;
      await until(() => asked().length >= expected.length);
      expect(asked()).toEqual(expected);
    },
  );
});

async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!isSo() && performance.now() < end) {
    await sleep(50);
  }
}

describe("the space for a backup", () => {
  const data = { bytes: 2e9, diskBytes: 1e9, freeBytes: 3e9, longest: "a\u001b[2J" };

  test.each([
    ["where it is checked", { ...data, freeBytes: 1e9 }, 5e9, "1908 MiB on Docker's disk"],
    ["where it is saved", data, 5e8, "954 MiB where it is saved"],
  ])("refuses %s with the longest file's name", (_, measured, here, words) => {
    expect(() => {
      refuseTooLarge("claw", measured, here);
    }).toThrow(words);
    expect(() => {
      refuseTooLarge("claw", measured, here);
    }).toThrow('The longest file is "a\\u001b[2J".');
  });

  test("accepts data that fits", () => {
    expect(() => {
      refuseTooLarge("claw", data, 2e9);
    }).not.toThrow();
  });
});
