import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { forgetKeptImages, keepImages } from "../../host/keptImages";
import { DockerStandIn } from "../dockerStandIn";

const upstream = "node:26-bookworm-slim";
const tag = "0123456789ab";
const own = `openclaw-kasm/base-dev:${tag}`;

let folder: string;
let docker: DockerStandIn;
const { PATH } = process.env;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "base-image-"));
  docker = new DockerStandIn(folder);
});
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true });
});

/** A program that is found before the real one of its name. */
function standIn(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

function run(script: string, ...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(`assets/base-image/${script}`, args, {
    encoding: "utf8",
    env: {
      ...process.env,
      PATH: `${folder}:${process.env.PATH ?? ""}`,
      DOCKER_COMMAND: docker.command,
      TMPDIR: folder,
    },
  });
}

const ensure = (reference = own, from = upstream) => run("ensure.sh", reference, from);

describe("ensure.sh", () => {
  test("keeps an image that already exists", () => {
    docker.have({ [own]: "built" });

    expect(ensure().stdout).toBe(`${own}\n`);
    expect(docker.has()).toEqual({ [own]: "built" });
  });

  test("adds a name to another stack's image with the same hash", () => {
    const others = `openclaw-kasm/node-prod:${tag}`;
    docker.offer(upstream);
    docker.have({ "openclaw-kasm/base-prod:ba9876543210": "older", [others]: "same" });

    expect(ensure().stderr).toBe(`base-image: ${own} is ${others}\n`);
    expect(docker.has()[own]).toBe("same");
  });

  test("does not reuse an image by a tag that is no hash", () => {
    const mine = "openclaw-kasm/base-dev:latest";
    docker.offer(upstream);
    docker.have({ "openclaw-kasm/other:latest": "other" });

    expect(ensure(mine).status).toBe(0);
    expect(docker.has()[mine]).toBe("pulled");
  });

  test("tags a pulled upstream image with the project's name only", () => {
    docker.offer(upstream);

    expect(ensure().stdout).toBe(`${own}\n`);
    expect(docker.has()).toEqual({ [own]: "pulled" });
  });

  test("keeps the tag of an upstream image that already exists", () => {
    docker.have({ [upstream]: "existing" });

    expect(ensure().status).toBe(0);
    expect(docker.has()).toEqual({ [upstream]: "existing", [own]: "existing" });
  });

  describe("for a rebuild", () => {
    const from = "2026-11-29T03:10:00Z";
    const rebuild = (upstreamImage: string) => run("ensure.sh", own, upstreamImage, from);

    test("pulls an upstream image that already exists, which keeps its tag", () => {
      docker.have({ [upstream]: "old" });
      docker.offer(upstream);

      expect(rebuild(upstream).status).toBe(0);
      expect(docker.has()).toEqual({ [upstream]: "old", [own]: "pulled" });
    });

    test("prefers a new image built from packages to an old one", () => {
      docker.have({ [upstream]: "old" });
      standIn("mmdebstrap", "exit 1");
      standIn("npm", "exit 1");

      expect(rebuild(upstream).stderr).toContain("could not fetch node-linux-");
      expect(docker.has()).toEqual({ [upstream]: "old" });
    });

    test("uses an old image that can't be built from packages, with a message", () => {
      docker.have({ "registry.example.com/node:26": "old" });
      const { status, stderr } = rebuild("registry.example.com/node:26");

      expect(status).toBe(0);
      expect(stderr).toContain("using the registry.example.com/node:26 that the engine has");
      expect(docker.has()[own]).toBe("old");
    });
  });

  test("finds an image that a command kept for a rollback", async () => {
    process.env.PATH = `${folder}:${PATH ?? ""}`;
    docker.have({ [own]: "previous" });
    await keepImages({ target: {}, stack: "dev" }, [own, "openclaw-kasm/node-dev:gone"], []);
    run("remove.sh", own);

    expect(ensure().status).toBe(0);
    await forgetKeptImages({ target: {}, stack: "dev" });
    expect(docker.has()).toEqual({ [own]: "previous" });
  });

  test("builds only a Debian with Node 26 if nothing can be pulled", () => {
    const { status, stderr } = ensure(own, "debian:bookworm");

    expect(status).toBe(1);
    expect(stderr).toContain("can't pull debian:bookworm");
    expect(stderr).toContain("only node:26…-bookworm… can be built from packages");
    expect(docker.has()).toEqual({});
  });

  test("refuses an npm package with another hash than the pinned one", () => {
    standIn("mmdebstrap", "exit 1");
    standIn("npm", 'echo other >"$5/package.tgz"');
    const { status, stderr } = ensure();

    expect(status).toBe(1);
    expect(stderr).toMatch(/ERROR: node-linux-\S+@26\S+ has the hash sha512-\S+, expected sha512-/);
    expect(docker.has()).toEqual({});
  });
});

test("look.sh reports whether the image exists", () => {
  expect(run("look.sh", own).stdout).toBe("missing\n");
  docker.have({ [own]: "built" });
  expect(run("look.sh", own).stdout).toBe(`${own}\n`);
});

test("remove.sh removes one name, and succeeds if it does not exist", () => {
  docker.have({ [own]: "built", [upstream]: "built" });

  expect([run("remove.sh", own).status, run("remove.sh", own).status]).toEqual([0, 0]);
  expect(docker.has()).toEqual({ [upstream]: "built" });
});

describe.each([
  ["ensure.sh", [upstream]],
  ["look.sh", []],
  ["remove.sh", []],
])("%s", (script, more) => {
  test.each([
    ["debian:bookworm"],
    ["openclaw-kasm:latest"],
    ["openclaw-kasm/base-dev"],
    ["openclaw-kasm/Base:1"],
  ])("does not touch %s", (name) => {
    docker.have({ [name]: "existing" });
    const { status, stderr } = run(script, name, ...more);

    expect(status).toBe(1);
    expect(stderr).toContain(`'${name}' is not one of this project's image names`);
    expect(docker.has()).toEqual({ [name]: "existing" });
  });

  test("reports an engine that hangs", () => {
    docker.hang();
    // The real one, without the wait.
    standIn("timeout", 'shift 2; exec /usr/bin/timeout 0.1 "$@"');
    const { status, stderr } = run(script, own, ...more);

    expect(status).toBe(1);
    expect(stderr).toContain(`the Docker engine (${docker.command}`);
    expect(stderr).toContain("does not answer: no answer within 20 s");
  });
});
