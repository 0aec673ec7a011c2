import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openclawIn } from "../support/conversation";
import { docker, dockerInventory, eventually, get } from "../support/docker";
import { expectContract } from "../support/imageContract";
import { localSettings, setUpStack } from "../support/localGateway";
import { outcome, Project, unchanged } from "../support/project";
import type { Provider } from "../support/provider";

jest.setTimeout(15 * 60_000);

const stack = "openclaw";
const prefix = "openclaw-e2e-real";
const port = 18197;
const dashboard = `http://127.0.0.1:${port.toString()}`;
const [older, newer] = ["2026.9.5", "2026.9.6"];
const settings = localSettings(prefix, port);
const { containerName } = settings;

// What depends on OpenClaw itself; tests/integration proves the rest with a light one.
const project = new Project();
let provider: Provider;

const run = (command: string, ...args: string[]) => project.run(command, ...args, "--stack", stack);
const openclaw = openclawIn(containerName);
const { remembers, version } = openclaw;
const inContainer = (script: string) =>
  docker("exec", "--user", "node", containerName, "sh", "-c", script);
const healthz = () => get(`${dashboard}/healthz`);
const answers = () => eventually("healthz is 200", healthz, ({ status }) => status === 200, 180);

/** Sends a message to the agent, once the gateway answers, and waits for the answer. */
async function say(text: string): Promise<void> {
  await answers();
  await openclaw.say(text);
}

beforeAll(async () => {
  provider = await setUpStack(project, "real", stack, { ...settings, openclawVersion: older });
  expect(outcome(await run("up"))).toBe("ok");
});

afterAll(async () => {
  await run("down", "--delete-data");
  project.remove();
  provider.stop();
});

describe("recovery", () => {
  test("restarts the container when its first process is killed", async () => {
    process.kill(Number(await docker("inspect", "--format", "{{.State.Pid}}", containerName)), 9);
    await eventually("healthz fails", healthz, ({ status }) => status !== 200);
    await answers();
  });

  test("up replaces a removed container, without waiting for its lock", async () => {
    await docker("rm", "--force", containerName);
    expect(outcome(await run("up"))).toBe("ok");
  });
});

describe("backup, restore, upgrade and rollback", () => {
  const passphrase = ["--passphrase-file", "passphrase"];

  test("a restore brings back a deleted conversation", async () => {
    writeFileSync(join(project.folder, "passphrase"), "a passphrase of the test\n");
    await say("the first message");
    expect(outcome(await run("backup", "--output", "data.age", ...passphrase))).toBe("ok");
    await say("a message that is in no backup");
    await inContainer("rm -rf /data/.openclaw/agents");

    expect(outcome(await run("restore", "data.age", ...passphrase))).toBe("ok");
    expect(await remembers("the first message")).toBe(true);
    expect(await remembers("a message that is in no backup")).toBe(false);
  });

  test("an upgrade keeps the conversations, and the next up changes nothing", async () => {
    await say("just before the upgrade");

    expect(outcome(await run("upgrade", newer))).toBe("ok");
    expect(await version()).toBe(newer);
    expect(await remembers("just before the upgrade")).toBe(true);
    expect((await run("up")).text).toMatch(unchanged);
  });

  test("a rollback restores version and data, and backs up newer data", async () => {
    await say("after the upgrade");
    const { text, exitCode } = await run("rollback");

    expect([exitCode, text]).toEqual([0, expect.stringContaining("is in")]);
    expect(await version()).toBe(older);
    expect(await remembers("just before the upgrade")).toBe(true);
    expect(await remembers("after the upgrade")).toBe(false);
    const [saved = ""] = /\S+\.tar\.gz/.exec(text) ?? [];
    expect(existsSync(saved)).toBe(true);
  });
});

test("rotated secrets are used: the provider key, password and token", async () => {
  const key = "sk-e2e-provider-key-rotated";
  const names = ["ANTHROPIC_API_KEY", "password", "token"];
  const rotated = await project.runReading(key, "rotate", ...names, "--stack", stack);
  expect(outcome(rotated)).toBe("ok");
  await say("with the new key");

  expect(provider.keysSeen()).toContain(key);
});

test("the gateway's image keeps its contract", async () => {
  await expectContract(containerName);
});

test("down leaves nothing", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");
  expect(await dockerInventory(prefix, stack)).toEqual([]);
});
