import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DockerStandIn } from "../../dockerStandIn";
import { Project } from "../../support/project";

jest.setTimeout(240_000);

const machine = mkdtempSync(join(tmpdir(), "openclaw-machine-"));
const at = (...path: string[]) => join(machine, ...path);
const project = new Project({ PATH: `${machine}:${process.env.PATH ?? ""}` });
const docker = new DockerStandIn(machine);
const upstream = "node:26-bookworm-slim";

beforeAll(async () => {
  // Only root can give something away.
  writeFileSync(at("chown"), "#!/bin/sh\n", { mode: 0o755 });
  const stat =
    '#!/bin/sh\nif [ "$2" = %u:%g ]; then echo 1000:1000; else exec /usr/bin/stat "$@"; fi\n';
  writeFileSync(at("stat"), stat, { mode: 0o755 });
  docker.offer(upstream);
  await project.checkout("real");
  project.settings("dev", { directory: at("openclaw") });
  await project.pulumi("stack", "init", "dev");
});
afterAll(() => {
  project.remove();
  rmSync(machine, { recursive: true });
});

/** Brings the stack in line with one of the programs. */
async function up(program: "former" | "present") {
  writeFileSync(
    join(project.folder, "index.ts"),
    `import "./tests/integration/engine/programs/${program}";\n`,
  );
  const options = ["--yes", "--refresh", "--skip-preview", "--stack", "dev"];
  const { text, exitCode } = await project.pulumi("up", ...options);
  return exitCode === 0 ? (/Resources:\n(?: {4}.*\n)+/.exec(text)?.[0] ?? "") : text;
}

test("keeps resources that commands of an earlier version created", async () => {
  expect(await up("former")).toContain("+ 3 created");
  expect(docker.has()).toEqual({ "openclaw-kasm/base:0123456789ab": "pulled" });
  writeFileSync(at("openclaw/data/conversation"), "");

  expect(await up("present")).toMatch(/\+ 2 created\n.*~ 1 updated\n.*- 1 deleted\n/);
  expect(existsSync(at("openclaw/data/conversation"))).toBe(true);
  expect(Object.keys(docker.has())).toEqual([
    expect.stringMatching(/^openclaw-kasm\/base-dev:[0-9a-f]{12}$/),
  ]);
});

test("a second up changes nothing, and a refresh finds no difference", async () => {
  expect(await up("present")).toMatch(/Resources:\n +4 unchanged/);
  const preview = ["preview", "--refresh", "--expect-no-changes", "--stack", "dev"];
  expect((await project.pulumi(...preview)).exitCode).toBe(0);
});

test("resources deleted by hand are detected and recreated", async () => {
  const before = docker.has();
  docker.have({});
  rmSync(at("openclaw"), { recursive: true });
  const preview = ["preview", "--refresh", "--diff", "--stack", "dev"];
  expect((await project.pulumi(...preview)).text).toContain("data: missing");

  expect(await up("present")).toContain("~ 2 updated");
  expect(docker.has()).toEqual(before);
  expect(existsSync(at("openclaw/data"))).toBe(true);
});

test("a changed directory setting replaces the old directory", async () => {
  project.settings("dev", { directory: at("elsewhere") });

  expect(await up("present")).toContain("+-1 replaced");
  expect([existsSync(at("openclaw")), existsSync(at("elsewhere/data"))]).toEqual([false, true]);
});

test("destroy removes all resources", async () => {
  expect((await project.pulumi("destroy", "--yes", "--stack", "dev")).exitCode).toBe(0);

  expect(docker.has()).toEqual({});
  expect(existsSync(at("elsewhere"))).toBe(false);
});
