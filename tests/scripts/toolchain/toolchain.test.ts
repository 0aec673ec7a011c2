import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { ensureToolchain, toolchainEnv, type Setup, type Toolchain } from "../../../toolchain";
import { fetchChecksums } from "../../../toolchain/checksums";
import { archiveName, type Patience, pluginArchiveName } from "../../../toolchain/download";
import { checksumOf, readChecksums } from "../../../toolchain/knownChecksums";
import { compare, fits, numbers } from "../../../toolchain/path";
import { checkRoom, folderName } from "../../../toolchain/store";
import { cliParts, pluginParts, versions, type Part } from "../../../toolchain/versions";

/** Time limits that no busy machine exceeds. */
const patience: Patience = { connect: 60_000, stall: 60_000, plugin: 60_000 };
const nowhere = "http://127.0.0.1:1";
const allPlugins = pluginParts.map((part) => part.name);
const allParts = [...cliParts, ...pluginParts].map((part) => part.name);
const servers: Server[] = [];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "toolchain-test-"));
  const plugins = pluginNames.map((name) => [pluginArchiveName(name), pluginSum] as const);
  checksums = { [archiveName()]: "00".repeat(32), ...Object.fromEntries(plugins) };
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
});

/** Writes an executable shell script. */
async function script(file: string, body: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${body}\n`);
  await chmod(file, 0o755);
}

const pluginSum = "0f".repeat(32);
const pluginNames = ["docker", "random", "command"] as const;
/** The checksums of a site's plugins, and of its archive with the CLI once there is one. */
let checksums: Record<string, string>;

/** Returns a fake pulumi that prints a version and, by default, installs empty plugins. */
function fakeCli(version: string, installs: boolean): string {
  const name = `resource-$4-v$5`;
  return `case $1 in
    version) echo ${version} ;;
    plugin) ${installs ? "" : "echo 'no route' >&2; exit 1;"}
      [ "$6 $7" = "--checksum ${pluginSum}" ] || { echo 'invalid checksum' >&2; exit 1; }
      mkdir -p "$PULUMI_HOME/plugins/${name}"
      echo > "$PULUMI_HOME/plugins/${name}/pulumi-resource-$4"
      chmod +x "$PULUMI_HOME/plugins/${name}/pulumi-resource-$4" ;;
  esac`;
}

/** Puts a fake CLI into a folder, with what belongs beside it. */
async function installCli(to: string, version: string, installs = false): Promise<string> {
  await script(join(to, "pulumi"), fakeCli(version, installs));
  await script(join(to, "pulumi-language-nodejs"), "");
  await script(join(to, "pulumi-resource-pulumi-nodejs"), "");
  return to;
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A site with the vendor's layout and one archive. */
async function vendor(version: string, installs: boolean): Promise<string> {
  const source = join(folder, "archive");
  await installCli(join(source, "pulumi"), version, installs);
  const archive = execFileSync("tar", ["-cz", "-C", source, "pulumi"]);
  checksums[archiveName()] = createHash("sha256").update(archive).digest("hex");
  return serve((request, response) => {
    const found = request.url === `/releases/sdk/${archiveName()}`;
    response.writeHead(found || request.url === "/" ? 200 : 404).end(found ? archive : undefined);
  });
}

interface Run {
  readonly toolchain: Toolchain;
  readonly built: string[];
  readonly lines: string[];
}

/** Runs ensureToolchain with a build that only writes down what it was asked for. */
async function run(changes: Partial<Setup> & { path?: string } = {}): Promise<Run> {
  const built: string[] = [];
  const lines: string[] = [];
  const { path, ...rest } = changes;
  const toolchain = await ensureToolchain((line) => lines.push(line), {
    env: { PATH: path ?? "", XDG_CACHE_HOME: join(folder, "cache") },
    site: nowhere,
    checksums,
    patience,
    findGo: () => Promise.resolve({ command: "go", env: {} }),
    build: async (part: Part, home: string) => {
      built.push(part.name);
      await script(join(home, part.target), "");
    },
    ...rest,
  });
  return { toolchain, built, lines };
}

describe("fits", () => {
  test.each([
    ["v3.248.0", true],
    ["3.250.0", true],
    ["v3.300.1", true],
    ["v3.250.0-alpha.1", true],
    ["v3.247.9", false],
    ["v2.999.0", false],
    ["v4.0.0", false],
    ["", false],
    ["dev", false],
  ])("%s: %s", (version, expected) => {
    expect(fits(version)).toBe(expected);
  });
});

test("versions are compared by number", () => {
  expect(compare(numbers("1.26.8") ?? [], numbers("1.25.11") ?? [])).toBeGreaterThan(0);
  expect(compare(numbers("1.9") ?? [], numbers("1.10") ?? [])).toBeLessThan(0);
  expect(compare([1, 2], [1, 2, 0])).toBe(0);
});

describe("a CLI on PATH", () => {
  test("is used with plugins of our own", async () => {
    const path = await installCli(join(folder, "bin"), "v3.249.0");
    const { toolchain, built } = await run({ path });
    expect(toolchain).toMatchObject({ source: "path", pulumi: join(path, "pulumi"), path });
    expect(built).toEqual(allPlugins);
    expect(existsSync(join(toolchain.home, "plugins", "resource-docker-v5.2.0"))).toBe(true);
  });

  test("gets the vendor's plugins if the site can be reached", async () => {
    const path = await installCli(join(folder, "bin"), "v3.249.0", true);
    const { toolchain, built } = await run({ path, site: await vendor("v3.250.0", true) });
    expect(toolchain.source).toBe("path");
    expect(built).toEqual([]);
  });

  test.each([
    ["too old", "v3.247.0"],
    ["of another major version", "v4.0.0"],
    ["broken", "; exit 1"],
  ])("is ignored if it is %s", async (_case, version) => {
    const old = await installCli(join(folder, "old"), version);
    const { toolchain, lines } = await run({ path: old });
    expect(toolchain.source).toBe("build");
    expect(lines.join("\n")).toContain(`${join(old, "pulumi")} is passed over`);
  });

  test("is ignored without its language host", async () => {
    await script(join(folder, "bin", "pulumi"), fakeCli("v3.250.0", false));
    const { toolchain, lines } = await run({ path: join(folder, "bin") });
    expect(toolchain.source).toBe("build");
    expect(lines.join("\n")).toContain("its language host is not beside it");
  });

  test("that fits is found after one that does not", async () => {
    const old = await installCli(join(folder, "old"), "v3.100.0");
    const good = await installCli(join(folder, "good"), "v3.250.0");
    const { toolchain } = await run({ path: [old, join(folder, "none"), good].join(delimiter) });
    expect(toolchain.path).toBe(good);
  });

  test("is not used if this project built it", async () => {
    const own = await installCli(
      join(folder, "cache", "openclaw-kasm", "toolchain-0", "bin"),
      "v3.250.0",
    );
    expect((await run({ path: own })).toolchain.source).toBe("build");
  });

  test("that is replaced later is checked again", async () => {
    const path = await installCli(join(folder, "bin"), "v3.249.0");
    await run({ path });
    await script(join(path, "pulumi"), fakeCli("v3.100.0", false));
    const { toolchain, built } = await run({ path });
    expect(toolchain.source).toBe("build");
    expect(built).toEqual(allParts);
  });
});

describe("the vendor's download", () => {
  test("has CLI and plugins", async () => {
    const { toolchain, built } = await run({ site: await vendor(`v${versions.cli}`, true) });
    expect(toolchain).toMatchObject({
      source: "download",
      pulumi: join(toolchain.home, "bin", "pulumi"),
      path: join(toolchain.home, "bin"),
    });
    expect(built).toEqual([]);
    expect((await readdir(toolchain.home)).sort()).toEqual([
      "bin",
      "plugins",
      "toolchain.json",
      "workspaces",
    ]);
  });

  test("of the CLI is used with built plugins if theirs can't be downloaded", async () => {
    const { toolchain, built, lines } = await run({
      site: await vendor(`v${versions.cli}`, false),
    });
    expect(toolchain.source).toBe("download");
    expect(built).toEqual(allPlugins);
    expect(lines.join("\n")).toContain("no route");
  });

  test.each<[string, string, () => Promise<string>, limits?: Partial<Patience>]>([
    ["can't be reached", "can't be reached: ", () => Promise.resolve(nowhere)],
    ["never answers", "aborted due to timeout", () => serve(() => undefined), { connect: 50 }],
    [
      "has no such archive",
      "answers 404",
      () => serve((_request, response) => response.writeHead(404).end()),
    ],
    [
      "serves something else",
      `has the SHA-256 ${createHash("sha256").update("<html>").digest("hex")}, expected 0000`,
      () => serve((_request, response) => response.end("<html>")),
    ],
    ["holds another version", "holds version v3.1.0", () => vendor("v3.1.0", true)],
    [
      "stops in the middle",
      "the transfer stopped",
      () =>
        serve((request, response) => {
          response.writeHead(200, { "content-length": "1000" });
          if (request.method === "HEAD") {
            response.end();
          } else {
            response.write("half");
          }
        }),
      { stall: 50 },
    ],
  ])("is replaced by a build if the site %s", async (_case, why, site, limits = {}) => {
    const { toolchain, built, lines } = await run({
      site: await site(),
      patience: { ...patience, ...limits },
    });
    expect(toolchain.source).toBe("build");
    expect(built).toEqual(allParts);
    const told = lines.find((line) => line.endsWith("; building from Go modules instead"));
    expect(told).toContain(why);
  });

  test("without a checksum is not used, and the site gets no request", async () => {
    let asked = 0;
    const site = await serve((_request, response) => {
      asked++;
      response.end();
    });
    const { built, lines } = await run({ site, checksums: {} });

    expect(built).toEqual(allParts);
    expect(asked).toBe(0);
    expect(lines).toContain(
      `${archiveName()} has no checksum in toolchain/checksums.json; building from Go modules instead`,
    );
  });

  test("of a plugin with another checksum is replaced by a build", async () => {
    const other = { [pluginArchiveName("random")]: "11".repeat(32) };
    const site = await vendor(`v${versions.cli}`, true);
    const { toolchain, built, lines } = await run({ site, checksums: { ...checksums, ...other } });

    expect(toolchain.source).toBe("download");
    expect(built).toEqual(allPlugins);
    expect(lines.join("\n")).toContain("the random plugin can't be had: invalid checksum");
  });

  test("without enough disk space is not replaced by a build, which needs more", async () => {
    const site = await vendor(`v${versions.cli}`, true);
    const lacking = run({ site, room: { download: 1e18, build: 0 } });
    await expect(lacking).rejects.toThrow(
      /^Downloading the Pulumi engine needs 1000000000.0 GB of room/,
    );
  });
});

describe("a build", () => {
  test("reports each of its parts", async () => {
    const { lines } = await run();
    allParts.forEach((name, index) => {
      expect(lines.join("\n")).toContain(`Building ${index + 1} of ${allParts.length}: ${name}\n`);
    });
  });

  test("that is not possible is explained, and leaves no files", async () => {
    const findGo = () => Promise.reject(new Error("no Go"));
    await expect(run({ findGo })).rejects.toThrow("no Go");
    expect(await readdir(join(folder, "cache", "openclaw-kasm"))).toEqual(["workspaces"]);
  });

  test("does not start without enough disk space", async () => {
    const lacking = run({ room: { download: 0, build: 1e18 } });
    await expect(lacking).rejects.toThrow(
      /^Building the Pulumi engine needs 1000000000.0 GB of room/,
    );
  });

  test("uses a downloaded Go, which is deleted afterwards", async () => {
    const used: string[] = [];
    const { toolchain } = await run({
      findGo: async (folder) => {
        await script(join(folder, "bin", "go"), "");
        return { command: join(folder, "bin", "go"), env: {} };
      },
      build: async (part, home, go) => {
        expect(existsSync(go.command)).toBe(true);
        used.push(part.name);
        await script(join(home, part.target), "");
      },
    });
    expect(used).toEqual(allParts);
    expect(existsSync(join(toolchain.home, "go"))).toBe(false);
  });

  test("that fails leaves no files, and the next one succeeds", async () => {
    const build = () => Promise.reject(new Error("compiler says no"));
    await expect(run({ build })).rejects.toThrow("compiler says no");
    expect(await readdir(join(folder, "cache", "openclaw-kasm"))).toEqual(["workspaces"]);
    expect((await run()).built).toEqual(allParts);
  });
});

describe("the result", () => {
  test("is reused", async () => {
    const first = await run();
    const second = await run();
    expect(second.toolchain).toEqual(first.toolchain);
    expect(second.built).toEqual([]);
    expect(second.lines).toEqual([]);
  });

  test("is rebuilt if a part is missing", async () => {
    const { toolchain } = await run();
    await rm(toolchain.pulumi);
    expect((await run()).built).toEqual(allParts);
  });

  test("is rebuilt if its marker is damaged", async () => {
    const { toolchain } = await run();
    await writeFile(join(toolchain.home, "toolchain.json"), "{");
    expect((await run()).built).toEqual(allParts);
  });

  test("is built once by two concurrent runs", async () => {
    const [one, two] = await Promise.all([run(), run()]);
    expect(one.toolchain).toEqual(two.toolchain);
    expect([...one.built, ...two.built]).toEqual(allParts);
    expect([...one.lines, ...two.lines].join("\n")).toContain("Another run is preparing");
  });

  test.each([
    ["on this machine", `${hostname()} 999999999`, new Date()],
    ["on another machine", "elsewhere 1", new Date(0)],
  ])("is built in spite of the lock of a killed run %s", async (_case, holder, when) => {
    const { toolchain } = await run();
    await rm(toolchain.home, { recursive: true });
    await mkdir(`${toolchain.home}.draft-1-abc/bin`, { recursive: true });
    await writeFile(`${toolchain.home}.lock`, holder);
    await utimes(`${toolchain.home}.lock`, when, when);
    expect((await run()).built).toEqual(allParts);
    const left = await readdir(dirname(toolchain.home));
    expect(left.filter((name) => /draft|lock/.test(name))).toEqual([]);
  });

  test("is in the home's cache by default", async () => {
    const { toolchain } = await run({ env: { PATH: "", HOME: folder } });
    expect(dirname(toolchain.home)).toBe(join(folder, ".cache", "openclaw-kasm"));
  });

  test("keeps the stack that an earlier toolchain had selected", async () => {
    const { toolchain } = await run();
    await writeFile(join(toolchain.home, "workspaces", "selected"), "dev");
    await rm(toolchain.home, { recursive: true });
    const again = await run();
    expect(await readFile(join(again.toolchain.home, "workspaces", "selected"), "utf8")).toBe(
      "dev",
    );
  });
});

describe("checkRoom", () => {
  test("accepts a folder with enough space", async () => {
    await expect(checkRoom(folder, 1, "This")).resolves.toBeUndefined();
  });

  test("names the folder, the needed space and the free space", async () => {
    await expect(checkRoom(folder, 2e18, "This")).rejects.toThrow(
      new RegExp(
        `^This needs 2000000000.0 GB of room in ${folder}, and \\d+\\.\\d GB are free\\.$`,
      ),
    );
  });
});

test("the folder's name depends on the sources, not on the tests", async () => {
  await writeFile(join(folder, "main.go"), "package main");
  const before = folderName(folder);
  await writeFile(join(folder, "main_test.go"), "package main");
  await writeFile(join(folder, "README.md"), "words");
  expect(folderName(folder)).toBe(before);
  await writeFile(join(folder, "main.go"), "package main // changed");
  expect(folderName(folder)).not.toBe(before);
});

test("the plugins have the versions of the npm packages", async () => {
  const manifest = JSON.parse(await readFile(join(__dirname, "../../../package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const [name, version] of Object.entries(versions.plugins)) {
    expect(manifest.dependencies[`@pulumi/${name}`]).toBe(version);
  }
  expect(manifest.dependencies["@pulumi/pulumi"]).toBe(versions.oldestCli);
});

test("toolchainEnv points at the toolchain and keeps the rest", () => {
  const toolchain: Toolchain = {
    home: "/h",
    pulumi: "/h/bin/pulumi",
    path: "/h/bin",
    source: "build",
  };
  const given = {
    ...{ PATH: "/usr/bin", OTHER: "kept", GONE: undefined },
    NODE_OPTIONS: "--no-warnings",
  };
  expect(toolchainEnv(toolchain, given)).toEqual({
    NODE_OPTIONS: `--no-warnings --require "${process.cwd()}/toolchain/lateModules.cjs"`,
    NO_PROXY: "localhost,127.0.0.1,::1",
    OTHER: "kept",
    PATH: `/h/bin${delimiter}/usr/bin`,
    PULUMI_HOME: "/h",
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    no_proxy: "localhost,127.0.0.1,::1",
  });
});

test("with toolchainEnv the SDK loads what this project does not use when it is asked for", () => {
  const { NODE_OPTIONS } = toolchainEnv({ home: "/h", pulumi: "/p", path: "/", source: "build" });
  const script = `
    const pulumi = require("@pulumi/pulumi");
    const loaded = () => ["typescript", "arborist"].map((name) =>
      Object.keys(require.cache).some((file) => file.includes("/" + name + "/lib/")));
    const before = loaded();
    pulumi.runtime.serializeFunction(() => 1).then(async () => {
      await pulumi.runtime.computeCodePaths();
      console.log(JSON.stringify([before, loaded(), typeof pulumi.automation.LocalWorkspace]));
    });
  `;
  const told = execFileSync(process.execPath, ["--eval", script], {
    env: { PATH: process.env.PATH, NODE_OPTIONS },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });

  expect(JSON.parse(told)).toEqual([[false, false], [true, true], "function"]);
});

test("toolchainEnv excludes the engine's own connections from a proxy, in every variable that gRPC reads", () => {
  const toolchain: Toolchain = { home: "/h", pulumi: "/p", path: "/", source: "build" };
  const given = { no_proxy: "corp.example.com, 127.0.0.1", NO_PROXY: "x", no_grpc_proxy: "y" };
  const hosts = "x,corp.example.com,127.0.0.1,localhost,::1";

  expect(toolchainEnv(toolchain, { ...given, http_proxy: "http://p:9" })).toMatchObject({
    http_proxy: "http://p:9",
    NO_PROXY: hosts,
    no_proxy: hosts,
    no_grpc_proxy: "y,localhost,127.0.0.1,::1",
  });
});

describe("checksums", () => {
  test("in the repository are of archives of the current versions", () => {
    const names = new Set([archiveName("linux", "x64"), archiveName("linux", "arm64")]);
    const known = Object.keys(readChecksums());
    const cli = known.filter((name) => name.startsWith("pulumi-v"));

    expect(cli.every((name) => name.includes(`-v${versions.cli}-`))).toBe(true);
    expect(known.length === 0 || [...names].every((name) => known.includes(name))).toBe(true);
  });

  test("are fetched for all platforms", async () => {
    const site = await serve((request, response) => response.end(request.url));
    const sums = await fetchChecksums(site);

    expect(Object.keys(sums)).toHaveLength(4 * (1 + pluginNames.length));
    const archive = "pulumi-resource-docker-v5.2.0-linux-amd64.tar.gz";
    expect(checksumOf(sums, archive)).toBe(
      createHash("sha256").update(`/releases/plugins/${archive}`).digest("hex"),
    );
  });
});
