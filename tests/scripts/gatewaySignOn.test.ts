import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { eventually } from "../support/docker";

jest.setTimeout(30_000);

const programs = "assets/gateway-image/rootfs/usr/local/lib/gateway-image";
const groups = [
  { group: "ops", role: "admin" },
  { group: "staff", role: "member" },
];
const bob = { email: "Bob@Example.com", groups: ["staff"] };

/** What the provider says of each session's person, by the cookie; without any, the provider refuses the person. */
let claims: Record<string, object | undefined>;
/** The addresses at which sessions were ended. */
let ended: string[];
let location: string;
let apache: Server;
let program: ChildProcess;
let folder: string;
const at = (path: string) => join(folder, path);

/** Puts a program of the image into the folder, with places of its own. */
function install(name: string, changes: readonly [from: string, to: string][]): void {
  const whole = changes.reduce(
    (code, [from, to]) => code.replaceAll(from, to),
    readFileSync(join(programs, name), "utf8"),
  );
  writeFileSync(at(name), whole);
}

function tell(people: object = {}, roles: object[] = groups): void {
  writeFileSync(at("live.json"), JSON.stringify({ people, roles: {}, groups: roles, config: {} }));
}

async function start(): Promise<void> {
  program = spawn(process.execPath, [at("signOn.mjs")], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  await eventually("the program listens", listens, Boolean);
}

/** Whether connections are taken; the socket's file is there a moment earlier. */
function listens(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(at("sign-on.sock"), () => {
      socket.destroy();
      resolve(true);
    }).on("error", () => {
      resolve(false);
    });
  });
}

beforeEach(async () => {
  [claims, ended, location] = [{}, [], "https://sso.example.com/end?id_token_hint=x"];
  folder = mkdtempSync(join(tmpdir(), "gateway-sign-on-"));
  apache = createServer((asked, answer) => {
    const [, cookie = ""] = /session=([^;]+)/.exec(asked.headers.cookie ?? "") ?? [];
    if (asked.url?.startsWith("/openclaw/oidc/callback?logout=") === true) {
      ended.push(cookie);
      Reflect.deleteProperty(claims, cookie);
      answer.writeHead(302, { location, "set-cookie": "session=; Path=/openclaw" }).end();
    } else if (cookie in claims) {
      const told = claims[cookie];
      const header = told ? Buffer.from(JSON.stringify(told)).toString("base64") : "";
      answer.writeHead(200, { "x-userinfo": header }).end();
    } else {
      answer.writeHead(401).end();
    }
  }).listen(0, "127.0.0.1");
  await once(apache, "listening");
  const { port } = apache.address() as AddressInfo;
  mkdirSync(at("run"));
  const oidc = { cookie: "session", groupsClaim: "groups", clientId: "openclaw" };
  writeFileSync(at("run/settings.json"), JSON.stringify({ basePath: "/openclaw", oidc }));
  install("live.mjs", [
    ['"/etc/openclaw-gateway/live.json"', JSON.stringify(at("live.json"))],
    ['"/run/gateway-image"', JSON.stringify(at("run"))],
    ['"/run/nginx"', JSON.stringify(folder)],
  ]);
  install("signOn.mjs", [
    ["18791", port.toString()],
    ["ASKED_EVERY_MS = 60_000", "ASKED_EVERY_MS = 500"],
    ["fs.chownSync(SOCKET, NGINX.uid, NGINX.gid)", "NGINX"],
  ]);
  const record = `import fs from "node:fs";
export const assignRole = async (name, role) =>
  fs.appendFileSync(${JSON.stringify(at("roles"))}, \`\${name} \${role}\\n\`);`;
  writeFileSync(at("roles.mjs"), record);
  tell();
  await start();
});
afterEach(async () => {
  program.kill("SIGKILL");
  await once(program, "exit");
  apache.closeAllConnections();
  apache.close();
  rmSync(folder, { recursive: true });
});

/** The roles that the program gave in the gateway, one after the other. */
const given = () =>
  existsSync(at("roles")) ? readFileSync(at("roles"), "utf8").trimEnd().split("\n") : [];
const becomes = (line: string) =>
  eventually(
    line,
    () => Promise.resolve(given().at(-1)),
    (last) => last === line,
    10,
  );

/** Asks as nginx does. */
async function ask(path: string, cookie?: string) {
  const headers = {
    host: "kasm.example.com",
    "x-forwarded-proto": "https",
    ...(cookie && { cookie: `other=1; session=${cookie}` }),
  };
  const asked = request({ socketPath: at("sign-on.sock"), path, headers });
  asked.end();
  const [answer] = (await once(asked, "response")) as [import("node:http").IncomingMessage];
  const { statusCode: status, headers: told } = answer;
  return { status, name: told["x-signed-in"], told, body: await text(answer) };
}

test("a session comes in with the name of its person, once the gateway has given the role", async () => {
  claims = { one: bob };
  const { status, name } = await ask("/auth", "one");

  expect([status, name]).toEqual([204, "bob@example.com"]);
  expect(given()).toEqual(["bob@example.com member"]);
});

test("of several groups the first of the settings counts", async () => {
  claims = { one: { ...bob, groups: ["x", "staff", "ops"] } };
  await ask("/auth", "one");

  expect(given()).toEqual(["bob@example.com admin"]);
});

test.each([
  ["an address", "Bob@Example.com"],
  ["all addresses at a host name", "@Example.com"],
])("%s can be in place of a group", async (_, group) => {
  tell({}, [...groups, { group, role: "observer" }]);
  claims = {
    one: { email: "bob@example.com" },
    two: { ...bob, email: "eve@example.com.evil.org", groups: [] },
    three: { email: "eve@sub.example.com" },
  };
  const statuses = [];
  for (const cookie of ["one", "two", "three"]) {
    statuses.push((await ask("/auth", cookie)).status);
  }

  expect(statuses).toEqual([204, 403, 403]);
  expect(given()).toEqual(["bob@example.com observer"]);
});

test("without a session no one is named", async () => {
  for (const cookie of [undefined, "unknown"]) {
    const { status, name } = await ask("/auth", cookie);
    expect([status, name]).toEqual([401, undefined]);
  }
});

test.each<[what: string, claims: object, people: object, why: string]>([
  ["a person in no group of the settings", { ...bob, groups: ["x"] }, {}, "Neither your groups"],
  ["a person without groups", { email: bob.email }, {}, "Neither your groups"],
  ["an address that is not verified", { ...bob, email_verified: "false" }, {}, "not verified"],
  ["a person without an address", { groups: ["ops"] }, {}, "names no e-mail address"],
  [
    "an address that is no name of a login",
    { ...bob, email: "a:b" },
    {},
    "names no e-mail address",
  ],
  [
    "the name of a login with a password",
    bob,
    { "BOB@example.com": {} },
    "a login with a password",
  ],
])("%s is refused, and told why", async (_, told, people, why) => {
  tell(people);
  claims = { one: told };
  const { status, name } = await ask("/auth", "one");
  const page = await ask("/refused", "one");

  expect([status, name, page.status]).toEqual([403, undefined, 403]);
  expect(page.body).toContain(why);
  expect(given()).toEqual([]);
});

test("another group at the provider is another role, without a request of the browser", async () => {
  claims = { one: bob };
  await ask("/auth", "one");
  claims = { one: { ...bob, groups: ["ops"] } };
  await becomes("bob@example.com admin");
  claims = { one: { ...bob, groups: [] } };
  await becomes("bob@example.com null");

  expect((await ask("/auth", "one")).status).toBe(403);
});

test("a person whom the provider refuses loses role and session", async () => {
  claims = { one: bob };
  await ask("/auth", "one");
  claims = { one: undefined };
  await becomes("bob@example.com null");

  expect(ended).toEqual(["one"]);
  expect((await ask("/auth", "one")).status).toBe(401);
});

test("other groups in the settings change the roles of those who are in", async () => {
  claims = { one: bob };
  await ask("/auth", "one");
  tell({}, [{ group: "staff", role: "observer" }]);

  await becomes("bob@example.com observer");
});

test("a person keeps the role as long as one of several sessions is left", async () => {
  claims = { one: bob, two: bob };
  await ask("/auth", "one");
  await ask("/auth", "two");
  await ask("/logout", "one");
  expect(given()).toEqual(["bob@example.com member"]);
  await ask("/logout", "two");

  expect(given().at(-1)).toBe("bob@example.com null");
});

test("log-out leads to the provider's own, without a token that proxies may find too long", async () => {
  claims = { one: bob, two: bob };
  const short = await ask("/logout", "one");
  location += "y".repeat(5000);
  const long = await ask("/logout", "two");

  expect(short.told).toMatchObject({
    location: "https://sso.example.com/end?id_token_hint=x",
    "set-cookie": ["session=; Path=/openclaw"],
  });
  expect(long.told.location).toBe("https://sso.example.com/end?client_id=openclaw");
  expect((await ask("/auth", "one")).status).toBe(401);
});

test("who came in before a new start of the program is out until the browser asks again", async () => {
  claims = { one: bob };
  await ask("/auth", "one");
  program.kill("SIGKILL");
  await once(program, "exit");
  rmSync(at("sign-on.sock"));
  await start();
  await becomes("bob@example.com null");
  await ask("/auth", "one");

  expect(given().at(-1)).toBe("bob@example.com member");
});
