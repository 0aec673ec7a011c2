import type { Rig } from "../../dev/rig/rig";
import { makeKasmAnew } from "../support/kasmAnew";
import { KasmServer } from "../support/kasmServer";
import { outcome, Project, unchanged } from "../support/project";
import {
  kasmDirectory,
  kasmUrl,
  removeWorkerRig,
  startWorkerRig,
  workerPlace,
} from "../support/workerRig";

jest.setTimeout(15 * 60_000);

const project = new Project();
let rig: Rig;
let server: KasmServer;

// Other orders on each kind of server, twenty in all.
const first = workerPlace.flavour === "static" ? 1 : 11;

const up = () => project.run("up", "--stack", "kasm");

beforeAll(async () => {
  await project.checkout("light");
  rig = await startWorkerRig({ openclaw: "light" });
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

test.each(Array.from({ length: 10 }, (_, index) => first + index))(
  "after KASM is stopped, recreated and upgraded in the order of seed %d, the route answers without an up within 10 s",
  async (seed) => {
    await makeKasmAnew(rig, server, seed);
  },
);

test("a later up changes nothing", async () => {
  expect((await up()).text).toMatch(unchanged);
});
