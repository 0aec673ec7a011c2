import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { deploymentOf } from "../support/deployment";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { prepareHost, recover, summarize } from "../../pulumi/recovery";
import { parseSettings } from "../../config";

const container = "docker:index/container:Container";
const network = "docker:index/network:Network";

test("reads no resources from an empty stack", () => {
  expect(summarize({ deployment: { manifest: {} } })).toEqual({
    ids: [],
    overlays: [],
    containers: [],
    unfinished: [],
    undo: [],
    images: [],
    interrupted: false,
    hasOffsitePassword: false,
  });
});

test("reads the ids of containers, networks and images from the state", () => {
  const resources = [
    { type: "pulumi:pulumi:Stack" },
    { type: container, id: "c1", inputs: { name: "openclaw" } },
    { type: network, id: "n1", inputs: { name: "openclaw-net", driver: "bridge" } },
    { type: network, id: "n2", inputs: { name: "openclaw-hosts", driver: "overlay" } },
    { type: "docker:index/volume:Volume", id: "v1" },
    { type: "docker:index/remoteImage:RemoteImage", id: "sha256:aaopenclaw" },
  ];

  expect(summarize({ deployment: { resources } })).toEqual({
    ids: ["c1", "n1", "n2"],
    overlays: ["openclaw-hosts"],
    containers: [{ name: "openclaw", host: "" }],
    unfinished: [],
    undo: [],
    images: ["sha256:aaopenclaw"],
    interrupted: false,
    hasOffsitePassword: false,
  });
});

test("reads which resources a killed engine was creating, except data", () => {
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
    overlays: [],
    containers: [],
    unfinished: [{ name: "openclaw", host: "" }],
    undo: [
      { command: ["sh", "-s", "--", "remove"], stdin: "script" },
      { command: ["remove.sh", "base"], stdin: "" },
    ],
    images: [],
    interrupted: true,
    hasOffsitePassword: false,
  });
});

describe("recovery", () => {
  const path = process.env.PATH;
  let folder: string;
  const at = (...names: string[]) => join(folder, ...names);
  const locks = () => at("state/.pulumi/locks/organization/openclaw/dev");
  const containers = () => readdirSync(at("containers"));

  /** Replaces the engine, which has a stack's state and locks, and Docker, which has the container c2. */
  beforeEach(() => {
    jest.spyOn(console, "error").mockReturnValue();
    folder = mkdtempSync(join(tmpdir(), "openclaw-recovery-"));
    mkdirSync(locks(), { recursive: true });
    mkdirSync(at("containers"));
    writeFileSync(at("containers/c2"), "");
    writeFileSync(at("state.json"), state);
    program(
      "pulumi",
      `case $1 in
        cancel) rm ${locks()}/* ;;
        stack) if [ "$2" = import ]; then cat >${at("imported.json")}; else cat ${at("state.json")}; fi ;;
        refresh) exit "\${REFRESH-0}" ;;
      esac`,
    );
    docker("c2");
    process.env.PATH = `${folder}:${path ?? ""}`;
  });
  afterEach(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  });

  function program(name: string, text: string): void {
    writeFileSync(at(name), `#!/bin/sh\n${text}\n`, { mode: 0o700 });
  }
  /**
   * @param found what an inspection of the container prints
   * @param users ids of the containers on the network n2, which has the gateway's label
   */
  function docker(found: string, users?: string): void {
    program(
      "docker",
      `case $* in
        *inspect*) echo '${found}' ;;
        "network ls "*) ${users === undefined ? "" : "echo n2 dev/openclaw-net"} ;;
        "ps --all --quiet --filter network=n2") printf %s '${users ?? ""}' ;;
        "network rm n2") touch ${at("network-removed")} ;;
        "rm --force --volumes "*) rm ${at("containers")}/"$4" ;;
      esac`,
    );
  }
  const lock = (pid: number, host = hostname()) => {
    writeFileSync(join(locks(), `${pid.toString()}.json`), JSON.stringify({ pid, hostname: host }));
  };
  const opened = (env: Record<string, string> = {}, stateFolder?: string) => {
    const engine = { pulumi: at("pulumi"), env: { ...process.env, ...env }, stateFolder };
    const settings = parseSettings({ values: {}, encrypted: [] });
    return deploymentOf({ engine, stack: "dev", settings, target: {} });
  };
  const run = (env?: Record<string, string>, stateFolder: string | undefined = at("state")) =>
    recover(opened(env, stateFolder));

  const state = JSON.stringify({
    deployment: {
      pending_operations: [
        { type: "creating", resource: { type: container, inputs: { name: "openclaw" } } },
      ],
    },
  });

  test("changes nothing while an engine runs, and names its process", async () => {
    lock(9_999_999, "another-machine");

    await expect(run()).rejects.toThrow("Stack dev is in use (process 9999999 on another-machine)");
    expect(readdirSync(locks())).toEqual(["9999999.json"]);
    expect(containers()).toEqual(["c2"]);
  });

  test("releases a killed engine's lock, and removes the container that it was creating", async () => {
    lock(9_999_999);
    await run();

    expect(readdirSync(locks())).toEqual([]);
    expect(containers()).toEqual([]);
  });

  test("removes nothing if an engine uses the stack but its lock is not visible here", async () => {
    await expect(run({ REFRESH: "1" }, undefined)).rejects.toThrow("could not be cleared up");

    expect(containers()).toEqual(["c2"]);
  });

  test("does not begin on a host where Docker hangs, which the engine would wait for", async () => {
    program("docker", "case $1 in version) exit 124 ;; esac");

    await expect(run({ REFRESH: "1" })).rejects.toThrow(
      "openclaw:host: Docker does not answer: no reply within 30 s",
    );
    expect(containers()).toEqual(["c2"]);
  });

  test("ignores lock files that are incomplete or gone", async () => {
    appendFileSync(join(locks(), "half.json"), '{"pid": 1');
    symlinkSync("/no/such/lock", join(locks(), "gone.json"));
    writeFileSync(at("state.json"), '{"deployment":null}');

    expect((await run()).interrupted).toBe(false);
  });

  test("reads the state again that another engine was writing", async () => {
    program(
      "pulumi",
      `if [ ! -f ${at("read")} ]; then
        touch ${at("read")}; echo 'error: failed to load checkpoint: EOF' >&2; exit 1
      fi
      echo '{"deployment":null}'`,
    );

    expect((await run()).interrupted).toBe(false);
  });

  test("starts the stack's containers of a network between hosts that Docker left stopped", async () => {
    const resources = [
      {
        urn: "net",
        type: network,
        id: "n2",
        inputs: { name: "openclaw-hosts", driver: "overlay" },
      },
      { urn: "route", type: container, id: "c1", inputs: { name: "openclaw-bob-route" } },
    ];
    writeFileSync(at("state.json"), JSON.stringify({ deployment: { resources } }));
    const ofNetwork = "--filter status=exited --filter network=openclaw-hosts";
    program(
      "docker",
      `case $* in
        *"${ofNetwork}") echo c1; echo foreign ;;
        start*) echo "$2" >>${at("started")} ;;
      esac`,
    );
    await prepareHost(opened());

    expect(readFileSync(at("started"), "utf8")).toBe("c1\n");
  });

  describe("after a move that was killed", () => {
    const urn = (name: string) =>
      `urn:pulumi:dev::openclaw::openclaw:index:OpenClawStandalone$${container}::${name}`;
    const aside = { urn: urn("aside~openclaw-bob-container"), type: container, id: "c1" };
    const created = { urn: urn("openclaw-bob-container"), type: container, id: "c2" };

    const no = "echo 'No such container' >&2; exit 1";
    test.each([
      ["the old host has it", { c1: "echo c1", c2: "echo c2" }, ["c1"]],
      ["only the new host has it", { c1: no, c2: "echo c2" }, ["c2"]],
      ["neither has it", { c1: no, c2: no }, ["c1"]],
    ])("if %s, the state has it on one host", async (_, { c1, c2 }, ids) => {
      writeFileSync(
        at("state.json"),
        JSON.stringify({ deployment: { resources: [created, aside] } }),
      );
      program("docker", `case $* in *" c1") ${c1} ;; *" c2") ${c2} ;; esac`);

      expect((await run()).ids).toEqual(ids);
      expect(readFileSync(at("imported.json"), "utf8")).toContain(created.urn);
      expect(readFileSync(at("imported.json"), "utf8")).not.toContain("aside~");
    });

    test("nothing is decided if Docker does not answer", async () => {
      writeFileSync(
        at("state.json"),
        JSON.stringify({ deployment: { resources: [created, aside] } }),
      );
      program("docker", 'case $* in "container inspect"*) exit 1 ;; esac');

      expect((await run()).ids).toEqual(["c2", "c1"]);
      expect(existsSync(at("imported.json"))).toBe(false);
    });
  });

  describe("after the connection to the host was lost", () => {
    const made = [
      {
        urn: `urn:pulumi:dev::openclaw::${container}::openclaw-container`,
        type: container,
        id: "c1",
        provider: "docker",
        inputs: { name: "openclaw" },
      },
      {
        urn: "urn:pulumi:dev::openclaw::docker:index/remoteImage:RemoteImage::openclaw-image",
        type: "docker:index/remoteImage:RemoteImage",
        id: "sha256:aaopenclaw-kasm/gateway-dev:1",
      },
    ];

    test.each([
      ["removes a network that no container uses", "", true],
      ["keeps a network that a container uses", "c9", false],
    ])("%s, if neither network nor gateway is in the state", async (_, users, isRemoved) => {
      writeFileSync(at("state.json"), '{"deployment":null}');
      docker("", users);
      await run();

      expect(existsSync(at("network-removed"))).toBe(isRemoved);
      expect(existsSync(at("imported.json"))).toBe(false);
    });

    test("adds the gateway's network to the state, and knows it as the stack's own", async () => {
      writeFileSync(at("state.json"), JSON.stringify({ deployment: { resources: made } }));
      docker("", "c1");

      expect((await run()).ids).toEqual(["n2", "c1"]);
      expect(readFileSync(at("imported.json"), "utf8")).toContain('"id":"n2"');
      expect(existsSync(at("network-removed"))).toBe(false);
    });

    test.each([
      ["removes", "never started, of the stack's image, not in the state", "created sha256:aa c2"],
      ["keeps", "in the state", "created sha256:aa c1"],
      ["keeps", "of another image", "created sha256:bb c2"],
      ["keeps", "that runs", "running sha256:aa c2"],
      ["keeps", "of another name", ""],
    ])("%s a container %s", async (what, _, found) => {
      const id = found.split(" ")[2] ?? "c2";
      renameSync(at("containers/c2"), at("containers", id));
      writeFileSync(at("state.json"), JSON.stringify({ deployment: { resources: made } }));
      docker(found);
      await run();

      expect(containers()).toEqual(what === "keeps" ? [id] : []);
    });
  });
});

test("knows from the state whether the password of off-site backups was generated", () => {
  const urn = "urn:pulumi:dev::openclaw::random:index/randomPassword:RandomPassword::openclaw";
  const resource = (name: string) => ({
    urn: `${urn}${name}`,
    type: "random:index/randomPassword:RandomPassword",
  });
  const known = (name: string) =>
    summarize({ deployment: { resources: [resource(name)] } }).hasOffsitePassword;

  expect([known("-password"), known("-offsite-password")]).toEqual([false, true]);
});
