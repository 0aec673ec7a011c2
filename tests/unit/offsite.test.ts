import * as pulumi from "@pulumi/pulumi";
import type { OffsiteArgs } from "../../components/gateway/offsite";
import {
  OpenClawStandalone,
  type OpenClawStandaloneArgs,
} from "../../components/openClawStandalone";
import { offsitePlace } from "../../cli/backup/offsite";
import { parseSettings, SettingsError } from "../../config";
import { containerNames } from "../../config/containers";
import { instancesOf } from "../../config/instances";
import { Recorder, valueOf } from "./mocks";

const recorder = new Recorder();
beforeAll(() => recorder.start("kasm"));
beforeEach(() => {
  recorder.clear();
});

const offsite: OffsiteArgs = {
  endpoint: "https://s3.example.com",
  bucket: "backups",
  accessKey: "the-access-key",
  secretKey: 'the "secret" key',
};

async function declare(
  given: Partial<OffsiteArgs> = {},
  args: Partial<OpenClawStandaloneArgs> = {},
): Promise<OpenClawStandalone> {
  const images = {
    kind: "built" as const,
    gateway: pulumi.output("sha256:gateway"),
    browser: undefined,
    offsite: pulumi.output("sha256:offsite"),
  };
  const data = { directory: "/opt/claw" };
  const component = new OpenClawStandalone(
    "openclaw",
    { images, containerName: "claw", data, offsite: { ...offsite, ...given }, ...args },
    { transformations: [recorder.watch] },
  );
  await valueOf(component.urls);
  while (component.offsitePassword && !recorder.names().includes("openclaw-offsite")) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  return component;
}

interface Mount {
  readonly containerPath: string;
  readonly hostPath?: string;
  readonly volumeName?: string;
  readonly readOnly?: boolean;
}
const container = () => recorder.get("openclaw-offsite").inputs;
const uploads = () =>
  new Map(
    (container().uploads as { file: string; content: string; permissions: string }[]).map(
      (each) => [each.file, each],
    ),
  );

test("a gateway without off-site backups has nothing of them", async () => {
  await declare({}, { offsite: undefined });

  expect(recorder.names().filter((name) => /offsite|pause/.test(name))).toEqual([]);
  expect(recorder.get("openclaw-container").inputs.volumes).toHaveLength(1);
});

describe("a gateway with off-site backups", () => {
  test("has a container beside it that can't write its data, has no port, and restarts by itself", async () => {
    await declare();
    const volumes = container().volumes as Mount[];

    expect(container()).toMatchObject({
      name: "claw-offsite",
      image: "sha256:offsite",
      restart: "unless-stopped",
      networkMode: "claw-net",
      capabilities: { drops: ["ALL"], adds: ["CAP_DAC_OVERRIDE"] },
      securityOpts: ["no-new-privileges:true"],
    });
    expect(container().ports).toBeUndefined();
    expect(volumes[0]).toEqual({
      containerPath: "/backup/data",
      hostPath: "/opt/claw/data",
      readOnly: true,
    });
  });

  test("shares with it the directory by which it is stopped, and nothing else", async () => {
    await declare();
    const [, pause] = container().volumes as Mount[];
    const [, ofGateway] = recorder.get("openclaw-container").inputs.volumes as Mount[];

    expect(pause).toEqual({ volumeName: "claw-pause", containerPath: "/run/openclaw-pause" });
    expect(ofGateway).toEqual(pause);
    expect(recorder.get("openclaw-pause").inputs).toMatchObject({
      labels: [{ label: "openclaw-kasm.stack", value: "kasm/claw-pause" }],
    });
  });

  test("is told the storage and the schedule in the open, keys and password in files of root's", async () => {
    await declare({ proxy: "http://proxy.example.com:3128" }, { extraCa: "PEM" });
    const content = (file: string) => uploads().get(file)?.content ?? "";

    expect(JSON.parse(content("/etc/offsite/settings.json"))).toEqual({
      endpoint: "https://s3.example.com",
      bucket: "backups",
      prefix: "kasm/claw",
      time: "03:00",
      keep: { daily: 7, weekly: 4, monthly: 6 },
      proxy: "http://proxy.example.com:3128",
      stack: "kasm",
    });
    expect(JSON.parse(content("/root/.mc/config.json"))).toMatchObject({
      // Without the name of a signature restic signs nothing.
      hosts: {
        s3: { accessKey: "the-access-key", secretKey: 'the "secret" key', api: "s3v4" },
      },
    });
    expect(content("/etc/offsite/password")).toBe("generated-openclaw-offsite-password");
    expect(content("/etc/offsite/extra-ca.pem")).toBe("PEM");
    for (const file of ["/root/.mc/config.json", "/etc/offsite/password"]) {
      expect(uploads().get(file)?.permissions).toBe("0600");
    }
    expect(recorder.get("openclaw-offsite").secrets).toEqual(["uploads"]);
  });

  test("takes a given password, and generates one that is a secret output otherwise", async () => {
    const given = await declare({ password: "a given password" });
    const names = recorder.names();
    const generated = await declare();

    expect(names).not.toContain("openclaw-offsite-password");
    expect(given.offsitePassword && (await valueOf(given.offsitePassword))).toBe(
      "a given password",
    );
    expect(generated.offsitePassword && (await valueOf(generated.offsitePassword))).toBe(
      "generated-openclaw-offsite-password",
    );
    expect(await pulumi.isSecret(given.offsitePassword as pulumi.Output<string>)).toBe(true);
  });

  test("is created after the dashboard answers", async () => {
    await declare();
    const dependsOn = recorder.options.get("openclaw-offsite")?.dependsOn as pulumi.Resource[];
    const urns = await Promise.all(dependsOn.map(({ urn }) => valueOf(urn)));

    expect(urns.map((urn) => urn.slice(urn.lastIndexOf(":") + 1))).toContain("openclaw-ready");
  });

  test.each<[what: string, images: Partial<OpenClawStandaloneArgs["images"]>, problem: string]>([
    ["coollabsio's image", { kind: "coollabsio" }, "offsite: coollabsio's image takes none"],
    ["images without its own", { offsite: undefined }, "withOffsite: true"],
  ])("is refused with %s", async (_, changes, problem) => {
    const images = {
      kind: "built" as const,
      gateway: pulumi.output("sha256:gateway"),
      browser: undefined,
      offsite: pulumi.output("sha256:offsite"),
      ...changes,
    };

    await expect(declare({}, { images })).rejects.toThrow(problem);
  });
});

describe("the settings", () => {
  const keys = { offsiteAccessKey: "access", offsiteSecretKey: "secret-key" };
  const storage = { endpoint: "https://s3.example.com", bucket: "backups" };
  const parse = (value: object, more: Record<string, string> = {}) =>
    parseSettings({
      values: { offsite: JSON.stringify(value), ...keys, ...more },
      encrypted: ["providerKeys", ...Object.keys(keys)],
    });
  const problems = (value: object, more: Record<string, string> = {}) => {
    try {
      parse(value, more);
      return [];
    } catch (error) {
      return (error as SettingsError).problems;
    }
  };

  test("need a storage only", () => {
    expect(parse(storage).offsite).toEqual({
      ...storage,
      time: "03:00",
      keep: { daily: 7, weekly: 4, monthly: 6 },
      maxAgeHours: 36,
    });
    expect(parse({ ...storage, keep: { daily: 3 } }).offsite?.keep).toEqual({
      daily: 3,
      weekly: 4,
      monthly: 6,
    });
    expect(parse({}).offsite).toBeUndefined();
  });

  test.each<[value: object, place: string]>([
    [{ bucket: "backups" }, "at endpoint"],
    [{ ...storage, endpoint: "https://s3.example.com/backups" }, "at endpoint"],
    [{ ...storage, endpoint: "s3.example.com" }, "at endpoint"],
    [{ ...storage, bucket: "Backups" }, "at bucket"],
    [{ ...storage, prefix: "/kasm" }, "at prefix"],
    [{ ...storage, prefix: "kasm/../other" }, "at prefix"],
    [{ ...storage, time: "24:00" }, "at time"],
    [{ ...storage, time: "3:00" }, "at time"],
    [{ ...storage, keep: { daily: 0 } }, "at keep, daily"],
    [{ ...storage, maxAgeHours: 24 }, "at maxAgeHours"],
    [{ ...storage, proxy: "http://user:password@proxy:3128" }, "at proxy"],
    [{ ...storage, region: "eu" }, "at region"],
  ])("refuse %j", (value, place) => {
    expect(problems(value)[0]).toMatch(
      /^openclaw:offsite: found .*expected an object with endpoint/s,
    );
    expect(problems(value)[0]).toContain(place);
  });

  test("name all that is missing at once", () => {
    const reference = "coollabsio/openclaw:2026.9.6";
    const providerKeys = '{"ANTHROPIC_API_KEY":"sk-0123456789"}';
    const more = { offsiteAccessKey: "", offsiteSecretKey: "", gatewayImage: reference };

    expect(problems(storage, { ...more, providerKeys, publishAddresses: '["127.0.0.1"]' })).toEqual(
      [
        `openclaw:offsite: found it with ${reference}; expected nothing, because that image can't stop its gateway for a backup`,
        "openclaw:offsiteAccessKey: found nothing; expected that of https://s3.example.com",
        "openclaw:offsiteSecretKey: found nothing; expected that of https://s3.example.com",
      ],
    );
  });

  test("give each of several gateways a prefix and a container of its own", () => {
    const several = { instances: '["alice","bob"]' };
    const prefixes = (value: object) =>
      instancesOf(parse(value, several)).map(({ settings }) => settings.offsite?.prefix);

    expect(prefixes({ ...storage, prefix: "team" })).toEqual(["team/alice", "team/bob"]);
    expect(prefixes(storage)).toEqual([undefined, undefined]);
    expect(containerNames(parse(storage, several))).toEqual([
      ...["openclaw-alice", "openclaw-alice-offsite", "openclaw-bob", "openclaw-bob-offsite"],
    ]);
  });
});

test.each([
  ["offsite", { id: undefined }],
  ["offsite:1a2b3c4d", { id: "1a2b3c4d" }],
  ["offsite:list", { id: "list" }],
  ["offsite.tar.gz", undefined],
  ["backups/offsite", undefined],
])("restore takes %s for %j", (text, place) => {
  expect(offsitePlace(text)).toEqual(place);
});
