import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { parseSettings } from "../../config";
import { describeAsRoot } from "../support/asRoot";

const programs = "assets/gateway-image/rootfs/usr/local/lib/gateway-image";
const password = "prepare-password-0123";
let folder: string;
const at = (path: string) => join(folder, path);
const read = (path: string) => readFileSync(at(path), "utf8");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gateway-prepare-"));
  for (const path of ["input", "run", "data"]) {
    mkdirSync(at(path));
  }
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs the program as the container's start does, with folders in the place of the image's. */
function prepare(settings: object = {}, secrets: object = { password }) {
  writeFileSync(at("input/settings.json"), JSON.stringify(settings));
  writeFileSync(at("input/secrets.json"), JSON.stringify(secrets), { mode: 0o600 });
  for (const name of ["prepare.mjs", "live.mjs"]) {
    writeFileSync(
      at(name),
      readFileSync(join(programs, name), "utf8")
        .replaceAll("/etc/openclaw-gateway", at("input"))
        .replaceAll(/(?<=["`])\/run\/(?=gateway-image|nginx|openid)/g, `${at("run")}/`)
        .replaceAll("/usr/lib/apache2/modules", at("input"))
        .replaceAll(/(?<=["`])\/data(?=["/])/g, at("data")),
    );
  }
  return spawnSync("node", [at("prepare.mjs")], { encoding: "utf8" });
}

const realm = () => /default "(OpenClaw [^"]*)"/.exec(read("run/nginx/start.conf"))?.[1];
const userHeader = () => /^proxy_set_header (\S+) /.exec(read("run/nginx/user-header.conf"))?.[1];

describeAsRoot("what the container's start prepares", () => {
  test("the realm contains the container's name and the path", () => {
    prepare({ basePath: "/openclaw/alice" });

    expect(realm()).toBe(`OpenClaw ${hostname()}/openclaw/alice`);
  });

  test("the user's header has a new name at each start, known to nginx and the gateway only", () => {
    prepare();
    const first = userHeader();
    prepare();

    expect(first).toMatch(/^x-openclaw-user-[0-9a-f]{32}$/);
    expect(userHeader()).not.toBe(first);
    expect(read("run/gateway-image/env/OPENCLAW_IMAGE_USER_HEADER")).toBe(
      `${userHeader() ?? ""}\n`,
    );
    expect(statSync(at("run/gateway-image/env")).mode & 0o777).toBe(0o700);
  });

  test("only nginx can read the secrets of nginx", () => {
    prepare({ basePath: "/openclaw" });
    const files = [
      ...["start.conf", "user-header.conf", "open-paths.conf", "base-path.conf"],
      "htpasswd",
    ];

    expect(
      files.map((file) => {
        const { mode, uid } = statSync(at(`run/nginx/${file}`));
        return [file, (mode & 0o777).toString(8), uid];
      }),
    ).toEqual(files.map((file) => [file, "400", 33]));
  });

  test("a gateway that waits for people lets in none before it was told of them, and the same ones after another start", () => {
    const first = prepare({ waitsForPeople: true }, {});
    const before = [read("run/nginx/htpasswd"), existsSync(at("run/gateway-image/live"))];
    const people = { "ann@example.com": { role: "admin", hash: "$6$salt$hash" } };
    writeFileSync(at("input/live.json"), JSON.stringify({ people, roles: {}, config: {} }));
    prepare({ waitsForPeople: true }, {});

    expect([first.status, ...before]).toEqual([0, "", false]);
    expect(read("run/nginx/htpasswd")).toBe("ann@example.com:$6$salt$hash\n");
    expect(existsSync(at("run/gateway-image/live"))).toBe(true);
    expect(statSync(at("run/nginx/htpasswd")).mode & 0o777).toBe(0o400);
  });

  test("a path without the login is passed on to the gateway's own check, below the base path", () => {
    prepare({ basePath: "/openclaw", openPaths: { webhooks: ["/hooks"], api: ["/v1"] } });
    const locations = read("run/nginx/open-paths.conf").split(/(?=^location )/m);
    const location = (place: string) =>
      locations.find((each) => each.includes(` ${place} {`)) ?? "";

    for (const [place, passed] of [
      ["= /openclaw/hooks", "/hooks"],
      ["^~ /openclaw/hooks/", "/hooks/"],
      ["= /openclaw/v1", "/v1"],
      ["^~ /openclaw/v1/", "/v1/"],
    ] as const) {
      expect(location(place)).toContain(`proxy_pass http://127.0.0.1:18789${passed};`);
      expect(location(place)).not.toContain("user-header");
    }
    expect(location("^~ /openclaw/hooks/")).toContain("X-Forwarded-For $client_address;");
    expect(location("^~ /openclaw/v1/")).toContain('X-Forwarded-For "";');
    expect(locations).toHaveLength(4);
  });

  test("the gateway trusts the authorities that it is given, and a file without any is refused", () => {
    const certificate = rootCertificates[0] ?? "";
    writeFileSync(at("input/extra-ca.pem"), certificate);
    const good = prepare();
    const place = read("run/gateway-image/env/NODE_EXTRA_CA_CERTS").trim();
    const [text, mode] = [readFileSync(place, "utf8"), statSync(place).mode & 0o777];
    writeFileSync(at("input/extra-ca.pem"), "no certificate");
    const bad = prepare();

    expect([good.status, text, mode]).toEqual([0, certificate, 0o644]);
    expect([bad.status, bad.stderr]).toEqual([
      78,
      expect.stringContaining("extra-ca.pem: holds no certificate"),
    ]);
  });

  describe("of an organisation's login", () => {
    const oidc = {
      issuer: "https://sso.example.com/",
      clientId: "openclaw",
      scopes: ["openid", "email"],
      groupsClaim: "groups",
    };
    const oidcClientSecret = 'a"b\\c$' + "{HOME}";
    const settings = { waitsForPeople: true, basePath: "/openclaw", oidc };

    test("only the program that speaks with the provider can read the client's secret", () => {
      writeFileSync(at("input/mod_auth_openidc.so"), "");
      const { status } = prepare(settings, { oidcClientSecret });
      const { mode, uid } = statSync(at("run/openid/provider.conf"));

      expect([status, mode & 0o777, uid]).toEqual([0, 0o400, 13]);
      expect(read("run/openid/provider.conf").split("\n")).toEqual(
        expect.arrayContaining([
          'OIDCProviderMetadataURL "https://sso.example.com/.well-known/openid-configuration"',
          'OIDCClientSecret "a\\"b\\\\c${dollar}{HOME}"',
          'OIDCRedirectURI "/openclaw/oidc/callback"',
          'OIDCCookiePath "/openclaw"',
        ]),
      );
      expect(read("run/gateway-image/settings.json")).not.toContain("HOME");
    });

    test("a password is no longer asked for where none was sent, and either login is enough", () => {
      writeFileSync(at("input/mod_auth_openidc.so"), "");
      prepare(settings, { oidcClientSecret });
      const login = read("run/nginx/login-oidc.conf");
      prepare({ waitsForPeople: true, basePath: "/openclaw" }, {});

      expect(login).toContain("satisfy any;");
      expect(existsSync(at("run/nginx/login-oidc.conf"))).toBe(false);
      expect(read("run/nginx/start.conf")).not.toContain("signed_in");
    });

    test("an image without the module and a secret that is a command are refused", () => {
      const { status, stderr } = prepare(settings, { oidcClientSecret: "exec:/bin/id" });

      expect(status).toBe(78);
      expect(stderr).toContain("oidc: this image can't");
      expect(stderr).toContain("oidcClientSecret: expected");
      expect(stderr).not.toContain("/bin/id");
    });
  });

  test("there is no path without the login unless one is given", () => {
    prepare();

    expect(read("run/nginx/open-paths.conf")).toBe("");
  });

  test.each<[what: string, openPaths: unknown]>([
    ["something of nginx's", { api: ["/v1 { return 200; } #"] }],
    ["the root", { webhooks: ["/"] }],
    ["the health check", { webhooks: ["/healthz"] }],
    ["one path twice", { webhooks: ["/v1"], api: ["/v1"] }],
    ["no list", { api: "/v1" }],
    ["another kind", { others: [] }],
  ])("%s as an open path is refused", (_, openPaths) => {
    const { status, stderr } = prepare({ openPaths });

    expect([status, stderr]).toEqual([78, expect.stringContaining("settings.json: openPaths")]);
  });

  test.each([
    ["11 characters", "a".repeat(11), false],
    ["12 characters", "a".repeat(12), true],
    ["256 characters", "a".repeat(256), true],
    ["257 characters", "a".repeat(257), false],
  ])("image and settings agree on a password of %s", (_, given, isUsable) => {
    const { status, stderr } = prepare({}, { password: given });
    const check = () => parseSettings({ values: { password: given }, encrypted: ["password"] });

    expect([status, stderr.includes("password")]).toEqual(isUsable ? [0, false] : [78, true]);
    if (isUsable) {
      expect(check).not.toThrow();
    } else {
      expect(check).toThrow("openclaw:password");
    }
  });
});
