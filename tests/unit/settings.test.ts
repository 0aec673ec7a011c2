import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { settingsTable } from "../../dev/docs";
import { parseSettings, secretKeys, SettingsError, type Settings } from "../../config";
import { descriptions } from "../../config/descriptions";
import { shape } from "../../config/schema";

const encrypted = [...secretKeys];

function problemsOf(
  values: Record<string, string>,
  encryptedKeys: readonly string[] = encrypted,
): readonly string[] {
  try {
    parseSettings({ values, encrypted: encryptedKeys });
    return [];
  } catch (error) {
    if (error instanceof SettingsError) {
      return error.problems;
    }
    throw error;
  }
}

const inClearAt = (place: string) =>
  `${place}: found in clear in the stack's file; expected a secret: npm run pulumi -- config set --secret --path '${place}' --stack STACK`;

const kasm = {
  kasmUrl: "https://kasm.example.com",
  kasmApiKey: "bMjMwTT0JKUQ",
  kasmApiSecret: "KUNAvRw4KLHGmldBxhRUD5sAhWkvJVzS",
};

const hostKey = '"hostKey":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE"';

const pastTime =
  "a day or a time in UTC that is not in the future, such as 2026-11-29 or 2026-11-29T03:10:00Z, or nothing";

describe("invalid settings", () => {
  const ipList = "a list of one to four IPv4 addresses of the host, none twice";
  const reference =
    '"build" or a pinned reference of coollabsio/openclaw such as coollabsio/openclaw:2026.9.6';
  const path =
    "an absolute path of letters, digits and . _ - that is not one of the system's own directories";
  const port = "a whole number from 1 to 65535";
  const openPaths =
    "an object with webhooks and api, lists of paths such as /hooks and /v1, none twice and none /healthz";
  const origins = "a list of origins such as https://kasm.example.com, without a path";

  test.each<[key: string, value: string, expected: string]>([
    ["port", "80a", port],
    ["port", "0", port],
    ["port", "65536", port],
    ["port", "", port],
    ["port", "-1", port],
    ["gatewayImage", "openclaw", reference],
    ["gatewayImage", "coollabsio/openclaw", reference],
    ["gatewayImage", "coollabsio/openclaw:latest", reference],
    ["openclawVersion", "latest", "a version of the npm package openclaw such as 2026.9.6"],
    ["baseImage", "node", "an image reference with a tag or digest such as node:26-bookworm-slim"],
    [
      "baseImage",
      "node:26;reboot",
      "an image reference with a tag or digest such as node:26-bookworm-slim",
    ],
    ...["yesterday", "2026-02-30", "2026-11-29T03:10:00+02:00", "2126-01-01"].map(
      (value): [keyof Settings, string, string] => ["imagesFrom", value, pastTime],
    ),
    ["maxImageDays", "-1", "a whole number of days from 1 to 3650, or 0 for any age"],
    ["extraCaFile", "/no/such/file.pem", "the path of a PEM file"],
    ["extraCaFile", "package.json", "the path of a PEM file"],
    ["username", "", "1 to 64 letters, digits or any of . _ @ + - "],
    ["username", "ad:min", "1 to 64 letters, digits or any of . _ @ + - "],
    ["containerName", "-x", "a Docker container name"],
    ["networkName", "bridge", "a Docker network name other than bridge, host and none"],
    ["networkName", "a b", "a Docker network name other than bridge, host and none"],
    ["publishAddresses", "127.0.0.1", ipList],
    ["publishAddresses", "[]", ipList],
    ["publishAddresses", '["localhost"]', ipList],
    ["publishAddresses", '["127.0.0.1","127.0.0.2","127.0.0.3","127.0.0.4","127.0.0.5"]', ipList],
    ["publishAddresses", '["127.0.0.1","127.0.0.1"]', ipList],
    ["publishAddresses", '["0.0.0.0","127.0.0.1"]', "it alone, because it means all of them"],
    ["basePath", "openclaw", "a path such as /openclaw"],
    ["basePath", "/openclaw/", "a path such as /openclaw"],
    ["basePath", "/healthz", "other than the gateway's /healthz"],
    ["basePath", "/healthz/alice", "other than the gateway's /healthz"],
    ["packages", '["git; reboot"]', "a list of names of Debian packages"],
    ["packages", '["git","git"]', "a list of names of Debian packages"],
    ["basePath", "/open claw", "a path such as /openclaw"],
    ["allowedOrigins", '["https://kasm.example.com/openclaw"]', origins],
    ["allowedOrigins", '["kasm.example.com"]', origins],
    ["buildProxy", "http://jane:secret@proxy:3128", "the address of an HTTP proxy"],
    ["buildProxy", "proxy:3128", "the address of an HTTP proxy"],
    ["networkSubnet", "10.99.0.1/24", "a private IPv4 subnet"],
    ["networkSubnet", "203.0.113.0/24", "a private IPv4 subnet"],
    ["networkSubnet", "10.99.0.0/30", "a private IPv4 subnet"],
    ["networkSubnet", "172.16.0.0/11", "a private IPv4 subnet"],
    ["openPaths", '{"api":["/"]}', openPaths],
    ["openPaths", '{"api":["/v1/"]}', openPaths],
    ["openPaths", '{"api":["/v1; return 200"]}', openPaths],
    ["openPaths", '{"api":["/healthz"]}', openPaths],
    ["openPaths", '{"api":["/v1"],"webhooks":["/v1"]}', openPaths],
    ["directory", "opt/openclaw", path],
    ["directory", "/", path],
    ["directory", "/opt", path],
    ["directory", "/opt/kasm/current", path],
    ["directory", "/opt/../etc", path],
    ["directory", "/srv/it's", path],
    ["dataVolume", "a/b", "a Docker volume name"],
    ["removeDataOnDestroy", "yes", "true or false"],
    ["plan", "huge", "small, medium or large"],
    ["plan", "", "small, medium or large"],
    ["desktopPlan", "two", "none, one, five or ten"],
    ["desktopPlan", "five", "openclaw:workspaces with desktop"],
    ["browser", "true", "sidecar or none, or plan for what the plan says"],
    ["cpus", "257", "a whole number of processor cores from 1 to 256, or 0"],
    ["cpus", "1.5", "a whole number of processor cores from 1 to 256"],
    ["memoryMb", "1024", "a whole number of MiB from 2048"],
    ["memoryMb", "4GB", "a whole number of MiB from 2048"],
    ["readyTimeoutSeconds", "5", "a whole number of seconds from 10 to 3600"],
    ["openclawConfig", "[1]", "a JSON object in the form of openclaw.json"],
    ["openclawConfig", "{", "a JSON object in the form of openclaw.json"],
    [
      "openclawConfig",
      '{"gateway":{"bind":"lan"}}',
      "none of the keys that this program sets itself",
    ],
    ["host", '{"port":22}', "an object with address, port (22)"],
    ["host", '{"address":"kasm.example.com"}', "hostKey or hostKeyFile"],
    ["host", `{"address":"kasm example.com",${hostKey}}`, "an object with address"],
    ["host", `{"address":"-oProxyCommand=x",${hostKey}}`, "an object with address"],
    ["host", `{"address":"kasm","user":"Root;",${hostKey}}`, "an object with address"],
    ["host", `{"address":"fd00::1%","hostKey":"ssh-rsa AAAA"}`, "an object with address"],
    ["host", `{"address":"kasm","user":"-oProxyCommand=x",${hostKey}}`, "an object with address"],
    ["host", `{"address":"kasm","port":"22",${hostKey}}`, "an object with address"],
    ["host", `{"address":"kasm","hostKey":"ssh-ed25519"}`, "an object with address"],
    [
      "host",
      `{"address":"kasm","jump":{"address":"bastion"},${hostKey}}`,
      "an object with address",
    ],
    ["kasmUrl", "kasm.example.com", "the address at which people open KASM"],
    ["kasmUrl", "https://kasm.example.com/", "the address at which people open KASM"],
    ["nginxRoute", '{"mode":"host"}', "mode (none, path or serverName)"],
    ["nginxRoute", '{"fileName":"openclaw"}', "fileName (ending in .conf)"],
    ["nginxRoute", '{"fileName":"../openclaw.conf"}', "fileName (ending in .conf)"],
    ["nginxRoute", '{"directory":"conf"}', "directory (an absolute path)"],
    ["nginxRoute", '{"directory":"/opt/kasm/../../etc"}', "directory (an absolute path)"],
    ["nginxRoute", '{"mode":"serverName"}', "a name such as openclaw.example.com"],
    ["kasmFingerprint", "AB:CD", "the SHA-256 fingerprint of a certificate"],
    ["kasmCaFile", "/no/such/ca.pem", "the path of a PEM file"],
    ["workspaces", '{"tile":{}}', "any of browser, desktop and link"],
    ["workspaces", '{"browser":{"link":"x"}}', "any of browser, desktop and link"],
    ["workspaces", '{"browser":{"address":"host.docker.internal"}}', "any of browser, desktop"],
    ["workspaces", '{"desktop":{"persistentProfilePath":"/opt/profiles"}}', "any of browser"],
    ["workspaces", '{"desktop":{"zoneId":"default"}}', "any of browser, desktop and link"],
    ["workspaces", '{"desktop":{"askForKeys":["OPENAI_KEY"]}}', "any of browser, desktop and link"],
    ["workspaces", '{"link":{"cores":2}}', "any of browser, desktop and link"],
    ["workspaces", '{"browser":{"cast":{"key":"a b"}}}', "any of browser, desktop and link"],
    ["prot", "8180", "expected one of gatewayImage, "],
  ])("%s = %s", (key, value, expected) => {
    const problems = problemsOf({ [key]: value });

    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^openclaw:${key}: `));
    expect(problems[0]).toContain(expected);
  });

  test.each<[what: string, host: object]>([
    ["an IPv6 address", { address: "fd00::1" }],
    ["an IPv6 address of one interface", { address: "fe80::1%eth0" }],
    ["an address in brackets", { address: "[fd00::1]" }],
    ["a name with an underscore", { address: "kasm_01.lan" }],
    ["a user of a domain", { user: "jane@corp.example.com" }],
    ["a user of a Windows domain", { user: "CORP\\jane.doe" }],
    ["a user in capitals", { user: "Administrator" }],
    ["a host key of hardware", { hostKey: "sk-ssh-ed25519@openssh.com AAAAGnNr" }],
    ["a host key with Windows' line end", { hostKey: "ssh-ed25519 AAAAC3Nz root@kasm\r\n" }],
    ["a key with Windows' line ends", { privateKey: "-----BEGIN PRIVATE KEY-----\r\nx\r\n" }],
  ])("exclude %s", (_, change) => {
    const given = { address: "kasm", hostKey: "ssh-ed25519 AAAA", ...change };
    const { host } = parseSettings({
      values: { host: JSON.stringify(given) },
      encrypted: ["host"],
    });

    expect(host).toMatchObject({ port: 22, user: expect.stringMatching(/./) as string });
  });

  test("include other connection settings beside an alias of the user's ssh configuration", () => {
    const alias = (more: object) =>
      JSON.stringify({ address: "kasm", sshConfigFile: "/etc/hostname", ...more });

    expect(parseSettings({ values: { host: alias({}) }, encrypted: [] }).host).toEqual({
      address: "kasm",
      sshConfigFile: "/etc/hostname",
    });
    expect(problemsOf({ host: alias({ user: "jane" }) })).toEqual([
      expect.stringContaining(
        "port, user, privateKey, privateKeyFile and jump stand in sshConfigFile",
      ),
    ]);
    expect(problemsOf({ host: alias({ sshConfigFile: "/no/such" }) })).toEqual([
      `openclaw:host.sshConfigFile: found "/no/such", where there is no file; expected the path of a configuration of ssh's`,
    ]);
  });

  test("include a hostKeyFile without a public key", () => {
    expect(problemsOf({ host: '{"address":"kasm","hostKeyFile":"/etc/hostname"}' })).toEqual([
      'openclaw:host.hostKeyFile: found "/etc/hostname", which holds no public host key; expected one as in /etc/ssh/ssh_host_ed25519_key.pub',
    ]);
  });

  test.each<[key: string, value: string, where: string]>([
    ["host", `{"address":"kasm","user":"Root;","port":"22",${hostKey}}`, "(at port, at user)"],
    ["host", '{"address":"kasm"}', "(one of hostKey and hostKeyFile is needed, and not both)"],
    [
      "host",
      `{"address":"kasm",${hostKey},"jump":{"address":"bastion"}}`,
      "(at jump: one of hostKey and hostKeyFile is needed, and not both)",
    ],
    ["nginxRoute", '{"mode":"host","fileName":"x"}', "(at mode, at fileName)"],
    [
      "workspaces",
      '{"browser":{"linc":"x"},"desktop":{"cores":0}}',
      "(at linc, at desktop, cores)",
    ],
    ["publishAddresses", "[", "(not JSON)"],
    ["port", "80a", 'found "80a"; expected'],
  ])("are all reported in %s = %s: %s", (key, value, where) => {
    expect(problemsOf({ [key]: value })[0]).toContain(where);
  });

  test.each<[key: string, value: string, expected: string]>([
    ["providerKeys", '{"ANTHROPIC_API_KEY":"short"}', "each a text of 8 or more characters"],
    ["password", "short", "a secret of 12 to 256 printable characters"],
    ["password", "with a space in it", "a secret of 12 to 256 printable characters"],
    ["password", "${AUTH_PASSWORD}", "not a placeholder"],
    ["password", "x".repeat(257), "a secret of 12 to 256 printable characters"],
    ["gatewayToken", "twenty-three-characters", "a secret of 24 to 4096 printable characters"],
    ["providerKeys", '{"ANTROPIC_API_KEY":"sk-hidden-value"}', "names OpenClaw knows"],
    ["providerKeys", '{"ANTHROPIC_API_KEY":"sk hidden value"}', "names OpenClaw knows"],
    ["providerKeys", "sk-hidden-value", "names OpenClaw knows"],
  ])("include secret %s = %s, which is not shown", (key, value, expected) => {
    const problems = problemsOf({ [key]: value });

    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(
      `openclaw:${key}: found a secret of ${value.length.toString()} characters`,
    );
    expect(problems[0]).toContain(expected);
    expect(problems[0]).not.toContain(value);
    expect(problems[0]).not.toContain("hidden");
  });

  test("include a misspelt provider key", () => {
    expect(problemsOf({ providerKeys: '{"ANTROPIC_API_KEY":"x"}' })[0]).toContain(
      "(at ANTROPIC_API_KEY)",
    );
  });

  test.each(secretKeys)("include %s in clear", (key) => {
    const isKeys = key === "providerKeys";
    const value = isKeys ? '{"OPENAI_API_KEY":"sk-12345"}' : "x".repeat(32);
    const place = `openclaw:${key}${isKeys ? ".OPENAI_API_KEY" : ""}`;

    expect(problemsOf({ [key]: value }, [])).toEqual([inClearAt(place)]);
  });

  test("include missing key files", () => {
    const jump = '"jump":{"address":"bastion","hostKeyFile":"/no/jump.pub"}';
    const host = `{"address":"kasm","hostKeyFile":"/no/such.pub","privateKeyFile":"~/no-such",${jump}}`;

    expect(problemsOf({ host })).toEqual([
      `openclaw:host.hostKeyFile: found "/no/such.pub", where there is no file; expected the path of a key's file`,
      `openclaw:host.privateKeyFile: found "~/no-such", where there is no file; expected the path of a key's file`,
      `openclaw:host.jump.hostKeyFile: found "/no/jump.pub", where there is no file; expected the path of a key's file`,
    ]);
  });

  test("include a private key in clear, which is not shown", () => {
    const key = "-----BEGIN OPENSSH PRIVATE KEY-----\\nhidden";
    const host = `{"address":"kasm",${hostKey},"privateKey":"${key}"}`;

    expect(problemsOf({ host }, [])).toEqual([inClearAt("openclaw:host.privateKey")]);
    expect(problemsOf({ host }, ["host"])).toEqual([]);
    const both = host.replace("}", ',"privateKeyFile":"/etc/hostname"}');
    expect(problemsOf({ host: both }, ["host"])).toHaveLength(1);
    expect(problemsOf({ host: both }, ["host"])[0]).not.toContain("hidden");
  });

  test("include a route by path without KASM's address, or over KASM's own paths", () => {
    const nginxRoute = '{"mode":"path"}';

    expect(problemsOf({ nginxRoute })[0]).toContain("openclaw:kasmUrl: found nothing");
    for (const basePath of ["/api", "/desktop/openclaw", "/guac"]) {
      expect(problemsOf({ nginxRoute, basePath, kasmUrl: "https://kasm.example.com" })).toEqual([
        `openclaw:basePath: found "${basePath}", which KASM serves itself; expected another path for the route`,
      ]);
    }
  });

  test.each([
    '{"build":"yes"}',
    '{"build":true,"baseImage":"kasmweb/core-ubuntu-jammy"}',
    '{"build":true,"name":"OpenClaw:1"}',
    '{"build":true,"push":{"registry":"https://registry.example.com"}}',
    '{"build":true,"push":{}}',
    '{"build":true,"tag":"latest"}',
  ])("include a KASM image %s", (kasmImage) => {
    const problems = problemsOf({ kasmImage });

    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("an object with build (true or false)");
  });

  const systemDirectories = [
    ..."/ /etc /etc/openclaw /usr /usr/local/share/claw /var/run /run/claw /proc/1 /var/lib".split(
      " ",
    ),
    ..."/var/spool/cron/crontabs /var/lib/sudo/ts /var/lib/systemd/linger /var/log/claw /nix/x".split(
      " ",
    ),
    ..."/var/lib/docker/claw /boot /root /home /home/jane /opt/kasm/current/conf /srv/../etc".split(
      " ",
    ),
  ];

  test.each(systemDirectories)("include %s as any directory on the host", (path) => {
    const words = "that is not one of the system's own directories";
    const tile = (desktop: object) =>
      problemsOf({ ...kasm, workspaces: JSON.stringify({ desktop }) });

    expect(problemsOf({ directory: path })).toEqual([expect.stringContaining(words)]);
    expect(tile({ sharedDirectory: path })).toEqual([
      expect.stringMatching(/^openclaw:workspaces\.desktop\.sharedDirectory: .* system's own/),
    ]);
    expect(tile({ persistentProfilePath: `${path}/{username}` }).join("\n")).toMatch(
      /^openclaw:workspaces.*persistentProfilePath/,
    );
  });

  test.each([
    { sharedDirectory: "/srv/openclaw/shared" },
    { sharedDirectory: "" },
    { persistentProfilePath: "/opt/kasm/profiles/{username}" },
    { persistentProfilePath: "/data/kasm/profiles/{username}" },
    { persistentProfilePath: "/mnt/profiles/u-{user_id}/{image_id}" },
    { persistentProfilePath: "s3://profiles/{user_id}" },
    { persistentProfilePath: "" },
  ])("exclude the directory of %j", (desktop) => {
    expect(problemsOf({ ...kasm, workspaces: JSON.stringify({ desktop }) })).toEqual([]);
  });

  test.each([
    ["directory", { directory: "/data/kasm/openclaw" }],
    [
      "workspaces.desktop.sharedDirectory",
      { workspaces: '{"desktop":{"sharedDirectory":"/data/kasm/1.19.0/tmp"}}' },
    ],
    [
      "workspaces.desktop.persistentProfilePath",
      { workspaces: '{"desktop":{"persistentProfilePath":"/data/kasm/{username}"}}' },
    ],
  ])("%s in or around the directory in which KASM is installed: %j", (key, values) => {
    const asked = { ...kasm, kasmDirectory: "/data/kasm", ...values };

    expect(problemsOf(asked).join("\n")).toMatch(
      new RegExp(`^openclaw:${key}: .*KASM's own directory /data/kasm`),
    );
    expect(problemsOf({ ...asked, kasmDirectory: "/opt/kasm" })).toEqual([]);
  });

  test.each(["/opt/openclaw", "/opt/openclaw/data", "/opt/openclaw/data/x"])(
    "include %s as a directory of sessions, because it contains a gateway's data",
    (path) => {
      for (const desktop of [
        { sharedDirectory: path },
        { persistentProfilePath: `${path}/{username}` },
      ]) {
        expect(problemsOf({ ...kasm, workspaces: JSON.stringify({ desktop }) })).toEqual([
          expect.stringContaining(`found ${path}, which holds or is in /opt/openclaw/data`),
        ]);
      }
    },
  );

  test("include a push without an image, and a login without its password", () => {
    const push = '"push":{"registry":"registry.example.com/team","username":"builder"}';

    expect(problemsOf({ kasmImage: `{${push}}` })).toEqual([
      'openclaw:kasmImage: found push without build; expected "build": true, because only an image that is built can be pushed',
      "openclaw:kasmRegistryPassword: found nothing; expected the password of builder at registry.example.com/team",
    ]);
    expect(
      problemsOf({
        kasmImage: `{"build":true,${push}}`,
        kasmRegistryPassword: "registry-password",
      }),
    ).toEqual([]);
  });

  test("include both a directory and a volume for the data", () => {
    expect(problemsOf({ dataVolume: "data", directory: "/srv/openclaw" })).toEqual([
      "openclaw:dataVolume: found together with openclaw:directory; expected only one place for the data",
    ]);
  });

  test("include coollabsio's image without a provider key that it needs", () => {
    const image = {
      gatewayImage: "coollabsio/openclaw:2026.9.6",
      publishAddresses: '["127.0.0.1"]',
    };

    expect(problemsOf(image)[0]).toContain(
      "openclaw:providerKeys: found no key that coollabsio/openclaw:2026.9.6 starts with",
    );
    expect(problemsOf({ ...image, providerKeys: '{"DEEPSEEK_API_KEY":"sk-12345"}' })).toHaveLength(
      1,
    );
    expect(problemsOf({ ...image, providerKeys: '{"OPENAI_API_KEY":"sk-12345"}' })).toEqual([]);
  });

  test("include coollabsio's image on more than one address", () => {
    const values = {
      gatewayImage: "coollabsio/openclaw:2026.9.6",
      providerKeys: '{"OPENAI_API_KEY":"sk-12345"}',
    };

    expect(problemsOf(values)).toEqual([
      "openclaw:publishAddresses: found 2 addresses with coollabsio/openclaw:2026.9.6; expected one, because that image listens on one port only",
    ]);
  });

  test("are reported in one message", () => {
    const values = { port: "x", cpus: "x", basePath: "x", password: "x", nonsense: "x" };

    expect(() => parseSettings({ values, encrypted })).toThrow(
      /^5 settings are not usable:\n( {2}- .*\n?){5}$/,
    );
  });
});

describe("OpenClaw's own configuration", () => {
  const telegram = "123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

  test("is refused with secrets in clear; the message has the paths of all", () => {
    const config = {
      channels: {
        telegram: { botToken: "short", accounts: { "my.bot": { name: telegram } } },
        slack: { appToken: "xapp-1-A111-222-abcdef", list: [{}, { signingSecret: "abc" }] },
      },
      models: {
        providers: { own: { apiKey: "literal", headers: { "X-Auth": "Bearer abcdefgh" } } },
      },
      tools: { args: ["--key", "sk-ant-api03-abcdefghijkl"], apiKeys: ["one"] },
      remote: { url: "https://me:pa55@example.com", password: "p" },
      github: "ghp_abcdefghijklmnopqrst",
    };
    const problems = problemsOf({ openclawConfig: JSON.stringify(config) });

    expect(problems).toEqual(
      [
        "channels.telegram.botToken",
        'channels.telegram.accounts["my.bot"].name',
        "channels.slack.appToken",
        "channels.slack.list[1].signingSecret",
        "models.providers.own.apiKey",
        "models.providers.own.headers.X-Auth",
        "tools.args[1]",
        "tools.apiKeys[0]",
        "remote.url",
        "remote.password",
        "github",
      ].map((place) => inClearAt(`openclaw:openclawConfig.${place}`)),
    );
    expect(problemsOf({ openclawConfig: JSON.stringify(config) }, ["openclawConfig"])).toEqual([]);
  });

  test.each([
    [{ headers: { "x-api-key": "plain-text" } }, "headers.x-api-key"],
    [{ headers: { Authorization: "plain-text" } }, "headers.Authorization"],
    [{ headers: { Cookie: "sid=plain-text" } }, "headers.Cookie"],
    [{ dbpassword: "plain-text" }, "dbpassword"],
    [{ clientsecret: "plain-text" }, "clientsecret"],
    [{ apiKeyProd: "plain-text" }, "apiKeyProd"],
    [{ BOT_TOKEN_2_OLD: "plain-text" }, "BOT_TOKEN_2_OLD"],
    [{ "bot-token": "plain-text" }, "bot-token"],
    [{ tokens: { production: "plain-text" } }, "tokens.production"],
    [{ url: "https://hooks.slack.com/services/T0000/B0000/XXXXXXXX" }, "url"],
    [{ url: `https://discord.com/api/webhooks/1234567890/${"a".repeat(68)}` }, "url"],
    [{ url: "https://api.telegram.org/bot123456:AAabcdef/getMe" }, "url"],
  ])("is refused with the secret in %j", (config, place) => {
    expect(problemsOf({ openclawConfig: JSON.stringify(config) })).toEqual([
      inClearAt(`openclaw:openclawConfig.${place}`),
    ]);
  });

  test("may refer to secrets, and contain keys that only resemble a secret's name", () => {
    const config = {
      models: { providers: { own: { apiKey: "${OPENAI_API_KEY}", maxTokens: 4096 } } },
      headers: { token: "Bearer ${OPENAI_API_KEY}" },
      gateway: { token: { source: "env", id: "TOKEN" } },
      session: { mainKey: "main", defaultSessionKey: "hook:ingress", scope: "per-sender" },
      channels: { telegram: { tokenFile: "/data/token", botToken: "" } },
      agents: { defaults: { model: { primary: "anthropic/claude-sonnet-4" } } },
      prompt: "Use basic arithmetic, risk-assessment-procedures and https://example.com:8080/a@b",
    };

    expect(problemsOf({ openclawConfig: JSON.stringify(config) })).toEqual([]);
  });

  test("is not shown in any error", () => {
    const problems = problemsOf({ openclawConfig: `{"a":"${telegram}"` }).join();

    expect(problems).toContain("found a secret of 48 characters (not JSON)");
    expect(problems).not.toContain(telegram);
  });

  test("is checked in the stack's file for clear secrets beside encrypted ones", () => {
    const settings = {
      values: { openclawConfig: '{"botToken":"encrypted-token","appToken":"open-token"}' },
      encrypted: ["openclawConfig"],
      inClear: { openclawConfig: '{"appToken":"open-token"}' },
    };

    expect(() => parseSettings(settings)).toThrow(
      new SettingsError([inClearAt("openclaw:openclawConfig.appToken")]),
    );
  });
});

describe("a secret in a setting that is not secret", () => {
  const secret = "ghp_abcdefghijklmnopqrst";

  test.each([
    [{ extraCaFile: `/home/${secret}/ca.pem` }, "extraCaFile"],
    [
      { workspaces: JSON.stringify({ link: { description: `Key: ${secret}` } }) },
      "workspaces.link.description",
    ],
    [
      { workspaces: JSON.stringify({ browser: { address: `https://a.example/${secret}` } }) },
      "workspaces.browser.address",
    ],
    [
      { workspaces: JSON.stringify({ desktop: { environment: { GREETING: secret } } }) },
      "workspaces.desktop.environment.GREETING",
    ],
  ])("is recognized and refused by its form: %j", (values, place) => {
    const problems = problemsOf(values);

    expect(problems).toContainEqual(
      `openclaw:${place}: found what looks like a secret; expected none, because Docker, KASM or the state shows it`,
    );
  });

  test.each<Record<string, string>>([
    { workspaces: '{"desktop":{"environment":{"BAD-NAME":"x","API_KEY":"hunter2hunter2"}}}' },
    { workspaces: '{"desktop":{"environment":{"API_KEY":"hunter2hunter2"}}' },
    { kasmImage: '{"push":{"registry":"r.example.com","password":"hunter2hunter2"}}' },
    { nginxRoute: '{"mode":"none","authToken":"hunter2hunter2"}' },
    { kasmUrl: "https://admin:hunter2hunter2@kasm.example.com" },
    { allowedOrigins: '["https://admin:hunter2hunter2@kasm.example.com"]' },
    { username: "ghp_hunter2hunter2hunter2 with a blank" },
    { ghp_hunter2hunter2hunter2: "username" },
    { providerKeys: '{"ghp_hunter2hunter2hunter2":"ANTHROPIC_API_KEY"}' },
  ])("is not shown by other errors: %j", (values) => {
    const problems = problemsOf(values).join();

    expect(problems).not.toBe("");
    expect(problems).not.toContain("hunter2hunter2");
  });
});

describe("people", () => {
  const ann = { role: "admin" };
  const of = (people: object, more: Record<string, string> = {}) =>
    problemsOf({ people: JSON.stringify(people), ...more }, ["people"]);

  test("have roles that exist, and names that are usable and differ", () => {
    expect(
      of({ "ann+x@example.com": ann, bob: { role: "observer", password: "a".repeat(12) } }),
    ).toEqual([]);
    const roles = {
      guest: { sessions: { others: "none" }, agents: "*", scopes: ["operator.read"] },
    };
    expect(of({ bob: { role: "guest" } }, { roles: JSON.stringify(roles) })).toEqual([]);
    expect(of({ bob: { role: "guest" } })).toEqual([
      "openclaw:people.bob.role: found another one; expected admin, member, observer",
    ]);
    expect(of({ Ann: ann, ann })).toEqual([
      "openclaw:people.ann: found Ann too; expected names that differ in more than capital letters",
    ]);
    expect(of({ "a:b": ann }).join()).toContain("openclaw:people: found a secret of");
  });

  test.each(["roles", "people"])("%s are refused with an image that has one user", (key) => {
    const gatewayImage = "coollabsio/openclaw:2026.9.6";
    const role = { sessions: { others: "none" }, agents: "*", scopes: [] };
    const value = JSON.stringify({ guest: key === "roles" ? role : ann });
    const others = { gatewayImage, publishAddresses: '["127.0.0.1"]' };
    const providerKeys = '{"ANTHROPIC_API_KEY":"sk-ant-test"}';

    expect(problemsOf({ [key]: value, ...others, providerKeys })).toEqual([
      `openclaw:${key}: found some with ${gatewayImage}; expected none, because that image has one user`,
    ]);
  });

  test("take the place of the one login", () => {
    expect(
      problemsOf({ people: JSON.stringify({ ann }), username: "jane", password: "a".repeat(12) }),
    ).toEqual([
      "openclaw:username: found it together with openclaw:people; expected only one of them",
      "openclaw:password: found it together with openclaw:people; expected only one of them",
    ]);
  });

  test("may be those of some instances only, and each instance has one", () => {
    const instances = '["alice","bob"]';
    const own = (name: string) => ({ ann: { ...ann, instances: [name] } });

    expect(of({ ...own("alice"), carol: ann }, { instances })).toEqual([]);
    expect(of(own("alice"), { instances })).toEqual([
      "openclaw:people: found no person for instance bob; expected one or more",
    ]);
    expect(of({ carol: ann, ...own("dave") }, { instances })).toEqual([
      "openclaw:people.ann.instances: found dave; expected names of openclaw:instances",
    ]);
  });

  test("have passwords that are secrets", () => {
    const people = { ann: { role: "admin", password: "hunter2hunter2" } };
    const problems = problemsOf({ people: JSON.stringify(people) });

    expect(problems).toEqual([inClearAt("openclaw:people.ann.password")]);
    expect(of({ ann: { role: "x", password: "hunter2" } }).join()).not.toContain("hunter2");
  });

  test("leave gateway.roles to the program", () => {
    expect(problemsOf({ openclawConfig: '{"gateway":{"roles":{}}}' }).join()).toContain(
      "found gateway.roles",
    );
  });
});

describe("an organisation's login", () => {
  const oidc = {
    issuer: "https://sso.example.com/realms/staff",
    clientId: "openclaw",
    groups: [{ group: "staff", role: "member" }],
  };
  const of = (changes: object, more: Record<string, string> = {}) =>
    problemsOf(
      { oidc: JSON.stringify({ ...oidc, ...changes }), oidcClientSecret: "a".repeat(12), ...more },
      ["oidcClientSecret", "providerKeys"],
    );

  test("needs an issuer, a client with its secret, and groups with roles that exist", () => {
    const roles = {
      guest: { sessions: { others: "none" }, agents: "*", scopes: ["operator.read"] },
    };
    const guests = { groups: [...oidc.groups, { group: "guests", role: "guest" }] };

    expect(of({})).toEqual([]);
    expect(of(guests, { roles: JSON.stringify(roles) })).toEqual([]);
    expect(of(guests)).toEqual([
      "openclaw:oidc.groups[1].role: found another one; expected admin, member, observer",
    ]);
    expect(problemsOf({ oidc: JSON.stringify(oidc) })).toEqual([
      "openclaw:oidcClientSecret: found nothing; expected that of openclaw at https://sso.example.com/realms/staff",
    ]);
  });

  test.each([
    { issuer: "http://sso.example.com" },
    { issuer: "https://jane:hunter2@sso.example.com" },
    { issuer: 'https://sso.example.com/"' },
    { clientId: "a b" },
    { groups: [] },
    { groups: [...oidc.groups, ...oidc.groups] },
    { scopes: ["email"] },
    { groupsClaim: "" },
  ])("refuses %j", (changes) => {
    expect(of(changes).join()).toContain("expected an object with issuer");
    expect(of(changes).join()).not.toContain("hunter2");
  });

  test("is refused with an image that has one user", () => {
    const gatewayImage = "coollabsio/openclaw:2026.9.6";
    const others = {
      gatewayImage,
      publishAddresses: '["127.0.0.1"]',
      providerKeys: '{"ANTHROPIC_API_KEY":"sk-ant-test"}',
    };

    expect(of({}, others)).toEqual([
      `openclaw:oidc: found it with ${gatewayImage}; expected nothing, because that image has one user`,
    ]);
  });
});

describe("people of KASM's groups", () => {
  const kasmGroups = JSON.stringify([{ group: "Staff", role: "member" }]);

  test("need KASM's address with https and a key", () => {
    expect(problemsOf({ kasmGroups })).toEqual([
      "openclaw:kasmUrl: found nothing; expected KASM's address with https, where it is asked who is in kasmGroups",
      "openclaw:kasmApiKey: found nothing; expected that of an API key in KASM (Settings → Developers), for kasmGroups",
      "openclaw:kasmApiSecret: found nothing; expected that of an API key in KASM (Settings → Developers), for kasmGroups",
    ]);
    expect(problemsOf({ ...kasm, kasmGroups })).toEqual([]);
  });

  test("have roles that exist, and no group is there twice", () => {
    const twice = JSON.stringify([
      { group: "Staff", role: "member" },
      { group: "Staff", role: "admin" },
    ]);

    expect(problemsOf({ ...kasm, kasmGroups: kasmGroups.replace("member", "boss") })).toEqual([
      "openclaw:kasmGroups[0].role: found another one; expected admin, member, observer",
    ]);
    expect(problemsOf({ ...kasm, kasmGroups: twice }).join()).toContain("no group twice");
  });
});

describe("an encrypted setting", () => {
  const keptSecret: readonly string[] = [
    ...secretKeys,
    ...["host", "hosts", "openclawConfig", "people"],
  ];

  test.each(Object.keys(shape).filter((key) => !keptSecret.includes(key)))(
    "is refused if its value would be stored in clear: %s",
    (key) => {
      expect(problemsOf({ [key]: "hidden-value" }, [key])).toContainEqual(
        expect.stringContaining(`openclaw:${key}: found encrypted; expected in clear`),
      );
      expect(problemsOf({ [key]: "hidden-value" }, [key]).join()).not.toContain("hidden-value");
    },
  );

  test.each(keptSecret)("is accepted if its value stays secret: %s", (key) => {
    expect(problemsOf({ [key]: "{}" }, [key]).join()).not.toContain("found encrypted");
  });
});

describe("tiles", () => {
  test("need KASM's address with https, and a key", () => {
    expect(problemsOf({ workspaces: '{"browser":{}}' })).toEqual([
      "openclaw:kasmUrl: found nothing; expected KASM's address with https, where tiles are registered with the API key",
      "openclaw:kasmApiKey: found nothing; expected that of an API key in KASM (Settings → Developers), for the tiles",
      "openclaw:kasmApiSecret: found nothing; expected that of an API key in KASM (Settings → Developers), for the tiles",
    ]);
    expect(
      problemsOf({ ...kasm, kasmUrl: "http://kasm.example.com", workspaces: '{"browser":{}}' }),
    ).toHaveLength(1);
    expect(problemsOf({ ...kasm, workspaces: '{"browser":{}}' })).toEqual([]);
  });

  test.each<[key: string, workspaces: object]>([
    ["browser.address", { browser: { address: "http://me:pa55w0rd@10.0.0.5/" } }],
    ["browser.address", { browser: { address: "http://10.0.0.5/#token=pa55w0rd" } }],
    ["link.address", { link: { address: "https://a.example/?x=1&token=pa55w0rd" } }],
    ["link.address", { link: { address: "https://pa55w0rd@a.example/" } }],
    ["desktop.dockerRegistry", { desktop: { dockerRegistry: "https://u:pa55w0rd@r.example" } }],
    [
      "browser.cast.errorUrl",
      { browser: { cast: { key: "k", errorUrl: "https://a.example/?api_key=pa55w0rd" } } },
    ],
  ])("refuse a login that all users can see: %s", (key, workspaces) => {
    expect(problemsOf({ ...kasm, workspaces: JSON.stringify(workspaces) })).toEqual([
      `openclaw:workspaces.${key}: found a login or a token in it; expected an address without, because everybody who may see workspaces in KASM reads it there`,
    ]);
  });

  test("do not show that login beside another problem", () => {
    const browser = { cores: "x", address: "http://me:pa55w0rd@10.0.0.5/" };
    const problems = problemsOf({ ...kasm, workspaces: JSON.stringify({ browser }) });

    expect(problems).toHaveLength(2);
    expect(problems[1]).toContain("(at browser, cores)");
    expect(problems.join()).not.toContain("pa55w0rd");
  });

  test("refuse secrets in their environment", () => {
    const workspaces = '{"browser":{"environment":{"DB_PASS":"pa55w0rd"}}}';

    expect(problemsOf({ ...kasm, workspaces })).toEqual([
      "openclaw:workspaces.browser.environment: found names that look like secrets; expected none, because everybody who may see workspaces in KASM reads them there",
    ]);
  });

  test("that are links refuse a cast link", () => {
    const workspaces = '{"link":{"address":"https://a.example/","cast":{"key":"claw"}}}';

    expect(problemsOf({ ...kasm, workspaces })).toEqual([
      "openclaw:workspaces.link.cast: found it; expected it at browser or desktop, because a cast starts a session, and a link has none",
    ]);
  });

  test("need a valid certificate authority", () => {
    expect(problemsOf({ kasmCaFile: "/etc/hostname" })).toEqual([
      'openclaw:kasmCaFile: found "/etc/hostname", which holds no certificate; expected the path of a PEM file',
    ]);
  });

  test("accept either a certificate authority or a fingerprint", () => {
    const problems = problemsOf({ kasmCaFile: "/etc/hostname", kasmFingerprint: "ab".repeat(32) });

    expect(problems).toContain(
      "openclaw:kasmFingerprint: found it together with openclaw:kasmCaFile; expected only one of them",
    );
  });

  test("need an address to open", () => {
    expect(problemsOf({ ...kasm, workspaces: '{"link":{}}' })).toEqual([
      "openclaw:workspaces.link.address: found nothing, and no nginxRoute; expected the address to open",
    ]);
    const loopback = { ...kasm, publishAddresses: '["127.0.0.1"]' };
    expect(problemsOf({ ...loopback, workspaces: '{"browser":{}}' })).toEqual([
      "openclaw:publishAddresses: found loopback addresses only; expected one that KASM's sessions reach, such as 172.17.0.1, or workspaces.browser.address",
    ]);
  });

  test("need different cast keys", () => {
    const cast = '{"cast":{"key":"claw"}}';

    expect(problemsOf({ ...kasm, workspaces: `{"browser":${cast},"desktop":${cast}}` })).toEqual([
      "openclaw:workspaces: found the same cast key twice in claw, claw; expected one of its own for each",
    ]);
  });

  describe("may have their API key in a file", () => {
    const folder = mkdtempSync(join(tmpdir(), "openclaw-settings-"));
    const file = join(folder, "api_key.json");
    const key = { api_key: "abcdefghijkl", api_key_secret: "0123456789abcdef0123" };
    const address = "https://10.0.0.1:8180/";
    const workspaces = JSON.stringify({ browser: { address } });
    const values = { kasmUrl: kasm.kasmUrl, workspaces, kasmApiKeyFile: file };
    beforeEach(() => {
      writeFileSync(file, JSON.stringify(key));
    });
    afterAll(() => {
      rmSync(folder, { recursive: true });
    });

    test("which is used", () => {
      expect(parseSettings({ values, encrypted })).toMatchObject({
        kasmApiKey: key.api_key,
        kasmApiSecret: key.api_key_secret,
      });
    });

    test("and not in other settings at the same time", () => {
      expect(problemsOf({ ...values, kasmApiKey: "abcdefghijkl" })).toEqual([
        "openclaw:kasmApiKeyFile: found it together with openclaw:kasmApiKey or kasmApiSecret; expected only one place for the key",
      ]);
    });

    test("which has to exist and contain a key, which is not shown", () => {
      writeFileSync(file, JSON.stringify({ api_key: "a-secret-key" }));
      const [problem, ...more] = problemsOf(values);
      rmSync(file);

      expect(more).toEqual([]);
      expect(problem).toContain("expected a JSON object with api_key and api_key_secret");
      expect(problem).not.toContain("a-secret-key");
      expect(problemsOf(values)).toEqual([
        `openclaw:kasmApiKeyFile: found ${JSON.stringify(file)}, where there is no file; expected the path of a key's file`,
      ]);
    });
  });

  test("accepts a fingerprint in the formats of openssl and browsers", () => {
    const kasmFingerprint = Array(32).fill("AB").join(":");

    expect(parseSettings({ values: { kasmFingerprint }, encrypted }).kasmFingerprint).toBe(
      "ab".repeat(32),
    );
  });
});

describe("valid settings", () => {
  test("have defaults", () => {
    expect(parseSettings({ values: {}, encrypted: [] })).toEqual({
      gatewayImage: "build",
      packages: [],
      openclawVersion: "2026.9.6",
      baseImage: "node:26-bookworm-slim",
      imagesFrom: "",
      maxImageDays: 0,
      extraCaFile: "",
      buildProxy: "",
      username: "admin",
      password: "",
      people: {},
      roles: {},
      oidc: undefined,
      oidcClientSecret: "",
      kasmGroups: [],
      gatewayToken: "",
      providerKeys: {},
      openclawConfig: {},
      containerName: "openclaw",
      networkName: "openclaw-net",
      networkSubnet: "",
      port: 8180,
      publishAddresses: ["127.0.0.1", "172.17.0.1"],
      basePath: "",
      allowedOrigins: [],
      openPaths: { webhooks: [], api: [] },
      directory: "/opt/openclaw",
      dataVolume: "",
      removeDataOnDestroy: false,
      instances: [],
      plan: "small",
      desktopPlan: "none",
      browser: "none",
      cpus: 2,
      memoryMb: 4096,
      hosts: {},
      overlay: undefined,
      host: undefined,
      kasmUrl: "",
      kasmDirectory: "/opt/kasm",
      nginxRoute: { mode: "none", proxyContainer: "kasm_proxy", webServers: [] },
      kasmAgents: [],
      kasmImage: {
        build: false,
        name: "openclaw-kasm",
      },
      offsite: undefined,
      offsiteAccessKey: "",
      offsiteSecretKey: "",
      offsitePassword: "",
      kasmRegistryPassword: "",
      kasmApiKey: "",
      kasmApiSecret: "",
      kasmApiKeyFile: "",
      kasmCaFile: "",
      kasmFingerprint: "",
      workspaces: {},
      readyTimeoutSeconds: 180,
    } satisfies Settings);
  });

  test.each<[key: keyof Settings, value: string, parsed: unknown]>([
    ["port", "443", 443],
    ["imagesFrom", "2026-11-29", "2026-11-29T00:00:00Z"],
    ["imagesFrom", "2026-11-29 03:10:00 +0000 UTC", "2026-11-29T03:10:00Z"],
    ["imagesFrom", "2026-11-29T03:10:00Z", "2026-11-29T03:10:00Z"],
    ["maxImageDays", "30", 30],
    ["cpus", "16", 16],
    ["basePath", "/ai/openclaw", "/ai/openclaw"],
    ["directory", "/srv/data/open-claw_1", "/srv/data/open-claw_1"],
    ["allowedOrigins", '["https://kasm.example.com:8443"]', ["https://kasm.example.com:8443"]],
    ["publishAddresses", '["0.0.0.0"]', ["0.0.0.0"]],
    ["buildProxy", "http://proxy.example.com:3128", "http://proxy.example.com:3128"],
    ["networkSubnet", "10.99.0.0/24", "10.99.0.0/24"],
    ["networkSubnet", "192.168.64.0/18", "192.168.64.0/18"],
    ["openPaths", '{"webhooks":["/hooks"]}', { webhooks: ["/hooks"], api: [] }],
    ["removeDataOnDestroy", "true", true],
    [
      "openclawConfig",
      '{"gateway":{"controlUi":{"environment":"x"}}}',
      { gateway: { controlUi: { environment: "x" } } },
    ],
    ["password", "correct'horse\"$battery", "correct'horse\"$battery"],
  ])("%s = %s", (key, value, parsed) => {
    expect(parseSettings({ values: { [key]: value }, encrypted })[key]).toEqual(parsed);
  });
});

describe("plans", () => {
  const kasm = {
    kasmUrl: "https://kasm.example.com",
    kasmApiKey: "bMjMwTT0JKUQ",
    kasmApiSecret: "KUNAvRw4KLHGmldBxhRUD5sAhWkvJVzS",
  };
  const parsed = (values: Record<string, string>) => parseSettings({ values, encrypted });

  test.each<
    [values: Record<string, string>, Partial<Record<"cpus" | "memoryMb" | "browser", unknown>>]
  >([
    [{ plan: "small" }, { cpus: 2, memoryMb: 4096, browser: "none" }],
    [{ plan: "medium" }, { cpus: 4, memoryMb: 8192, browser: "sidecar" }],
    [{ plan: "large" }, { cpus: 8, memoryMb: 16_384, browser: "sidecar" }],
    [
      { plan: "large", cpus: "3" },
      { cpus: 3, memoryMb: 16_384, browser: "sidecar" },
    ],
    [
      { plan: "medium", memoryMb: "2048" },
      { cpus: 4, memoryMb: 2048, browser: "sidecar" },
    ],
    [
      { plan: "medium", browser: "none" },
      { cpus: 4, memoryMb: 8192, browser: "none" },
    ],
    [
      { plan: "small", browser: "sidecar" },
      { cpus: 2, memoryMb: 4096, browser: "sidecar" },
    ],
    [
      { plan: "small", cpus: "0", memoryMb: "0", browser: "plan" },
      { cpus: 2, memoryMb: 4096 },
    ],
  ])("%j gives %j", (values, sizes) => {
    expect(parsed(values)).toMatchObject(sizes);
  });

  test.each([
    ["one", { cores: 2, memoryMb: 4096, cpuAllocation: "Quotas" }],
    ["five", { cores: 2, memoryMb: 4096, cpuAllocation: "Quotas" }],
    ["ten", { cores: 1.6, memoryMb: 4096, cpuAllocation: "Quotas" }],
    ["none", {}],
  ])("desktops of plan %s: %j, unless the tile has its own sizes", (desktopPlan, size) => {
    const desktop = (own: object) =>
      parsed({ ...kasm, desktopPlan, workspaces: JSON.stringify({ desktop: own }) }).workspaces
        .desktop;

    expect(desktop({})).toEqual(size);
    expect(desktop({ cores: 4 })).toEqual({ ...size, cores: 4 });
  });
});

test("a route by path sets OpenClaw's base path", () => {
  const values = { nginxRoute: '{"mode":"path"}', kasmUrl: "https://kasm.example.com" };

  expect(parseSettings({ values, encrypted }).basePath).toBe("/openclaw");
  expect(parseSettings({ values: { ...values, basePath: "/ai" }, encrypted }).basePath).toBe("/ai");
});

test("a server is reached on port 22 as root by default", () => {
  const host = `{"address":"kasm.example.com",${hostKey}}`;

  expect(parseSettings({ values: { host }, encrypted }).host).toMatchObject({
    address: "kasm.example.com",
    port: 22,
    user: "root",
  });
});

test.each(Object.entries(descriptions))("%s has a description", (key, description) => {
  expect(description.length).toBeGreaterThan(20);
  expect(description.includes("(secret)")).toBe((secretKeys as readonly string[]).includes(key));
});

test("the table in docs/settings.md is the generated one: npm run docs", () => {
  expect(readFileSync("docs/settings.md", "utf8")).toContain(`\n${settingsTable()}\n\n`);
});

test("pulumi new asks for settings that exist, and hides the secret ones", () => {
  const project = parse(readFileSync("Pulumi.yaml", "utf8")) as {
    template: { config: Record<string, { secret?: boolean }> };
  };
  const asked = Object.entries(project.template.config).map(
    ([name, { secret = false }]) => [name.replace(/^openclaw:/, ""), secret] as const,
  );

  for (const [key, secret] of asked) {
    expect(Object.keys(shape)).toContain(key);
    expect(secret).toBe((secretKeys as readonly string[]).includes(key));
  }
});
