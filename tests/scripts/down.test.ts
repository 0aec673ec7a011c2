import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  doomedData,
  doomedVolumes,
  refuseForeignVolumes,
  removeHooks,
  settleData,
} from "../../cli/down";
import { parseSettings } from "../../config";

describe("the data that down deletes, from the state of the last up", () => {
  const urn = "urn:pulumi:dev::openclaw::openclaw:index:OpenClawStandalone$";
  const directory = (removeData: boolean) => ({
    urn: `${urn}command:local:Command::openclaw-data`,
    inputs: {
      create: "sh -s -- apply",
      stdin: {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        plaintext: JSON.stringify(
          `DIRECTORY='/x'\nREMOVE_DATA='${removeData.toString()}'\nset -eu`,
        ),
      },
    },
  });
  const volume = { urn: `${urn}docker:index/volume:Volume::openclaw-bob-data`, inputs: {} };
  const container = {
    urn: `${urn}docker:index/container:Container::openclaw-container`,
    inputs: {},
  };

  test.each<[resources: unknown[], doomed: string[]]>([
    [[], []],
    [[container], []],
    [[directory(false)], []],
    [[directory(true)], ["openclaw-data"]],
    [[{ ...volume, retainOnDelete: true }], []],
    [[container, volume], ["openclaw-bob-data"]],
  ])("%#", (resources, doomed) => {
    expect(doomedData({ deployment: { resources } })).toEqual(doomed);
  });

  test("is none for a stack that was never deployed", () => {
    expect(doomedData({ deployment: null })).toEqual([]);
  });
});

describe("the volume after a destroy", () => {
  const path = process.env.PATH;
  let folder: string;
  /** A Docker with the volume "claw". */
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "openclaw-down-"));
    writeFileSync(join(folder, "claw"), "dev/claw\n");
    const docker = `#!/bin/sh\ncase $* in "volume inspect "*) cat "${folder}/$5" 2>/dev/null || { echo "Error: No such volume: $5" >&2; exit 1; } ;; "volume rm --force "*) rm -f "${folder}/$4" ;; *) exit 1 ;; esac\n`;
    writeFileSync(join(folder, "docker"), docker, { mode: 0o700 });
    process.env.PATH = `${folder}:${path ?? ""}`;
    jest.spyOn(console, "error").mockReturnValue();
  });
  afterEach(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  });

  test.each([
    ["false", false, true],
    ["false", true, false],
    // Even if the last up was told to keep it.
    ["true", false, false],
  ])(
    "removeDataOnDestroy %s and --delete-data %s: exists %s",
    async (removeDataOnDestroy, deleteData, exists) => {
      const values = { dataVolume: "claw", removeDataOnDestroy };
      const settings = parseSettings({ values, encrypted: [] });
      await settleData({ settings, stack: "dev", target: {} }, deleteData);

      expect(existsSync(join(folder, "claw"))).toBe(exists);
    },
  );

  test.each([
    ["another stack's label", "theirs/claw\n", "is of stack theirs"],
    ["no label of a stack", "\n", "was not created by this stack"],
  ])("with %s is kept, with the reason in the message", async (_, label, reason) => {
    writeFileSync(join(folder, "claw"), label);
    const settings = parseSettings({ values: { dataVolume: "claw" }, encrypted: [] });
    const gateway = { settings, stack: "dev", target: {} };

    await expect(settleData(gateway, true)).rejects.toThrow(`could not be deleted: it ${reason}`);
    await expect(refuseForeignVolumes(gateway, ["claw"])).rejects.toThrow(
      `The Docker volume claw can't be deleted: it ${reason}`,
    );
    expect(existsSync(join(folder, "claw"))).toBe(true);
  });

  test("is kept if Docker does not answer", async () => {
    writeFileSync(join(folder, "docker"), "#!/bin/sh\necho 'no answer' >&2; exit 1\n");
    const settings = parseSettings({ values: { dataVolume: "claw" }, encrypted: [] });

    await expect(settleData({ settings, stack: "dev", target: {} }, true)).rejects.toThrow(
      "could not be deleted: no answer",
    );
  });

  test("may be deleted if it belongs to the stack or does not exist", async () => {
    await refuseForeignVolumes({ stack: "dev", target: {} }, ["claw", "gone"]);

    expect(existsSync(join(folder, "claw"))).toBe(true);
  });
});

test("finds the volumes that the engine would delete", () => {
  const volume = { type: "docker:index/volume:Volume" };
  const resources = [
    { ...volume, id: "kept", retainOnDelete: true },
    { ...volume, id: "doomed" },
    {
      ...volume,
      id: "other",
      provider: "urn:pulumi:s::openclaw::pulumi:providers:docker::host-two::1",
    },
    { type: "docker:index/container:Container", id: "container" },
  ];

  expect(doomedVolumes({ deployment: { resources } })).toEqual([
    { name: "doomed", host: "" },
    { name: "other", host: "two" },
  ]);
  expect(doomedVolumes({ deployment: null })).toEqual([]);
});

describe("the hook that has a destroy without the program refused", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "openclaw-hooks-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** What is imported in place of a state; nothing if it stays as it is. */
  async function imported(state: object): Promise<unknown> {
    const [pulumi, file] = [join(folder, "pulumi"), join(folder, "imported")];
    writeFileSync(join(folder, "state"), JSON.stringify(state));
    const script = `case "$*" in *export*) cat ${folder}/state ;; *import*) cat >${file} ;; esac`;
    writeFileSync(pulumi, `#!/bin/sh\n${script}\n`, { mode: 0o700 });
    await removeHooks({ pulumi, env: process.env, stateFolder: undefined }, "kasm");
    return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
  }
  const provider = { urn: "host", inputs: { host: "ssh://server" } };
  const state = (resource: object) => ({ version: 3, deployment: { resources: [resource] } });

  test("is removed from the state, and nothing else is", async () => {
    const hooked = { ...provider, resourceHooks: { BeforeDelete: ["SSH key of host"] } };

    expect(await imported(state(hooked))).toEqual(state(provider));
  });

  test("leaves a state without it as it is", async () => {
    expect(await imported(state(provider))).toBeUndefined();
  });
});
