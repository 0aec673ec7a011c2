import { cpSync } from "node:fs";
import { join } from "node:path";
import { limitsInForce, type Rig } from "../../dev/rig/rig";
import { outcome, Project } from "../support/project";
import { rigSettings } from "../support/rigSettings";
import {
  inventoryWithoutProfiles,
  kasmDirectory,
  kasmUrl,
  removeWorkerRig,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(15 * 60_000);

const project = new Project();
let rig: Rig;
let before: Record<string, string[]>;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "kasm", ...options);
const aBrowser = { "openclaw-alice-browser": { cores: 1, memoryGb: 2 } };
const forwarder = { "openclaw-alice-route": { cores: 1, memoryGb: 0.125 } };

function configure(plan: string, more: Record<string, unknown> = {}): void {
  project.settings("kasm", {
    host: rig.host,
    kasmUrl,
    kasmDirectory,
    nginxRoute: { mode: "path" },
    plan,
    instances: ["alice"],
    ...more,
  });
}

beforeAll(async () => {
  await project.checkout("light");
  // Ten desktops and a gateway ask for 18 cores.
  rig = await startWorkerRig({ openclaw: "light", cores: 24 });
  cpSync(rig.folder, join(project.folder, ".build/rig", rig.name), { recursive: true });
  configure("large");
  await project.pulumi("stack", "init", "kasm");
  await rig.addCoreImage();
  before = await rig.inventory();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

test("plan large: its limits are in force, and the gateway reaches its browser", async () => {
  expect(outcome(await run("up"))).toBe("ok");

  expect(await limitsInForce(rig, "openclaw-alice")).toEqual({
    "openclaw-alice": { cores: 8, memoryGb: 16 },
    ...aBrowser,
    ...forwarder,
  });

  // Chromium answers to localhost and to addresses only.
  const ask = "curl -fsS --header host:localhost http://openclaw-alice-browser:9222/json/version";
  expect(await rig.exec(`docker exec openclaw-alice ${ask}`)).toContain("Chrome/");
});

test.each([
  ["medium", { "openclaw-alice": { cores: 4, memoryGb: 8 }, ...aBrowser }],
  ["small", { "openclaw-alice": { cores: 2, memoryGb: 4 } }],
])("plan %s: its limits are in force", async (plan, limits) => {
  configure(plan);
  expect(outcome(await run("up"))).toBe("ok");

  expect(await limitsInForce(rig, "openclaw-alice")).toEqual({ ...limits, ...forwarder });
});

test.each([
  ["one", {}, { cores: 2, memoryGb: 4.096e9 / 2 ** 30 }],
  ["five", {}, { cores: 2, memoryGb: 4.096e9 / 2 ** 30 }],
  // The memory of ten is more than the machine of these tests may have.
  ["ten", { memoryMb: 2048 }, { cores: 1.6, memoryGb: 2.048e9 / 2 ** 30 }],
])("a desktop of plan %s has its limits in force", async (desktopPlan, desktop, limits) => {
  const { kasmApiKeyFile, kasmCaFile, kasmImage } = rigSettings(rig);
  const shared = { kasmApiKeyFile, kasmCaFile, kasmImage, desktopPlan };
  configure("small", { ...shared, workspaces: { desktop } });
  expect(outcome(await run("up"))).toBe("ok");

  const { containerId } = await rig.startWorkspace("OpenClaw Desktop");
  const name = (await rig.exec(`docker inspect --format '{{.Name}}' ${containerId}`)).slice(1);
  const inForce = await limitsInForce(rig, name);
  await rig.stopSession(containerId);
  expect(inForce).toEqual({ [name]: limits });
});

test("down leaves nothing", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");

  expect(await inventoryWithoutProfiles(rig)).toEqual(before);
});
