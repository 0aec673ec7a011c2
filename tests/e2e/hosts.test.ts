import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, setGlobalDispatcher } from "undici";
import type { Rig } from "../../dev/rig/rig";
import { capture } from "../support/capture";
import { docker, eventually, pause } from "../support/docker";
import { connectAs } from "../support/gatewayClient";
import { KasmServer } from "../support/kasmServer";
import { nothingReplaced, outcome, Project, refusal, unchanged } from "../support/project";
import {
  containerOf,
  hostAddress,
  hostSubnet,
  kasmDirectory,
  kasmUrl,
  network,
  otherHosts,
  removeWorkerRig,
  startOtherHost,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(15 * 60_000);

/** Gateways and their hosts; KASM is on a host of its own. */
const gateways = [
  { name: "bob", host: "two", port: "8180" },
  { name: "carol", host: "three", port: "8181" },
  { name: "dave", host: "four", port: "8182" },
] as const;

const project = new Project();
let kasm: Rig;
let others: { rig: Rig; privateAddress: string }[];
let before: Record<string, string[]>[];
let passwords: Record<string, string>;

const run = (...command: string[]) => project.run(...command, "--stack", "kasm");
const inventories = () =>
  Promise.all([kasm, ...others.map(({ rig }) => rig)].map((rig) => rig.inventory()));
const other = (host: string) => {
  const found = others[otherHosts.findIndex((each) => each === host)];
  if (found === undefined) throw new Error(`there is no host ${host}`);
  return found;
};
const login = (name: string) => ({ username: "admin", password: passwords[name] ?? "" });
const authorization = (name: string) =>
  `Basic ${Buffer.from(`admin:${login(name).password}`).toString("base64")}`;

/** Status of a gateway's dashboard behind KASM, with its login or without. */
const statusOf = (name: string, headers: Record<string, string> = {}) =>
  new KasmServer(kasm, project).statusOf(`/openclaw/${name}/`, headers);
const statuses = (...names: string[]) =>
  Promise.all(names.map((name) => statusOf(name, { authorization: authorization(name) })));

async function expectAllServe(): Promise<void> {
  await eventually(
    "all dashboards answer",
    () => statuses("bob", "carol", "dave"),
    (found) => found.every((status) => status === 200),
    180,
  );
}

interface Check {
  readonly host?: string;
  readonly instance?: string;
  readonly name: string;
  readonly value: string;
  readonly state: string;
}
const checksIn = (stdout: string) => (JSON.parse(stdout) as { checks: Check[] }).checks;

/** Settings of the stack, in which hosts are joined by addresses or by an overlay network. */
function configure(overlay?: object, changes: object = {}): void {
  const hosts = others.map(({ rig, privateAddress }, index) => [
    otherHosts[index],
    { ...rig.host, ...(overlay ? {} : { privateAddress }) },
  ]);
  project.settings("kasm", {
    host: kasm.host,
    hosts: Object.fromEntries(hosts) as object,
    ...(overlay && { overlay }),
    instances: gateways.map(({ name, host }) => ({ name, host })),
    publishAddresses: ["127.0.0.1"],
    memoryMb: 2048,
    kasmUrl,
    kasmDirectory,
    nginxRoute: { mode: "path" },
    ...changes,
  });
}

beforeAll(async () => {
  // The certificate of KASM is a fresh one.
  setGlobalDispatcher(new Agent({ connect: { rejectUnauthorized: false } }));
  await project.checkout("light");
  kasm = await startWorkerRig({ openclaw: "light" });
  others = await Promise.all(otherHosts.map((host) => startOtherHost(host, { openclaw: "light" })));
  configure();
  await project.pulumi("stack", "init", "kasm");
  before = await inventories();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

/** Expects that `up` deployed each gateway to its host, and that again nothing changes. */
async function expectDeployed(): Promise<void> {
  passwords = JSON.parse(await project.secretOutput("kasm", "password")) as typeof passwords;
  expect((await run("up")).text).toMatch(unchanged);
  const names = "docker ps --format '{{.Names}}' | grep ^openclaw | sort | xargs";
  expect(await kasm.exec(names)).toBe(
    "openclaw-bob-route openclaw-carol-route openclaw-dave-route",
  );
  for (const { name, host } of gateways) {
    expect(await other(host).rig.exec(names)).toBe(`openclaw-${name} openclaw-${name}-door`);
  }
}

/** What holds however KASM's host reaches the others, in the order of a day. */
function testHosts(joined: {
  /** What programs of hosts listen at for others, with its port. */
  published(privateAddress: string, port: string): string[];
  /** A command on KASM's host that reaches the door of a gateway, and its address there. */
  knock(gateway: (typeof gateways)[number]): [command: string, door: string];
}): void {
  test("KASM's port leads to each gateway, and what goes between the hosts is encrypted", async () => {
    const packets = await capture(network, await hostAddress(kasm), async () => {
      for (const { name } of gateways) {
        const client = await connectAs(`${kasmUrl}/openclaw/${name}`, login(name));
        expect((await client.call("users.self")).ok).toBe(true);
        client.close();
      }
    });

    for (const { name } of gateways) {
      expect(await statusOf(name)).toBe(401);
      // The name of the door is all that is to be read.
      expect(packets.includes(`openclaw-${name}-door`)).toBe(true);
      // The last one is how a gateway begins on a WebSocket.
      const secrets = [authorization(name), login(name).password, "connect.challenge"];
      expect(secrets.filter((text) => packets.includes(text))).toEqual([]);
    }
    expect(packets.includes("HTTP/1.1")).toBe(false);
  });

  test("no gateway is open beyond loopback and its door, and the door refuses clients without the certificate", async () => {
    const listening = "ss -Hltnp | awk '/docker-proxy/ { print $4 }' | sort";
    for (const gateway of gateways) {
      const { rig, privateAddress } = other(gateway.host);
      const [command, door] = joined.knock(gateway);
      const knock = (scheme: string) =>
        kasm.tryExec(`${command} --insecure --silent --max-time 5 ${scheme}://${door}/`);

      expect((await rig.exec(listening)).split("\n")).toEqual([
        `127.0.0.1:${gateway.port}`,
        ...joined.published(privateAddress, gateway.port),
      ]);
      // 56 and 52: the connection is closed, after it was made.
      expect([await knock("https"), await knock("http")]).toMatchObject([
        { exitCode: 56, stdout: "" },
        { exitCode: 52, stdout: "" },
      ]);
    }
  });

  describe("while a host is gone", () => {
    beforeAll(() => docker("kill", containerOf("two")));
    afterAll(() => docker("start", containerOf("two")));

    test("up is refused, and without that host changes the others only", async () => {
      const resources = async () =>
        (await run("pulumi", "stack", "--show-urns")).stdout.match(/urn:\S+/g)?.sort();
      const known = await resources();
      expect(refusal(await run("up"))).toContain("openclaw:hosts.two: ");
      await kasm.exec("docker rm -f openclaw-carol-route");

      expect(outcome(await run("up", "--without", "two"))).toBe("ok");
      expect(await statuses("carol", "dave")).toEqual([200, 200]);
      expect(await resources()).toEqual(known);
    });
  });

  test("after a host's start its gateway serves again, and nothing has changed", async () => {
    await expectAllServe();
    expect(outcome(await run("preview", "--refresh", "--expect-no-changes"))).toBe("ok");
  });
}

describe("by private addresses", () => {
  beforeAll(() => {
    configure();
  });

  test("npm run up deploys each gateway to its host by one login, and again changes nothing", async () => {
    const hosts = [kasm, ...others.map(({ rig }) => rig)];
    const logins = () => Promise.all(hosts.map((rig) => rig.sshConnections()));
    const earlier = await logins();
    expect(outcome(await run("up"))).toBe("ok");
    expect(await logins()).toEqual(earlier.map((count) => count + 1));
    await expectDeployed();
  });

  testHosts({
    published: (privateAddress, port) => [`${privateAddress}:${port}`],
    knock: ({ host, port }) => ["curl", `${other(host).privateAddress}:${port}`],
  });

  describe("while a host does not answer", () => {
    let ordinarySeconds: number;

    beforeAll(async () => {
      const start = Date.now();
      await run("status");
      ordinarySeconds = (Date.now() - start) / 1000;
      await pause(containerOf("two"));
    });
    afterAll(() => docker("unpause", containerOf("two")));

    test("status names it within 5 s and reports all others as ever, which serve", async () => {
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
        expect.objectContaining({ instance: "carol", name: "gateway", state: "ok" }),
      );
      expect(checks.filter(({ instance }) => instance === "bob")).toEqual([]);
      // A machine that is busy with other tests takes longer for any status.
      expect(seconds).toBeLessThan(Math.max(5, ordinarySeconds * 2));
      expect(await statuses("carol", "dave")).toEqual([200, 200]);
    });
  });

  test("no private key is in the state or in what Docker shows", async () => {
    const shown = await kasm.exec("docker inspect openclaw-bob-route");
    const door = await other("two").rig.exec("docker inspect openclaw-bob-door");
    const { stdout: state } = await run("pulumi", "stack", "export");

    expect(state).toContain("BEGIN CERTIFICATE");
    expect([shown, door, state].map((text) => text.includes("PRIVATE KEY"))).toEqual([
      ...[false, false, false],
    ]);
  });

  test("commands for a gateway take their way by its host", async () => {
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

  test("npm run down leaves all hosts as they were", async () => {
    expect(outcome(await run("down", "--delete-data"))).toBe("ok");
    expect(await inventories()).toEqual(before);
  });
});

describe("in one Docker swarm", () => {
  const name = "openclaw-hosts";
  let overlay: object;
  const isThere = `docker network ls --quiet --filter name=${name}`;

  beforeAll(async () => {
    overlay = { name, hostSubnet: await hostSubnet(), mtu: 1400 };
    configure(overlay);
  });

  test("npm run hosts says what is missing, up is refused, and join makes the swarm", async () => {
    const hosts = await run("hosts");
    expect([hosts.exitCode, hosts.stdout]).toEqual([
      1,
      expect.stringContaining("openclaw:hosts.four: it is in no Docker swarm"),
    ]);
    expect(refusal(await run("up"))).toContain("npm run hosts -- join --stack kasm");

    expect(outcome(await run("hosts", "join"))).toBe("ok");
    expect(outcome(await run("hosts"))).toBe("ok");
  });

  test("up removes the network of an up that did not come to write it down, and deploys each gateway", async () => {
    const label = `--label openclaw-kasm.stack=kasm/${name}`;
    await kasm.exec(`docker network create --driver overlay --attachable ${label} ${name}`);

    expect(outcome(await run("up"))).toBe("ok");
    await expectDeployed();
  });

  testHosts({
    published: () => [],
    knock: (gateway) => [
      "docker exec openclaw-bob-route curl",
      `openclaw-${gateway.name}-door:8443`,
    ],
  });

  test("up finds a network that the state lost, and replaces nothing", async () => {
    const { stdout } = await run("pulumi", "stack", "export");
    const isNetwork = (text: string) => text.endsWith("::openclaw-overlay-network");
    const without = (_: string, value: unknown) =>
      Array.isArray(value)
        ? (value as (string | { urn?: string })[]).filter(
            (each) => !isNetwork(typeof each === "string" ? each : (each.urn ?? "")),
          )
        : value;
    const state = join(project.folder, "lost.json");
    writeFileSync(state, JSON.stringify(JSON.parse(stdout, without)));
    expect(outcome(await run("pulumi", "stack", "import", "--file", state))).toBe("ok");

    expect((await run("up")).text).toMatch(nothingReplaced);
  });

  test("after the start of KASM's host all gateways are served again, at the latest by an up", async () => {
    await kasm.reboot();
    // Docker 20.10 may start a container while its swarm still takes its earlier network down, and does not try again.
    const stopped = await kasm.exec("docker ps --all --quiet --filter status=exited");
    if (stopped !== "") {
      expect(checksIn((await run("status", "--json")).stdout)).toContainEqual(
        expect.objectContaining({
          name: "KASM's nginx",
          value: expect.stringContaining("forwarder: does not serve") as unknown,
        }),
      );
      expect(outcome(await run("up"))).toBe("ok");
    }
    await expectAllServe();
    await project.wellStatus("--stack", "kasm");
  });

  test("another size of packets makes the network anew; if UDP is blocked, up names its ports", async () => {
    const { rig } = other("two");
    const rule = "INPUT --protocol udp --dport 4789 --jump DROP";
    await rig.exec(`iptables --insert ${rule}`);
    configure({ ...overlay, mtu: 1350 }, { readyTimeoutSeconds: 20 });
    expect(refusal(await run("up"))).toContain("7946/udp and 4789/udp");

    await rig.exec(`iptables --delete ${rule}`);
    expect(outcome(await run("up"))).toBe("ok");
    expect(await kasm.exec(`docker network inspect ${name}`)).toContain('driver.mtu": "1350"');
    await expectAllServe();
  });

  test("npm run down deletes the network, and leave takes all hosts out that run no containers", async () => {
    const nodes = "docker node ls --format '{{.Hostname}}' | wc -l";
    expect(outcome(await run("down", "--delete-data"))).toBe("ok");
    // A node takes its part of a network down a moment after the swarm has forgotten it.
    await eventually(
      "the network is gone",
      () => kasm.exec(isThere),
      (id) => id === "",
    );
    expect(await kasm.exec(nodes)).toBe("4");

    expect(refusal(await run("hosts", "leave"))).toContain("it stays in the swarm");
    expect(await kasm.exec(nodes)).toBe("1");
    await kasm.exec("docker ps --quiet >/tmp/running; xargs docker stop </tmp/running");
    expect(outcome(await run("hosts", "leave"))).toBe("ok");
    await kasm.exec("xargs docker start </tmp/running");
    expect(await inventories()).toEqual(before);
    await new KasmServer(kasm, project).expectKasmWorks();
  });
});
