import type { Browser } from "playwright-core";
import { $ } from "zx";
import { launchBrowser, messageBox, shown, type Visit, visit } from "../support/browser";
import { docker, eventually, get } from "../support/docker";
import { connectAs } from "../support/gatewayClient";
import { localSettings, setUpStack } from "../support/localGateway";
import { outcome, Project } from "../support/project";
import type { Provider } from "../support/provider";

jest.setTimeout(15 * 60_000);

// What depends on OpenClaw's own roles and dashboard; tests/integration proves the rest with a light one.
const stack = "people";
const prefix = "openclaw-e2e-roles";
const port = 18195;
const dashboard = `http://127.0.0.1:${port.toString()}`;
const settings = localSettings(prefix, port);
const { containerName } = settings;
const [ann, bob, carol] = ["ann@example.com", "bob", "carol"] as const;
const people = {
  [ann]: { role: "admin" },
  [bob]: { role: "member" },
  [carol]: { role: "observer" },
};
const staying = [ann, bob];

// The tests build on each other.
const project = new Project();
let provider: Provider;
let browser: Browser;
let containerId: string;
let passwords: Record<string, string>;
const visits = new Map<string, Visit>();

const run = (command: string) => project.run(command, "--stack", stack);
const inspect = () => docker("inspect", "--format", "{{.Id}}", containerName);
const loginOf = (username: string) => ({ username, password: passwords[username] ?? "" });
function visitOf(name: string) {
  const found = visits.get(name);
  if (found === undefined) {
    throw new Error(`${name} has no browser`);
  }
  return found;
}
/** The WebSockets that a person's browser has opened, and how many of them are open. */
const socketsOf = (name: string) => {
  const { sockets } = visitOf(name);
  return { opened: sockets.length, open: sockets.filter(({ open }) => open).length };
};

function configure(all: Record<string, object>, openclawConfig: object = {}): void {
  const config = { ...provider.openclawConfig, ...openclawConfig };
  project.settings(stack, { ...settings, openclawConfig: config, people: all });
}

/** What the gateway answers to a request of a person. */
async function ask(name: string, method: string, params: object) {
  const client = await connectAs(dashboard, loginOf(name));
  const answer = await client.call(method, params);
  client.close();
  return answer;
}
const refusal = async (...request: Parameters<typeof ask>) =>
  (await ask(...request)).error?.message;

async function send(name: string, text: string): Promise<void> {
  const { page } = visitOf(name);
  await messageBox(page).fill(text);
  await messageBox(page).press("Enter");
}

/** Waits until a person's browser shows the answer to a text. */
async function answered(name: string, text: string): Promise<void> {
  const answer = visitOf(name).page.getByText(`stand-in heard: ${text}`);
  await answer.first().waitFor();
}

beforeAll(async () => {
  provider = await setUpStack(project, "real", stack, settings);
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser.close();
  await run("down");
  project.remove();
  provider.stop();
});

test("a gateway that refused its first configuration takes a better one", async () => {
  configure(people, { cron: { enabled: "maybe" } });
  const { text } = await run("up");
  configure(people);

  expect(text).toContain("OpenClaw refuses its configuration");
  expect(outcome(await run("up"))).toBe("ok");
  containerId = await inspect();
  passwords = JSON.parse(await project.secretOutput(stack, "passwords")) as typeof passwords;
});

test("each person sees the own name in the dashboard, and has the role", async () => {
  for (const [name, { role }] of Object.entries(people)) {
    visits.set(name, await visit(browser, `${dashboard}/settings/profile`, loginOf(name)));
    const { page } = visitOf(name);
    const email = page.locator(".profile-hero__email");
    await shown(email);

    expect(await email.innerText()).toBe(name);
    expect(await page.locator(".profile-hero__name").innerText()).toBe(name.split("@")[0]);
    // The dashboard has no word for it.
    expect(await ask(name, "users.self", {})).toMatchObject({ payload: { profile: { role } } });
  }
});

test("the dashboard offers a change of the configuration to an admin only, and the gateway refuses it to others", async () => {
  const offered = async (name: string) => {
    const { page } = visitOf(name);
    await page.goto(`${dashboard}/settings/mcp`);
    const button = page.getByRole("button", { name: "Add server" });
    await button.waitFor();
    // It is disabled until the page has its configuration, too.
    return await eventually(
      "it is offered",
      () => button.isEnabled(),
      Boolean,
      name === ann ? 60 : 5,
    ).catch(() => false);
  };

  expect([await offered(ann), await offered(bob), await offered(carol)]).toEqual([
    true,
    false,
    false,
  ]);
  expect(await refusal(bob, "config.set", { raw: "{}" })).toContain("operator.admin");
  expect(await refusal(carol, "config.set", { raw: "{}" })).toContain("operator.admin");
  expect(await refusal(bob, "users.setRole", { profileId: "x", role: "admin" })).toContain(
    "operator.admin",
  );
  expect(await refusal(ann, "config.get", {})).toBeUndefined();
});

test("an observer can't send; a member can, and the observer reads it", async () => {
  for (const name of Object.keys(people)) {
    await visitOf(name).page.context().close();
    visits.set(name, await visit(browser, `${dashboard}/`, loginOf(name)));
  }
  const { page } = visitOf(carol);
  await send(carol, "a message of the observer");
  await page.getByText("Not sent").waitFor();
  expect(
    await refusal(carol, "chat.send", {
      sessionKey: "main",
      message: "hello",
      idempotencyKey: "people",
    }),
  ).toContain("operator.write");
  await send(bob, "a message of the member");
  await answered(bob, "a message of the member");
  await answered(carol, "a message of the member");
});

test("a person who is taken out is out within 5 s; the chats of the others go on without a reconnect", async () => {
  // On a busy machine the dashboard gives a connection up that is slow to be answered, and makes another.
  await eventually(
    "each browser has one connection",
    () => Promise.resolve([...staying, carol].map(socketsOf)),
    (found) => found.every(({ open }) => open === 1),
  );
  const before = staying.map(socketsOf);
  const { sockets } = visitOf(carol);
  const connected = sockets.filter(({ open }) => open);
  const { carol: _, ...others } = people;
  configure(others);
  const deployment = run("up");
  const status = async () => (await get(`${dashboard}/`, loginOf(carol))).status;
  await eventually("Carol is refused", status, (code) => code === 401);
  await eventually(
    "Carol's browser is out",
    () => Promise.resolve(connected.filter(({ open }) => open).length),
    (open) => open === 0,
    5,
  );

  expect(outcome(await deployment)).toBe("ok");
  await send(bob, "after the change");
  await answered(ann, "after the change");
  expect(before.map(({ open }) => open)).toEqual([1, 1]);
  expect(staying.map(socketsOf)).toEqual(before);
  // The browser tries again, and gets no connection.
  expect(connected).toHaveLength(1);
  expect(sockets.filter((socket) => !connected.includes(socket) && socket.frames > 0)).toEqual([]);
  const page = await visitOf(carol).page.reload();
  expect(page?.status()).toBe(401);
  expect(await inspect()).toBe(containerId);
});

test("50 changes under load fail no request and close no connection of those who stay", async () => {
  const live = JSON.parse(
    await docker("exec", containerName, "cat", "/etc/openclaw-gateway/live.json"),
  ) as { roles: object; config: object };
  const before = staying.map(socketsOf);
  const failed: unknown[] = [];
  let isOver = false;
  let asked = 0;
  const load = staying.map(async (name) => {
    const authorization = `Basic ${btoa(`${name}:${loginOf(name).password}`)}`;
    const first = await fetch(`${dashboard}/`, { headers: { authorization } });
    const cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
    const client = await connectAs(dashboard, loginOf(name));
    while (!isOver) {
      const page = await fetch(`${dashboard}/`, { headers: { authorization, cookie } }).catch(
        (error: unknown) => error,
      );
      const status = page instanceof Response ? page.status : String(page);
      const { ok, error } = await client.call("sessions.list");
      asked += 2;
      failed.push(...(status === 200 ? [] : [status]), ...(ok ? [] : [error]));
    }
    failed.push(...(client.closedAt() === undefined ? [] : [`the connection of ${name}`]));
  });
  // What npm run up does with a change, without its deployment around it.
  const apply = (guests: object) => {
    const own = Object.fromEntries(
      staying.map((name) => [name, { ...people[name], password: loginOf(name).password }]),
    );
    const input = JSON.stringify({ ...live, people: { ...own, ...guests } });
    return $({
      quiet: true,
      nothrow: true,
      input,
    })`docker exec --interactive ${containerName} node /usr/local/lib/gateway-image/people.mjs apply`;
  };
  // A guest comes, gets another role, gets another password, and goes.
  const [password, other] = ["a-password-of-the-guest", "another-password-of-the-guest"];
  const steps = [
    { role: "observer", password },
    { role: "member", password },
    { role: "member", password: other },
    undefined,
  ];
  for (let index = 0; index < 50; index++) {
    const guest = steps[index % steps.length];
    const { exitCode, stderr } = await apply(guest ? { guest } : {});
    const codes = [password, other].map((each) =>
      get(`${dashboard}/`, { username: "guest", password: each }),
    );

    expect([exitCode, stderr]).toEqual([0, ""]);
    expect((await Promise.all(codes)).map(({ status }) => status)).toEqual(
      [password, other].map((each) => (each === guest?.password ? 200 : 401)),
    );
  }
  isOver = true;
  await Promise.all(load);

  expect(failed).toEqual([]);
  expect(asked).toBeGreaterThan(100);
  expect(staying.map(socketsOf)).toEqual(before);
});
