import { type Browser, type BrowserContext } from "playwright-core";
import { request } from "undici";
import { $ } from "zx";
import { launchBrowser, messageBox, openContext } from "../support/browser";
import { docker, eventually } from "../support/docker";
import { connectAs, connectWith, type GatewayClient } from "../support/gatewayClient";
import {
  clientSecret,
  type IdentityProvider,
  startIdentityProvider,
} from "../support/identityProvider";
import { localSettings, setUpStack } from "../support/localGateway";
import { shell, watchProcesses } from "../support/processes";
import { outcome, Project, unchanged } from "../support/project";
import type { Provider } from "../support/provider";
import { expectNotShown } from "../support/secrets";
import { logInAtProvider } from "../support/signOn";

jest.setTimeout(15 * 60_000);

const stack = "oidc";
const prefix = "openclaw-e2e-oidc";
const port = 18187;
const basePath = "/openclaw/one";
const origin = `http://127.0.0.1:${port.toString()}`;
const dashboard = `${origin}${basePath}`;
const settings = { ...localSettings(prefix, port), basePath };
const { containerName } = settings;

// The tests build on each other.
const project = new Project();
let provider: Provider;
let idp: IdentityProvider;
let browser: Browser;
let containerId: string;
let seen: string;
const contexts = new Map<string, BrowserContext>();
const connected = new Map<string, GatewayClient>();

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", stack, ...options);
const inspect = () => docker("inspect", "--format", "{{.Id}}", containerName);

function configure(groups: Record<string, string>, more: Record<string, unknown> = {}): void {
  project.settings(stack, {
    ...settings,
    openclawConfig: provider.openclawConfig,
    extraCaFile: idp.caFile,
    oidc: {
      issuer: idp.issuer,
      clientId: "openclaw",
      scopes: ["openid", "email", "groups"],
      groups: Object.entries(groups).map(([group, role]) => ({ group, role })),
    },
    ...more,
  });
}

/** Opens the dashboard in a browser of one's own, and logs in at the provider. */
async function logIn(name: string) {
  const context = await openContext(browser);
  contexts.set(name, context);
  const page = await context.newPage();
  await page.goto(`${dashboard}/`);
  await logInAtProvider(page, name, dashboard);
  return page;
}

/** The cookies of a person's browser for the dashboard. */
async function cookiesOf(name: string): Promise<string> {
  const cookies = await contexts.get(name)?.cookies(`${dashboard}/`);
  return (cookies ?? []).map((cookie) => `${cookie.name}=${cookie.value}`).join("; ");
}

async function connect(name: string): Promise<GatewayClient> {
  const client = await connectWith(dashboard, name, { cookie: await cookiesOf(name) });
  connected.set(name, client);
  return client;
}

async function refusal(client: GatewayClient, method: string, params: object) {
  return (await client.call(method, params)).error?.message;
}

const roleOf = async (client: GatewayClient) =>
  ((await client.call("users.self")).payload?.profile as { role?: string } | undefined)?.role;

/** What the door answers to headers, as the status and where it leads to. */
async function ask(headers: Record<string, string>, path = `${basePath}/`) {
  // Not fetch, which says in a header that it is no page.
  const { statusCode, headers: told, body } = await request(`${origin}${path}`, { headers });
  await body.dump();
  return { status: statusCode, location: String(told.location), asks: told["www-authenticate"] };
}

const message = () => ({
  sessionKey: "main",
  message: "hello",
  idempotencyKey: `oidc-${Date.now().toString()}`,
});

beforeAll(async () => {
  provider = await setUpStack(project, "real", stack, settings);
  const people = { ann: ["ops", "staff"], bob: ["staff"], carol: ["guests"], dave: ["others"] };
  const both = [dashboard, `https://kasm.example.com${basePath}`];
  idp = await startIdentityProvider(project.folder, 19443, both, people);
  configure({ ops: "admin", staff: "member", guests: "observer" });
  await project.setSecret(stack, "oidcClientSecret", clientSecret);
  const stopWatching = watchProcesses();
  expect(outcome(await run("up"))).toBe("ok");
  seen = await stopWatching();
  containerId = await inspect();
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser.close();
  await run("down", "--delete-data");
  project.remove();
  idp.stop();
  provider.stop();
});

test("a second up changes nothing, and status names the provider", async () => {
  expect((await run("up")).text).toMatch(unchanged);
  const { stdout } = await project.wellStatus("--json", "--stack", stack);

  expect(stdout).toContain(idp.issuer);
  expect(stdout).toContain("staff (member)");
});

test("a browser without a session is sent to the provider, and nothing else is", async () => {
  const page = await ask({ accept: "text/html" });
  const other = await ask({ accept: "*/*" });

  expect(page.status).toBe(302);
  expect(page.location).toContain(`${idp.issuer}/auth?`);
  expect(other.status).toBe(401);
  // A browser would ask for a password.
  expect(other.asks).toBeUndefined();
});

test("behind a proxy that ends TLS, the provider sends people back to the proxy's address", async () => {
  const proxied = { host: "kasm.example.com", "x-forwarded-proto": "https", accept: "text/html" };
  const { stdout } = await $({
    quiet: true,
  })`curl -s -i -o - ${Object.entries(proxied).flatMap(([name, value]) => ["-H", `${name}: ${value}`])} ${`${dashboard}/`}`;

  expect(stdout).toContain(
    `redirect_uri=${encodeURIComponent(`https://kasm.example.com${basePath}/oidc/callback`)}`,
  );
  expect(stdout).toMatch(/^set-cookie: __openclaw_state_.*; Secure; .*SameSite=Lax/im);
});

test("people sign on in the browser, and each has the role of the group", async () => {
  const page = await logIn("ann");
  await messageBox(page).waitFor();
  await logIn("bob");
  await logIn("carol");

  expect(await roleOf(await connect("ann"))).toBe("admin");
  expect(await roleOf(await connect("bob"))).toBe("member");
  expect(await roleOf(await connect("carol"))).toBe("observer");
});

test("an observer can't send, a member can, and only an admin reads the configuration", async () => {
  const [ann, bob, carol] = ["ann", "bob", "carol"].map((name) => connected.get(name));
  if (!ann || !bob || !carol) {
    throw new Error("someone is not connected");
  }

  expect(await refusal(carol, "chat.send", message())).toContain("operator.write");
  expect(await refusal(bob, "chat.send", message())).toBeUndefined();
  expect(await refusal(bob, "config.set", { raw: "{}" })).toContain("operator.admin");
  expect(await refusal(ann, "config.get", {})).toBeUndefined();
});

test("a person without a group of the settings gets a page that says so", async () => {
  const page = await logIn("dave");

  expect(await page.textContent("body")).toContain("Neither your groups");
  await expect(connect("dave")).rejects.toThrow("refused");
});

test("a forged session, and a name without a login, are refused", async () => {
  const cookie = await cookiesOf("ann");
  const forged = cookie.replace(/(__openclaw_session_\w+=)[^;]{8}/, "$1AAAAAAAA");
  const names = { "x-signed-in": "ann@example.com", "x-forwarded-user": "ann@example.com" };

  expect(forged).not.toBe(cookie);
  expect((await ask({ cookie })).status).toBe(200);
  expect((await ask({ cookie: forged })).status).toBe(401);
  expect((await ask(names)).status).toBe(401);
  await expect(connectWith(dashboard, "ann", { cookie: forged })).rejects.toThrow("refused");
});

test("a name that comes with a wrong password does not count beside a session", async () => {
  const authorization = `Basic ${btoa("admin:a-wrong-password")}`;
  const cookie = await cookiesOf("carol");
  const carol = await connectWith(dashboard, "carol", { cookie, authorization });

  expect(await roleOf(carol)).toBe("observer");
  carol.close();
});

test("programs log in by a password beside the provider", async () => {
  const password = (await project.secretOutput(stack, "password")).trim();
  const admin = await connectAs(dashboard, { username: "admin", password });

  expect(admin.scopes).toContain("operator.admin");
  admin.close();
});

test("other groups in the settings reach the gateway that runs", async () => {
  const bob = await connect("bob");
  configure({ ops: "admin", staff: "observer", guests: "observer" });
  expect(outcome(await run("up"))).toBe("ok");

  expect(await inspect()).toBe(containerId);
  await eventually("Bob's connection is closed", () => Promise.resolve(bob.closedAt()), Boolean);
  expect(connected.get("ann")?.closedAt()).toBeUndefined();
  expect(await roleOf(await connect("bob"))).toBe("observer");
});

test("a person who is put into another group at the provider has its role within two minutes", async () => {
  const bob = await connect("bob");
  await idp.setGroups("bob", ["ops"]);
  await eventually(
    "Bob's connection is closed",
    () => Promise.resolve(bob.closedAt()),
    Boolean,
    120,
  );

  expect(await roleOf(await connect("bob"))).toBe("admin");
});

test("a person who is out at the provider is out within two minutes; others stay connected", async () => {
  const bob = await connect("bob");
  const carol = await connect("carol");
  await idp.setGroups("bob", []);
  await idp.setGroups("carol", null);
  const closed = () => Promise.resolve(bob.closedAt() && carol.closedAt());
  await eventually("both connections are closed", closed, Boolean, 120);

  expect((await ask({ cookie: await cookiesOf("bob") })).status).toBe(403);
  expect((await ask({ cookie: await cookiesOf("carol") })).status).toBe(401);
  expect(connected.get("ann")?.closedAt()).toBeUndefined();
});

test("after a restart of the container browsers go to the provider, which still knows them", async () => {
  const before = await cookiesOf("ann");
  await docker("restart", containerName);
  const isStarted = () => ask({}, "/healthz").catch(() => ({ status: 0 }));
  await eventually("the gateway has started", isStarted, ({ status }) => status === 200, 120);
  expect((await ask({ cookie: before })).status).toBe(401);
  const page = await (contexts.get("ann") as BrowserContext).newPage();
  await page.goto(`${dashboard}/`);
  await messageBox(page).waitFor();

  expect(await roleOf(await connect("ann"))).toBe("admin");
});

test("a gateway that is started anew keeps sessions and roles", async () => {
  const ann = connected.get("ann");
  const oldest = "grep -l ^openclaw /proc/[0-9]*/comm | cut -d/ -f3 | sort -n | head -n 1";
  await docker("exec", containerName, "sh", "-c", `kill -9 $(${oldest})`);
  await eventually("the connection is closed", () => Promise.resolve(ann?.closedAt()), Boolean);
  const again = async () => await connect("ann").then(roleOf, () => undefined);

  expect(await eventually("Ann is in", again, (role) => role === "admin", 120)).toBe("admin");
});

test("log-out ends the session here and at the provider, and the connections", async () => {
  const cookie = await cookiesOf("ann");
  const page = await (contexts.get("ann") as BrowserContext).newPage();
  await page.goto(`${dashboard}/oidc/logout`);
  await page.getByRole("button", { name: /yes/i }).click();
  await page.waitForURL(`${dashboard}/oidc/out*`);

  expect(await page.textContent("body")).toContain("Logged out");
  expect((await ask({ cookie })).status).toBe(401);
  await eventually(
    "Ann's connection is closed",
    () => Promise.resolve(connected.get("ann")?.closedAt()),
    Boolean,
  );
  await page.goto(`${dashboard}/`);
  await page.waitForSelector("input[name=login]");
});

test("a session that reached its limit is out, and its browser has another one after the page is loaded again", async () => {
  // Twenty seconds in place of a working day.
  const limit =
    "sed -i 's/^\\(OIDCSessionMaxDuration\\) .*/\\1 20/' /etc/gateway-image/apache.conf";
  const restart = "s6-svc -wr -T 60000 -r /run/service/openid";
  await docker("exec", containerName, "sh", "-c", `${limit} && ${restart}`);
  await eventually(
    "browsers are led to the provider",
    () => ask({ accept: "text/html" }),
    ({ location }) => location.startsWith(idp.issuer),
  );
  const page = await logIn("ann");
  const ann = await connect("ann");
  const cookie = await cookiesOf("ann");
  await eventually("it is closed", () => Promise.resolve(ann.closedAt()), Boolean, 120);

  expect((await ask({ cookie })).status).toBe(401);
  await page.screenshot({ path: "test-results/session-over.png" });
  await page.reload();
  expect(await roleOf(await connect("ann"))).toBe("admin");
});

test("secrets and sessions are in no state, history, preview, inspect, log, argument and environment", async () => {
  const inside = await docker(
    "exec",
    containerName,
    "sh",
    "-c",
    "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'",
  );
  const sessions = await Promise.all(["bob", "dave"].map((name) => cookiesOf(name)));
  const password = (await project.secretOutput(stack, "password")).trim();
  const secrets = [
    ...[clientSecret, password],
    ...sessions.flatMap((all) => /__openclaw_session_\w+=([^;]+)/.exec(all)?.[1] ?? []),
  ];
  configure({ ops: "admin" });
  await expectNotShown(secrets, project, stack, containerName, shell);

  expect(secrets.length).toBeGreaterThan(3);
  expect(secrets.filter((secret) => (seen + inside).includes(secret))).toEqual([]);
  // What the gateway and its agents can read.
  const asNode = ["exec", "--user", "node", containerName, "sh", "-c"];
  const readable = await docker(
    ...asNode,
    "cat /run/openid/provider.conf /etc/openclaw-gateway/secrets.json 2>&1 || true",
  );
  expect(readable).not.toContain("e2e");
});
