import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { LocalWorkspace, PulumiCommand } from "@pulumi/pulumi/automation";
import { $ } from "zx";
import { ensureToolchain, toolchainEnv, type Toolchain } from "../../../toolchain";
import { plainProgram } from "./plainProgram";

jest.setTimeout(240_000);

const { folder, files } = plainProgram(
  "quiet",
  `
  const { Command } = require("@pulumi/command/local");
  const { RandomPassword } = require("@pulumi/random");
  const { result } = new RandomPassword("password", { length: 12 });
  const inputs = { create: "cat", stdin: result, environment: { RUN: process.env.RUN } };
  exports.length = new Command("command", inputs).stdout.apply((text) => text.length);
`,
);
let toolchain: Toolchain;
let env: Record<string, string>;

beforeAll(async () => {
  toolchain = await ensureToolchain(() => undefined);
  env = {
    ...toolchainEnv(toolchain),
    PULUMI_BACKEND_URL: files,
    PULUMI_CONFIG_PASSPHRASE: "passphrase",
  };
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test("the CLI gives no warning", async () => {
  const texts: string[] = [];
  const pulumi = async (run: string, ...args: string[]) => {
    const { stdout, stderr } = await $({
      cwd: folder,
      env: { ...env, RUN: run },
      quiet: true,
    })`${toolchain.pulumi} ${args} --stack cli --non-interactive`;
    texts.push(stdout, stderr);
    return stdout;
  };

  await pulumi("1", "stack", "init");
  await pulumi("1", "preview");
  expect(await pulumi("1", "up", "--yes")).toContain("+ 3 created");
  expect(await pulumi("2", "up", "--yes", "--refresh")).toContain("~ 1 updated");
  await pulumi("2", "refresh", "--yes");
  expect(await pulumi("2", "stack", "output", "length", "--show-secrets")).toBe("12\n");
  expect(await pulumi("2", "destroy", "--yes", "--remove")).toContain("- 3 deleted");

  expect(texts.join("")).not.toMatch(/warning/i);
});

test("the Automation API gives no warning", async () => {
  const texts: string[] = [];
  const listening = {
    onOutput: (text: string) => texts.push(text),
    onError: (text: string) => texts.push(text),
  };
  const stack = await LocalWorkspace.createStack(
    { stackName: "automation", workDir: folder },
    {
      envVars: { ...env, RUN: "1" },
      pulumiCommand: await PulumiCommand.get({ root: dirname(toolchain.path) }),
    },
  );

  await stack.preview(listening);
  const { outputs, summary } = await stack.up(listening);
  expect(outputs.length).toEqual({ value: 12, secret: true });
  expect(summary.result).toBe("succeeded");
  await stack.refresh(listening);
  await stack.destroy({ ...listening, remove: true });

  expect(texts.join("")).toContain("3 created");
  expect(texts.join("")).not.toMatch(/warning/i);
});
