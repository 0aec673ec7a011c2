import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
