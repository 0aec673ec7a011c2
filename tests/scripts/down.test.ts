import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { doomedData, settleData } from "../../cli/down";
import { parseSettings } from "../../config";

describe("the data that would go with a stack, by what its last up wrote down", () => {
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

  test("none of a stack that was never deployed", () => {
    expect(doomedData({ deployment: null })).toEqual([]);
  });
});

describe("the volume after a destroy", () => {
  const path = process.env.PATH;
  let folder: string;
  /** A Docker with the volume "claw". */
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "openclaw-down-"));
    writeFileSync(join(folder, "claw"), "");
    const docker = `#!/bin/sh\ncase $* in "volume inspect "*) cat "${folder}/$5" ;; "volume rm --force "*) rm -f "${folder}/$4" ;; *) exit 1 ;; esac\n`;
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

  test("of another stack stays, and the stack is named", async () => {
    writeFileSync(join(folder, "claw"), "theirs/claw\n");
    const settings = parseSettings({ values: { dataVolume: "claw" }, encrypted: [] });

    await expect(settleData({ settings, stack: "dev", target: {} }, true)).rejects.toThrow(
      "could not be deleted: it is of stack theirs",
    );
    expect(existsSync(join(folder, "claw"))).toBe(true);
  });
});
