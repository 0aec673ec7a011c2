import { parseFacts } from "../../cli/preflight/host";
import { chalk } from "zx";
import {
  type Check,
  gatewayLook,
  type Report,
  reportOf,
  type SeenGateway,
  show,
} from "../../cli/status";
import type { DeclaredContainer } from "../../pulumi/stackState";
import { parseSettings } from "../../config";
import { type Instance, instancesOf } from "../../config/instances";

const routed =
  "file: as declared; forwarder: serves; KASM's proxy needs: nothing of ours; nginx: serves the route; dashboard: asks for its login";

const well = `healthz={"ok":true,"status":"started","version":"2026.9.6"} 200
stranger=401
page=opens
docker=answers
containerId=c1
state=running
health=healthy
restarts=0
startedAt=2026-11-23T20:00:00Z
cpuLimit=2000000000
memoryLimit=4294967296
network=openclaw-net

difference=none
firstCpu=5000000000 100.5
secondCpu=5400000000 100.9
memoryUsed=1073741824
memoryInactive=536870912
dataKb=20480
`;
const kasm = `docker=answers
kasmDb=running
tiles=known
tile=0123\tOpenClaw\tkasmweb/chrome:1.17.0\tt\tt
session=OpenClaw\tuser@kasm.local\trunning\t125
`;
const withBrowser = `${well}browserId=b1
browser=running, healthy
browserNetwork=openclaw-net
browserDifference=none
`;

const keysOfStorage = { offsiteAccessKey: "access", offsiteSecretKey: "secret-key" };

const parse = (values: Record<string, string> = {}) =>
  parseSettings({
    values: {
      kasmUrl: "https://kasm.example.com",
      nginxRoute: '{"mode":"path"}',
      port: "8180",
      ...values,
    },
    encrypted: ["providerKeys", ...Object.keys(keysOfStorage)],
  });
const settings = parse();
const days = (count: number) => new Date(Date.now() + count * 86_400_000 + 1000);
const gateway: SeenGateway = {
  instance: { name: "", settings },
  facts: parseFacts(well),
  route: routed,
  session: parseFacts("proxy=missing\n"),
  seconds: 1,
  browser: { status: 401, page: "opens", webSocket: "101", certificateEnd: days(90) },
};
const declared = (id: string): DeclaredContainer => ({ id, environment: [] });
const outputs = {
  providerKeys: ["ANTHROPIC_API_KEY"],
  workspaces: { browser: { workspaceId: "0123" } },
  password: "the-password",
};

function report(changes: Partial<SeenGateway> = {}, ofKasm = kasm): Report {
  const containers = new Map([
    ["openclaw", declared("c1")],
    ["openclaw-browser", declared("b1")],
    ["openclaw-offsite", declared("o1")],
  ]);
  const state = { outputs, containers, images: [] };
  const gateways = [{ ...gateway, ...changes }];
  return reportOf("kasm", state, { gateways, stackChecks: [], kasm: parseFacts(ofKasm) });
}
const reportOn = (facts: string) => report({ facts: parseFacts(facts) });

const bad = ({ checks }: { checks: readonly Check[] }) =>
  checks.filter(({ state }) => state === "bad").map(({ name, value }) => `${name}: ${value}`);
const names = ({ checks }: { checks: readonly Check[] }) => checks.map(({ name }) => name);
const changed = (facts: string, name: string, line: string) =>
  facts.replace(new RegExp(`^${name}=.*\n`, "m"), line && `${line}\n`);
const instead = (name: string, line: string) => changed(well, name, line);
const without = (facts: string, pattern: RegExp) => facts.replace(pattern, "");
const hanging = "healthz=\nstranger=\npage=000\n";

test("all checks pass", () => {
  const { ok, checks, sessions } = report();

  expect(ok).toBe(true);
  expect(checks.map(({ name, value }) => `${name}: ${value}`)).toEqual([
    "container: running, healthy",
    "since: 2026-11-23T20:00:00Z, restarted 0 times",
    "memory: 512 MiB of 4096 MiB",
    "processor: 1.00 of 2 cores",
    "gateway: ready",
    "dashboard: opens with its login",
    "version: 2026.9.6",
    "provider keys: ANTHROPIC_API_KEY",
    "data: 20 MiB",
    "drift: none",
    `KASM's nginx: ${routed}`,
    "address: https://kasm.example.com/openclaw/ opens with its login, its WebSocket too",
    "certificate: ends in 90 days",
    "browser tile: OpenClaw: enabled, available",
  ]);
  expect(sessions).toEqual([
    { workspace: "OpenClaw", user: "user@kasm.local", status: "running", age: 125 },
  ]);
});

test.each<[what: string, facts: string, problems: string[]]>([
  ["a stopped container", instead("state", "state=exited"), ["container: exited"]],
  ["unhealthy", instead("health", "health=unhealthy"), ["container: running, unhealthy"]],
  [
    "another container of that name",
    instead("containerId", "containerId=c2"),
    ["container: running, and not the one that this stack made"],
  ],
  [
    "nearly out of memory",
    instead("memoryUsed", "memoryUsed=4831838208"),
    ["memory: 4096 MiB of 4096 MiB"],
  ],
  [
    "an engine that does not tell what is used",
    without(well, /^(memoryUsed|firstCpu|secondCpu).*\n/gm),
    ["memory: not known"],
  ],
  [
    "a gateway that hangs",
    changed(instead("healthz", "healthz="), "page", "page=000"),
    ["gateway: no answer within 1 s", "dashboard: with its login: no answer within 1 s"],
  ],
  [
    "a port that refuses connections",
    changed(
      changed(instead("healthz", "healthz= 000"), "stranger", "stranger=000"),
      "page",
      "page=000",
    ),
    ["gateway: no answer within 1 s", "dashboard: no answer within 1 s"],
  ],
  [
    "a gateway that starts",
    instead("healthz", 'healthz={"ok":false,"status":"starting"} 503'),
    ['gateway: {"ok":false,"status":"starting"} 503'],
  ],
  [
    "good health, and every page refused",
    instead("page", "page=403"),
    ["dashboard: with its login: answers 403"],
  ],
  [
    "no login asked for",
    instead("stranger", "stranger=200"),
    ["dashboard: answers 200 without a login, expected 401"],
  ],
  [
    "an environment variable and a label changed by hand",
    instead("difference", "difference=environment EXTRA\ndifference=label mine removed"),
    ["drift: environment EXTRA, label mine removed"],
  ],
  [
    "an image that does not tell what it brings",
    instead("difference", ""),
    ["drift: environment and labels not known"],
  ],
  ["another network", `${well}network=bridge\n`, ["drift: on network bridge"]],
  ["out of its network", instead("network", ""), ["drift: not on network openclaw-net"]],
  [
    "a browser that is not well",
    changed(withBrowser, "browser", "browser=running, unhealthy"),
    ["browser: running, unhealthy"],
  ],
  ["a browser that is gone", `${well}browser=missing\n`, ["browser: missing"]],
  [
    "another browser",
    changed(withBrowser, "browserId", "browserId=b2"),
    ["browser: running, healthy, and not the one that this stack made"],
  ],
  [
    "a browser on another network, with more in it",
    changed(
      changed(withBrowser, "browserNetwork", "browserNetwork=bridge"),
      "browserDifference",
      "browserDifference=environment EXTRA",
    ),
    [
      "drift: browser: environment EXTRA, browser: on network bridge, browser: not on network openclaw-net",
    ],
  ],
])("%s", (_, facts, problems) => {
  const found = reportOn(facts);

  expect(found.ok).toBe(false);
  expect(bad(found)).toEqual(problems);
});

describe("off-site backups", () => {
  const storage = JSON.stringify({ endpoint: "https://s3.example.com", bucket: "backups" });
  const own = { name: "", settings: parse({ offsite: storage, ...keysOfStorage }) };
  const known = `offsiteId=o1
offsite=running
offsiteNow=2026-11-29T10:30:00Z
offsiteSince=2026-11-01T00:00:00Z
offsiteAttempt=2026-11-29T03:00:00Z
`;
  const good = `${known}offsiteGood=2026-11-29T03:00:10Z\n`;

  test.each<[what: string, facts: string, state: Check["state"], value: string]>([
    ["a recent one", good, "ok", "the last one is 7 hours old"],
    [
      "one that is too old",
      good.replace("29T03:00:10Z\n", "26T03:00:10Z\n"),
      "bad",
      "the last one is 3 days old; more than 36 hours are too many",
    ],
    [
      "a failed attempt after a good one",
      `${good}offsiteProblem=Fatal: connection refused\n`,
      "bad",
      "the last one is 7 hours old; the last attempt failed: Fatal: connection refused",
    ],
    [
      "a gateway of today without one",
      known.replace("2026-11-01", "2026-11-29"),
      "ok",
      "none yet, the first is due at 03:00 UTC",
    ],
    [
      "none for weeks",
      known,
      "bad",
      "none yet, the first is due at 03:00 UTC; more than 36 hours are too many",
    ],
    ["no container", "offsite=missing\n", "bad", "its container is missing"],
    ["a container that ended", good.replace("running", "exited"), "bad", "its container is exited"],
    [
      "another container of that name",
      good.replace("o1", "o2"),
      "bad",
      "its container is not the one that this stack made",
    ],
    ["a Docker that is slow", "", "info", "no answer within 1 s"],
    ["a container that is slow", "offsiteId=o1\noffsite=running\n", "info", "no answer within 1 s"],
  ])("%s", (_, facts, state, value) => {
    const { checks } = report({ instance: own, facts: parseFacts(well + facts) });

    expect(checks.find(({ name }) => name === "off-site backup")).toEqual({
      name: "off-site backup",
      state,
      value,
    });
  });
});

test("a missing container fails", () => {
  const found = reportOn(`${hanging}docker=answers\nstate=missing\n`);

  expect(bad(found)).toContain("container: missing");
});

test("reports only known facts if Docker hangs", () => {
  const found = report(
    {
      facts: parseFacts(without(well, /^docker=[^]*/m)),
      route: "not known: Docker does not answer",
    },
    "",
  );

  expect(bad(found)).toEqual([
    "container: unknown: Docker does not answer",
    "KASM's nginx: not known: Docker does not answer",
  ]);
  expect(names(found)).not.toContain("browser");
  expect(found.checks.at(-1)).toEqual({
    name: "tiles",
    value: "not known: Docker does not answer",
    state: "info",
  });
});

test("uses the gateway's own health before Docker's first health check", () => {
  const starting = instead("health", "health=starting");

  expect(reportOn(starting).ok).toBe(true);
  expect(bad(reportOn(changed(starting, "healthz", "healthz={} 503")))).toContain(
    "container: running, starting",
  );
});

test("a certificate that the gateway does not trust is named, with the setting", () => {
  const words =
    'certificates: the gateway\'s log has "self-signed certificate": set openclaw:extraCaFile';

  expect(bad(reportOn(`${well}distrust=self-signed certificate\n`)).join()).toContain(words);
});

describe("an image that was not built here", () => {
  const instance = {
    name: "",
    settings: parse({
      gatewayImage: "coollabsio/openclaw:2026.9.6",
      publishAddresses: '["172.17.0.1"]',
      providerKeys: '{"ANTHROPIC_API_KEY":"sk-0123456789"}',
    }),
  };
  const own = without(well, /^healthz.*\n/);
  const reportOn = (facts: string) => report({ instance, facts: parseFacts(facts) });

  test("is checked by its container's health, and its tag is its version", () => {
    const found = reportOn(own);

    expect(bad(found)).toEqual([]);
    expect(found.checks).toContainEqual({
      name: "version",
      value: "coollabsio/openclaw:2026.9.6",
      state: "info",
    });
  });

  test("is checked by its page before Docker's first health check", () => {
    const starting = changed(own, "health", "health=starting");

    expect(bad(reportOn(starting))).toEqual([]);
    expect(bad(reportOn(changed(starting, "page", "page=502")))).toContain(
      "gateway: not known to be ready: its health is starting",
    );
  });

  test("fails with a dead gateway, whatever its /healthz says", () => {
    const dead = changed(changed(own, "health", "health=unhealthy"), "page", "page=502");
    const found = reportOn(`healthz={"ok":true,"gateway":"starting"} 200\n${dead}`);

    expect(bad(found)).toEqual([
      "container: running, unhealthy",
      "gateway: not known to be ready: its health is unhealthy",
      "dashboard: with its login: answers 502",
    ]);
  });
});

describe("tiles", () => {
  test.each<[what: string, ofKasm: string, problem: string]>([
    [
      "one that can't be started",
      changed(kasm, "tile", "tile=0123\tOpenClaw\tkasmweb/chrome:1.17.0\tt\tf"),
      "browser tile: OpenClaw: enabled, not available",
    ],
    [
      "a database that hangs",
      changed(kasm, "tiles", ""),
      "tiles: not known: kasm_db is running and does not answer",
    ],
    ["one that is gone", changed(kasm, "tile", ""), "browser tile: not in KASM any more"],
  ])("%s", (_, ofKasm, problem) => {
    expect(bad(report({}, ofKasm))).toEqual([problem]);
  });

  test("of a link need no agent", () => {
    const found = report({}, changed(kasm, "tile", "tile=0123\tOpenClaw\t\tt\tf"));

    expect(found.ok).toBe(true);
    expect(found.checks.at(-1)?.value).toBe("OpenClaw: enabled");
  });

  test("may have any character in their title", () => {
    const found = report(
      {},
      changed(kasm, "tile", "tile=0123\tOpenClaw | AI\tkasmweb/chrome:1.17.0\tt\tt"),
    );

    expect(found.checks.at(-1)?.value).toBe("OpenClaw | AI: enabled, available");
  });

  test("are unknown if KASM's database is on another host, which is no failure", () => {
    const { ok, checks } = report({}, "docker=answers\nkasmDb=elsewhere\n");

    expect(ok).toBe(true);
    expect(checks.at(-1)?.value).toBe("not known: KASM's database is on another host");
  });
});

test("the route through KASM", () => {
  const broken = routed.replace("as declared", "missing");
  expect(bad(report({ route: broken }))).toEqual([`KASM's nginx: ${broken}`]);
  const otherRoutes = [routed, broken].map((route, index) => ({
    host: `web${index.toString()}`,
    route,
  }));
  expect(report({ otherRoutes }).checks.filter(({ host }) => host !== undefined)).toEqual([
    { host: "web0", name: "KASM's nginx", value: routed, state: "ok" },
    { host: "web1", name: "KASM's nginx", value: broken, state: "bad" },
  ]);
  expect(bad(report({ browser: { status: 502, certificateEnd: days(3) } }))).toEqual([
    expect.stringMatching(/^address: .* answers 502 without a login/),
    "certificate: ends in 3 days",
  ]);
});

test("plugins that stayed behind the gateway's version are named, with what updates them", () => {
  const plugins = [
    ...["plugin=@openclaw/slack 2026.9.5", "plugin=@openclaw/matrix 2026.9.6"],
    ...["plugin=@openclaw/discord 2026.9.6-beta.1", "plugin=@openclaw/fs-safe 0.1.2"],
  ];
  const { ok, checks } = reportOn(well + plugins.join("\n"));

  expect(ok).toBe(true);
  expect(checks).toContainEqual({
    name: "plugins",
    value:
      "@openclaw/slack 2026.9.5, @openclaw/discord 2026.9.6-beta.1: older than OpenClaw 2026.9.6; update them on the host with docker exec openclaw openclaw plugins update @openclaw/slack @openclaw/discord, then docker restart openclaw",
    state: "info",
  });
});

test("what keeps KASM's sessions from the dashboard is a problem", () => {
  const session = parseFacts("proxy=running\nsessionAddress=172.17.0.1\nsessionPage=curl 28\n");

  expect(bad(report({ session }))).toEqual([
    expect.stringMatching(/^KASM's sessions: .*: no answer within 1 s; /),
  ]);
});

describe("several gateways", () => {
  const instances = instancesOf(parse({ instances: '["alice","bob"]' }));
  const reportOn = (ofBob: string) => {
    const containers = new Map(
      instances.map(({ settings: { containerName } }) => [containerName, declared("c1")]),
    );
    const gateways = instances.map((instance) => {
      const { networkName } = instance.settings;
      const said = (instance.name === "bob" ? ofBob : well).replace("openclaw-net", networkName);
      return { ...gateway, instance, facts: parseFacts(said) };
    });
    const state = { outputs, containers, images: [] };
    return reportOf("kasm", state, { gateways, stackChecks: [], kasm: parseFacts(kasm) });
  };

  test("are reported in sequence, and their tiles and sessions once", () => {
    const { ok, checks, sessions } = reportOn(well);
    const own = names(report()).filter((name) => !name.endsWith("tile"));

    expect(ok).toBe(true);
    expect(checks.map(({ instance = "all", name }) => `${instance} ${name}`)).toEqual([
      ...own.map((name) => `alice ${name}`),
      ...own.map((name) => `bob ${name}`),
      "all browser tile",
    ]);
    expect(sessions).toHaveLength(1);
  });

  test("pass only if each of them passes", () => {
    const { ok, checks } = reportOn(instead("state", "state=exited"));

    expect(ok).toBe(false);
    expect(checks.filter(({ state }) => state === "bad")).toMatchObject([
      { instance: "bob", name: "container", value: "exited" },
    ]);
  });
});

describe("the gateway's check", () => {
  const ask = (values: Record<string, string>, outputs: Record<string, unknown>) => {
    const [instance] = instancesOf(parse(values)) as [Instance];
    const own = { id: "c1", environment: ["KEY=a", 'CONFIG={"a":"b"}'] };
    const state = { outputs, containers: new Map([["openclaw", own]]), images: [] };
    return gatewayLook(instance, state).variables;
  };

  test.each([
    [["127.0.0.1", "172.17.0.1"], "http://127.0.0.1:8180"],
    [["172.17.0.1"], "http://172.17.0.1:8180"],
    [["0.0.0.0"], "http://127.0.0.1:8180"],
  ])("uses its published address: %j", (publishAddresses, ORIGIN) => {
    expect(ask({ publishAddresses: JSON.stringify(publishAddresses) }, {})).toMatchObject({
      ORIGIN,
    });
  });

  test("uses its login, and compares it with the container's", () => {
    expect(ask({}, { ...outputs, username: "admin" })).toMatchObject({
      BASE_PATH: "/openclaw",
      USERNAME: "admin",
      PASSWORD: outputs.password,
      ENVIRONMENT: '"KEY=a"\n"CONFIG={\\"a\\":\\"b\\"}"',
      BROWSER: "",
    });
  });

  test("uses no login for a gateway that is not deployed yet", () => {
    const others = { username: "admin", password: { bob: "the-password" } };

    expect(ask({ instances: '["alice","bob"]' }, others)).toMatchObject({ PASSWORD: "" });
  });
});

describe("the output", () => {
  const print = jest.spyOn(console, "log").mockImplementation();
  const clear = jest.spyOn(console, "clear").mockImplementation();
  const printed = () => print.mock.calls.map(([text]) => text as string);
  const { level } = chalk;
  beforeEach(() => {
    jest.clearAllMocks();
    chalk.level = 1;
  });
  afterAll(() => {
    jest.restoreAllMocks();
    chalk.level = level;
    process.exitCode = 0;
  });
  const once = { json: false, watch: false, sessions: true };
  const stopped = () => reportOn(instead("state", "state=exited"));

  test("is a table, with passed checks in green and failed ones in red", async () => {
    await show(() => Promise.resolve(stopped()), once);

    const [text = ""] = printed();
    expect(text).toContain(`Stack kasm: ${chalk.red("not well")}`);
    expect(text).toContain(chalk.red("exited"));
    expect(text).toContain(chalk.green("ready"));
    expect(text).toMatch(/ 20 MiB /);
    expect(text).toMatch(/OpenClaw +│ user@kasm.local +│ running +│ 2 min/);
    expect(process.exitCode).toBe(1);
  });

  test("with json is the report, and the exit status is 0 only if all checks pass", async () => {
    await show(() => Promise.resolve(report()), { ...once, json: true });

    expect(JSON.parse(printed()[0] ?? "")).toEqual(report());
    expect(process.exitCode).toBe(0);
    expect(printed().join()).not.toContain(outputs.password);
  });

  test.each([false, true])("names no user of KASM in public logs (as JSON: %s)", async (json) => {
    await show(() => Promise.resolve(report()), { ...once, json, sessions: false });

    expect(report().sessions).not.toEqual([]);
    expect(printed().join()).not.toContain("user@kasm.local");
  });

  test("lists people and their roles, and names them in no public log", async () => {
    const seen = {
      ...report(),
      checks: [{ name: "people", value: "ann (admin)", state: "info" as const }],
    };
    await show(() => Promise.resolve(seen), once);
    await show(() => Promise.resolve(seen), { ...once, sessions: false });

    expect(printed()[0]).toContain("ann (admin)");
    expect(printed()[1]).not.toContain("ann");
  });

  test("with watch is checked again every five seconds, until Ctrl-C", async () => {
    jest.useFakeTimers();
    const look = jest.fn().mockResolvedValueOnce(report()).mockResolvedValue(stopped());
    const watching = show(look, { ...once, watch: true });

    await jest.advanceTimersByTimeAsync(4900);
    expect(look).toHaveBeenCalledTimes(1);
    expect(process.exitCode).toBe(0);
    await jest.advanceTimersByTimeAsync(200);
    expect(look).toHaveBeenCalledTimes(2);
    expect(process.exitCode).toBe(1);
    process.emit("SIGINT");
    await watching;
    jest.useRealTimers();
    expect(printed()).toHaveLength(2);
    expect(clear).toHaveBeenCalledTimes(2);
    expect(process.listenerCount("SIGINT")).toBe(0);
  });
});
