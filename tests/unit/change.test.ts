import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { approve, waiting } from "../../cli/approve";
import { backupFile, backupFolder, forgetOldBackups } from "../../cli/backup";
import { checkBuilt, currentTime, rebuildSetting, versionSetting } from "../../cli/upgrade";
import { parseSettings } from "../../config";

let home: string;
const { XDG_STATE_HOME } = process.env;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "change-"));
  process.env.XDG_STATE_HOME = home;
});
afterEach(() => {
  rmSync(home, { recursive: true });
  process.env.XDG_STATE_HOME = XDG_STATE_HOME;
});

test("a backup's name contains stack, occasion and time", () => {
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ`;
  const folder = join(home, "openclaw-kasm/backups/kasm");

  expect(backupFolder("kasm")).toBe(folder);
  expect(backupFile({ stack: "kasm", instance: { name: "" } }, undefined)).toMatch(
    new RegExp(`^${folder}/kasm-${time}\\.tar\\.gz$`),
  );
  const alice = { stack: "kasm", instance: { name: "alice" } };
  expect(backupFile(alice, "secret", "before-2026.9.6-")).toMatch(
    new RegExp(`^${folder}/kasm-before-2026\\.9\\.6-alice-${time}\\.tar\\.gz\\.age$`),
  );
});

describe("of the backups before upgrades", () => {
  const own = "dev-2026-01-01T00-00-00Z.tar.gz";
  const [newest, older, oldest, old] = [
    "dev-before-2026.9.9-2026-11-05T00-00-00Z.tar.gz.age",
    "dev-before-2026.9.10-2026-11-04T00-00-00Z.tar.gz",
    "dev-before-2026.9.2-2026-11-02T00-00-00Z.tar.gz",
    "dev-before-2026.9.3-2026-11-03T00-00-00Z.tar.gz",
  ] as const;
  const killed = "dev-before-2026.9.9-2026-11-06T00-00-00Z.tar.gz.17.partial";

  beforeEach(() => {
    mkdirSync(backupFolder("dev"), { recursive: true });
    for (const name of [own, newest, older, oldest, old, killed]) {
      writeFileSync(join(backupFolder("dev"), name), "");
    }
  });
  const left = () => readdirSync(backupFolder("dev")).sort();

  test("keeps the last three, and all that users made", () => {
    forgetOldBackups("dev", 1, []);

    expect(left()).toEqual([own, newest, older, old].sort());
  });

  test("keeps the one that a rollback needs", () => {
    forgetOldBackups("dev", 1, [join(backupFolder("dev"), oldest)]);

    expect(left()).toEqual([own, newest, older, old, oldest].sort());
  });

  test("keeps three of each gateway", () => {
    forgetOldBackups("dev", 2, []);

    expect(left()).toEqual([own, newest, older, old, oldest].sort());
  });
});

test.each([
  ["build", "2026.9.7", { key: "openclawVersion", value: "2026.9.7" }],
  ["coollabsio/openclaw:2026.9.6", "2026.9.7", ["gatewayImage", "coollabsio/openclaw:2026.9.7"]],
  [
    `ghcr.io/coollabsio/openclaw@sha256:${"0".repeat(64)}`,
    "2026.9.7",
    ["gatewayImage", "ghcr.io/coollabsio/openclaw:2026.9.7"],
  ],
])("gatewayImage %s gets version %s by its setting", (gatewayImage, version, expected) => {
  const [key, value] = Array.isArray(expected) ? expected : Object.values(expected);

  expect(versionSetting({ gatewayImage }, version)).toEqual({ key, value });
});

test.each(["latest", "", "9.6", "2026.9.6; reboot", "--help", "2026.9.6\n"])(
  "%j is no version",
  (version) => {
    expect(() => versionSetting({ gatewayImage: "build" }, version)).toThrow(/is not usable/);
  },
);

describe("a rebuild", () => {
  const pulled = { gatewayImage: "coollabsio/openclaw:2026.9.6", browser: "none" } as const;
  const { kasmImage } = parseSettings({ values: {}, encrypted: [] });
  const built = { ...kasmImage, build: true };

  test("is refused if all images are pulled", () => {
    expect(() => {
      checkBuilt("dev", { ...pulled, kasmImage });
    }).toThrow("Stack dev builds no image: coollabsio/openclaw:2026.9.6 is pulled");
  });

  test.each<[string, Parameters<typeof checkBuilt>[1]]>([
    ["gateway's image", { ...pulled, gatewayImage: "build", kasmImage }],
    ["browser's image", { ...pulled, browser: "sidecar", kasmImage }],
    ["desktop image", { ...pulled, kasmImage: built }],
  ])("is accepted for a stack with its own %s", (_, settings) => {
    expect(() => {
      checkBuilt("dev", settings);
    }).not.toThrow();
  });

  test("is recorded as a time that the setting accepts", () => {
    const { key, value } = rebuildSetting(currentTime());

    expect(parseSettings({ values: { [key]: value }, encrypted: [] }).imagesFrom).toBe(value);
  });
});

describe("approve", () => {
  test.each(["", "-h", "a b", "a;b", "$(id)", "a'b", "a\nb", "../a", "x".repeat(129)])(
    "refuses %j before it calls the gateway",
    async (id) => {
      await expect(approve(id, { stack: "dev" })).rejects.toThrow(/is not the id of a request/);
    },
  );

  test("lists waiting browsers without control characters", () => {
    const pending = [
      {
        requestId: "6f1d2c3b-0000-4000-8000-000000000001",
        displayName: "Ann\u001b[2Js browser",
        platform: "Linux",
        remoteIp: "192.0.2.7",
        role: "operator",
        publicKey: "x",
      },
    ];
    const shown = waiting("kasm", JSON.stringify({ pending, paired: [] }));

    expect(shown).toContain("6f1d2c3b-0000-4000-8000-000000000001");
    expect(shown).toContain("Ann\\u001b[2Js browser");
    expect(shown).toContain("npm run approve -- ID --stack kasm");
  });

  test("reports that no browser waits, and refuses ids with shell characters", () => {
    expect(waiting("dev", '{"pending":[],"paired":[{}]}')).toContain("No browser waits");
    expect(() => waiting("dev", '{"pending":[{"requestId":"$(id)"}]}')).toThrow();
  });
});
