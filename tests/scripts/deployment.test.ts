import { spawn } from "node:child_process";
import { once } from "node:events";
import {
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
import { setTimeout as sleep } from "node:timers/promises";
import { withAccess } from "../../commands/deployment";
import type { Engine } from "../../commands/engine";
import { parseSettings } from "../../settings";

const engine: Engine = { pulumi: "pulumi", env: { PATH: "/bin" }, stateFolder: undefined };
const secret = "the-secret-of-the-api-key";
const settings = parseSettings({
  values: {
    kasmUrl: "https://kasm.example.com",
    kasmApiKey: "abcdefghijkl",
    kasmApiSecret: secret,
    host: JSON.stringify({
      address: "kasm.example.com",
      user: "root",
      hostKey: "ssh-ed25519 AAAA",
      privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n",
    }),
    workspaces: JSON.stringify({ link: { address: "https://kasm.example.com/openclaw/" } }),
  },
  encrypted: ["kasmApiKey", "kasmApiSecret", "host"],
});

const home = process.cwd();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-access-"));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

const secretFiles = () => [".build/ssh/kasm/key", ".build/kasm/kasm.json"].filter(existsSync);

test("keys are in private files for the time of the work, and in no environment", async () => {
  await withAccess(engine, "kasm", settings, async ({ engine: { env } }) => {
    expect(secretFiles()).toHaveLength(2);
    expect(JSON.stringify(env)).not.toContain(secret);
    expect(readFileSync(env.OPENCLAW_KASM_CONNECTION_FILE ?? "", "utf8")).toContain(secret);
    await Promise.resolve();
  });

  expect(secretFiles()).toEqual([]);
});

test("work that fails leaves no key behind", async () => {
  const work = withAccess(engine, "kasm", settings, () => Promise.reject(new Error("failed")));

  await expect(work).rejects.toThrow("failed");
  expect(secretFiles()).toEqual([]);
});

test("a command that ends takes nothing from another one at work on the stack", async () => {
  mkdirSync(".build/at-work/kasm", { recursive: true });
  const other = join(".build/at-work/kasm", process.ppid.toString());
  writeFileSync(other, "");
  await withAccess(engine, "kasm", settings, () => Promise.resolve());
  expect(secretFiles()).toHaveLength(2);

  rmSync(other);
  await withAccess(engine, "kasm", settings, () => Promise.resolve());
  expect(secretFiles()).toEqual([]);
});

test("what a killed command noted is of no weight once its number is another process's", async () => {
  mkdirSync(".build/at-work/kasm", { recursive: true });
  writeFileSync(join(".build/at-work/kasm", process.ppid.toString()), "1");
  writeFileSync(join(".build/at-work/kasm", "9999999"), "");
  await withAccess(engine, "kasm", settings, () => Promise.resolve());

  expect(secretFiles()).toEqual([]);
  expect(readdirSync(".build/at-work/kasm")).toEqual([]);
});

test("keys are gone before the connection is closed, when another command may bring its own", async () => {
  const path = process.env.PATH;
  writeFileSync("ssh", `#!/bin/sh\ncd ${folder} && ls .build/ssh/kasm >listed\n`, { mode: 0o700 });
  process.env.PATH = `${folder}:${path ?? ""}`;
  try {
    await withAccess(engine, "kasm", settings, () => Promise.resolve());
  } finally {
    process.env.PATH = path;
  }

  expect(readFileSync("listed", "utf8")).toBe("config\nknown_hosts\n");
});

describe("a command that is interrupted", () => {
  const commands = join(home, "commands");
  const script = (work: string) => `
    import { withAccess } from "${commands}/deployment.ts";
    import { runPulumi } from "${commands}/engine.ts";
    import { writeFileSync } from "node:fs";
    process.chdir("${folder}");
    const engine = ${JSON.stringify({ ...engine, pulumi: join(folder, "pulumi") })};
    const work = async () => { ${work} };
    await withAccess(engine, "kasm", ${JSON.stringify(settings)}, work);
  `;

  async function interrupted(work: string, signal: NodeJS.Signals): Promise<number> {
    writeFileSync("command.mts", script(work));
    writeFileSync(
      "pulumi",
      `#!/bin/sh\ncd ${folder}\ntouch ready\nuntil [ -e signalled ]; do sleep 0.02; done\nsleep 0.3\nls .build/ssh/kasm/key >listed\n`,
      { mode: 0o700 },
    );
    const args = ["--import", "tsx", join(folder, "command.mts")];
    const child = spawn(process.execPath, args, {
      cwd: home,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const closed = once(child, "close") as Promise<[number]>;
    while (!existsSync("ready") && child.exitCode === null) {
      await sleep(20);
    }
    child.kill(signal);
    writeFileSync("signalled", "");
    const [status] = await closed;
    return status;
  }

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("by %s takes its keys away", async (signal, status) => {
    const endless = `writeFileSync("ready", ""); await new Promise(() => setInterval(() => {}, 1000));`;

    expect(await interrupted(endless, signal)).toBe(status);
    expect(secretFiles()).toEqual([]);
  });

  test("waits for the engine, which needs them to end, and starts no other", async () => {
    const twice = `await runPulumi(engine, ["up"]); writeFileSync("over", ""); await runPulumi(engine, []);`;

    expect(await interrupted(twice, "SIGTERM")).toBe(143);
    expect(readFileSync("listed", "utf8")).toBe(".build/ssh/kasm/key\n");
    expect(existsSync("over")).toBe(true);
    expect(secretFiles()).toEqual([]);
  });
});
