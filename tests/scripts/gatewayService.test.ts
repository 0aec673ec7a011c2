import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const service = "assets/gateway-image/rootfs/etc/gateway-image/services/gateway";
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-service-"));
  mkdirSync(join(folder, "public"));
  writeFileSync(join(folder, "live"), "");
  // The gateway itself and the waits between its starts are left out.
  for (const tool of ["s6-envdir", "sleep"]) {
    writeFileSync(join(folder, tool), "#!/bin/sh\n", { mode: 0o755 });
  }
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs a script of the service, with the folder in the place of the image's. */
function script(name: "run" | "finish", ...args: string[]): void {
  const text = readFileSync(join(service, name), "utf8");
  spawnSync("sh", ["-s", "--", ...args], {
    input: text.replaceAll("/run/gateway-image", folder),
    env: { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` },
  });
}

const status = () =>
  (JSON.parse(readFileSync(join(folder, "public/down.json"), "utf8")) as { status: string }).status;

/** The statuses while the gateway starts and after it has ended, for a number of runs. */
function ends(code: string, times: number): string[] {
  return Array.from({ length: times }, () => {
    script("run");
    const starting = status();
    script("finish", code);
    return [starting, status()].join(", then ");
  });
}

describe("the status of a gateway that does not answer", () => {
  test("is crashing from the third exit in a row on, even during a start", () => {
    expect(ends("1", 4)).toEqual([
      "unreachable, then unreachable",
      "unreachable, then unreachable",
      "unreachable, then crashing",
      "crashing, then crashing",
    ]);
  });

  test("is unreachable again after a minute without an exit", () => {
    ends("1", 3);
    script("run");
    writeFileSync(join(folder, "started"), "1");
    script("finish", "1");
    script("run");

    expect(status()).toBe("unreachable");
  });

  test("is refused after the first refusal of a configuration", () => {
    expect(ends("78", 1)).toEqual(["unreachable, then refused"]);
  });
});
