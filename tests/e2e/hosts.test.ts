import type { Rig } from "../../dev/rig/rig";
import { docker } from "../support/docker";
import { KasmServer } from "../support/kasmServer";
import { outcome, Project, unchanged } from "../support/project";
import {
  containerOf,
  kasmDirectory,
  kasmUrl,
  removeWorkerRig,
  startOtherHost,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(10 * 60_000);

const project = new Project();
let rigs: { kasm: Rig; two: Rig };
let privateAddress: string;
let before: Record<string, string[]>[];
/** How long status takes if all hosts answer. */
let ordinarySeconds: number;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "kasm", ...options);
const inventories = () => Promise.all([rigs.kasm, rigs.two].map((rig) => rig.inventory()));
const statusOf = async (name: string, password?: string) => {
  const login = Buffer.from(`admin:${password ?? ""}`).toString("base64");
  const headers: Record<string, string> =
    password === undefined ? {} : { authorization: `Basic ${login}` };
  return await new KasmServer(rigs.kasm, project).statusOf(`/openclaw/${name}/`, headers);
};

interface Check {
  readonly host?: string;
  readonly instance?: string;
  readonly name: string;
  readonly value: string;
  readonly state: string;
}
const checksIn = (stdout: string) => (JSON.parse(stdout) as { checks: Check[] }).checks;

beforeAll(async () => {
  await project.checkout("light");
  const kasm = await startWorkerRig({ openclaw: "light" });
  const second = await startOtherHost("two", { openclaw: "light" });
  privateAddress = second.privateAddress;
  rigs = { kasm, two: second.rig };
  project.settings("kasm", {
    host: kasm.host,
    hosts: { two: { ...second.rig.host, privateAddress } },
    instances: ["alice", { name: "bob", host: "two" }],
    kasmUrl,
    kasmDirectory,
    nginxRoute: { mode: "path" },
  });
  await project.pulumi("stack", "init", "kasm");
  before = await inventories();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

test("npm run up deploys each gateway to its host, and again changes nothing", async () => {
  const logins = async () => [await rigs.kasm.sshConnections(), await rigs.two.sshConnections()];
  const [kasm = 0, two = 0] = await logins();
  expect(outcome(await run("up"))).toBe("ok");
  expect(await logins()).toEqual([kasm + 1, two + 1]);

  expect((await run("up")).text).toMatch(unchanged);
  expect(outcome(await run("preview", "--refresh", "--expect-no-changes"))).toBe("ok");
  const names = "docker ps --format '{{.Names}}' | grep ^openclaw | sort";
  expect(await rigs.kasm.exec(names)).toBe(
    "openclaw-alice\nopenclaw-alice-route\nopenclaw-bob-route",
  );
  expect(await rigs.two.exec(names)).toBe("openclaw-bob\nopenclaw-bob-door");
});

test("both dashboards answer behind KASM, each to its own login", async () => {
  const { alice = "", bob = "" } = JSON.parse(
    await project.secretOutput("kasm", "password"),
  ) as Record<string, string>;

  expect([await statusOf("alice"), await statusOf("bob")]).toEqual([401, 401]);
  expect([await statusOf("alice", alice), await statusOf("bob", bob)]).toEqual([200, 200]);
});

test("the door of the gateway elsewhere is open at the private address only, and to no other client", async () => {
  const door = `${privateAddress}:8181`;
  const ports = await rigs.two.exec(
    "docker inspect --format '{{json .NetworkSettings.Ports}}' openclaw-bob-door",
  );
  const ask = (scheme: string) =>
    rigs.kasm.tryExec(`curl --insecure --silent --show-error --max-time 5 ${scheme}://${door}/`);

  expect(
    Object.values(JSON.parse(ports) as object)
      .flat()
      .filter(Boolean),
  ).toEqual([{ HostIp: privateAddress, HostPort: "8181" }]);
  for (const scheme of ["https", "http"]) {
    const { exitCode, stdout } = await ask(scheme);
    expect([exitCode === 0, stdout]).toEqual([false, ""]);
  }
});

test("no private key is in the state or in what Docker shows", async () => {
  const shown = await rigs.kasm.exec("docker inspect openclaw-bob-route");
  const door = await rigs.two.exec("docker inspect openclaw-bob-door");
  const { stdout: state } = await project.run("pulumi", "stack", "export", "--stack", "kasm");

  expect(state).toContain("BEGIN CERTIFICATE");
  expect([shown, door, state].map((text) => text.includes("PRIVATE KEY"))).toEqual([
    ...[false, false, false],
  ]);
});

test("commands for a gateway take their way by its host", async () => {
  const start = Date.now();
  await run("status");
  ordinarySeconds = (Date.now() - start) / 1000;
  expect(checksIn((await project.wellStatus("--stack", "kasm", "--json")).stdout)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ instance: "bob", name: "container", state: "ok" }),
      expect.objectContaining({ instance: "bob", name: "address", state: "ok" }),
      expect.objectContaining({ host: "two", name: "gateway image" }),
    ]) as unknown,
  );
  expect(outcome(await run("logs", "--instance", "bob"))).toBe("ok");
  expect(outcome(await run("backup", "--instance", "bob", "--output", "bob.tar.gz"))).toBe("ok");
  expect(outcome(await run("restore", "--instance", "bob", "bob.tar.gz"))).toBe("ok");
});

describe("while the second host does not answer", () => {
  beforeAll(() => docker("pause", containerOf("two")));
  afterAll(() => docker("unpause", containerOf("two")));

  test("status names it within 5 s, and reports all others as ever", async () => {
    const start = Date.now();
    const { stdout, exitCode } = await run("status", "--json");
    const seconds = (Date.now() - start) / 1000;
    const checks = checksIn(stdout);

    expect(exitCode).toBe(1);
    expect(checks.filter(({ state }) => state === "bad")).toEqual([
      {
        host: "two",
        name: "server",
        state: "bad",
        value: expect.stringContaining("no answer within 2.5 s") as unknown,
      },
    ]);
    expect(checks).toContainEqual(
      expect.objectContaining({ instance: "alice", name: "gateway", state: "ok" }),
    );
    expect(checks.filter(({ instance }) => instance === "bob")).toEqual([]);
    // A machine that is busy with other tests takes longer for any status.
    expect(seconds).toBeLessThan(Math.max(5, ordinarySeconds * 2));
  });

  test("up is refused, and without that host changes the others only", async () => {
    const resources = async () =>
      (await project.run("pulumi", "stack", "--show-urns", "--stack", "kasm")).stdout
        .match(/urn:\S+/g)
        ?.sort();
    const known = await resources();
    expect((await run("up")).text).toContain("openclaw:hosts.two: ");
    await rigs.kasm.exec("docker rm -f openclaw-alice");

    expect(outcome(await run("up", "--without", "two"))).toBe("ok");
    expect(await statusOf("alice")).toBe(401);
    expect(await resources()).toEqual(known);
  });
});

test("npm run down leaves both hosts as they were", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");

  expect(await inventories()).toEqual(before);
});
