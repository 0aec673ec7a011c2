import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { $ } from "zx";
import { openclawIn } from "../support/conversation";
import { docker, dockerInventory, eventually, get } from "../support/docker";
import { localSettings, runBroken, setUpStack } from "../support/localGateway";
import { outcome, Project, unchanged } from "../support/project";
import type { Provider } from "../support/provider";

jest.setTimeout(5 * 60_000);

const port = 18181;
const dashboard = `http://127.0.0.1:${port.toString()}`;
const [older, newer] = ["2026.9.5", "2026.9.6"];
const stack = "data";
const prefix = "openclaw-e2e-data";
const settings = localSettings(prefix, port);

const project = new Project();
const file = (name: string) => join(project.folder, name);
let provider: Provider;

const run = (...args: string[]) => project.run(...args, "--stack", stack);
const { say, remembers, version } = openclawIn(settings.containerName);
const inContainer = (script: string) =>
  docker("exec", "--user", "node", settings.containerName, "sh", "-c", script);

const savedVersion = () =>
  /openclaw:openclawVersion: (\S+)/.exec(readFileSync(file(`Pulumi.${stack}.yaml`), "utf8"))?.[1];

beforeAll(async () => {
  provider = await setUpStack(project, "light", stack, { ...settings, openclawVersion: older });
  writeFileSync(file("passphrase"), "a passphrase of the test\n");
  writeFileSync(file("other-passphrase"), "another passphrase\n");
});

afterAll(async () => {
  await run("down", "--delete-data");
  project.remove();
  provider.stop();
});

describe("backup", () => {
  test("saves a gateway with a conversation to one file that only this user can read, plain or encrypted", async () => {
    expect(outcome(await run("up"))).toBe("ok");
    await say("the first message");
    expect(await remembers("the first message")).toBe(true);

    expect(outcome(await run("backup", "--output", "plain.tar.gz"))).toBe("ok");
    const passphrase = ["--passphrase-file", "passphrase"];
    expect(outcome(await run("backup", "--output", "secret.age", ...passphrase))).toBe("ok");

    const listed = (await $({ quiet: true })`tar -tzf ${file("plain.tar.gz")}`).stdout;
    const metadata = await $({ quiet: true })`tar -xzOf ${file("plain.tar.gz")} backup.json`;
    expect(listed).toContain("data/.openclaw/openclaw.json\n");
    expect(JSON.parse(metadata.stdout)).toMatchObject({ format: 1, openclawVersion: older });
    expect(readFileSync(file("secret.age"), "latin1")).toMatch(/^age-encryption.org\/v1\n/);
    for (const name of ["plain.tar.gz", "secret.age"]) {
      expect(statSync(file(name)).mode & 0o777).toBe(0o600);
    }
    expect(readdirSync(project.folder).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("starts the gateway even if the command is killed", async () => {
    const { containerName } = settings;
    const isRunning = () => docker("inspect", "--format", "{{.State.Running}}", containerName);
    // Told by Docker: who only asks again and again may miss it.
    const told = $({
      quiet: true,
      nothrow: true,
    })`docker events --filter container=${containerName} --filter event=die --format die`;
    const stopped = once(told.stdout, "data");
    const running = project.start("backup", "--stack", stack, "--output", "killed.tar.gz");
    await Promise.race([stopped, running]);
    await running.kill("SIGKILL");
    const { signal } = await running;
    await told.kill();

    expect(signal).toBe("SIGKILL");

    await eventually("it is started", isRunning, (answer) => answer === "true", 30);
    await eventually(
      "it answers",
      () => get(`${dashboard}/healthz`),
      ({ status }) => status === 200,
      180,
    );
    expect(existsSync(file("killed.tar.gz"))).toBe(false);
    expect(await docker("ps", "--all", "--format", "{{.Names}}")).not.toContain("-data-helper");
  });
});

describe("restore", () => {
  test("refuses a wrong or missing passphrase and a truncated file, and changes nothing", async () => {
    const started = () =>
      docker("inspect", "--format", "{{.State.StartedAt}}", settings.containerName);
    const startedBefore = await started();
    writeFileSync(file("half.tar.gz"), readFileSync(file("plain.tar.gz")));
    truncateSync(file("half.tar.gz"), Math.floor(statSync(file("plain.tar.gz")).size / 2));

    const wrong = await run("restore", "secret.age", "--passphrase-file", "other-passphrase");
    const none = await run("restore", "secret.age");
    const half = await run("restore", "half.tar.gz");

    expect([wrong.exitCode, none.exitCode, half.exitCode]).toEqual([1, 1, 1]);
    expect(wrong.text).toContain(
      "The passphrase is not the one that secret.age was encrypted with.",
    );
    expect(none.text).toContain("secret.age is encrypted");
    expect(half.text).toContain("half.tar.gz can't be restored; nothing has been changed");
    expect(await started()).toBe(startedBefore);
    expect(await inContainer("ls -A /data")).not.toContain("openclaw-kasm");
  });

  test("repairs data that was damaged by hand", async () => {
    await say("a message that is in no backup");
    await inContainer("rm -rf /data/.openclaw/agents; echo rubbish >/data/workspace/rubbish");

    expect(outcome(await run("restore", "secret.age", "--passphrase-file", "passphrase"))).toBe(
      "ok",
    );

    expect(await remembers("the first message")).toBe(true);
    expect(await remembers("a message that is in no backup")).toBe(false);
    expect(await inContainer("ls -A /data /data/workspace")).not.toMatch(/rubbish|openclaw-kasm/);
    expect(await inContainer("stat -c '%u:%g %a' /data/.openclaw/openclaw.json")).toBe(
      "1000:1000 600",
    );
  });

  /** Makes a backup that is whole by its checksums, of data in which a file was changed. */
  async function changedBackup(name: string, path: string, change: (path: string) => void) {
    const folder = file(`${name}.unpacked`);
    mkdirSync(folder);
    const inside = $({ quiet: true, cwd: folder });
    await inside`tar -xzf ${file("plain.tar.gz")}`;
    change(join(folder, "data", path));
    await inside`cd data && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >../SHA256SUMS`;
    await inside`tar -czf ${file(name)} .`;
  }

  test("refuses a backup with a damaged database, and changes nothing", async () => {
    const database = ".openclaw/state/openclaw.sqlite";
    await changedBackup("damaged.tar.gz", database, (path) => {
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0x55, 4096, bytes.length));
      rmSync(`${path}-wal`, { force: true });
    });
    const { text, exitCode } = await run("restore", "damaged.tar.gz");

    expect(exitCode).toBe(1);
    expect(text).toContain(`the database "${database}" is damaged`);
    expect(await remembers("the first message")).toBe(true);
  });

  test("restores the previous data if the gateway does not start with the backup", async () => {
    await changedBackup("bad.tar.gz", ".openclaw/openclaw.json", (path) => {
      writeFileSync(path, "not a configuration");
    });
    await project.setTimeLimit(stack, 10);

    const { text, exitCode } = await run("restore", "bad.tar.gz");
    await project.setTimeLimit(stack, 180);

    expect(exitCode).toBe(1);
    expect(text).toContain("The gateway does not come up with bad.tar.gz");
    expect(text).toContain("The previous data is back.");
    expect(await remembers("the first message")).toBe(true);
  });
});

describe("upgrade", () => {
  test("refuses a host that is too small for the settings before anything changes", async () => {
    const started = () =>
      docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", settings.containerName);
    const running = await started();
    await project.pulumi("config", "set", "openclaw:cpus", "200", "--stack", stack);
    const { text, exitCode } = await run("upgrade", newer);
    await project.pulumi("config", "rm", "openclaw:cpus", "--stack", stack);

    expect(exitCode).toBe(1);
    expect(text).toContain("openclaw:cpus asks for 200 processor cores, Docker has");
    expect(await started()).toBe(running);
    expect(savedVersion()).toBe(older);
  });

  test("refuses a version that does not exist before anything changes", async () => {
    const { text, exitCode } = await run("upgrade", "2099.1.1");

    expect(exitCode).toBe(1);
    expect(text).toContain("The npm registry has no OpenClaw 2099.1.1. Nothing has been changed.");
    expect(savedVersion()).toBe(older);
  });

  test("to a version that damages the data and never answers restores version, setting and data", async () => {
    await say("just before the upgrade");
    const damaging = {
      deed: "rm -rf /data/.openclaw/agents; exec sleep infinity",
      unless: `"$OPENCLAW_VERSION" != ${newer}`,
    };
    const { exitCode, text } = await runBroken(project, stack, damaging, "upgrade", newer);

    expect(text).toContain(`OpenClaw ${older}, its setting and its data are back.`);
    expect(exitCode).toBe(1);
    expect([await version(), savedVersion()]).toEqual([older, older]);
    expect((await run("rollback")).text).toContain(
      `There is no upgrade of stack ${stack} to roll back`,
    );
    expect(await remembers("just before the upgrade")).toBe(true);
  });

  test("to a working version keeps the conversations, and names plugins that are older", async () => {
    const plugin = "/data/.openclaw/npm/projects/slack-1/node_modules/@openclaw/slack";
    const manifest = JSON.stringify({ version: older }, undefined, 2);
    await inContainer(`mkdir -p ${plugin} && echo '${manifest}' >${plugin}/package.json`);
    const upgraded = await run("upgrade", newer);

    expect(outcome(upgraded)).toBe("ok");
    expect(upgraded.text).toContain(
      `Plugins stayed behind: @openclaw/slack ${older}: older than OpenClaw ${newer}`,
    );
    expect([await version(), savedVersion()]).toEqual([newer, newer]);
    expect(await remembers("just before the upgrade")).toBe(true);
    expect((await run("up")).text).toMatch(unchanged);
  });

  test("rollback restores the previous version and data, and backs up newer data", async () => {
    await say("after the upgrade");
    const { text, exitCode } = await run("rollback");

    expect([exitCode, text]).toEqual([0, expect.stringContaining("What was written since")]);
    expect([await version(), savedVersion()]).toEqual([older, older]);
    expect(await remembers("just before the upgrade")).toBe(true);
    expect(await remembers("after the upgrade")).toBe(false);
    const [saved = ""] = /It is in (\S+)/.exec(text)?.slice(1) ?? [];
    expect(existsSync(saved)).toBe(true);
    expect((await run("restore", saved)).text).toContain(`which is newer than the ${older}`);
  });
});

describe("rotate", () => {
  test("replaces password and token; the old password is refused", async () => {
    const secrets = () =>
      Promise.all([
        project.secretOutput(stack, "password"),
        project.secretOutput(stack, "gatewayToken"),
      ]);
    const status = async (password: string) =>
      (await get(`${dashboard}/`, { username: "admin", password })).status;
    const [password, token] = await secrets();

    expect(outcome(await run("rotate", "password", "token"))).toBe("ok");

    const [newPassword, newToken] = await secrets();
    expect([newPassword === password, newToken === token]).toEqual([false, false]);
    expect([await status(password), await status(newPassword)]).toEqual([401, 200]);
    expect(await remembers("the first message")).toBe(true);
  });

  test("replaces a given provider key by one from standard input, which is never shown", async () => {
    const newKey = "sk-e2e-provider-key-rotated";
    const args = ["rotate", "ANTHROPIC_API_KEY", "--stack", stack];
    const { text, exitCode } = await project.runReading(newKey, ...args);
    await say("with the new key");

    expect(exitCode).toBe(0);
    expect(text).not.toContain(newKey);
    expect(provider.keysSeen()).toContain(newKey);
  });

  test("does not store an invalid value", async () => {
    const before = readFileSync(file(`Pulumi.${stack}.yaml`), "utf8");
    const args = ["rotate", "ANTHROPIC_API_KEY", "--stack", stack];
    const { text, exitCode } = await project.runReading("short", ...args);

    expect(exitCode).toBe(1);
    expect(text).toContain("openclaw:providerKeys");
    expect(readFileSync(file(`Pulumi.${stack}.yaml`), "utf8")).toBe(before);
    expect((await run("rotate", "pasword")).text).toContain(
      "no secret pasword: expected password, token, ANTHROPIC_API_KEY",
    );
  });
});

test("approve says that the built image's browsers need no approval", async () => {
  expect((await run("approve")).text).toContain("Browsers need no approval");
});

test("down leaves nothing", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");
  expect(await dockerInventory(prefix, stack)).toEqual([]);
});
