import { readFileSync } from "node:fs";
import { join } from "node:path";
import { httpsGet } from "../../dev/rig/https";
import type { Rig } from "../../dev/rig/rig";
import { outcome, Project, unchanged } from "../support/project";
import {
  kasmDirectory,
  kasmUrl,
  removeWorkerRig,
  startOtherHost,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(10 * 60_000);

const project = new Project();
const files = `${kasmDirectory}/current/conf/nginx/containers.d`;
let rigs: { kasm: Rig; two: Rig };
let addresses: { kasm: string; two: string };
let before: Record<string, string[]>[];

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "kasm", ...options);
const inventories = () => Promise.all([rigs.kasm, rigs.two].map((rig) => rig.inventory()));
const routes = (rig: Rig) => rig.exec(`ls ${files} | grep openclaw | tr '\\n' ' '`);
/** Status of both dashboards behind the nginx of one rig. */
const statusesOn = async (rig: Rig, passwords: Record<string, string> = {}) => {
  const ca = readFileSync(join(rig.folder, "ca.pem"));
  const url = `https://127.0.0.1:${rig.httpsPort.toString()}`;
  return await Promise.all(
    ["alice", "bob"].map(async (name) => {
      const login = Buffer.from(`admin:${passwords[name] ?? ""}`).toString("base64");
      const headers: Record<string, string> =
        passwords[name] === undefined ? {} : { authorization: `Basic ${login}` };
      return (await httpsGet(`${url}/openclaw/${name}/`, ca, headers)).status;
    }),
  );
};

function configure(route: object): void {
  project.settings("kasm", {
    host: rigs.kasm.host,
    hosts: { two: { ...rigs.two.host, privateAddress: addresses.two } },
    instances: ["alice", { name: "bob", host: "two" }],
    kasmUrl,
    kasmDirectory,
    nginxRoute: { mode: "path", ...route },
  });
}
const everywhere = () => ({ webServers: ["two"], privateAddress: addresses.kasm });

beforeAll(async () => {
  await project.checkout("light");
  const kasm = await startWorkerRig({ openclaw: "light" });
  const second = await startOtherHost("two", { openclaw: "light", kasm: true });
  rigs = { kasm, two: second.rig };
  const all = (await kasm.exec("hostname -I")).split(" ");
  addresses = {
    kasm:
      all.find((address) => address.startsWith(second.privateAddress.replace(/\d+$/, ""))) ?? "",
    two: second.privateAddress,
  };
  configure(everywhere());
  await project.pulumi("stack", "init", "kasm");
  before = await inventories();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

test("npm run up puts each route on each web server, and again changes nothing", async () => {
  expect(outcome(await run("up"))).toBe("ok");

  expect((await run("up")).text).toMatch(unchanged);
  expect(outcome(await run("preview", "--refresh", "--expect-no-changes"))).toBe("ok");
  const names = "docker ps --format '{{.Names}}' | grep ^openclaw | sort | tr '\\n' ' '";
  expect(await rigs.kasm.exec(names)).toBe(
    "openclaw-alice openclaw-alice-door openclaw-alice-route openclaw-bob-route",
  );
  expect(await rigs.two.exec(names)).toBe(
    "openclaw-alice-route openclaw-bob openclaw-bob-door openclaw-bob-route",
  );
});

test("both dashboards answer behind both, with their logins", async () => {
  const passwords = JSON.parse(await project.secretOutput("kasm", "password")) as Record<
    string,
    string
  >;

  for (const rig of [rigs.kasm, rigs.two]) {
    expect(await statusesOn(rig)).toEqual([401, 401]);
    expect(await statusesOn(rig, passwords)).toEqual([200, 200]);
  }
});

test("status reports the nginx of each web server, also one that lost its file", async () => {
  const checks = async () =>
    (
      JSON.parse((await run("status", "--json")).stdout) as {
        checks: { host?: string; instance?: string; name: string; state: string }[];
      }
    ).checks.flatMap(({ host, instance, name, state }) =>
      name === "KASM's nginx" ? [`${host ?? "kasm"} ${instance ?? ""} ${state}`] : [],
    );
  expect((await checks()).sort()).toEqual([
    ...["kasm alice ok", "kasm bob ok", "two alice ok", "two bob ok"],
  ]);

  await rigs.two.exec(`rm ${files}/openclaw-alice.conf`);
  expect((await checks()).sort()).toContain("two alice bad");
  expect(outcome(await run("up"))).toBe("ok");
  expect(await statusesOn(rigs.two)).toEqual([401, 401]);
});

test("up without a web server leaves it as it is, and changes the other", async () => {
  await rigs.two.exec(`rm ${files}/openclaw-alice.conf`);
  await rigs.kasm.exec(`rm ${files}/openclaw-alice.conf`);

  expect(outcome(await run("up", "--without", "two"))).toBe("ok");
  expect([await routes(rigs.kasm), await routes(rigs.two)]).toEqual([
    ...["openclaw-alice.conf openclaw-bob.conf", "openclaw-bob.conf"],
  ]);
  expect(outcome(await run("up"))).toBe("ok");
});

test("a gateway moves to a web server, and the routes follow", async () => {
  expect(outcome(await run("move", "bob", "openclaw:host"))).toBe("ok");
  expect(await statusesOn(rigs.kasm)).toEqual([401, 401]);
  expect(await statusesOn(rigs.two)).toEqual([401, 401]);

  expect(outcome(await run("move", "bob", "two"))).toBe("ok");
  expect(await statusesOn(rigs.two)).toEqual([401, 401]);
  expect(outcome(await run("preview", "--refresh", "--expect-no-changes"))).toBe("ok");
});

test("a web server that is not in the settings any more has no route, and the others go on", async () => {
  configure({});
  expect(outcome(await run("up"))).toBe("ok");

  expect(await routes(rigs.two)).toBe("");
  expect(await rigs.two.exec("docker ps --format '{{.Names}}' | grep -c -- -route || true")).toBe(
    "0",
  );
  expect(await statusesOn(rigs.kasm)).toEqual([401, 401]);
});

test("npm run down leaves both hosts as they were", async () => {
  configure(everywhere());
  expect(outcome(await run("up"))).toBe("ok");

  expect(outcome(await run("down", "--delete-data"))).toBe("ok");
  expect(await inventories()).toEqual(before);
});
