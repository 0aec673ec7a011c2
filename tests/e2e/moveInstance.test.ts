import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { $ } from "zx";
import type { Rig } from "../../dev/rig/rig";
import { docker, eventually, pause, pausing } from "../support/docker";
import { KasmServer } from "../support/kasmServer";
import { outcome, Project, refusal, unchanged } from "../support/project";
import { rigSettings } from "../support/rigSettings";
import {
  kasmDirectory,
  kasmUrl,
  kasmVersion,
  removeWorkerRig,
  containerOf,
  startOtherHost,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(10 * 60_000);

// The tests build on each other, as the life of a stack does.
const project = new Project();
const stack = "rig";
let rigs: { kasm: Rig; two: Rig };
let before: Record<string, string[]>[];
let passwords: string;

type Place = keyof typeof rigs;
const words: Record<Place, string> = { kasm: "openclaw:host", two: "two" };
const other = (place: Place): Place => (place === "kasm" ? "two" : "kasm");

const run = (command: string, ...options: string[]) =>
  project.run(command, ...options, "--stack", stack);
const inventories = () => Promise.all([rigs.kasm, rigs.two].map((rig) => rig.inventory()));
const hosts = () => Object.keys(rigs) as Place[];

/** The hosts with the gateway's container, running or not. */
async function placesOf(...filters: string[]): Promise<Place[]> {
  const list = `docker ps --all --filter name='^openclaw-bob$' ${filters.join(" ")} --quiet`;
  const found = await Promise.all(
    hosts().map(async (place) => ((await rigs[place].exec(list)) === "" ? [] : [place])),
  );
  return found.flat();
}

/** Writes a line to the gateway's data as its agents do. */
const write = (place: Place, line: string) =>
  rigs[place].exec(
    `docker exec --user node openclaw-bob sh -c 'echo ${line} >>/data/lines && chmod 600 /data/lines'`,
  );
const lines = async (place: Place) =>
  (await rigs[place].exec("docker exec --user node openclaw-bob cat /data/lines")).split("\n");

async function routeStatus(): Promise<number> {
  const { bob = "" } = JSON.parse(passwords) as Record<string, string>;
  const authorization = `Basic ${Buffer.from(`admin:${bob}`).toString("base64")}`;
  return await new KasmServer(rigs.kasm, project).statusOf("/openclaw/bob/", { authorization });
}

/** What bob's tile opens in a session's browser. */
const tileAddress = async () =>
  /"(?:OPENCLAW_URL|LAUNCH_URL|KASM_URL)": ?"([^"]+)"/.exec(
    await rigs.kasm.sql("SELECT run_config FROM images WHERE friendly_name LIKE '%bob%'"),
  )?.[1];

const settingsNow = () =>
  (
    parse(readFileSync(join(project.folder, `Pulumi.${stack}.yaml`), "utf8")) as {
      config: Record<string, unknown>;
    }
  ).config["openclaw:instances"];

/** Expects that bob is on one host, whole, behind KASM, and that nothing of it is on the other one. */
async function expectOn(place: Place, written: readonly string[]): Promise<void> {
  expect(await placesOf()).toEqual([place]);
  expect(await placesOf("--filter status=running")).toEqual([place]);
  expect(await lines(place)).toEqual(written);
  expect(await project.secretOutput(stack, "password")).toBe(passwords);
  expect(await routeStatus()).toBe(200);
  expect(await rigs[other(place)].exec("ls -A /opt | grep openclaw-bob || true")).toBe("");
  expect(settingsNow()).toEqual(["alice", place === "two" ? { name: "bob", host: "two" } : "bob"]);
}

beforeAll(async () => {
  await project.checkout("light");
  const kasm = await startWorkerRig({ openclaw: "light" });
  const second = await startOtherHost("two", { openclaw: "light" });
  rigs = { kasm, two: second.rig };
  await kasm.exec(`docker tag kasmweb/session-like:1.17.0 kasmweb/chrome:${kasmVersion}`);
  cpSync(kasm.folder, join(project.folder, ".build/rig", kasm.name), { recursive: true });
  const { workspaces: _, kasmImage: __, ...rest } = rigSettings(kasm);
  project.settings(stack, {
    ...rest,
    kasmDirectory,
    kasmUrl,
    hosts: { two: { ...second.rig.host, privateAddress: second.privateAddress } },
    instances: ["alice", "bob"],
    workspaces: { browser: {} },
  });
  await project.pulumi("stack", "init", stack);
  before = await inventories();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

test("refuses what can't be moved before anything changes", async () => {
  expect(refusal(await run("move", "bob", "two"))).toContain("npm run up");
  expect(outcome(await run("up"))).toBe("ok");
  passwords = await project.secretOutput(stack, "password");
  await write("kasm", "first");
  const started = () =>
    rigs.kasm.exec("docker inspect --format '{{.State.StartedAt}}' openclaw-bob");
  const since = await started();

  expect(refusal(await run("move", "carol", "two"))).toContain("no instance carol");
  expect(refusal(await run("move", "bob", "three"))).toContain("no host three");
  expect(refusal(await run("move", "bob", "openclaw:host"))).toContain("already");
  expect(refusal(await run("move", "bob", "two", "--from-backup"))).toContain(
    "no backup is needed",
  );
  expect(await started()).toBe(since);
});

test("moves a gateway with its data to the other host and back, with route and tile", async () => {
  expect(await tileAddress()).toContain("host.docker.internal");
  expect(outcome(await run("move", "bob", "two"))).toBe("ok");
  await expectOn("two", ["first"]);
  expect(await tileAddress()).toContain("/openclaw/bob/");
  expect((await run("up")).text).toMatch(unchanged);
  await project.wellStatus("--stack", stack);
  await write("two", "second");

  expect(outcome(await run("move", "bob", "openclaw:host"))).toBe("ok");
  await expectOn("kasm", ["first", "second"]);
  expect(await tileAddress()).toContain("host.docker.internal");
  expect((await run("up")).text).toMatch(unchanged);
  const archives = readdirSync(join(project.folder, "state/openclaw-kasm/backups", stack));
  expect(archives).toEqual([
    expect.stringMatching(/^rig-moved-bob-.*\.tar\.gz$/),
    expect.stringMatching(/^rig-moved-bob-.*\.tar\.gz$/),
  ]);
});

/** The hosts with a gateway that answers. */
async function serving(): Promise<Place[]> {
  const ask = "docker exec openclaw-bob curl -fsS --max-time 4 -o /dev/null 127.0.0.1:8080/healthz";
  const asked = hosts().map((place) => rigs[place].tryExec(ask));
  const answers = (await Promise.all(asked)).map(({ exitCode }) => exitCode === 0);
  return hosts().filter((_, index) => answers[index]);
}

/** Waits until that host serves and no other: a new one's gateway may answer, behind no route, just before it is removed. */
const servesAlone = (place: Place, what: string) =>
  eventually(`${what}: ${place} serves alone`, serving, (places) => places.join() === place);

type Victim = "the command" | "its process group";

/** Starts a move, and ends it with its engine or without as soon as it says that it is at a step. */
async function killAt(
  step: RegExp,
  to: Place,
  victim: Victim,
  signal: "SIGKILL" | "SIGINT" = "SIGKILL",
  ...options: string[]
): Promise<void> {
  const running = project.start("move", "bob", words[to], "--stack", stack, ...options);
  let said = "";
  const kill = () => {
    const pid = running.pid ?? 0;
    process.kill(victim === "the command" ? pid : -pid, signal);
  };
  const look = (chunk: Buffer) => {
    const wasThere = step.test(said);
    said += chunk.toString();
    if (!wasThere && step.test(said)) {
      kill();
    }
  };
  running.stdout.on("data", look);
  running.stderr.on("data", look);
  // Of an engine that goes on it is the end too.
  const { exitCode } = await running;
  const expected = signal === "SIGINT" ? 130 : null;
  expect([step.test(said) || said, exitCode]).toEqual([true, expected]);
}

describe("killed at a step of its own", () => {
  const steps: [RegExp, Victim][] = [
    [/Stopping openclaw-bob/, "its process group"],
    [/Saving the data/, "the command"],
    [/Putting the data in place/, "its process group"],
  ];
  // Some on the way from KASM's host, and some on the way back.
  const engineSteps: [RegExp, Victim][] = [
    [/Updating \(/, "its process group"],
    [/openclaw-bob-container creating/, "the command"],
    [/openclaw-bob-container creating/, "its process group"],
    [/openclaw-bob-ready creating/, "its process group"],
  ];

  test.each<[Place, [RegExp, Victim][]]>([
    ["kasm", [...steps, ...engineSteps.slice(0, 2)]],
    ["two", engineSteps.slice(2)],
  ])(
    "on %s serves again by itself as long as it has not given the gateway away, and the next move takes what was written since",
    async (from, all) => {
      const written = await lines(from);
      for (const [index, [step, victim]] of all.entries()) {
        await killAt(step, other(from), victim);
        await servesAlone(from, `${String(step)} of ${victim}`);
        expect(await routeStatus()).toBe(200);
        const line = `killed-${from}-${index.toString()}`;
        await write(from, line);
        written.push(line);
      }

      expect(outcome(await run("move", "bob", words[other(from)]))).toBe("ok");
      await expectOn(other(from), written);
    },
  );

  test.each<[RegExp, Victim]>([
    [/Giving bob to.*Updating \(/s, "the command"],
    [/Giving bob to.*openclaw-bob-route-forwarder creating/s, "its process group"],
    [/Deleting OpenClaw's data/, "its process group"],
  ])("after that, at %s of %s, one serves, and the next move ends it", async (step, victim) => {
    const [from = "kasm"] = await placesOf();
    const written = await lines(from);

    await killAt(step, other(from), victim);
    // Where the new host's gateway answered and was not given the data, that is removed and the old one starts.
    const found = await eventually(
      "one host serves with its data",
      async () => {
        const [place, ...others] = await serving();
        const isAlone = place !== undefined && others.length === 0;
        return isAlone ? await lines(place).catch(() => undefined) : undefined;
      },
      (seen) => seen !== undefined,
    );
    expect(found).toEqual(written);
    expect(outcome(await run("move", "bob", words[other(from)]))).toBe("ok");
    await expectOn(other(from), written);
  });

  test("Ctrl-C is no other end: the old host serves, and up leaves the gateway there; or up ends the move", async () => {
    const [from = "kasm"] = await placesOf();
    const written = await lines(from);

    await killAt(/openclaw-bob-container creating/, other(from), "its process group", "SIGINT");
    await servesAlone(from, "Ctrl-C");
    expect(outcome(await run("up"))).toBe("ok");
    expect(await lines(from)).toEqual(written);
    await killAt(/Giving bob to.*Updating \(/s, other(from), "its process group");
    expect(outcome(await run("up"))).toBe("ok");
    await run("move", "bob", words[other(from)]);
    await expectOn(other(from), written);
  });
});

test("a gateway that does not come up on the new host is on the old one as before", async () => {
  const [from = "kasm"] = await placesOf();
  const written = await lines(from);
  const started = () =>
    rigs[from].exec("docker inspect --format '{{.Id}} {{.Created}}' openclaw-bob");
  const before = await started();
  await project.setTimeLimit(stack, 15);
  const settings = settingsNow();

  // Halted, it neither answers nor ends.
  const halt = () => rigs[other(from)].exec(pausing("openclaw-bob"));
  const [end] = await project.actAt(
    /openclaw-bob-ready creating/,
    halt,
    ...["move", "bob", words[other(from)], "--stack", stack],
  );
  expect(refusal(end)).toContain(`bob was not moved: it is on`);
  expect(refusal(end)).toMatch(/Its log is in \S+openclaw-bob-move-\S+\.log/);
  expect(await started()).toBe(before);
  expect(settingsNow()).toEqual(settings);
  await project.pulumi("config", "rm", "openclaw:readyTimeoutSeconds", "--stack", stack);
  await expectOn(from, written);
  expect((await run("up")).text).toMatch(unchanged);
});

describe("from a host that is lost", () => {
  let written: string[];

  beforeAll(async () => {
    const [place] = await placesOf();
    if (place === "kasm") {
      expect(outcome(await run("move", "bob", "two"))).toBe("ok");
    }
    written = await lines("two");
    expect(outcome(await run("backup", "--instance", "bob"))).toBe("ok");
    await write("two", "after-the-backup");
    await pause(containerOf("two"));
  });
  afterAll(() => docker("unpause", containerOf("two")).catch(() => undefined));

  test("the gateway comes back on another one with its last backup, and the command is told by the plain one", async () => {
    expect(refusal(await run("move", "bob", "openclaw:host"))).toContain("--from-backup");
    await killAt(/Putting the data/, "kasm", "its process group", "SIGKILL", "--from-backup");
    expect(outcome(await run("move", "bob", "openclaw:host", "--from-backup"))).toBe("ok");

    expect(await lines("kasm")).toEqual(written);
    expect(await project.secretOutput(stack, "password")).toBe(passwords);
    expect(await routeStatus()).toBe(200);
    expect(outcome(await run("up", "--without", "two"))).toBe("ok");
  });

  test("once that host is back, status names the old gateway, up removes it, and a move saves its data", async () => {
    await docker("unpause", containerOf("two"));
    const status = await eventually(
      "status names what is left",
      () => run("status", "--json"),
      ({ stdout }) => stdout.includes("left behind"),
    );
    expect(JSON.parse(status.stdout)).toMatchObject({
      ok: false,
      checks: expect.arrayContaining([
        expect.objectContaining({ instance: "bob", host: "two", state: "bad" }),
      ]) as unknown,
    });

    const { text, exitCode } = await run("up");
    expect([exitCode, text]).toEqual([0, expect.stringContaining("Removed openclaw-bob")]);
    expect(await placesOf()).toEqual(["kasm"]);
    expect(await rigs.two.exec("ls /opt")).toContain("openclaw-bob");

    const move = await run("move", "bob", "openclaw:host");
    expect(outcome(move)).toBe("ok");
    const [archive = ""] = /\S+rig-left-bob\S+/.exec(move.stdout) ?? [];
    const { stdout } = await $({ quiet: true })`tar -xzOf ${archive} data/lines`;
    expect(stdout.trim().split("\n")).toEqual([...written, "after-the-backup"]);
    await expectOn("kasm", written);
    await project.wellStatus("--stack", stack);
  });
});

test("npm run down leaves both hosts as they were", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");

  expect(await inventories()).toEqual(before);
});
