import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { $ } from "zx";
import { ensureToolchain, type Toolchain, toolchainEnv } from "../../../toolchain";
import { eventually } from "../../support/docker";
import { plainProgram } from "./plainProgram";

jest.setTimeout(240_000);

const { folder, files } = plainProgram(
  "backend",
  `
  const { RandomPassword } = require("@pulumi/random");
  exports.password = new RandomPassword("password", { length: 12 }).result;
`,
);
let toolchain: Toolchain;
let store: ChildProcess;
let s3: string;

beforeAll(async () => {
  toolchain = await ensureToolchain(() => undefined);
  const port = await freePort();
  const address = `127.0.0.1:${port.toString()}`;
  await $({
    quiet: true,
    env: { ...process.env, GOBIN: folder },
  })`go install github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0`;
  const options = ["-host", address, "-backend", "memory", "-initialbucket", "state"];
  store = spawn(join(folder, "gofakes3"), options, { stdio: "ignore" });
  await eventually(
    "the store answers",
    () => fetch(`http://${address}/`).catch(() => undefined),
    (answer) => answer !== undefined,
  );
  s3 = `s3://state?endpoint=http://${address}&s3ForcePathStyle=true&region=us-east-1`;
});
afterAll(() => {
  store.kill();
  rmSync(folder, { recursive: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function pulumi(backend: string, ...args: string[]): Promise<string> {
  const env = {
    ...toolchainEnv(toolchain),
    PULUMI_BACKEND_URL: backend,
    PULUMI_CONFIG_PASSPHRASE: "passphrase",
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "secret",
  };
  const run = $({ cwd: folder, env, quiet: true });
  return (await run`${toolchain.pulumi} ${args} --stack kasm --non-interactive`).stdout;
}

test("a stack moves to an S3 backend as docs/operations.md describes, and can be updated there", async () => {
  const password = (backend: string) =>
    pulumi(backend, "stack", "output", "password", "--show-secrets");
  await pulumi(files, "stack", "init");
  await pulumi(files, "up", "--yes");
  const before = await password(files);

  await pulumi(files, "stack", "export", "--file", "state.json");
  await pulumi(s3, "stack", "init");
  await pulumi(s3, "stack", "import", "--file", "state.json");

  expect(readFileSync(join(folder, "state.json"), "utf8")).not.toContain(before.trim());
  expect(await password(s3)).toBe(before);
  expect(await pulumi(s3, "up", "--yes")).toMatch(/\b2 unchanged/);
  expect(await pulumi(s3, "destroy", "--yes", "--remove")).toContain("- 2 deleted");
});
