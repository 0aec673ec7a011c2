import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { parseSettings, type Settings } from "../../config";
import { checkOidc } from "../../cli/preflight/oidc";

let server: Server;
let issuer: string;
let answer: [status: number, body: unknown];

beforeEach(async () => {
  server = createServer((request, response) => {
    const isMetadata = request.url === "/realms/x/.well-known/openid-configuration";
    response.writeHead(isMetadata ? answer[0] : 404).end(JSON.stringify(answer[1]));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port.toString()}/realms/x`;
  answer = [200, metadata({})];
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const metadata = (changes: object) => ({
  issuer,
  authorization_endpoint: `${issuer}/auth`,
  token_endpoint: `${issuer}/token`,
  userinfo_endpoint: `${issuer}/me`,
  scopes_supported: ["openid", "email", "profile"],
  ...changes,
});

const check = (changes: Partial<NonNullable<Settings["oidc"]>> = {}) =>
  checkOidc({
    ...parseSettings({ values: {}, encrypted: [] }),
    oidc: {
      issuer,
      clientId: "openclaw",
      groups: [{ group: "staff", role: "member" }],
      groupsClaim: "groups",
      scopes: ["openid", "email"],
      ...changes,
    },
  });

test("a provider that is as the settings say passes", async () => {
  await expect(check()).resolves.toBeUndefined();
});

test("one that this machine can't reach is left to the check after the deployment", async () => {
  server.close();

  await expect(check({ issuer: "http://127.0.0.1:1/x" })).resolves.toBeUndefined();
});

test.each<[what: string, setting: string, answer: () => typeof answer, scopes: string[]]>([
  [
    "another address than its own",
    "openclaw:oidc.issuer: found",
    () => [200, metadata({ issuer: "https://x" })],
    ["openid"],
  ],
  ["a site that is none", "openclaw:oidc.issuer: http", () => [404, "no"], ["openid"]],
  [
    "one that names no people",
    "openclaw:oidc.issuer: http",
    () => [200, metadata({ userinfo_endpoint: undefined })],
    ["openid"],
  ],
  [
    "a scope that it does not know",
    "openclaw:oidc.scopes: found groups",
    () => [200, metadata({})],
    ["openid", "groups"],
  ],
])("%s is refused", async (_, problem, given, scopes) => {
  answer = given();

  await expect(check({ scopes })).rejects.toThrow(problem);
});
