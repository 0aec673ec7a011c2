import type { Rig } from "../../dev/rig/rig";
import { makeKasmAnew } from "../support/kasmAnew";
import { KasmServer } from "../support/kasmServer";
import { outcome, Project, unchanged } from "../support/project";
import { kasmDirectory, kasmUrl, removeWorkerRig, startWorkerRig } from "../support/workerRig";

jest.setTimeout(15 * 60_000);

const project = new Project();
let rig: Rig;
let server: KasmServer;

const up = () => project.run("up", "--stack", "kasm");

beforeAll(async () => {
  await project.checkout("real");
  rig = await startWorkerRig({});
  server = new KasmServer(rig, project);
  project.settings("kasm", {
    host: rig.host,
    kasmUrl,
    kasmDirectory,
    nginxRoute: { mode: "path" },
    memoryMb: 2048,
  });
  expect(outcome(await up())).toBe("ok");
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

test.each(Array.from({ length: 20 }, (_, index) => index + 1))(
  "after KASM is stopped, recreated and upgraded in the order of seed %d, the route answers without an up within 10 s",
  async (seed) => {
    await makeKasmAnew(rig, server, seed);
  },
);

test("a later up changes nothing", async () => {
  expect((await up()).text).toMatch(unchanged);
});
