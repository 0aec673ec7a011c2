import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, setGlobalDispatcher } from "undici";
import type { ApiKey } from "../../dev/rig/keys";
import type { Rig } from "../../dev/rig/rig";
import { launchBrowser, openContext } from "../support/browser";
import { eventually } from "../support/docker";
import { connectAs } from "../support/gatewayClient";
import {
  clientSecret,
  type IdentityProvider,
  startIdentityProvider,
} from "../support/identityProvider";
import { watchProcesses } from "../support/processes";
import { outcome, Project, unchanged } from "../support/project";
import { rigSettings } from "../support/rigSettings";
import { expectNotShown } from "../support/secrets";
import { expectTwoSessions, logInAtProvider } from "../support/signOn";
import {
  hostAddress,
  kasmDirectory,
  kasmUrl,
  removeWorkerRig,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(15 * 60_000);

const dashboard = `${kasmUrl}/openclaw`;
const ofInstances = [`${dashboard}/alice`, `${dashboard}/bob`] as const;
const project = new Project();
let rig: Rig;
let idp: IdentityProvider;
let ownKey: string;
let containerId: string;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "rig", ...options);
const inspect = () => rig.exec("docker inspect --format '{{.Id}}' openclaw");
const keyFile = () => join(project.folder, ".build/rig", rig.name, "api_key.json");
const output = async (name: string) =>
  JSON.parse(await project.secretOutput("rig", name)) as Record<string, string>;

function configure(changes: Record<string, unknown> = {}): void {
  project.settings("rig", {
    ...rigSettings(rig),
    kasmDirectory,
    workspaces: {},
    kasmImage: { build: false },
    extraCaFile: idp.caFile,
    kasmGroups: [
      { group: "Administrators", role: "admin" },
      { group: "All Users", role: "observer" },
    ],
    oidc: {
      issuer: idp.issuer,
      clientId: "openclaw",
      scopes: ["openid", "email", "groups"],
      groups: [{ group: "staff", role: "member" }],
    },
    ...changes,
  });
}

function useKey({ api_key, api_key_secret }: ApiKey): void {
  writeFileSync(keyFile(), JSON.stringify({ api_key, api_key_secret }));
}

beforeAll(async () => {
  // The certificate of KASM is a fresh one.
  setGlobalDispatcher(new Agent({ connect: { rejectUnauthorized: false } }));
  await project.checkout("light");
  rig = await startWorkerRig({ openclaw: "light" });
  cpSync(rig.folder, join(project.folder, ".build/rig", rig.name), { recursive: true });
  ownKey = readFileSync(keyFile(), "utf8");
  const people = { ann: ["staff"] };
  const host = await hostAddress(rig);
  idp = await startIdentityProvider(
    project.folder,
    19444,
    [dashboard, ...ofInstances],
    people,
    host,
  );
  configure();
  await project.pulumi("stack", "init", "rig");
  await project.setSecret("rig", "oidcClientSecret", clientSecret);
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
  idp.stop();
});

test("a key that may not see users is told so before anything changes", async () => {
  useKey(await rig.addApiKey([400]));
  const { exitCode, text } = await run("up");
  writeFileSync(keyFile(), ownKey);

  expect(exitCode).not.toBe(0);
  expect(text).toContain("the API key lacks 300 Users View (");
  expect(await rig.exec("docker ps --quiet --filter name=openclaw$")).toBe("");
});

test("people of KASM's groups have logins with roles, beside the one admin", async () => {
  expect(outcome(await run("up"))).toBe("ok");
  containerId = await inspect();
  const people = await output("people");

  expect(people).toEqual({
    admin: "admin",
    "admin@kasm.local": "admin",
    "user@kasm.local": "observer",
  });
  const passwords = await output("passwords");
  for (const [username, scope] of [
    ["admin@kasm.local", "operator.admin"],
    ["user@kasm.local", "operator.read"],
  ] as const) {
    const client = await connectAs(dashboard, { username, password: passwords[username] ?? "" });
    expect(client.scopes).toContain(scope);
    client.close();
  }
  expect((await run("up")).text).toMatch(unchanged);
});

test("up follows the groups, around the connections of those who stay", async () => {
  const passwords = await output("passwords");
  await rig.sql(`
    INSERT INTO users (username) VALUES ('ann@kasm.local');
    INSERT INTO user_groups (user_id, group_id)
      SELECT user_id, group_id FROM users, groups WHERE username = 'ann@kasm.local' AND name = 'All Users';
    UPDATE users SET disabled = true WHERE username = 'user@kasm.local'`);
  const as = (username: string) =>
    connectAs(dashboard, { username, password: passwords[username] ?? "" });
  const [admin, user] = [await as("admin@kasm.local"), await as("user@kasm.local")];
  expect(outcome(await run("up"))).toBe("ok");

  expect(await output("people")).toEqual({
    admin: "admin",
    "admin@kasm.local": "admin",
    "ann@kasm.local": "observer",
  });
  expect(user.closedAt()).toBeDefined();
  expect(admin.closedAt()).toBeUndefined();
  await expect(as("user@kasm.local")).rejects.toThrow("refused");
  admin.close();
  expect(await inspect()).toBe(containerId);
  const after = await output("passwords");
  expect(after["admin@kasm.local"]).toBe(passwords["admin@kasm.local"]);
});

test("people sign on behind KASM's route, open the WebSocket and log out", async () => {
  const browser = await launchBrowser();
  try {
    const context = await openContext(browser);
    // A session of KASM's in the same browser.
    const url = `${kasmUrl}/`;
    await context.addCookies([{ name: "session_token", value: "of-kasm", url }]);
    const page = await context.newPage();
    await page.goto(`${dashboard}/`);
    await logInAtProvider(page, "ann", dashboard);
    expect(await page.content()).toContain("openclaw-app");

    const frame = await page.evaluate(
      (address) =>
        new Promise<string>((resolve, reject) => {
          const socket = new WebSocket(address);
          socket.onmessage = ({ data }) => {
            resolve(String(data));
          };
          socket.onerror = () => {
            reject(new Error("refused"));
          };
        }),
      dashboard.replace("https", "wss"),
    );
    expect(frame).toContain("connect.challenge");
    const cookies = await context.cookies(`${dashboard}/`);
    expect(cookies.find(({ name }) => name.startsWith("__openclaw_session_"))).toMatchObject({
      path: "/openclaw",
      secure: true,
      httpOnly: true,
      sameSite: "Lax",
    });

    await page.goto(`${dashboard}/oidc/logout`);
    await page.getByRole("button", { name: /yes/i }).click();
    await page.waitForURL(`${dashboard}/oidc/out*`);
    await page.goto(`${dashboard}/`);
    await page.waitForSelector("input[name=login]");
    expect((await context.cookies(url)).map(({ name }) => name)).toContain("session_token");
  } finally {
    await browser.close();
  }
});

test("status lists everyone, and says that the dashboard leads to the provider", async () => {
  const { stdout } = await eventually(
    "all is well",
    () => run("status", "--json"),
    ({ exitCode }) => exitCode === 0,
  );

  expect(stdout).toContain("ann@kasm.local (observer)");
  expect(stdout).toContain(`${idp.issuer}: staff (member)`);
});

test("rotate gives all people of KASM's groups another password, which is seen nowhere", async () => {
  const before = await output("passwords");
  const watching = [watchProcesses(), watchProcesses((script) => rig.exec(script))];
  expect(outcome(await run("rotate", "kasmPasswords"))).toBe("ok");
  const seen = (await Promise.all(watching.map((stop) => stop()))).join("\n");
  const after = await output("passwords");

  expect(after["admin@kasm.local"]).not.toBe(before["admin@kasm.local"]);
  expect(after.admin).toBe(before.admin);
  expect(await inspect()).toBe(containerId);
  const secrets = [...Object.values(before), ...Object.values(after), clientSecret];
  expect(secrets.filter((secret) => seen.includes(secret))).toEqual([]);
  await rig.sql("UPDATE users SET disabled = true WHERE username = 'ann@kasm.local'");
  await expectNotShown(secrets, project, "rig", "openclaw", (script) => rig.exec(script));
});

test("a person can use two gateways behind one address in one browser", async () => {
  // They have the port of the one gateway.
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");
  configure({ instances: ["alice", "bob"], kasmGroups: [] });
  expect(outcome(await run("up"))).toBe("ok");
  const browser = await launchBrowser();
  try {
    await expectTwoSessions(browser, ofInstances, "ann");
  } finally {
    await browser.close();
  }
});
