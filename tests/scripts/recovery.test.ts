import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Deployment } from "../../commands/deployment";
import { recover, summarize } from "../../commands/recovery";
import { parseSettings } from "../../settings";

const container = "docker:index/container:Container";
const network = "pulumi-nodejs:dynamic/openclaw:Network";

test("an empty stack has nothing", () => {
  expect(summarize({ deployment: { manifest: {} } })).toEqual({
    ids: [],
    unfinished: [],
    undo: [],
    images: [],
    interrupted: false,
  });
});

test("containers, networks and images are the stack's own by their ids, other resources are not of interest", () => {
  const resources = [
    { type: "pulumi:pulumi:Stack" },
    { type: container, id: "c1", inputs: { name: "openclaw" } },
    { type: network, id: "dev/openclaw-net" },
    { type: "docker:index/volume:Volume", id: "v1" },
    { type: "docker:index/remoteImage:RemoteImage", id: "sha256:aaopenclaw" },
  ];

  expect(summarize({ deployment: { resources } })).toEqual({
    ids: ["c1", "dev/openclaw-net"],
    unfinished: [],
    undo: [],
    images: ["sha256:aaopenclaw"],
    interrupted: false,
  });
});

test("what an engine was making when it was killed, but for data", () => {
  const pending_operations = [
    { type: "creating", resource: { type: container, inputs: { name: "openclaw" } } },
    { type: "creating", resource: { type: "command:local:Command", inputs: {} } },
    {
      type: "creating",
      resource: {
        type: "pulumi-nodejs:dynamic/openclaw:HostState",
        inputs: { remove: ["sh", "-s", "--", "remove"], stdin: "script", expected: "x" },
      },
    },
    {
      type: "creating",
      resource: { type: network, inputs: { remove: ["sh"], stdin: "its script", expected: "y" } },
    },
    {
      type: "creating",
      resource: {
        type: "pulumi-nodejs:dynamic/openclaw:BaseImage",
        inputs: { remove: ["remove.sh", "base"], stdin: "", expected: "base" },
      },
    },
    {
      type: "creating",
      resource: {
        type: "pulumi-nodejs:dynamic/openclaw:DataDirectory",
        inputs: { remove: ["sh", "-s", "--", "remove"], stdin: "REMOVE_DATA='true'" },
      },
    },
    { type: "deleting", resource: { type: container, id: "c1", inputs: { name: "openclaw" } } },
  ];

  expect(summarize({ deployment: { resources: [], pending_operations } })).toEqual({
    ids: [],
    unfinished: ["openclaw"],
    undo: [
      { command: ["sh", "-s", "--", "remove"], stdin: "script" },
      { command: ["sh"], stdin: "its script" },
      { command: ["remove.sh", "base"], stdin: "" },
    ],
    images: [],
    interrupted: true,
  });
});

describe("recovery", () => {
  const path = process.env.PATH;
  let folder: string;
  const at = (...names: string[]) => join(folder, ...names);
  const locks = () => at("state/.pulumi/locks/organization/openclaw/dev");

  /** Puts programs in place of the engine and of Docker, which note what they are asked and answer as a test says. */
  beforeEach(() => {
    jest.spyOn(console, "error").mockReturnValue();
    folder = mkdtempSync(join(tmpdir(), "openclaw-recovery-"));
    mkdirSync(locks(), { recursive: true });
    program(
      "pulumi",
      `case $1 in stack) cat ${at("state.json")} ;; refresh) exit "\${REFRESH-0}" ;; esac`,
    );
    program("docker", `case $1 in inspect) echo c2 ;; esac`);
    process.env.PATH = `${folder}:${path ?? ""}`;
    writeFileSync(at("state.json"), state);
  });
  afterEach(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  });

  function program(name: string, text: string): void {
    writeFileSync(at(name), `#!/bin/sh\necho "${name} $*" >>${at("asked")}\n${text}\n`, {
      mode: 0o700,
    });
  }
  const asked = () => (existsSync(at("asked")) ? readFileSync(at("asked"), "utf8") : "");
  const lock = (pid: number, host = hostname()) => {
    writeFileSync(join(locks(), `${pid.toString()}.json`), JSON.stringify({ pid, hostname: host }));
  };
  const run = (env: Record<string, string> = {}, stateFolder: string | undefined = at("state")) => {
    const engine = { pulumi: at("pulumi"), env: { ...process.env, ...env }, stateFolder };
    const settings = parseSettings({ values: {}, encrypted: [] });
    return recover({ engine, stack: "dev", settings, target: {} } satisfies Deployment);
  };

  const state = JSON.stringify({
    deployment: {
      pending_operations: [
        { type: "creating", resource: { type: container, inputs: { name: "openclaw" } } },
      ],
    },
  });

  test("an engine at work is left alone", async () => {
    lock(9_999_999, "another-machine");

    await expect(run()).rejects.toThrow("Stack dev is in use (process 9999999 on another-machine)");
    expect(asked()).toBe("");
  });

  test("a killed engine's lock is released, and what it was making goes", async () => {
    lock(9_999_999);
    await run();

    expect(asked()).toMatch(/^pulumi cancel [^]*docker rm --force --volumes c2/);
  });

  test("where another engine has the stack, unseen from here, nothing is taken away", async () => {
    await expect(run({ REFRESH: "1" }, undefined)).rejects.toThrow("could not be cleared up");

    expect(asked()).toContain("pulumi refresh");
    expect(asked()).not.toContain("docker rm");
  });

  test("locks that are half written or gone by now are no locks", async () => {
    appendFileSync(join(locks(), "half.json"), '{"pid": 1');
    symlinkSync("/no/such/lock", join(locks(), "gone.json"));
    writeFileSync(at("state.json"), '{"deployment":null}');

    expect((await run()).interrupted).toBe(false);
  });

  describe("after the way to the host was cut off", () => {
    const made = [
      { type: container, id: "c1", inputs: { name: "openclaw" } },
      {
        type: "docker:index/remoteImage:RemoteImage",
        id: "sha256:aaopenclaw-kasm/gateway-dev:1",
      },
    ];
    const removals = () => asked().match(/^docker rm .*/gm) ?? [];

    test.each([
      ["never started, of the stack's image, in no state", "created sha256:aa c2", ["c2"]],
      ["in the state", "created sha256:aa c1", []],
      ["of another image", "created sha256:bb c2", []],
      ["that runs", "running sha256:aa c2", []],
      ["that is not there", "", []],
    ])("a container %s", async (_, said, gone) => {
      writeFileSync(at("state.json"), JSON.stringify({ deployment: { resources: made } }));
      program("docker", `case $* in *' container '*) echo '${said}' ;; esac`);
      await run();

      expect(removals()).toEqual(gone.map((id) => `docker rm --force --volumes ${id}`));
    });
  });
});
