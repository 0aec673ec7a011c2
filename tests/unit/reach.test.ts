import { browserCheck, type SeenByBrowser, unknownName } from "../../cli/reach/browser";
import { sessionCheck, withSessionLooks } from "../../cli/reach/session";
import { parseFacts } from "../../cli/preflight/host";
import { parseSettings } from "../../config";

const parse = (values: Record<string, string> = {}) =>
  parseSettings({
    values: {
      kasmUrl: "https://kasm.example.com",
      kasmApiKey: "key-0123456789",
      kasmApiSecret: "secret-0123456789-0123",
      nginxRoute: '{"mode":"path"}',
      port: "8180",
      ...values,
    },
    encrypted: ["kasmApiKey", "kasmApiSecret"],
  });

describe("KASM's sessions", () => {
  const facts = (changes: Record<string, string> = {}) => {
    const all = {
      proxy: "running",
      sessionAddress: "172.17.0.1",
      sessionSubnet: "172.18.0.0/16",
      sessionPage: "opens",
      sessionSocket: "101",
      ...changes,
    };
    return parseFacts(
      Object.entries(all)
        .map((entry) => entry.join("="))
        .join("\n"),
    );
  };
  const url = "http://host.docker.internal:8180/openclaw/";
  const asked = `${url} (172.17.0.1), asked from KASM's network (container kasm_proxy)`;

  test("reach the dashboard and its WebSocket", () => {
    expect(sessionCheck(parse(), facts(), 1)).toEqual({
      name: "KASM's sessions",
      value: `reach ${url} and its WebSocket`,
      state: "ok",
    });
  });

  test.each<[what: string, changes: Record<string, string>, answer: string, todo: string]>([
    [
      "a firewall that drops",
      { sessionPage: "curl 28", sessionSocket: "curl 28" },
      "no answer within 1 s",
      "ufw allow from 172.18.0.0/16 to any port 8180 proto tcp",
    ],
    [
      "a firewall that rejects",
      { sessionPage: "curl 7" },
      "connection refused",
      "take 172.17.0.1 out of openclaw:publishAddresses",
    ],
    ["another login", { sessionPage: "401" }, "answers 401", "npm run up repairs login"],
    [
      "a refused WebSocket",
      { sessionSocket: "403" },
      "the page opens, and its WebSocket: answers 403",
      "npm run up repairs login and origins",
    ],
  ])("%s is named, with what to do", (_, changes, answer, todo) => {
    const check = sessionCheck(parse(), facts(changes), 1);

    expect(check?.state).toBe("bad");
    expect(check?.value.startsWith(`${asked}: ${answer}; `)).toBe(true);
    expect(check?.value).toContain(todo);
  });

  const elsewhere = parse({ publishAddresses: '["127.0.0.1"]' });
  const withTile = parse({ publishAddresses: '["192.168.1.5"]', workspaces: '{"browser":{}}' });

  test("are not asked for where the dashboard is not published for them and no tile leads there", () => {
    expect(sessionCheck(elsewhere, facts({ sessionPage: "curl 7" }), 1)).toBeUndefined();
    expect(sessionCheck(parse(), facts({ proxy: "missing" }), 1)).toBeUndefined();
  });

  test("are not taken for granted where Docker does not answer", () => {
    expect(sessionCheck(parse(), parseFacts(""), 1)).toMatchObject({ state: "bad" });
  });

  test("have to get where a tile leads", () => {
    expect(sessionCheck(withTile, facts({ sessionPage: "curl 7" }), 1)?.value).toBe(
      `${asked}: connection refused; add 172.17.0.1 to openclaw:publishAddresses`,
    );
    expect(sessionCheck(withTile, facts({ proxy: "missing" }), 1)?.value).toContain(
      "container kasm_proxy is missing",
    );
  });

  test("ask with the login on standard input, as root", () => {
    const login = { username: "admin", password: "the-password" };
    const gateways = [{ settings: parse(), login }];
    const [look] = withSessionLooks(gateways, { seconds: 1, socketSeconds: 0.3 });

    expect(look?.session).toMatchObject({ asRoot: true, containers: ["openclaw"] });
    expect(look?.session.variables).toMatchObject({
      PROXY: "kasm_proxy",
      PORT: "8180",
      PASSWORD: "the-password",
      SOCKET_PATIENCE: "0.3",
    });
  });

  test("ask for each certificate once", () => {
    const named = (serverName: string) =>
      parse({ nginxRoute: JSON.stringify({ mode: "serverName", serverName }) });
    const login = { username: "admin", password: "the-password" };
    const all = [parse(), named("a.example.com"), parse(), named("a.example.com")];
    const gateways = all.map((settings) => ({ settings, login }));
    const looks = withSessionLooks(gateways, { seconds: 1, socketSeconds: 0.3 });

    expect(looks.map(({ session }) => session.variables.CERTIFICATE)).toEqual([
      ...["ask", "ask", "", ""],
    ]);
    expect(
      looks.map(({ certificate }) => looks.findIndex((each) => each.session === certificate)),
    ).toEqual([0, 1, 0, 1]);
  });
});

describe("the address behind KASM", () => {
  const well: SeenByBrowser = { status: 401, page: "opens", webSocket: "101" };
  const address = "https://kasm.example.com/openclaw/";

  test("opens with its login and its WebSocket", () => {
    expect(browserCheck(parse(), well)).toEqual({
      name: "address",
      value: `${address} opens with its login, its WebSocket too`,
      state: "ok",
    });
  });

  test.each<[what: string, seen: SeenByBrowser, answer: string, todo: string]>([
    ["a name without an address", { problem: unknownName }, unknownName, "create its DNS entry"],
    [
      "a port that nothing answers at",
      { problem: "connection refused" },
      "connection refused",
      "check openclaw:kasmUrl",
    ],
    ["a gateway that is down", { status: 502 }, "answers 502 without a login", "npm run up"],
    [
      "another server",
      { status: 404 },
      "answers 404 without a login",
      "check that openclaw:kasmUrl",
    ],
    [
      "a redirect",
      { status: 301, location: "https://other.example.com/" },
      "is redirected to https://other.example.com/",
      "set openclaw:kasmUrl",
    ],
    [
      "a certificate that is not trusted",
      { status: 401, distrust: "self-signed certificate" },
      "its certificate is not trusted (self-signed certificate)",
      "openclaw:kasmFingerprint",
    ],
    [
      "a proxy that takes the login away",
      { ...well, page: "401" },
      "answers 401 with",
      "Authorization",
    ],
    [
      "a proxy that passes no WebSocket on",
      { ...well, webSocket: "400" },
      "the page opens, and its WebSocket answers 400",
      "the headers Upgrade and Connection",
    ],
  ])("%s is named, with what to do", (_, seen, answer, todo) => {
    const check = browserCheck(parse(), seen);

    expect(check.state).toBe("bad");
    expect(check.value.startsWith(`${address}, asked from this machine: ${answer}`)).toBe(true);
    expect(check.value).toContain(todo);
  });

  test("by a server name names that setting", () => {
    const settings = parse({ nginxRoute: '{"mode":"serverName","serverName":"oc.example.com"}' });

    expect(browserCheck(settings, { problem: unknownName }).value).toBe(
      "https://oc.example.com/, asked from this machine: its name has no address here; create its DNS entry, or correct openclaw:nginxRoute.serverName",
    );
  });
});
