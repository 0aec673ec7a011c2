import { $ } from "zx";
import { docker, eventually } from "../support/docker";
import { connectAs, type GatewayClient } from "../support/gatewayClient";
import { localSettings, setUpStack } from "../support/localGateway";
import { outcome, Project } from "../support/project";
import type { Provider } from "../support/provider";

jest.setTimeout(15 * 60_000);

// What depends on OpenClaw's own roles; tests/integration proves the rest with a light one.
const stack = "people";
const prefix = "openclaw-e2e-roles";
const port = 18186;
const dashboard = `http://127.0.0.1:${port.toString()}`;
const settings = localSettings(prefix, port);
const { containerName } = settings;
const people = {
  "ann@example.com": { role: "admin" },
  bob: { role: "member" },
  carol: { role: "observer" },
};

const project = new Project();
let provider: Provider;
let containerId: string;
let passwords: Record<string, string>;
let clients: Record<string, GatewayClient>;

const run = (command: string) => project.run(command, "--stack", stack);
const inspect = () => docker("inspect", "--format", "{{.Id}}", containerName);
const as = (username: string) =>
  connectAs(dashboard, { username, password: passwords[username] ?? "" });
const client = (name: string) => {
  const found = clients[name];
  if (found === undefined) {
    throw new Error(`${name} is not connected`);
  }
  return found;
};
const refusal = async (name: string, method: string, params: object) =>
  (await client(name).call(method, params)).error?.message;

function configure(all: Record<string, object>): void {
  const { openclawConfig } = provider;
  project.settings(stack, { ...settings, openclawConfig, people: all });
}

beforeAll(async () => {
  provider = await setUpStack(project, "real", stack, settings);
  configure(people);
  expect(outcome(await run("up"))).toBe("ok");
  containerId = await inspect();
  passwords = JSON.parse(await project.secretOutput(stack, "passwords")) as typeof passwords;
  const names = Object.keys(people);
  const all = await Promise.all(names.map(async (name) => [name, await as(name)] as const));
  clients = Object.fromEntries(all);
});

afterAll(async () => {
  await run("down");
  project.remove();
  provider.stop();
});

test("each person sees the own name and role", async () => {
  for (const [name, { role }] of Object.entries(people)) {
    const { payload } = await client(name).call("users.self");

    expect(payload).toMatchObject({ profile: { emails: [name], role } });
  }
});

test("an observer can't send, a member can't change the configuration, an admin can read it", async () => {
  const message = { sessionKey: "main", message: "hello", idempotencyKey: "people-1" };

  expect(await refusal("carol", "chat.send", message)).toContain("operator.write");
  expect(await refusal("bob", "chat.send", message)).toBeUndefined();
  expect(await refusal("bob", "config.set", { raw: "{}" })).toContain("operator.admin");
  expect(await refusal("carol", "config.set", { raw: "{}" })).toContain("operator.admin");
  expect(await refusal("carol", "chat.history", { sessionKey: "main" })).toBeUndefined();
  expect(await refusal("ann@example.com", "config.get", {})).toBeUndefined();
  expect(await refusal("bob", "users.setRole", { profileId: "x", role: "admin" })).toContain(
    "operator.admin",
  );
});

test("a person who is taken out is out within 5 s; the others stay connected", async () => {
  const { carol: _, ...others } = people;
  configure(others);
  const carol = client("carol");
  const deployment = run("up");
  const status = async () =>
    (
      await fetch(`${dashboard}/`, {
        headers: { authorization: `Basic ${btoa(`carol:${passwords.carol ?? ""}`)}` },
      })
    ).status;
  await eventually("Carol is refused", status, (code) => code === 401);
  const refusedAt = Date.now();

  expect(outcome(await deployment)).toBe("ok");
  expect((carol.closedAt() ?? Infinity) - refusedAt).toBeLessThan(5000);
  expect(["ann@example.com", "bob"].map((name) => client(name).closedAt())).toEqual([
    undefined,
    undefined,
  ]);
  await expect(as("carol")).rejects.toThrow("refused");
  expect(await inspect()).toBe(containerId);
});

test("50 changes under load fail no request and close no connection of those who stay", async () => {
  const live = JSON.parse(
    await docker("exec", containerName, "cat", "/etc/openclaw-gateway/live.json"),
  ) as { roles: object; config: object };
  const staying = ["ann@example.com", "bob"];
  const headersOf = async (name: string) => {
    const authorization = `Basic ${btoa(`${name}:${passwords[name] ?? ""}`)}`;
    const first = await fetch(`${dashboard}/`, { headers: { authorization } });
    return { authorization, cookie: first.headers.get("set-cookie")?.split(";")[0] ?? "" };
  };
  let isOver = false;
  const failed: unknown[] = [];
  let asked = 0;
  const load = staying.map(async (name) => {
    const headers = await headersOf(name);
    while (!isOver) {
      const page = await fetch(`${dashboard}/`, { headers }).catch((error: unknown) => error);
      const status = page instanceof Response ? page.status : String(page);
      const { ok, error } = await client(name).call("sessions.list");
      asked += 2;
      failed.push(...(status === 200 ? [] : [status]), ...(ok ? [] : [error]));
    }
  });
  // What npm run up does with a change, without its deployment around it.
  const apply = (index: number) => {
    const own = (name: string, role: string) => ({ [name]: { role, password: passwords[name] } });
    const guest = {
      role: index % 3 === 0 ? "observer" : "member",
      password: `a-password-${index.toString()}-0123`,
    };
    const input = {
      ...{ roles: live.roles, config: live.config },
      people: {
        ...own("ann@example.com", "admin"),
        ...own("bob", "member"),
        ...(index % 2 === 0 ? { [`guest-${(index % 4).toString()}@example.com`]: guest } : {}),
      },
    };
    const told = $({ quiet: true, nothrow: true, input: JSON.stringify(input) });
    return told`docker exec --interactive ${containerName} node /usr/local/lib/gateway-image/people.mjs apply`;
  };
  for (let index = 0; index < 50; index++) {
    const { exitCode, stderr } = await apply(index);
    expect([exitCode, stderr]).toEqual([0, ""]);
  }
  isOver = true;
  await Promise.all(load);

  expect(failed).toEqual([]);
  expect(asked).toBeGreaterThan(100);
  expect(staying.map((name) => client(name).closedAt())).toEqual([undefined, undefined]);
});
