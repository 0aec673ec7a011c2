import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { $ } from "zx";
import type { Rig } from "../../dev/rig/rig";
import { outcome, Project, unchanged } from "../support/project";
import { kasmUrl, removeWorkerRig, startWorkerRig } from "../support/workerRig";

jest.setTimeout(5 * 60_000);

// Two clones with one state. Commands in them are the Pulumi CLI's own, unless they say otherwise.
const first = new Project();
const second = new Project({ XDG_STATE_HOME: join(first.folder, "state") });
const settingsFile = "Pulumi.kasm.yaml";
let rig: Rig;
let host: Record<string, unknown>;
let keyFile: string;
let hostBefore: Record<string, string[]>;

const plain = (project: Project, command: string, ...options: string[]) =>
  project.plainPulumi(command, "--yes", "--stack", "kasm", ...options);

const settings = (server: Record<string, unknown>) => ({
  host: server,
  kasmUrl,
  nginxRoute: { mode: "path" },
  memoryMb: 2048,
});

beforeAll(async () => {
  const rigStarted = startWorkerRig({ openclaw: "light" });
  await Promise.all([first.checkout("light"), second.checkout("light")]);
  rig = await rigStarted;
  const { privateKeyFile, hostKeyFile, ...rest } = rig.host;
  keyFile = String(privateKeyFile);
  host = { ...rest, hostKey: readFileSync(String(hostKeyFile), "utf8") };
  hostBefore = await rig.inventory();
});

afterAll(async () => {
  await removeWorkerRig();
  first.remove();
  second.remove();
});

test("a clone that has the key's file and nothing else destroys what another one deployed", async () => {
  for (const { folder } of [first, second]) {
    copyFileSync(keyFile, join(folder, "id"));
  }
  first.settings("kasm", settings({ ...host, privateKeyFile: "id" }));
  expect(outcome(await first.run("up", "--stack", "kasm"))).toBe("ok");
  const { stdout: state } = await first.pulumi("stack", "export", "--stack", "kasm");
  copyFileSync(join(first.folder, settingsFile), join(second.folder, settingsFile));

  expect(state).not.toContain(first.folder);
  const refreshed = await plain(second, "refresh");
  expect([outcome(refreshed), refreshed.text]).toEqual(["ok", expect.stringMatching(unchanged)]);
  expect(outcome(await plain(second, "destroy"))).toBe("ok");
  expect(await rig.inventory()).toEqual(hostBefore);
});

describe("a key that is a secret of the stack", () => {
  test("reaches the server wherever the program runs, and no file", async () => {
    first.settings("kasm", settings(host));
    await first.setSecret("kasm", "host.privateKey", readFileSync(keyFile, "utf8"));
    expect(outcome(await plain(first, "up"))).toBe("ok");
    copyFileSync(join(first.folder, settingsFile), join(second.folder, settingsFile));

    const [, , line = ""] = readFileSync(keyFile, "utf8").split("\n");
    const folders = [join(first.folder, "state"), join(first.folder, ".build")];
    const { exitCode } = await $({ nothrow: true, quiet: true })`grep -rqF ${line} ${folders}`;
    expect(exitCode).toBe(1);
  });

  test("is asked for in one line by a destroy that does not run the program, which deletes nothing", async () => {
    const deployed = await rig.inventory();
    const { exitCode, stderr } = await plain(second, "destroy");

    expect(exitCode).toBe(1);
    expect(stderr.trim()).toMatch(/^error: .*`--run-program`.*$/);
    expect(await rig.inventory()).toEqual(deployed);
    // The connection of the test before may still be open.
    rmSync(join(second.folder, ".openclaw-ssh-kasm-host"), { force: true });
    expect((await plain(second, "refresh")).text).toContain("use --run-program");
  });

  test("reads and destroys with --run-program", async () => {
    expect((await plain(second, "refresh", "--run-program")).text).toMatch(unchanged);
    expect(outcome(await plain(second, "destroy", "--run-program"))).toBe("ok");
    expect(await rig.inventory()).toEqual(hostBefore);
    // The program also runs if nothing exists of what it declares.
    expect(outcome(await plain(second, "destroy", "--run-program"))).toBe("ok");
  });
});
