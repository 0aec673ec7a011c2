import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strToU8, zipSync } from "fflate";
import { findGo, neededGo } from "../../../toolchain/golang";
import { ConnectProxy } from "../connectProxy";
import { compare, numbers } from "../../../toolchain/path";
import { goRelease, type GoRelease } from "../../../toolchain/versions";

const platform = `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;
const prefix = "golang.org/toolchain@v0.0.1-go9.9.9";
/** What Go's own golang.org/x/mod/sumdb/dirhash says of {@link archive}. */
const sum = "h1:pQpb0T+RCO1zxC8kqXcDNz/Y4u2cIZ/Yan1zZttMrFA=";
const release: GoRelease = { version: "9.9.9", sums: { [platform]: sum } };
const archive = zipSync({
  [`${prefix}/bin/go`]: strToU8("#!/bin/sh\necho go9.9.9\n"),
  [`${prefix}/pkg/tool/some/compile`]: strToU8("#!/bin/sh\n"),
  [`${prefix}/src/_go.mod`]: strToU8("module std\n"),
  [`${prefix}/src/fmt/print.go`]: strToU8("package fmt\n"),
});

const servers: Server[] = [];
let folder: string;
let fetched: string;
let lines: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "golang-test-"));
  fetched = join(folder, "fetched");
  lines = [];
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
});

/** A module proxy that answers with this; gives its address and what it was asked. */
async function proxy(status: number, body?: Uint8Array) {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    response.writeHead(status).end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** Returns a PATH with a Go of this version, if any. */
async function pathWithGo(version?: string): Promise<string> {
  const program = join(folder, "go");
  if (version !== undefined) {
    await writeFile(program, `#!/bin/sh\n${version}\n`);
    await chmod(program, 0o755);
  }
  return folder;
}

/** Finds Go with a PATH that has none by default. */
async function find(env: NodeJS.ProcessEnv, known = release) {
  const PATH = await pathWithGo();
  // Without SHLVL, a bash that no terminal has reads ~/.bashrc, which may put another Go on PATH.
  return findGo(fetched, { SHLVL: "1", PATH, ...env }, (line) => lines.push(line), known);
}

describe("the Go on PATH", () => {
  test.each([
    ["is as old as allowed", neededGo()],
    ["is newer", "1.99"],
    ["is a release candidate of a newer one", "1.99rc1"],
  ])("is used when it %s", async (_case, version) => {
    const PATH = await pathWithGo(`echo go${version}`);
    expect(await find({ PATH, GOPROXY: "off" })).toEqual({ command: "go", env: {} });
    expect(lines).toEqual([]);
  });

  test.each([
    ["is too old", "echo go1.19.8", `"go" on PATH is 1.19.8`],
    ["is of no known version", "echo devel", `"go" on PATH is devel`],
    ["does not work", "exit 1", `there is no working "go" on PATH`],
    ["is not there", undefined, `there is no working "go" on PATH`],
  ])("is explained when it %s and no other can be fetched", async (_case, go, why) => {
    const PATH = await pathWithGo(go);
    await expect(find({ PATH, GOPROXY: "off" })).rejects.toThrow(
      `Building the engine needs Go ${neededGo()}, and ${why}. Go 9.9.9 can't be fetched: ` +
        `GOPROXY is off, which names no proxy. Install Go ${neededGo()} or newer, set GOPROXY to a Go module proxy, or let this machine reach the vendor's site.`,
    );
  });
});

describe("a Go from a module proxy", () => {
  test("is not requested if neither the environment nor an older Go names a proxy", async () => {
    await expect(find({})).rejects.toThrow("GOPROXY is not set. Install Go");
  });

  test("comes from the proxy that an older Go is configured for", async () => {
    const { host, asked } = await proxy(200, archive);
    const PATH = await pathWithGo(`[ "$2" = GOPROXY ] && echo http://${host} || echo go1.19.8`);
    await find({ PATH });
    expect(asked).toHaveLength(1);
  });

  test("comes by the HTTP proxy of the environment", async () => {
    const { host, asked } = await proxy(200, archive);
    const http = new ConnectProxy(Number(host.split(":")[1]));
    process.env.http_proxy = await http.start();
    await find({ GOPROXY: "http://go.invalid" }).finally(() => {
      Reflect.deleteProperty(process.env, "http_proxy");
      http.stop();
    });

    expect([http.asked, asked.length]).toEqual([["go.invalid:80"], 1]);
  });

  test("is unpacked where it works", async () => {
    const { host, asked } = await proxy(200, archive);
    const go = await find({ GOPROXY: `http://${host}` });

    expect(go).toEqual({ command: join(fetched, "bin", "go"), env: { GOROOT: fetched } });
    expect(execFileSync(go.command, { encoding: "utf8" })).toBe("go9.9.9\n");
    execFileSync(join(fetched, "pkg/tool/some/compile"));
    expect(readFileSync(join(fetched, "src/go.mod"), "utf8")).toBe("module std\n");
    expect(existsSync(join(fetched, "go.zip"))).toBe(false);
    expect(asked.map(({ url }) => url)).toEqual([
      `/golang.org/toolchain/@v/v0.0.1-go9.9.9.${platform}.zip`,
    ]);
    expect(lines).toEqual([
      `Building the engine needs Go ${neededGo()}, and there is no working "go" on PATH: fetching Go 9.9.9`,
    ]);
  });

  test("comes from the first proxy that has it", async () => {
    const [empty, full] = [await proxy(404), await proxy(200, archive)];
    await find({ GOPROXY: `http://${empty.host}/,http://${full.host}|direct` });
    expect([empty.asked.length, full.asked.length]).toEqual([1, 1]);
  });

  test("is requested with the user and password in the address, which are in no error", async () => {
    const { host, asked } = await proxy(403);
    const finding = find({ GOPROXY: `http://me:p%40ss@${host}` });
    await expect(finding).rejects.toThrow(
      `can't be fetched: http://${host}/golang.org/toolchain/@v/v0.0.1-go9.9.9.${platform}.zip answers 403. Install`,
    );
    const login = Buffer.from("me:p@ss").toString("base64");
    expect(asked[0]?.headers.authorization).toBe(`Basic ${login}`);
  });

  test("with another checksum is refused before it is unpacked", async () => {
    const { host } = await proxy(200, archive);
    const other = { ...release, sums: { [platform]: "h1:other" } };
    await expect(find({ GOPROXY: `http://${host}` }, other)).rejects.toThrow(
      `the checksum of golang.org/toolchain@v0.0.1-go9.9.9.${platform} is ${sum}, expected h1:other`,
    );
    expect(existsSync(join(fetched, "bin"))).toBe(false);
  });

  test("is not requested without a known checksum", async () => {
    const unknown = { ...release, sums: {} };
    await expect(find({ GOPROXY: "http://127.0.0.1:1" }, unknown)).rejects.toThrow(
      `no checksum is known for ${platform}`,
    );
  });
});

test("all modules need the same Go, the README names it, and the downloaded one is new enough", () => {
  const project = join(__dirname, "../../..");
  for (const module of ["cli", "ours", "bridged"]) {
    const manifest = readFileSync(join(project, "toolchain/go", module, "go.mod"), "utf8");
    expect(manifest).toContain(`\ngo ${neededGo()}\n`);
  }
  const readme = readFileSync(join(project, "README.md"), "utf8");
  expect(/Go [\d.]+ or newer/.exec(readme)?.[0]).toBe(`Go ${neededGo()} or newer`);
  expect(compare(numbers(goRelease.version) ?? [], numbers(neededGo()) ?? [])).toBeGreaterThan(-1);
});
