import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { $ } from "zx";
import { ensureToolchain, toolchainEnv } from "../../../toolchain";
import { Project } from "../../support/project";

jest.setTimeout(240_000);

const clone = new Project();
const created = mkdtempSync(join(tmpdir(), "openclaw-template-"));
let pulumi: (...args: string[]) => Promise<{ exitCode: number | null; text: string }>;

beforeAll(async () => {
  await clone.checkout("real");
  // A clone has no packages: the engine would copy them.
  rmSync(join(clone.folder, "node_modules"));
  const toolchain = await ensureToolchain(() => undefined);
  const state = join(clone.folder, "state");
  mkdirSync(state);
  const env = {
    ...toolchainEnv(toolchain),
    PULUMI_BACKEND_URL: `file://${state}`,
    PULUMI_CONFIG_PASSPHRASE: "passphrase",
    // The packages are those of this checkout.
    npm_config_dry_run: "true",
  };
  const run = $({ cwd: created, env: { ...process.env, ...env }, quiet: true, nothrow: true });
  pulumi = async (...args) => {
    const { exitCode, stdout, stderr } = await run`${toolchain.pulumi} ${args}`;
    return { exitCode, text: `${stdout}${stderr}` };
  };
});

afterAll(() => {
  clone.remove();
  rmSync(created, { recursive: true, force: true });
});

test("pulumi new creates a project and a stack from a clone", async () => {
  const { exitCode, text } = await pulumi(
    "new",
    clone.folder,
    "--yes",
    ...["--name", "openclaw", "--stack", "dev", "--config", "openclaw:port=8181"],
  );

  expect({ exitCode, text }).toMatchObject({ exitCode: 0 });
  const stack = parse(readFileSync(join(created, "Pulumi.dev.yaml"), "utf8")) as object;
  expect(stack).toMatchObject({
    config: {
      "openclaw:dataVolume": "openclaw-data",
      "openclaw:port": "8181",
    },
  });
});

test("a preview accepts the answers", async () => {
  symlinkSync(resolve("node_modules"), join(created, "node_modules"));
  const { exitCode, text } = await pulumi("preview", "--stack", "dev");

  expect({ exitCode, text }).toMatchObject({ exitCode: 0 });
  expect(text).toContain("http://127.0.0.1:8181/");
});
