import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Rig } from "../../dev/rig/rig";
import { outcome, Project, unchanged } from "../support/project";
import { rigSettings } from "../support/rigSettings";
import {
  kasmDirectory,
  kasmUrl,
  kasmVersion,
  removeWorkerRig,
  startOtherHost,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(10 * 60_000);

const project = new Project();
const baseImage = `kasmweb/session-like:${kasmVersion}`;
const homes = `${kasmDirectory}/profiles/openclaw`;
let rigs: { kasm: Rig; two: Rig };
let before: Record<string, string[]>[];
let serverId: string;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "rig", ...options);
const inventories = () => Promise.all([rigs.kasm, rigs.two].map((rig) => rig.inventory()));
const onEach = (script: string) =>
  Promise.all([rigs.kasm, rigs.two].map((rig) => rig.exec(script)));

function configure(changes: Record<string, unknown> = {}): void {
  project.settings("rig", {
    ...rigSettings(rigs.kasm),
    kasmDirectory,
    kasmUrl,
    host: rigs.kasm.host,
    hosts: { two: rigs.two.host },
    kasmAgents: ["two"],
    kasmImage: { build: true, baseImage },
    workspaces: {
      browser: {},
      // Homes in a directory are for one agent.
      desktop: { serverId },
    },
    ...changes,
  });
}

beforeAll(async () => {
  await project.checkout("light");
  const kasm = await startWorkerRig({ openclaw: "light" });
  const { rig: two } = await startOtherHost("two", { openclaw: "light" });
  rigs = { kasm, two };
  await onEach(`for image in session-like chrome; do
    docker tag kasmweb/session-like:1.17.0 kasmweb/$image:${kasmVersion}
  done`);
  cpSync(kasm.folder, join(project.folder, ".build/rig", kasm.name), { recursive: true });
  serverId = await kasm.sql("SELECT server_id FROM servers LIMIT 1");
  configure();
  await project.pulumi("stack", "init", "rig");
  before = await inventories();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

test("homes in a directory of several agents are refused before anything changes", async () => {
  configure({ workspaces: { desktop: {} } });
  const { exitCode, text } = await run("up");
  configure();

  expect([exitCode === 0, text]).toEqual([
    false,
    expect.stringContaining(
      `openclaw:workspaces.desktop.persistentProfilePath: found ${homes}/{username} with several agents (openclaw:kasmAgents two)`,
    ),
  ]);
  expect(await inventories()).toEqual(before);
});

test("npm run up puts image and directories on each agent, and again changes nothing", async () => {
  expect(outcome(await run("up"))).toBe("ok");
  expect((await run("up")).text).toMatch(unchanged);
  expect(outcome(await run("preview", "--refresh", "--expect-no-changes"))).toBe("ok");

  const [kasms, twos] = await onEach(
    `stat -c '%n %a %u:%g' ${homes} /opt/openclaw/shared; docker image ls --format '{{.Repository}}:{{.Tag}}' openclaw-kasm | sort`,
  );
  expect(kasms).toContain(`${homes} 755 0:0\n/opt/openclaw/shared 755 1000:1000\n`);
  expect(kasms).toContain("openclaw-kasm:latest");
  expect(twos).toBe(kasms);
});

test("the second agent has no gateway and none of its images", async () => {
  expect(await rigs.two.exec("docker ps --all --format '{{.Names}}' | grep openclaw || true")).toBe(
    "",
  );
  expect(
    await rigs.two.exec(
      "docker image ls --format '{{.Repository}}' | grep openclaw | sort -u | tr '\\n' ' '",
    ),
  ).toBe("openclaw-kasm openclaw-kasm/node-rig");
  expect((await project.wellStatus("--stack", "rig")).stdout).toContain(
    "openclaw:hosts.two: desktop image",
  );
});

test("the browser tile opens the route, which the second agent's sessions reach", async () => {
  const runConfig = await rigs.kasm.sql(
    "SELECT run_config FROM images WHERE friendly_name = 'OpenClaw AI Gateway'",
  );
  expect(JSON.parse(runConfig)).toMatchObject({
    environment: { LAUNCH_URL: `${kasmUrl}/openclaw/` },
  });
});

test("a change of the directory is made on each agent, and a drifted one is repaired", async () => {
  await rigs.two.exec(`chown 1000:1000 ${homes}`);
  configure({ directory: "/srv/openclaw" });
  expect(outcome(await run("up"))).toBe("ok");

  const found = await onEach(
    `stat -c '%n %u:%g' /srv/openclaw/shared ${homes}; ls -d /opt/openclaw/shared 2>/dev/null || echo gone`,
  );
  expect(found).toEqual([
    `/srv/openclaw/shared 1000:1000\n${homes} 0:0\ngone`,
    `/srv/openclaw/shared 1000:1000\n${homes} 0:0\ngone`,
  ]);
});

test("what users left on an agent stays, and all else is gone after npm run down", async () => {
  configure();
  expect(outcome(await run("up"))).toBe("ok");
  await rigs.two.exec(`mkdir ${homes}/ann && touch ${homes}/ann/file`);

  expect(outcome(await run("down", "--delete-data"))).toBe("ok");
  expect(await rigs.two.exec(`ls ${homes}/ann`)).toBe("file");
  // With the record of who created it, which stays as long as the directory.
  await rigs.two.exec(`rm -r ${kasmDirectory}/profiles`);
  expect(await inventories()).toEqual(before);
});
