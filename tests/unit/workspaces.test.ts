import * as pulumi from "@pulumi/pulumi";
import { thisMachine } from "../../components/host";
import type { DesktopArgs } from "../../components/kasmWorkspaceRegistration";
import { parseSettings, type Settings } from "../../config";
import { standaloneArgs } from "../../config/standalone";
import { stackTiles } from "../../config/tiles";
import {
  askedCasts,
  kasmConnection,
  neededGroups,
  neededPermissions,
} from "../../config/workspaces";
import { valueOf } from "./mocks";

const secrets = ["kasmApiKey", "kasmApiSecret", "kasmRegistryPassword", "providerKeys"];

function settings(workspaces: object, more: Record<string, string> = {}): Settings {
  const values = {
    kasmUrl: "https://kasm.example.com",
    kasmApiKey: "bMjMwTT0JKUQ",
    kasmApiSecret: "KUNAvRw4KLHGmldBxhRUD5sAhWkvJVzS",
    workspaces: JSON.stringify(workspaces),
    ...more,
  };
  return parseSettings({ values, encrypted: secrets });
}

const images = {
  kind: "built",
  gateway: pulumi.output("sha256:gateway"),
  browser: undefined,
} as const;

const tilesOf = (asked: Settings, image?: string) =>
  stackTiles(asked, { host: thisMachine, agents: [], image });

test("without tiles, needs no permission in KASM, but its connection to delete earlier tiles", () => {
  const { kasmUrl } = settings({});

  expect(tilesOf(settings({}))).toEqual({});
  expect(neededPermissions(settings({}))).toEqual([]);
  expect(kasmConnection(settings({}))).toMatchObject({ kasmUrl, apiKey: "bMjMwTT0JKUQ" });
});

test.each<Record<string, string>>([
  { kasmUrl: "" },
  { kasmUrl: "http://kasm.example.com" },
  { kasmApiKey: "" },
])("has no connection with %j", (values) => {
  expect(kasmConnection(settings({}, values))).toBeUndefined();
});

test("checks groups and cast links by the names of their resources", () => {
  const cast = { key: "claw", group: "Guests" };
  const workspaces = { browser: { cast }, desktop: { groups: ["Sales"], cast: { key: "desk" } } };

  expect(neededGroups(settings(workspaces))).toEqual(["All Users", "Guests", "Sales"]);
  expect(askedCasts(settings(workspaces), "kasm")).toEqual([
    { key: "claw", configName: "openclaw-kasm: kasm/openclaw-browser" },
    { key: "desk", configName: "openclaw-kasm: kasm/openclaw-desktop" },
  ]);
  expect(
    askedCasts(settings(workspaces, { instances: '["alice"]' }), "kasm").map(
      ({ configName }) => configName,
    ),
  ).toEqual(["openclaw-kasm: kasm/openclaw-alice-browser", "openclaw-kasm: kasm/openclaw-desktop"]);
});

test("has a tile of each kind, with defaults from the other settings", () => {
  const asked = settings(
    { browser: {}, desktop: {}, link: {} },
    { nginxRoute: '{"mode":"path"}', port: "8190", directory: "/srv/openclaw" },
  );
  const { browser, desktop, link } = tilesOf(asked);

  expect(browser).toMatchObject({
    kind: "browser",
    opens: "http://host.docker.internal:8190/openclaw/",
  });
  expect(desktop).toMatchObject({
    kind: "desktop",
    host: thisMachine,
    agents: [],
    sharedDirectory: "/srv/openclaw/shared",
  });
  expect(link).toMatchObject({ kind: "link", opens: "https://kasm.example.com/openclaw/" });
});

test("makes key and secret secret outputs", async () => {
  const connection = tilesOf(settings({ browser: {} })).browser?.kasm;

  for (const part of [connection?.apiKey, connection?.apiSecret]) {
    expect(await pulumi.isSecret(part as pulumi.Output<string>)).toBe(true);
  }
});

test("uses the stack's image for the desktop, and the registry's login if it is pushed", async () => {
  const push = { registry: "registry.example.com/team", username: "builder" };
  const asked = settings(
    { desktop: { cores: 4 } },
    {
      kasmImage: JSON.stringify({ build: true, push }),
      kasmRegistryPassword: "registry-password",
    },
  );
  const { desktop } = tilesOf(asked, "registry.example.com/team/openclaw-kasm:1-abc");
  const {
    dockerToken,
    kasm: _,
    ...tile
  } = desktop as DesktopArgs & {
    dockerToken: pulumi.Output<string>;
    kasm: unknown;
  };

  expect(tile).toEqual({
    kind: "desktop",
    host: thisMachine,
    agents: [],
    image: "registry.example.com/team/openclaw-kasm:1-abc",
    dockerRegistry: "https://registry.example.com",
    dockerUser: "builder",
    cores: 4,
    sharedDirectory: "/opt/openclaw/shared",
  });
  expect(await pulumi.isSecret(dockerToken)).toBe(true);
  expect(await valueOf(dockerToken)).toBe("registry-password");
});

test("provider keys go into run config only with allowSecretsInRunConfig", async () => {
  const providerKeys = '{"OPENAI_API_KEY":"sk-hidden"}';
  const without = tilesOf(settings({ desktop: {} }, { providerKeys })).desktop;
  expect(without).not.toHaveProperty("secretEnvironment");

  const allowed = settings({ desktop: { allowSecretsInRunConfig: true } }, { providerKeys });
  const { secretEnvironment } = tilesOf(allowed).desktop as unknown as {
    secretEnvironment: pulumi.Output<object>;
  };
  expect(await pulumi.isSecret(secretEnvironment)).toBe(true);
  expect(await valueOf(secretEnvironment)).toEqual({ OPENAI_API_KEY: "sk-hidden" });
});

test("needs only the permissions for the configured tiles", () => {
  const link = { link: { address: "https://openclaw.example.com/" } };

  expect(neededPermissions(settings(link))).toEqual([900, 901, 902, 903, 400, 401, 441]);
  expect(neededPermissions(settings({ ...link, browser: { cast: { key: "claw" } } }))).toEqual(
    expect.arrayContaining([904, 700, 701, 702, 703]),
  );
});

test("allows a tile's address as an origin of the dashboard", () => {
  const asked = settings({
    browser: { address: "http://10.0.0.5:8180/" },
    link: { address: "https://openclaw.example.com/x/" },
  });

  expect(standaloneArgs(asked, thisMachine, images).allowedOrigins).toEqual([
    "http://10.0.0.5:8180",
    "https://openclaw.example.com",
  ]);
});
