import { docker, eventually, get } from "../support/docker";
import { connectAs, type GatewayClient } from "../support/gatewayClient";
import { localSettings, setUpStack } from "../support/localGateway";
import { shell, watchProcesses } from "../support/processes";
import { outcome, Project, unchanged } from "../support/project";
import type { Provider } from "../support/provider";
import { expectNotShown } from "../support/secrets";

jest.setTimeout(5 * 60_000);

// tests/e2e/people.test.ts proves what depends on OpenClaw's own roles.
const stack = "people";
const prefix = "openclaw-e2e-people";
const port = 18184;
const dashboard = `http://127.0.0.1:${port.toString()}`;
const settings = localSettings(prefix, port);
const { containerName } = settings;
const ann = "ann@example.com";
const before = {
  [ann]: { role: "admin" },
  bob: { role: "observer" },
  carol: { role: "member" },
  dave: { role: "member" },
};
const { dave: _, ...others } = before;
const after = { ...others, bob: { role: "member" }, erin: { role: "observer" } };

// The tests build on each other, as the days of a team do. Each deployment takes its time, so one has several changes.
const project = new Project();
let provider: Provider;
let containerId: string;
let clients: Record<string, GatewayClient> = {};
const everyPassword: string[] = [];

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", stack, ...options);
const container = () =>
  docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", containerName);
async function passwords(): Promise<Record<string, string>> {
  const all = JSON.parse(await project.secretOutput(stack, "passwords")) as Record<string, string>;
  everyPassword.push(...Object.values(all));
  return all;
}
const as = async (username: string) =>
  await connectAs(dashboard, { username, password: (await passwords())[username] ?? "" });
const statusOf = async (username: string, password = "") =>
  (await get(`${dashboard}/`, { username, password })).status;
const isClosed = (name: string) => clients[name]?.closedAt() !== undefined;
const configOf = async (name: string) => (await clients[name]?.call("config.get"))?.payload;

function configure(people: Record<string, object>, openclawConfig: object = {}): void {
  const config = { ...provider.openclawConfig, ...openclawConfig };
  project.settings(stack, { ...settings, openclawConfig: config, people });
}

beforeAll(async () => {
  provider = await setUpStack(project, "light", stack, settings);
  configure(before);
  expect(outcome(await run("up"))).toBe("ok");
  containerId = await container();
  const all = Object.keys(before).map(async (name) => [name, await as(name)] as const);
  clients = Object.fromEntries(await Promise.all(all));
});

afterAll(async () => {
  await run("down", "--delete-data");
  project.remove();
  provider.stop();
});

test("a second up changes nothing, and status lists people with their roles", async () => {
  expect((await run("up")).text).toMatch(unchanged);
  const { stdout } = await project.wellStatus("--json", "--stack", stack);

  expect(stdout).toContain("ann@example.com (admin), bob (observer), carol (member)");
  expect(everyPassword.filter((password) => stdout.includes(password))).toEqual([]);
});

describe("an up that adds, changes and removes people, and changes a configuration that needs no restart", () => {
  let daves: string | undefined;

  beforeAll(async () => {
    daves = (await passwords()).dave;
    configure(after, { ui: { seamColor: "#00ff00" } });
    expect(outcome(await run("up"))).toBe("ok");
  });

  test("closes the connections of those who are removed or have another role, and no others", async () => {
    expect(Object.keys(before).filter(isClosed)).toEqual(["bob", "dave"]);
    expect(await container()).toBe(containerId);
  });

  test("lets in who is new, each with the role, and refuses who is removed", async () => {
    const [bob, erin] = [await as("bob"), await as("erin")];

    expect(bob.scopes).toContain("operator.write");
    expect(erin.scopes).toEqual(["operator.read"]);
    expect(await statusOf("dave", daves)).toBe(401);
    bob.close();
    erin.close();
  });

  test("reaches the gateway that runs", async () => {
    expect(await configOf(ann)).toMatchObject({ config: { ui: { seamColor: "#00ff00" } } });
  });

  test("holds after a restart of the container", async () => {
    await docker("restart", containerName);
    const { [ann]: password } = await passwords();
    await eventually(
      "Ann is let in",
      () => statusOf(ann, password),
      (code) => code === 200,
    );

    expect(await statusOf("dave", daves)).toBe(401);
    containerId = await container();
  });
});

test("rotate ends passwords, generated ones and others, and their connections; the new ones are in no argument and no environment", async () => {
  const given = "a-password-of-carol-0123";
  await project.setSecret(stack, "people.carol.password", "an-earlier-password-0123");
  const old = await passwords();
  const names = [ann, "bob", "carol"];
  clients = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await as(name)] as const)),
  );
  const stopWatching = watchProcesses();
  const persons = [`person:${ann}`, "person:carol"];
  expect(outcome(await project.runReading(given, "rotate", ...persons, "--stack", stack))).toBe(
    "ok",
  );
  const seen = await stopWatching();
  const now = await passwords();

  expect(now).toMatchObject({ bob: old.bob, carol: given });
  expect(await Promise.all(names.map((name) => statusOf(name, old[name])))).toEqual([
    401, 200, 401,
  ]);
  expect(await Promise.all(names.map((name) => statusOf(name, now[name])))).toEqual([
    200, 200, 200,
  ]);
  await eventually(
    "two are out",
    () => Promise.resolve(names.filter(isClosed)),
    (out) => out.length === 2,
  );
  expect(names.filter(isClosed)).toEqual([ann, "carol"]);
  expect(await container()).toBe(containerId);
  expect(seen).toContain("PULUMI_BACKEND_URL=");
  expect(everyPassword.filter((password) => seen.includes(password))).toEqual([]);
});

test("a configuration that OpenClaw refuses fails the deployment, and the gateway keeps the one before", async () => {
  configure(after, { cron: { enabled: true } });
  const { text, exitCode } = await run("up");
  clients = { [ann]: await as(ann) };

  expect([exitCode, text]).toEqual([1, expect.stringContaining('Unrecognized key: "cron"')]);
  expect(await configOf(ann)).toMatchObject({ valid: true });
  expect(await container()).toBe(containerId);
});

test("passwords are in no state, history, preview, inspect and log", async () => {
  configure(before);
  await expectNotShown(everyPassword, project, stack, containerName, shell);
});
