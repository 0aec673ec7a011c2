import { spawn, spawnSync } from "node:child_process";
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
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { rig } from "../../dev/rig";
import { withAccess } from "../../pulumi/deployment";
import type { Engine } from "../../pulumi/engine";
import { parseSettings, type Settings } from "../../config";
import { startKeyAgent } from "../../host/keyAgent";

const engine: Engine = { pulumi: "pulumi", env: { PATH: "/bin" }, stateFolder: undefined };
const secret = "the-secret-of-the-api-key";
const home = process.cwd();
let folder: string;
let settings: Settings;
let key: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-access-"));
  process.chdir(folder);
  spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", "id"]);
  key = readFileSync("id", "utf8");
  rmSync("id");
  settings = parseSettings({
    values: {
      kasmUrl: "https://kasm.example.com",
      kasmApiKey: "abcdefghijkl",
      kasmApiSecret: secret,
      host: JSON.stringify({
        address: "kasm.example.com",
        user: "root",
        hostKey: "ssh-ed25519 AAAA",
        privateKey: key,
      }),
      workspaces: JSON.stringify({ link: { address: "https://kasm.example.com/openclaw/" } }),
    },
    encrypted: ["kasmApiKey", "kasmApiSecret", "host"],
  });
});
afterEach(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

describe("a machine to type on that is no Linux", () => {
  const { platform } = process;
  beforeEach(() => {
    Object.defineProperty(process, "platform", { value: "darwin" });
  });
  afterEach(() => {
    Object.defineProperty(process, "platform", { value: platform });
  });

  test("is no Docker host: that is said by name, before anything is done", async () => {
    const work = jest.fn();
    const local = parseSettings({ values: {}, encrypted: [] });

    await expect(withAccess(engine, "dev", local, work)).rejects.toThrow(
      /^Stack dev is for this machine, .* has to be a Linux; this is macOS\. .*openclaw:host/,
    );
    expect(work).not.toHaveBeenCalled();
  });

  test("is no place for a rig either", async () => {
    const options = { name: "mac", sshPort: "2222", httpsPort: "8443", flavour: "static" } as const;

    await expect(rig("up", options)).rejects.toThrow(/^A rig is a Linux host/);
  });

  test("deploys to a server", async () => {
    const work = jest.fn();
    await withAccess(engine, "kasm", settings, work);

    expect(work).toHaveBeenCalled();
  });
});

/** Files of the checkout in which a key is. */
const secretFiles = () =>
  readdirSync(".", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "command.mts")
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((file) => {
      const text = readFileSync(file, "utf8");
      return text.includes(secret) || text.includes(key.split("\n")[2] ?? "");
    });

/** How many keys the agent holds; nothing if there is none. */
function keysInAgent(): number | undefined {
  const env = { ...process.env, SSH_AUTH_SOCK: ".build/ssh/kasm-host/agent" };
  const { status, stdout } = spawnSync("ssh-add", ["-l"], { encoding: "utf8", env });
  return status === 0 ? stdout.trim().split("\n").length : undefined;
}

async function isGone(found: () => unknown): Promise<void> {
  for (let left = 100; found() !== undefined && left > 0; left -= 1) {
    await sleep(50);
  }
  expect(found()).toBeUndefined();
}

test("keys are available during the work only, in no file and no environment", async () => {
  await withAccess(engine, "kasm", settings, async ({ engine: { env } }) => {
    const socket = env.OPENCLAW_KASM_CONNECTION_SOCKET ?? "";

    expect(keysInAgent()).toBe(1);
    expect(await text(createConnection(socket))).toContain(secret);
    expect(JSON.stringify(env)).not.toContain(secret);
    expect(secretFiles()).toEqual([]);
  });

  expect(secretFiles()).toEqual([]);
});

test("closes the socket with KASM's connection when the work fails", async () => {
  let socket = "";
  const work = withAccess(engine, "kasm", settings, ({ engine: { env } }) => {
    socket = env.OPENCLAW_KASM_CONNECTION_SOCKET ?? "";
    return Promise.reject(new Error("failed"));
  });

  await expect(work).rejects.toThrow("failed");
  expect(socket).not.toBe("");
  expect(existsSync(socket)).toBe(false);
});

describe("the connection that commands share", () => {
  const path = process.env.PATH;
  beforeEach(() => {
    writeFileSync("ssh", `#!/bin/sh\necho "$*" >>${folder}/calls\n`, { mode: 0o700 });
    process.env.PATH = `${folder}:${path ?? ""}`;
    mkdirSync(".build/at-work/kasm", { recursive: true });
  });
  afterEach(() => {
    process.env.PATH = path;
  });
  const work = () => withAccess(engine, "kasm", settings, () => Promise.resolve());
  /** What ssh was called for. */
  const calls = () =>
    readFileSync("calls", "utf8")
      .trim()
      .split("\n")
      .map((call) => (call.includes(" -O stop ") ? "stop" : "open"));

  test("is closed by the last command that uses the stack", async () => {
    const other = join(".build/at-work/kasm", process.ppid.toString());
    writeFileSync(other, "");
    await work();
    expect(calls()).toEqual(["stop", "open"]);

    rmSync(other);
    await work();
    expect(calls().slice(2)).toEqual(["stop", "open", "stop"]);
  });

  test("exists before the engine starts, which may know an old address", async () => {
    await withAccess(engine, "kasm", settings, () => {
      // One of an earlier run may lead to another server.
      expect(calls()).toEqual(["stop", "open"]);
      expect(readFileSync("calls", "utf8")).toMatch(
        / -o ControlPath=\.openclaw-ssh-kasm-host .* openclaw-server true$/m,
      );
      // The state of version 0.1.0 has this file.
      const { stdout } = spawnSync("ssh", ["-F", ".build/ssh/kasm/config", "-G", "any"], {
        encoding: "utf8",
        env: { PATH: path },
      });
      expect(stdout).toContain("controlpath .openclaw-ssh-kasm-host\n");
      expect(stdout).toContain("hostname kasm.example.com\n");
      return Promise.resolve();
    });
  });

  test("is closed despite the record of a killed command if another process has its id", async () => {
    writeFileSync(join(".build/at-work/kasm", process.ppid.toString()), "1");
    writeFileSync(join(".build/at-work/kasm", "9999999"), "");
    await work();

    expect(calls()).toEqual(["stop", "open", "stop"]);
    expect(readdirSync(".build/at-work/kasm")).toEqual([]);
  });
});

describe("a command that ends", () => {
  const commands = join(home, "pulumi");
  const script = (work: string) => `
    import { withAccess } from "${commands}/deployment.ts";
    import { runPulumi } from "${commands}/engine.ts";
    import { writeFileSync } from "node:fs";
    process.chdir("${folder}");
    const engine = ${JSON.stringify({ ...engine, pulumi: join(folder, "pulumi") })};
    const work = async () => { ${work} };
    await withAccess(engine, "kasm", ${JSON.stringify(settings)}, work);
  `;
  const endless = `writeFileSync("ready", ""); await new Promise(() => setInterval(() => {}, 1000));`;

  async function interrupted(work: string, signal: NodeJS.Signals): Promise<number> {
    writeFileSync("command.mts", script(work));
    writeFileSync(
      "pulumi",
      `#!/bin/sh\ncd ${folder}\ntouch ready\nuntil [ -e signalled ]; do sleep 0.02; done\nsleep 0.3\nSSH_AUTH_SOCK=.build/ssh/kasm-host/agent ssh-add -l >listed\n`,
      { mode: 0o700 },
    );
    const args = ["--import", "tsx", join(folder, "command.mts")];
    const child = spawn(process.execPath, args, {
      cwd: home,
      // The script holds the keys itself, and so would its compiled form.
      env: { ...process.env, TMPDIR: folder, TSX_DISABLE_CACHE: "1" },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const closed = once(child, "close") as Promise<[number]>;
    while (!existsSync("ready") && child.exitCode === null) {
      await sleep(20);
    }
    expect(keysInAgent()).toBe(1);
    child.kill(signal);
    writeFileSync("signalled", "");
    const [status] = await closed;
    return status;
  }

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    // Nothing of its own is done any more.
    ["SIGKILL", null],
  ] as const)("by %s leaves no key", async (signal, status) => {
    expect(await interrupted(endless, signal)).toBe(status);
    await isGone(keysInAgent);
    await isGone(() => existsSync(".build/ssh/kasm-host/agent") || undefined);
    expect(secretFiles()).toEqual([]);
  });

  test("keeps agents running until the engine has ended, and starts no other one", async () => {
    const twice = `await runPulumi(engine, ["up"]); writeFileSync("over", ""); await runPulumi(engine, []);`;

    expect(await interrupted(twice, "SIGTERM")).toBe(143);
    expect(readFileSync("listed", "utf8")).toContain("ED25519");
    expect(existsSync("over")).toBe(true);
    await isGone(keysInAgent);
  });

  test("does not remove the key of another running command", async () => {
    const other = spawn("sleep", ["60"]);
    startKeyAgent(".build/ssh/kasm-host", key, other.pid ?? 0);
    await interrupted(endless, "SIGKILL");
    await sleep(2500);
    expect(keysInAgent()).toBe(1);

    other.kill();
    await isGone(keysInAgent);
  });
});
