import { limitsInForce, type Rig } from "../../dev/rig/rig";
import { KasmServer } from "../support/kasmServer";
import { outcome, Project, unchanged } from "../support/project";
import { kasmDirectory, kasmUrl, removeWorkerRig, startWorkerRig } from "../support/workerRig";

jest.setTimeout(5 * 60_000);

const instances = ["alice", "bob"];
const project = new Project();
let rig: Rig;
let before: Record<string, string[]>;
let passwords: Record<string, string>;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "kasm", ...options);
const currentPasswords = async () =>
  JSON.parse(await project.secretOutput("kasm", "password")) as Record<string, string>;
const statusOf = async (name: string, password?: string) => {
  const login = Buffer.from(`admin:${password ?? ""}`).toString("base64");
  const headers: Record<string, string> =
    password === undefined ? {} : { authorization: `Basic ${login}` };
  return await new KasmServer(rig, project).statusOf(`/openclaw/${name}/`, headers);
};

function configure(names: string[], plan = "small"): void {
  project.settings("kasm", {
    host: rig.host,
    kasmUrl,
    kasmDirectory,
    nginxRoute: { mode: "path" },
    plan,
    instances: names,
  });
}

beforeAll(async () => {
  await project.checkout("light");
  rig = await startWorkerRig({ openclaw: "light" });
  configure(instances);
  await project.pulumi("stack", "init", "kasm");
  before = await rig.inventory();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

test("npm run up waits for both and prints their addresses", async () => {
  const { text, exitCode } = await run("up");

  expect(text).toContain("OpenClaw is up.");
  for (const name of instances) {
    expect(text).toContain(`Instance      ${name}`);
    expect(text).toContain(`Dashboard     ${kasmUrl}/openclaw/${name}/`);
  }
  expect(exitCode).toBe(0);
  passwords = await currentPasswords();
});

test("a second npm run up changes nothing", async () => {
  expect((await run("up")).text).toMatch(unchanged);
});

test("each has half of the plan, and its own network, port and data", async () => {
  const format =
    '{{.Name}} {{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.NetworkMode}} {{range .Mounts}}{{.Source}}{{end}} {{(index (index .HostConfig.PortBindings "8080/tcp") 0).HostPort}}';
  const rows = await rig.exec(`docker inspect --format '${format}' openclaw-alice openclaw-bob`);

  expect(rows.split("\n")).toEqual([
    `/openclaw-alice 1000000000 ${2 ** 31} openclaw-net-alice /opt/openclaw-alice/data 8180`,
    `/openclaw-bob 1000000000 ${2 ** 31} openclaw-net-bob /opt/openclaw-bob/data 8181`,
  ]);
});

test("each accepts only its own login", async () => {
  const { alice, bob } = passwords;

  expect(alice).not.toBe(bob);
  expect(await statusOf("alice")).toBe(401);
  expect([await statusOf("alice", alice), await statusOf("bob", bob)]).toEqual([200, 200]);
  expect([await statusOf("alice", bob), await statusOf("bob", alice)]).toEqual([401, 401]);
});

test("status reports each, logs and rotate work on one", async () => {
  const { stdout } = await project.wellStatus("--stack", "kasm", "--json");
  const { ok, checks } = JSON.parse(stdout) as {
    ok: boolean;
    checks: { instance?: string; name: string; value: string }[];
  };
  expect(ok).toBe(true);
  for (const instance of instances) {
    expect(checks).toContainEqual({ instance, name: "gateway", value: "ready", state: "ok" });
  }

  expect((await run("logs")).text).toContain("--instance with one of alice, bob");
  expect((await run("logs", "--instance", "bob")).text).toContain("dashboard at /openclaw/bob/");

  const rotated = await run("rotate", "password", "-i", "bob");
  expect(outcome(rotated)).toBe("ok");
  const now = await currentPasswords();
  expect(now.alice).toBe(passwords.alice);
  expect([await statusOf("bob", passwords.bob), await statusOf("bob", now.bob)]).toEqual([
    401, 200,
  ]);
  expect(await statusOf("alice", now.alice)).toBe(200);
});

test("removing an instance from the settings deletes it, and keeps its data and the other instance", async () => {
  configure(["alice"]);
  expect(outcome(await run("up"))).toBe("ok");

  expect(await statusOf("alice", passwords.alice)).toBe(200);
  expect(await rig.exec("docker ps --all --format '{{.Names}}'")).not.toContain("openclaw-bob");
  expect(await rig.exec("ls /opt/openclaw-bob")).toBe("data");
  expect(await rig.exec(`ls ${kasmDirectory}/current/conf/nginx/containers.d`)).toBe(
    "openclaw-alice.conf",
  );
  await rig.exec("rm -r /opt/openclaw-bob");
});

test("the remaining one has the whole plan, and its route's container has its own limit", async () => {
  expect(await limitsInForce(rig, "openclaw-alice")).toEqual({
    "openclaw-alice": { cores: 2, memoryGb: 4 },
    "openclaw-alice-route": { cores: 1, memoryGb: 0.125 },
  });
});

test("down leaves nothing", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");

  expect(await rig.inventory()).toEqual(before);
});
