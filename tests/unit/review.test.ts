import { reviewSettings } from "../../cli/review";
import { parseSettings } from "../../config";

const shared = {
  encryptionsalt: "v1:salt",
  config: {
    "openclaw:host": { address: "kasm.example.com", hostKey: { secure: "v1:abc" } },
    "openclaw:kasmUrl": "https://kasm.example.com",
    "openclaw:memoryMb": 2048,
  },
};

test("changes names, port and data for the pull request, and keeps all other settings and secrets", () => {
  expect(reviewSettings(shared, "7")).toEqual({
    encryptionsalt: "v1:salt",
    config: {
      ...shared.config,
      "openclaw:containerName": "openclaw-pr-7",
      "openclaw:networkName": "openclaw-net-pr-7",
      "openclaw:port": 20007,
      "openclaw:directory": "/opt/openclaw-pr-7",
      "openclaw:removeDataOnDestroy": true,
    },
  });
});

test.each([
  [{ "openclaw:dataVolume": "openclaw-data" }, { "openclaw:dataVolume": "openclaw-data-pr-7" }],
  [{ "openclaw:directory": "/srv/openclaw" }, { "openclaw:directory": "/srv/openclaw-pr-7" }],
  [
    { "openclaw:nginxRoute": { mode: "path", proxyContainer: "proxy" } },
    {
      "openclaw:basePath": "/openclaw-pr-7",
      "openclaw:nginxRoute": {
        mode: "path",
        proxyContainer: "proxy",
        fileName: "openclaw-pr-7.conf",
      },
    },
  ],
  [
    { "openclaw:nginxRoute": { mode: "serverName", serverName: "openclaw.example.com" } },
    {
      "openclaw:nginxRoute": {
        mode: "serverName",
        serverName: "pr-7.openclaw.example.com",
        fileName: "zz-openclaw-pr-7.conf",
      },
    },
  ],
  [
    { "openclaw:kasmImage": { build: true } },
    { "openclaw:kasmImage": { build: true, name: "openclaw-kasm-pr-7" } },
  ],
  [
    { "openclaw:kasmImage": { build: true, name: "team/claw" } },
    { "openclaw:kasmImage": { build: true, name: "team/claw-pr-7" } },
  ],
])("turns %j into %j", (given, own) => {
  expect(reviewSettings({ config: given }, "7").config).toMatchObject(own);
});

test("removes importId from tiles and gives each cast link its own key", () => {
  const config = {
    "openclaw:workspaces": {
      browser: {
        cast: { key: "claw", allowAnonymous: true },
        importId: "0123456789abcdef0123456789abcdef",
      },
      desktop: { sharedDirectory: "/srv/shared", persistentProfilePath: "/homes/{username}" },
      link: { friendlyName: "Claw" },
    },
  };

  expect(reviewSettings({ config }, "7").config?.["openclaw:workspaces"]).toEqual({
    browser: {
      friendlyName: "OpenClaw AI Gateway (pr-7)",
      cast: { key: "claw-pr-7", allowAnonymous: true },
    },
    desktop: {
      friendlyName: "OpenClaw Desktop (pr-7)",
      sharedDirectory: "/srv/shared-pr-7",
      persistentProfilePath: "",
    },
    link: { friendlyName: "Claw (pr-7)" },
  });
});

test("gives instances of consecutive pull requests different ports", () => {
  const config = { "openclaw:instances": ["alice", "bob"] };
  const ports = ["7", "8"].map(
    (number) => reviewSettings({ config }, number).config?.["openclaw:port"],
  );

  expect(ports).toEqual([20014, 20016]);
});

test.each(["1", "9999", "10000", "123456789"])(
  "the settings for pull request %s are valid",
  (number) => {
    const { config } = reviewSettings(
      {
        config: {
          "openclaw:kasmUrl": "https://kasm.example.com",
          "openclaw:nginxRoute": { mode: "path" },
        },
      },
      number,
    );
    const values = Object.entries(config ?? {}).map(([key, value]) => [
      key.replace("openclaw:", ""),
      typeof value === "string" ? value : JSON.stringify(value),
    ]);

    const settings = parseSettings({
      values: Object.fromEntries(values) as Record<string, string>,
      encrypted: [],
    });
    expect(settings.basePath).toBe(`/openclaw-pr-${number}`);
    expect(settings.port).toBeGreaterThanOrEqual(20_000);
    expect(settings.port).toBeLessThan(30_000);
  },
);

test("makes no off-site backups, which would be among those of another stack", () => {
  const offsite = { endpoint: "https://s3.example.com", bucket: "backups", prefix: "kasm" };
  const { config } = reviewSettings({ config: { "openclaw:offsite": offsite } }, "7");

  expect(config?.["openclaw:offsite"]).toEqual({});
});
