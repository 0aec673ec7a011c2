import { $ } from "zx";
import { docker, eventually, get } from "../support/docker";
import { connectAs, type GatewayClient } from "../support/gatewayClient";
import { localSettings, setUpStack } from "../support/localGateway";
import { watchProcesses } from "../support/processes";
import { outcome, Project, unchanged } from "../support/project";
import type { Provider } from "../support/provider";

jest.setTimeout(5 * 60_000);

const stack = "people";
const prefix = "openclaw-e2e-people";
const port = 18184;
const dashboard = `http://127.0.0.1:${port.toString()}`;
const settings = localSettings(prefix, port);
const { containerName } = settings;
const bobs = "a-password-of-bob-0123";

// The tests build on each other, as the days of a team do.
const project = new Project();
let provider: Provider;
let containerId: string;
let ann: GatewayClient;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", stack, ...options);
const container = () =>
  docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", containerName);
const passwords = async () =>
  JSON.parse(await project.secretOutput(stack, "passwords")) as Record<string, string>;
const as = async (username: string, password?: string) =>
  await connectAs(dashboard, {
    username,
    password: password ?? (await passwords())[username] ?? "",
  });
const statusOf = async (username: string, password: string) =>
  (await get(`${dashboard}/`, { username, password })).status;

function configure(people: Record<string, object>, more: Record<string, unknown> = {}): void {
  project.settings(stack, {
    ...settings,
    openclawConfig: provider.openclawConfig,
    people: { "ann@example.com": { role: "admin" }, ...people },
    ...more,
  });
}

/** Deploys, and expects that the container is the same and the WebSocket of Ann, who stays, was not closed. */
async function deployAround(): Promise<string> {
  const { text, exitCode } = await run("up");
  expect([exitCode, exitCode === 0 ? "" : text]).toEqual([0, ""]);
  expect(await container()).toBe(containerId);
  expect(ann.closedAt()).toBeUndefined();
  return text;
}

beforeAll(async () => {
  provider = await setUpStack(project, "light", stack, settings);
  // A gateway that refused its first configuration takes a better one.
  configure({}, { openclawConfig: { cron: {} } });
  expect((await run("up")).text).toContain("OpenClaw refuses its configuration");
  configure({});
  expect(outcome(await run("up"))).toBe("ok");
  containerId = await container();
  ann = await as("ann@example.com");
});

afterAll(async () => {
  await run("down", "--delete-data");
  project.remove();
  provider.stop();
});

test("a second up changes nothing", async () => {
  expect((await run("up")).text).toMatch(unchanged);
  expect(ann.scopes).toContain("operator.admin");
});

test("a person who is added comes in with the role, and status lists both", async () => {
  configure({ bob: { role: "observer" } });
  await deployAround();
  const bob = await as("bob");
  const { stdout } = await project.wellStatus("--json", "--stack", stack);

  expect(bob.scopes).toEqual(["operator.read"]);
  expect(stdout).toContain("ann@example.com (admin), bob (observer)");
  expect(stdout).not.toContain((await passwords()).bob);
  bob.close();
});

test("another role closes the connection of that person only", async () => {
  const bob = await as("bob");
  configure({ bob: { role: "member" } });
  await deployAround();

  expect(bob.closedAt()).toBeDefined();
  expect((await as("bob")).scopes).toContain("operator.write");
});

test("another password ends the old one and its connections, and is in no argument and no environment", async () => {
  const old = (await passwords()).bob ?? "";
  const bob = await as("bob");
  const shell = async (script: string) => (await $({ quiet: true })`sh -c ${script}`).stdout;
  const stopWatching = watchProcesses(shell);
  await project.setSecret(stack, "people.bob.password", bobs);
  await deployAround();
  // Pulumi hands a program its settings in this variable; no other process has it.
  const seen = (await stopWatching()).replaceAll(/^PULUMI_CONFIG=.*$/gm, "");

  expect(bob.closedAt()).toBeDefined();
  expect([await statusOf("bob", old), await statusOf("bob", bobs)]).toEqual([401, 200]);
  expect([bobs, old].filter((secret) => seen.includes(secret))).toEqual([]);
});

test("rotate gives one person another password", async () => {
  const before = await passwords();
  expect(outcome(await run("rotate", "person:ann@example.com"))).toBe("ok");
  const after = await passwords();

  expect(await statusOf("ann@example.com", before["ann@example.com"] ?? "")).toBe(401);
  expect(await statusOf("ann@example.com", after["ann@example.com"] ?? "")).toBe(200);
  expect(after.bob).toBe(before.bob);
  expect(await container()).toBe(containerId);
  await eventually("Ann's connection is closed", () => Promise.resolve(ann.closedAt()), Boolean);
  ann = await as("ann@example.com");
});

test("a configuration that needs no restart reaches the gateway that runs", async () => {
  configure({}, { openclawConfig: { ...provider.openclawConfig, ui: { seamColor: "#00ff00" } } });
  await deployAround();
  const { payload } = await ann.call("config.get");

  expect(payload).toMatchObject({ config: { ui: { seamColor: "#00ff00" } } });
});

test("a configuration that OpenClaw refuses fails the deployment, and the gateway keeps the one before", async () => {
  configure({}, { openclawConfig: { ...provider.openclawConfig, cron: { enabled: true } } });
  const { text, exitCode } = await run("up");
  const { payload } = await ann.call("config.get");

  expect([exitCode, text]).toEqual([1, expect.stringContaining('Unrecognized key: "cron"')]);
  expect(payload).toMatchObject({ valid: true });
  expect(await container()).toBe(containerId);
});

test("a person who is taken out is out within 5 s, and stays out after a restart of the container", async () => {
  configure({ carol: { role: "member" } });
  await deployAround();
  const carol = await as("carol");
  const carols = (await passwords()).carol ?? "";
  configure({});
  const deployment = run("up");
  const refused = await eventually(
    "Carol is refused",
    () => statusOf("carol", carols),
    (code) => code === 401,
  );
  const refusedAt = Date.now();
  await deployment;

  expect(refused).toBe(401);
  expect((carol.closedAt() ?? Infinity) - refusedAt).toBeLessThan(5000);
  expect(ann.closedAt()).toBeUndefined();
  await expect(as("carol", carols)).rejects.toThrow("refused");
  await docker("restart", containerName);
  const annPassword = (await passwords())["ann@example.com"] ?? "";
  await eventually(
    "Ann is let in",
    () => statusOf("ann@example.com", annPassword),
    (code) => code === 200,
  );
  expect(await statusOf("carol", carols)).toBe(401);
});

test("passwords are in no state, inspect, history and log", async () => {
  const all = [...Object.values(await passwords()), bobs];
  const state = await project.pulumi("stack", "export", "--stack", stack);
  const { stdout, stderr } = await $({ quiet: true })`docker logs ${containerName}`;
  const image = await docker("inspect", "--format", "{{.Image}}", containerName);
  const texts = [
    state.text,
    await docker("inspect", containerName),
    await docker("history", "--no-trunc", image),
    stdout + stderr,
  ];

  expect(state.stdout).toContain("openclaw-people");
  expect(texts.filter((text) => all.some((secret) => text.includes(secret)))).toEqual([]);
});
