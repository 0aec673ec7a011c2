import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shape } from "../../config/schema";

const [own, desktop] = ["assets/gateway-image/openclaw", "assets/kasm-image/openclaw"] as const;
const read = (name: string, folder: string = own) => readFileSync(join(folder, name), "utf8");

describe("the lockfile of the images", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { version?: string; integrity?: string; inBundle?: boolean }>;
  };

  test("pins the version of OpenClaw that is installed by default", () => {
    expect(packages["node_modules/openclaw"]?.version).toBe(shape.openclawVersion.fallback);
  });

  test("has a hash for each package, and no address of a registry", () => {
    const without = Object.entries(packages).filter(
      ([path, { integrity, inBundle }]) => path !== "" && !inBundle && !integrity,
    );

    expect(without).toEqual([]);
    expect(read("package-lock.json")).not.toContain('"resolved"');
  });

  test("is the same for gateway and desktop, with the script that uses it", () => {
    expect(readdirSync(desktop).sort()).toEqual(readdirSync(own).sort());
    for (const name of readdirSync(own)) {
      expect(read(name, desktop)).toBe(read(name));
    }
  });
});

describe("install.sh", () => {
  let folder: string;
  const at = (name: string) => join(folder, name);

  /** Runs the script with an npm that only writes down its arguments. */
  function install(version: string): string[] {
    cpSync(own, at("openclaw"), { recursive: true });
    const script = read("install.sh").replace(/\/usr\/local(?=\/bin)|(?=\/tmp\/)/g, folder);
    mkdirSync(at("bin"));
    writeFileSync(at("openclaw/install.sh"), script);
    const npm = `case $1 in pkg) ;; *) echo "$*" >>'${at("asked")}' ;; esac
[ "$2" = get ] && echo '"${shape.openclawVersion.fallback}"'
exit 0`;
    writeFileSync(at("npm"), `#!/bin/sh\n${npm}\n`, { mode: 0o755 });
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}`, HOME: folder };
    const done = spawnSync("sh", [at("openclaw/install.sh"), version], { env, encoding: "utf8" });
    expect([done.status, done.stderr]).toEqual([0, ""]);
    return readFileSync(at("asked"), "utf8").trim().split("\n");
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "openclaw-packages-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test("installs the packages of the lockfile for its version", () => {
    const [first] = install(shape.openclawVersion.fallback);

    expect(first).toMatch(/^ci /);
    expect(existsSync(at("openclaw/package-lock.json"))).toBe(true);
  });

  test("lets npm choose the packages of another version", () => {
    const [first] = install("2026.9.5");

    expect(first).toMatch(/^install /);
    expect(existsSync(at("openclaw/package-lock.json"))).toBe(false);
  });

  test.each(["2026.9.5", shape.openclawVersion.fallback])(
    "of %s runs only OpenClaw's own script, and refuses a Node that is too old",
    (version) => {
      const [first, ...others] = install(version);

      expect(first).toContain(" --ignore-scripts --engine-strict ");
      expect(others).toEqual([expect.stringMatching(/^rebuild .* openclaw$/)]);
    },
  );
});
