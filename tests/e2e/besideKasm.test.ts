import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "zx";
import type { Rig } from "../../dev/rig/rig";
import { eventually } from "../support/docker";
import { containersFolder, KasmServer } from "../support/kasmServer";
import { nothingReplaced, outcome, Project, refusal, unchanged } from "../support/project";
import {
  kasmDirectory,
  kasmUrl,
  kasmVersion,
  removeWorkerRig,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(15 * 60_000);

// What happens to a server with a gateway beside KASM: the light OpenClaw is enough. The rest: tests/integration/server.test.ts.
const routeFile = `${containersFolder}/openclaw.conf`;
const project = new Project();
let rig: Rig;
let server: KasmServer;

const up = () => project.run("up", "--stack", "kasm");

function configure(changes: Record<string, unknown> = {}): void {
  project.settings("kasm", {
    host: rig.host,
    kasmUrl,
    kasmDirectory,
    nginxRoute: { mode: "path" },
    memoryMb: 2048,
    ...changes,
  });
}

/** Configures the server's private key as a secret setting in place of a file, and returns the key. */
async function configureSecretKey(changes: Record<string, unknown> = {}): Promise<string> {
  const { privateKeyFile, ...host } = rig.host;
  const key = readFileSync(String(privateKeyFile), "utf8");
  configure({ host, ...changes });
  await project.setSecret("kasm", "host.privateKey", key);
  return key;
}

/** Files of the checkout in which a line of a key is. */
async function filesWith(key: string): Promise<string[]> {
  const { stdout } = await $({
    quiet: true,
    nothrow: true,
  })`grep -rlF --exclude-dir=node_modules -e ${key.split("\n")[2] ?? ""} ${project.folder}`;
  return stdout.split("\n").filter((file) => file !== "");
}

beforeAll(async () => {
  await project.checkout("light");
  rig = await startWorkerRig({ openclaw: "light" });
  server = new KasmServer(rig, project);
  configure();
  expect(outcome(await up())).toBe("ok");
});

beforeEach(() => {
  configure();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

test("reports a full disk and leaves no partial route", async () => {
  await rig.exec(`echo '# changed by hand' >> ${routeFile}`);
  const installed = await rig.exec(`cat ${routeFile}`);
  try {
    // With room for the file that is there and no other.
    await rig.exec(`
      content=$(cat ${routeFile})
      mount -t tmpfs -o size=$(stat -c %s ${routeFile}) tmpfs ${containersFolder}
      printf '%s\\n' "$content" >${routeFile}`);
    expect(refusal(await up())).toMatch(/No space left on device|could not write/);
    expect(await server.containersFiles()).toBe("openclaw.conf");
    expect(await rig.exec(`cat ${routeFile}`)).toBe(installed);
  } finally {
    await rig.exec(`umount ${containersFolder}`);
  }
});

describe("a private key from an encrypted setting", () => {
  test("works, replaces nothing, and is in no file afterwards", async () => {
    const key = await configureSecretKey();
    const { text, exitCode } = await up();

    expect(exitCode).toBe(0);
    expect(text).toMatch(nothingReplaced);
    expect(await filesWith(key)).toEqual([]);
  });

  test("is in no file either with global options of the CLI, or after a kill", async () => {
    const key = await configureSecretKey({ basePath: "/ai/claw" });
    const args = ["--color", "always", "refresh", "--yes", "--stack", "organization/openclaw/kasm"];

    expect(outcome(await project.pulumi(...args))).toBe("ok");
    expect(await filesWith(key)).toEqual([]);
    await server.killAt(/openclaw-container (creating|deleting)/, "up");
    expect(await filesWith(key)).toEqual([]);
  });
});

test("reports a Docker engine that hangs, and needs no repair when it continues", async () => {
  await rig.exec("pkill -STOP dockerd");
  const hanging = await up().finally(() => rig.exec("pkill -CONT dockerd"));

  expect(refusal(hanging)).toContain("Docker does not answer: no reply within 30 s");
});

describe("restarts, upgrades and power loss of KASM", () => {
  test("up repairs the route that KASM's upgrade drops if containers.d has a second file", async () => {
    await rig.exec(`echo '# another program' >${containersFolder}/foreign.conf`);
    await rig.upgrade();
    expect(await server.containersFiles()).toBe("");

    expect(outcome(await up())).toBe("ok");
    await server.answers("/openclaw/", 401);
    expect(await server.containersFiles()).toBe("openclaw.conf");
    expect(await rig.exec(`ls -A ${kasmDirectory}/${kasmVersion}/conf/nginx/containers.d`)).toBe(
      "foreign.conf",
    );
  });

  test("after a power loss with any start order, up over a jump host with an SSH agent's key replaces nothing", async () => {
    await rig.reboot();
    await eventually(
      "the dashboard through KASM",
      () => server.statusOf("/openclaw/"),
      (status) => status === 401,
      90,
    );
    const { address, port, user, hostKeyFile, privateKeyFile } = rig.host;
    // The rig is its own jump host: from there it is at its port 22. The agent has the key of both.
    const jump = { address, port, user, hostKeyFile };
    configure({ host: { address: "localhost", port: 22, user, hostKeyFile, jump } });
    const args = ["up", "--stack", "kasm"];
    const { text, exitCode } = await project.runWithAgent(String(privateKeyFile), ...args);

    expect(exitCode).toBe(0);
    expect(text).toMatch(nothingReplaced);
  });
});

test("KASM starts although the gateway's network was deleted meanwhile, and up repairs the network", async () => {
  await rig.exec(`
    ${kasmDirectory}/bin/stop
    docker stop --time 2 openclaw openclaw-route
    docker network rm openclaw-net
    ${kasmDirectory}/bin/start`);
  await server.answers("/api/__healthcheck", 200);
  await server.expectKasmWorks();
  await rig.stopSession(await rig.startSession());

  expect(outcome(await up())).toBe("ok");
  await server.answers("/openclaw/", 401);
});

test("a network that is missing in the state is added to it, and nothing is replaced", async () => {
  const exported = await project.pulumi("stack", "export", "--stack", "kasm");
  const isNetwork = (value: unknown) => JSON.stringify(value).includes('::openclaw-network"');
  const state = JSON.parse(exported.stdout, (_, value: unknown) =>
    Array.isArray(value) ? value.filter((each) => !isNetwork(each)) : value,
  ) as object;
  const file = join(project.folder, "state.json");
  writeFileSync(file, JSON.stringify(state));
  await project.pulumi("stack", "import", "--file", file, "--stack", "kasm");

  expect((await up()).text).toMatch(unchanged);
});

describe("the nginx file does not affect KASM", () => {
  test("with the gateway stopped and removed", async () => {
    await rig.exec("docker stop --time 2 openclaw");
    await kasmWorks();
    await rig.exec("docker rm openclaw");
    await kasmWorks();
  });

  test("with its network deleted, and KASM's proxy restarted or recreated", async () => {
    await rig.exec(
      "docker rm --force --volumes openclaw; docker network disconnect --force openclaw-net openclaw-route && docker network rm openclaw-net",
    );
    await kasmWorks();
    await rig.exec("docker restart --time 2 kasm_proxy");
    await server.answers("/api/__healthcheck", 200);
    await kasmWorks();
    await rig.recreateProxy();
    await kasmWorks();
  });

  /** Checks that KASM works while the route's path answers with an error, as the gateway is unreachable. */
  async function kasmWorks(): Promise<void> {
    await server.expectKasmWorks();
    await rig.stopSession(await rig.startSession());
    const status = await eventually(
      "the route answers with an error",
      () => server.statusOf("/openclaw/"),
      (answered) => answered !== 0,
    );
    expect(status).toBeGreaterThanOrEqual(500);
  }
});

test("npm run down removes everything of OpenClaw, also from KASM's previous version", async () => {
  expect(outcome(await project.run("down", "--stack", "kasm", "--delete-data"))).toBe("ok");

  const left = Object.values(await rig.inventory()).flat();
  expect(left.filter((line) => /openclaw/i.test(line))).toEqual([]);
});
