import { parseFacts } from "../../commands/host";
import { type Check, reportOf, together } from "../../commands/status";
import { parseSettings } from "../../settings";

const routed =
  "file: as declared; proxy: joined; nginx: serves the route; dashboard: asks for its login";

const well = `containerId=c1
state=running
health=healthy
restarts=0
startedAt=2026-11-23T20:00:00Z
cpuLimit=2000000000
memoryLimit=4294967296
network=openclaw-net
env=PATH
imageEnv=PATH
first.total_usage=1000
first.system_cpu_usage=100000
second.total_usage=2000
second.system_cpu_usage=104000
second.online_cpus=4
second.usage=1073741824
second.inactive_file=536870912
healthz={"ok":true,"status":"started","version":"2026.9.6"} 200
dataKb=20480
kasmDb=running
tiles=known
tile=0123|OpenClaw|kasmweb/chrome:1.17.0|t|t
session=OpenClaw|user@kasm.local|running|125
`;

const settings = parseSettings({
  values: { kasmUrl: "https://kasm.example.com", nginxRoute: '{"mode":"path"}' },
  encrypted: [],
});
const days = (count: number) => new Date(Date.now() + count * 86_400_000 + 1000);

function report(
  change: (facts: string) => string = (facts) => facts,
  routeState = routed,
  seen = { status: 401 as number | undefined, certificateEnd: days(90) as Date | undefined },
) {
  const workspaces = { browser: { workspaceId: "0123" } };
  const outputs = { containerId: "c1", providerKeys: ["ANTHROPIC_API_KEY"], workspaces };
  return reportOf("kasm", settings, outputs, parseFacts(change(well)), routeState, seen);
}

const bad = ({ checks }: { checks: readonly Check[] }) =>
  checks.filter(({ state }) => state === "bad").map(({ name, value }) => `${name}: ${value}`);
const instead = (name: string, line: string) => (facts: string) =>
  facts.replace(new RegExp(`^${name}=.*\n`, "m"), line && `${line}\n`);

test("all is well", () => {
  const { ok, checks, sessions } = report();

  expect(ok).toBe(true);
  expect(checks.map(({ name, value }) => `${name}: ${value}`)).toEqual([
    "container: running, healthy",
    "since: 2026-11-23T20:00:00Z, restarted 0 times",
    "memory: 512 MiB of 4096 MiB",
    "processor: 1.00 of 2 cores",
    "gateway: ready",
    "version: 2026.9.6",
    "provider keys: ANTHROPIC_API_KEY",
    "data: 20 MiB",
    "drift: none",
    `KASM's nginx: ${routed}`,
    "address: https://kasm.example.com/openclaw/ answers 401",
    "certificate: ends in 90 days",
    "browser tile: OpenClaw: enabled, available",
  ]);
  expect(sessions).toEqual([
    { workspace: "OpenClaw", user: "user@kasm.local", status: "running", age: 125 },
  ]);
});

test.each<[what: string, change: (facts: string) => string, problem: string]>([
  ["no container", () => "state=missing\n", "container: missing"],
  ["a stopped container", instead("state", "state=exited"), "container: exited"],
  ["Docker hangs", () => "", "container: unknown: Docker does not answer"],
  ["unhealthy", instead("health", "health=unhealthy"), "container: running, unhealthy"],
  [
    "another container of that name",
    instead("containerId", "containerId=c2"),
    "container: running, and not the one that this stack made",
  ],
  [
    "nearly out of memory",
    instead("second.usage", "second.usage=4831838208"),
    "memory: 4096 MiB of 4096 MiB",
  ],
  ["a gateway that hangs", instead("healthz", "healthz="), "gateway: no answer within 1.5 s"],
  [
    "a gateway that starts",
    instead("healthz", 'healthz={"ok":false,"status":"starting"} 503'),
    'gateway: {"ok":false,"status":"starting"} 503',
  ],
  ["an environment of somebody's", (facts) => `${facts}env=EXTRA\n`, "drift: environment EXTRA"],
  ["a label of somebody's", (facts) => `${facts}label=mine\n`, "drift: label mine"],
  ["another network", (facts) => `${facts}network=bridge\n`, "drift: on network bridge"],
  ["out of its network", instead("network", ""), "drift: not on network openclaw-net"],
  [
    "a browser that is not well",
    (facts) => `${facts}browser=running, unhealthy\n`,
    "browser: running, unhealthy",
  ],
  ["a browser that is gone", (facts) => `${facts}browser=missing\n`, "browser: missing"],
  [
    "a tile that can't be started",
    instead("tile", "tile=0123|OpenClaw|kasmweb/chrome:1.17.0|t|f"),
    "browser tile: OpenClaw: enabled, not available",
  ],
  [
    "a database that hangs",
    instead("tiles", ""),
    "tiles: not known: kasm_db is running and does not answer",
  ],
  ["a tile that is gone", instead("tile", ""), "browser tile: not in KASM any more"],
])("%s", (_, change, problem) => {
  const found = report(change);

  expect(found.ok).toBe(false);
  expect(bad(found)).toContain(problem);
});

test("a link needs no agent", () => {
  const found = report(instead("tile", "tile=0123|OpenClaw||t|f"));

  expect(found.ok).toBe(true);
  expect(found.checks.at(-1)?.value).toBe("OpenClaw: enabled");
});

test("tiles of a KASM whose database is elsewhere are not known, which is no fault", () => {
  const { ok, checks } = report((facts) => facts.replace(/^(kasmDb|tile)[^\n]*\n/gm, ""));

  expect(ok).toBe(true);
  expect(checks.at(-1)?.value).toBe("not known: KASM's database is on another host");
});

test("the way through KASM", () => {
  const broken = routed.replace("as declared", "missing");
  expect(bad(report(undefined, broken))).toEqual([`KASM's nginx: ${broken}`]);
  expect(bad(report(undefined, routed, { status: 502, certificateEnd: days(3) }))).toEqual([
    "address: https://kasm.example.com/openclaw/ answers 502",
    "certificate: ends in 3 days",
  ]);
  const nothing = { status: undefined, certificateEnd: undefined };
  expect(bad(report(undefined, routed, nothing))).toEqual([
    "address: https://kasm.example.com/openclaw/ does not answer from here",
  ]);
});

describe("several gateways", () => {
  const reports = (change?: (facts: string) => string) => [
    { instance: "alice", ...report() },
    { instance: "bob", ...report(change) },
  ];
  const alone = report();

  test("are told of one after the other, and their tiles and sessions once", () => {
    const { ok, checks, sessions } = together("kasm", reports());
    const own = alone.checks.filter(({ name }) => name !== "tile");

    expect(ok).toBe(true);
    expect(checks).toEqual([
      ...own.map((check) => ({ instance: "alice", ...check })),
      ...own.map((check) => ({ instance: "bob", ...check })),
      ...alone.checks.filter(({ name }) => name === "tile"),
    ]);
    expect(sessions).toEqual(alone.sessions);
  });

  test("are well only when each of them is", () => {
    const { ok, checks } = together("kasm", reports(instead("state", "state=exited")));

    expect(ok).toBe(false);
    expect(checks.filter(({ state }) => state === "bad")).toMatchObject([
      { instance: "bob", name: "container", value: "exited" },
    ]);
  });

  test("a gateway without a name is told of as it is", () => {
    expect(together("kasm", [{ instance: "", ...alone }])).toEqual(alone);
  });
});
