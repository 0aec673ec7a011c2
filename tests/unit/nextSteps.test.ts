import { readFileSync } from "node:fs";
import { parseSettings } from "../../config";
import { nextSteps } from "../../config/nextSteps";

const settings = (values: Record<string, string>) =>
  parseSettings({ values, encrypted: ["providerKeys"] });
const key = { providerKeys: '{"ANTHROPIC_API_KEY":"sk-0123456789"}' };

test("without a provider key, shows the command that sets one for this stack", () => {
  expect(nextSteps(settings({}), "dev")).toEqual([
    "Give OpenClaw an AI provider's key, without which it can't answer: npm run pulumi -- config set --secret --path 'openclaw:providerKeys.ANTHROPIC_API_KEY' --stack dev, then npm run up",
  ]);
  expect(nextSteps(settings({}), "kasm")[0]).toMatch(
    / --stack kasm, then npm run up -- --stack kasm$/,
  );
});

test("with coollabsio's image, says that browsers need approval", () => {
  const published = {
    ...key,
    gatewayImage: "coollabsio/openclaw:2026.9.6",
    publishAddresses: '["127.0.0.1"]',
  };

  expect(nextSteps(settings(published), "kasm")).toEqual([
    "Let each new browser in once: open the dashboard with the gateway token, then npm run approve -- --stack kasm",
  ]);
});

test.each([
  ['["0.0.0.0"]', "[]", true],
  ['["192.168.1.5"]', "[]", true],
  ['["0.0.0.0"]', '["http://kasm01:8180"]', false],
  ['["127.0.0.1","172.17.0.1"]', "[]", false],
])(
  "published on %s, with the origins %s, names that others are refused: %s",
  (publishAddresses, allowedOrigins, isTold) => {
    const steps = nextSteps(settings({ ...key, publishAddresses, allowedOrigins }), "dev");

    expect(steps).toHaveLength(isTold ? 1 : 0);
    expect(steps.join()).toEqual(isTold ? expect.stringContaining("openclaw:allowedOrigins") : "");
  },
);

describe("a desktop image that is pushed for several agents", () => {
  const steps = (desktop: object, kasmImage: object = {}) =>
    nextSteps(
      parseSettings({
        values: {
          ...key,
          kasmUrl: "https://kasm.example.com",
          kasmApiKey: "bMjMwTT0JKUQ",
          kasmApiSecret: "KUNAvRw4KLHGmldBxhRUD5sAhWkvJVzS",
          kasmImage: JSON.stringify({
            build: true,
            push: { registry: "registry.example.com/team" },
            ...kasmImage,
          }),
          workspaces: JSON.stringify({ desktop }),
        },
        encrypted: ["providerKeys", "kasmApiKey", "kasmApiSecret"],
      }),
      "kasm",
    );
  const told = [expect.stringContaining("workspaces.desktop.persistentProfilePath") as unknown];

  test.each([{}, { persistentProfilePath: "/srv/profiles/{username}" }])(
    "with profiles in a directory (%j) leaves users an empty OpenClaw on the next agent",
    (desktop) => {
      expect(steps(desktop)).toEqual(told);
    },
  );

  test.each([
    { persistentProfilePath: "s3://bucket/profiles/{username}" },
    { persistentProfilePath: "" },
    { serverId: "0123456789abcdef0123456789abcdef" },
  ])("with %j needs nothing", (desktop) => {
    expect(steps(desktop)).toEqual([]);
  });

  test("is not asked for on one agent", () => {
    expect(steps({}, { push: undefined })).toEqual([]);
  });
});

test("shows no step if everything is set", () => {
  expect(nextSteps(settings(key), "dev")).toEqual([]);
});

test("docs/settings.md lists every output", () => {
  const [, table = ""] =
    /^\| output \|.*\n((?:\|.*\n)+)/m.exec(readFileSync("docs/settings.md", "utf8")) ?? [];
  const told = [...table.matchAll(/^\|([^|]+)\|/gm)].flatMap(([, names = ""]) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
  );
  const outputs = [...readFileSync("index.ts", "utf8").matchAll(/^export const (\w+)/gm)].map(
    ([, name]) => name,
  );

  expect(told.sort()).toEqual(outputs.sort());
});
