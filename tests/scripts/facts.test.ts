import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseFacts } from "../../cli/preflight/host";
import { scriptWith } from "../../host/shell";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "facts-"));
  // Of this machine's commands the script finds those that it needs, and no Docker.
  for (const tool of ["awk", "basename", "df", "dirname", "readlink", "sed", "sleep", "tr"]) {
    const { stdout } = spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" });
    symlinkSync(stdout.trim(), join(folder, tool));
  }
  has("hostname", "echo 192.168.1.5 172.17.0.1");
  has("curl", "");
  has("flock", "");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Puts a command on the host. */
function has(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** What is said of the host within two seconds. */
function facts(needsSudo = "no") {
  const { stdout, stderr } = spawnSync("/bin/sh", ["-s", "--", "look"], {
    input: scriptWith("facts.sh", {
      CONTAINERS: "openclaw openclaw-browser",
      DIRECTORY: "/not-there-yet/openclaw",
      DIRECTORIES: `${folder}/mine ${folder}/no-ones`,
      KASM_DIRECTORY: `${folder}/kasm`,
      IMAGE: "openclaw-kasm:latest",
      NETWORKS: "openclaw-net other-net",
      VOLUMES: "claw other-claw",
      NEEDS_SUDO: needsSudo,
    }),
    env: { PATH: folder },
    encoding: "utf8",
    timeout: 2000,
    killSignal: "SIGKILL",
  });
  expect(stderr).toBe("");
  return parseFacts(stdout);
}

/** Docker as it answers, with what else it can say. */
const docker = (version = "echo 20.10.24") => `case "$*" in
  version*) ${version} ;;
  info*) printf '%s\\n' '20.10.24|4|16777216000|/' 'osType linux' 'lacks ' 'lacks SwapLimit' 'security name=seccomp,profile=default' ;;
  container*.Id*' openclaw openclaw-browser') echo 'container=/openclaw c1'; echo 'published=/openclaw 127.0.0.1:8180'; echo; exit 1 ;;
  network*.Id*' openclaw-net other-net') echo 'network=openclaw-net n1'; exit 1 ;;
  volume*openclaw-kasm.stack*' claw other-claw') echo 'volume=claw dev/claw'; exit 1 ;;
  image*openclaw-kasm.stack*' openclaw-kasm:latest') echo 'image=openclaw-kasm:latest dev/openclaw-kasm' ;;
  *) exit 1 ;;
esac`;

test("reports all facts of a host on which Docker answers", () => {
  has("docker", docker());
  writeFileSync(join(folder, ".mine.openclaw-kasm"), "stack=dev\nmade=7\n");
  const told = facts();

  expect(told.get("address")).toEqual(["127.0.0.1", "192.168.1.5", "172.17.0.1"]);
  expect(Object.fromEntries(told)).toMatchObject({
    docker: ["20.10.24"],
    cores: ["4"],
    memoryMb: ["16000"],
    dockerRoot: ["/"],
    osType: ["linux"],
    lacks: ["SwapLimit"],
    security: ["name=seccomp,profile=default"],
    container: ["openclaw c1"],
    published: ["openclaw 127.0.0.1:8180"],
    network: ["openclaw-net n1"],
    volume: ["claw dev/claw"],
    image: ["openclaw-kasm:latest dev/openclaw-kasm"],
    directory: [`${folder}/mine dev`],
    complete: ["yes"],
  });
  for (const size of ["availableMb", "dataFreeMb", "diskMb", "freeMb"]) {
    expect(Number(told.get(size)?.[0])).toBeGreaterThan(0);
  }
  expect([told.has("missing"), told.has("sudoError"), told.has("dockerError")]).toEqual([
    false,
    false,
    false,
  ]);
});

test.each<[what: string, prepare: () => void, said: string]>([
  ["is not there", () => undefined, "the command docker is not installed"],
  [
    "is not for this user",
    () => {
      has("docker", docker("echo 'permission denied while\ntrying to connect' >&2; exit 1"));
    },
    "permission denied while trying to connect",
  ],
])("reports last why Docker can't be used if it %s", (_, prepare, said) => {
  prepare();
  const told = facts();

  expect(told.get("dockerError")).toEqual([said]);
  expect(told.has("availableMb")).toBe(true);
  expect(told.has("complete")).toBe(false);
});

test.each([
  ["at once", docker("exec sleep 5")],
  ["later", docker().replace("echo 'network=", "exec sleep 5; echo 'network=")],
])("a Docker that hangs %s keeps the facts that were reported before", (_, hanging) => {
  has("docker", hanging);
  rmSync(join(folder, "flock"));
  const told = facts();

  expect(told.get("missing")).toEqual(["flock"]);
  expect(told.has("availableMb")).toBe(true);
  expect(told.has("complete")).toBe(false);
});

test("names missing commands, and a sudo that asks for a password", () => {
  has("docker", docker());
  has("sudo", "echo 'sudo: a password\nis required' >&2; exit 1");
  rmSync(join(folder, "curl"));
  rmSync(join(folder, "flock"));
  const told = facts("yes");

  expect(told.get("missing")).toEqual(["curl", "flock"]);
  expect(told.get("sudoError")).toEqual(["sudo: a password is required"]);
  expect(told.has("complete")).toBe(true);
});
