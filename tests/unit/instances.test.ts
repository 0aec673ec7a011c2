import { thisMachine } from "../../components/host";
import { chosenInstance, outputsOf } from "../../cli/instance";
import { byInstance, instancesOf, sharedSettings } from "../../config/instances";
import { parseSettings, secretKeys, SettingsError, type Settings } from "../../config";
import { routeOf, routeUrl } from "../../config/route";
import { stackTiles } from "../../config/tiles";
import { containerNames } from "../../config/containers";

const kasm = {
  kasmUrl: "https://kasm.example.com",
  kasmApiKey: "bMjMwTT0JKUQ",
  kasmApiSecret: "KUNAvRw4KLHGmldBxhRUD5sAhWkvJVzS",
};
const parse = (values: Record<string, string>) =>
  parseSettings({ values: { port: "8180", ...values }, encrypted: [...secretKeys] });
const several = (values: Record<string, string> = {}) =>
  instancesOf(parse({ instances: '["alice","bob"]', ...values }));

test("one gateway without a name has the stack's settings and names unchanged", () => {
  const settings = parse({ ...kasm, workspaces: '{"browser":{},"desktop":{}}' });

  expect(instancesOf(settings)).toEqual([{ name: "", resource: "openclaw", settings }]);
  expect(sharedSettings(settings).workspaces).toEqual({});
});

test("each of several has its own names, port and data, and shares all other settings", () => {
  const settings = parse({ instances: '["alice","bob"]' });
  const [alice, bob] = instancesOf(settings);

  expect(alice).toEqual({
    name: "alice",
    resource: "openclaw-alice",
    settings: {
      ...settings,
      containerName: "openclaw-alice",
      networkName: "openclaw-net-alice",
      port: 8180,
      directory: "/opt/openclaw-alice",
      nginxRoute: { ...settings.nginxRoute, fileName: "openclaw-alice.conf" },
    },
  });
  expect(bob?.settings).toMatchObject({
    containerName: "openclaw-bob",
    networkName: "openclaw-net-bob",
    port: 8181,
    directory: "/opt/openclaw-bob",
  });
});

test("each has the next subnet of the size that is set", () => {
  const subnets = (networkSubnet: string) =>
    instancesOf(parse({ instances: '["alice","bob","carol"]', networkSubnet })).map(
      ({ settings }) => settings.networkSubnet,
    );

  expect(subnets("10.99.255.0/24")).toEqual(["10.99.255.0/24", "10.100.0.0/24", "10.100.1.0/24"]);
  expect(subnets("192.168.0.16/28")).toEqual([
    ...["192.168.0.16/28", "192.168.0.32/28", "192.168.0.48/28"],
  ]);
  expect(subnets("")).toEqual(["", "", ""]);
});

describe("a hundred", () => {
  const names = Array.from({ length: 100 }, (_, index) => `g${index.toString()}`);
  const instances = JSON.stringify(names);
  const problemsOf = (values: Record<string, string>) => {
    try {
      parse(values);
      return [];
    } catch (error) {
      return (error as SettingsError).problems;
    }
  };

  test("have a port, a network and a directory each", () => {
    const all = instancesOf(parse({ instances, networkSubnet: "10.99.0.0/24" }));
    const of = (key: "port" | "networkSubnet" | "directory") =>
      new Set(all.map(({ settings }) => settings[key])).size;

    expect([of("port"), of("networkSubnet"), of("directory")]).toEqual([100, 100, 100]);
    expect(all[99]?.settings.networkSubnet).toBe("10.99.99.0/24");
  });

  test("are the most", () => {
    const more = JSON.stringify([...names, "more"]);

    expect(problemsOf({ instances: more, networkSubnet: "10.99.0.0/24" })).toEqual([
      expect.stringContaining("up to 100 names"),
    ]);
  });

  test("need a subnet to count up from, because Docker chooses only some", () => {
    const some = (count: number) => JSON.stringify(names.slice(0, count));

    expect(problemsOf({ instances: some(20) })).toEqual([]);
    expect(problemsOf({ instances: some(21) })).toEqual([
      expect.stringContaining("openclaw:networkSubnet: found nothing with 21 networks on a host"),
    ]);
    expect(problemsOf({ instances: some(5), networkSubnet: "192.168.252.0/24" })).toEqual([
      "openclaw:networkSubnet: found 192.168.252.0/24; expected one that 5 private subnets can count up from",
    ]);
    expect(problemsOf({ instances: some(4), networkSubnet: "192.168.252.0/24" })).toEqual([]);
  });

  test("on several hosts need one where a route takes all of them to KASM's", () => {
    const hostKey = `ssh-ed25519 ${Buffer.from("key").toString("base64")}`;
    const server = (address: string) => ({ address, hostKey, privateAddress: "10.0.0.2" });
    const { privateAddress: _, ...host } = server("kasm.example.com");
    const values = {
      host: JSON.stringify(host),
      hosts: JSON.stringify({ two: server("two.example.com") }),
      instances: JSON.stringify([
        ...names.slice(0, 12),
        ...names.slice(12, 24).map((name) => ({ name, host: "two" })),
      ]),
    };

    expect(problemsOf(values)).toEqual([]);
    expect(problemsOf({ ...values, ...kasm, nginxRoute: '{"mode":"path"}' })).toEqual([
      expect.stringContaining("found nothing with 24 networks on a host"),
    ]);
  });
});

test.each<[key: keyof Settings, values: Record<string, string>, own: unknown]>([
  ["port", { port: "9000" }, [9000, 9001]],
  ["containerName", { containerName: "claw" }, ["claw-alice", "claw-bob"]],
  ["dataVolume", { dataVolume: "data" }, ["data-alice", "data-bob"]],
  ["dataVolume", {}, ["", ""]],
  ["basePath", {}, ["", ""]],
  ["basePath", { basePath: "/ai" }, ["/ai/alice", "/ai/bob"]],
  ["cpus", {}, [1, 1]],
  ["cpus", { plan: "large" }, [4, 4]],
  ["cpus", { plan: "large", cpus: "3" }, [3, 3]],
  ["memoryMb", { plan: "medium" }, [4096, 4096]],
  ["memoryMb", { instances: '["a","b","c"]' }, [2048, 2048, 2048]],
])("%s with %j", (key, values, own) => {
  expect(several(values).map(({ settings }) => settings[key])).toEqual(own);
});

test("each has its own route file, with a path below the stack's or a subdomain of the server name", () => {
  const path = several({ ...kasm, nginxRoute: '{"mode":"path"}' });
  const named = several({
    ...kasm,
    nginxRoute: '{"mode":"serverName","serverName":"claw.example.com","fileName":"zz-own.conf"}',
  });

  expect(path.map(({ settings }) => routeUrl(settings))).toEqual([
    "https://kasm.example.com/openclaw/alice/",
    "https://kasm.example.com/openclaw/bob/",
  ]);
  expect(path.map(({ settings }) => routeOf(settings))).toMatchObject([
    {
      fileName: "openclaw-alice.conf",
      forwarder: { containerName: "openclaw-alice-route", host: "openclaw-alice", port: 8080 },
      basePath: "/openclaw/alice",
    },
    { basePath: "/openclaw/bob", fileName: "openclaw-bob.conf" },
  ]);
  expect(named.map(({ settings }) => routeUrl(settings))).toEqual([
    "https://alice.claw.example.com/",
    "https://bob.claw.example.com/",
  ]);
  expect(named.map(({ settings }) => routeOf(settings)?.fileName)).toEqual([
    "zz-own-alice.conf",
    "zz-own-bob.conf",
  ]);
});

test("each has its containers", () => {
  const instances = '["alice","bob"]';
  const settings = parse({ ...kasm, instances, nginxRoute: '{"mode":"path"}', browser: "sidecar" });

  expect(containerNames(settings)).toEqual(
    ["alice", "bob"].flatMap((name) =>
      ["", "-browser", "-route"].map((part) => `openclaw-${name}${part}`),
    ),
  );
});

test("each has its own tiles, except the desktop, which has its own OpenClaw", () => {
  const workspaces = {
    browser: { friendlyName: "Claw", cast: { key: "claw" } },
    desktop: { cores: 4 },
    link: {},
  };
  const values = { ...kasm, nginxRoute: '{"mode":"path"}', workspaces: JSON.stringify(workspaces) };
  const [, bob] = several(values);

  expect(bob?.settings.workspaces).toEqual({
    browser: { friendlyName: "Claw (bob)", cast: { key: "claw-bob" } },
    link: { friendlyName: "OpenClaw (bob)" },
  });
  const settings = parse({ ...values, instances: '["alice","bob"]' });
  expect(sharedSettings(settings).workspaces).toEqual({ desktop: { cores: 4 } });
  const tiles = stackTiles(settings, { host: thisMachine, agents: [], image: undefined });
  expect(Object.keys(tiles)).toEqual([
    "alice-browser",
    "alice-link",
    "bob-browser",
    "bob-link",
    "desktop",
  ]);
  expect(tiles["bob-browser"]).toMatchObject({
    opens: "http://host.docker.internal:8181/openclaw/bob/",
  });
  expect(tiles["bob-link"]).toMatchObject({
    opens: "https://kasm.example.com/openclaw/bob/",
  });
});

test.each<[values: Record<string, string>, problem: string]>([
  [{ instances: '["Alice"]' }, "openclaw:instances: found"],
  [{ instances: '["alice","alice"]' }, "none twice"],
  [{ instances: '["a-b"]' }, "lower-case letters and digits"],
  [{ instances: '["../x"]' }, "lower-case letters and digits"],
  [{ instances: '[""]' }, "lower-case letters and digits"],
  [{ instances: "alice" }, "lower-case letters and digits"],
  [
    { instances: '["alice","bob"]', port: "65535" },
    "openclaw:port: found 65535; expected one that 2 instances can count up from",
  ],
  [
    {
      ...kasm,
      instances: '["alice"]',
      workspaces: '{"browser":{"address":"http://10.0.0.1/"}}',
    },
    "openclaw:workspaces.browser: found an address or importId together with openclaw:instances",
  ],
])("refuses %j: %s", (values, problem) => {
  expect(() => parse(values)).toThrow(SettingsError);
  expect(() => parse(values)).toThrow(problem);
});

describe("commands", () => {
  const none = parse({});
  const two = parse({ instances: '["alice","length"]' });

  test("apply to the only gateway, or to the one that is named", () => {
    expect(chosenInstance(none, undefined).resource).toBe("openclaw");
    expect(chosenInstance(two, "alice").resource).toBe("openclaw-alice");
    expect(() => chosenInstance(two, undefined)).toThrow("--instance with one of alice, length");
    expect(() => chosenInstance(two, "carol")).toThrow("--instance with one of alice, length");
    expect(() => chosenInstance(none, "alice")).toThrow("no instances with names");
  });

  test("read its outputs", () => {
    const outputs = { urls: ["http://127.0.0.1:8180/"], username: "admin" };
    const named = { urls: { alice: ["a"], length: ["b"] }, username: "admin", workspaces: {} };

    expect(outputsOf(outputs, { name: "" })).toEqual(outputs);
    expect(outputsOf(outputs, { name: "length" })).toEqual(outputs);
    expect(outputsOf(named, { name: "length" })).toEqual({ ...named, urls: ["b"] });
  });

  test("read the tiles' names unchanged, whatever a gateway's name is", () => {
    const workspaces = { desktop: { workspaceId: "1" }, "desktop-link": { workspaceId: "2" } };

    expect(outputsOf({ workspaces }, { name: "desktop" })).toEqual({ workspaces });
  });
});

test("outputs are plain for one gateway, and by name for several", () => {
  const port = ({ settings }: { settings: Settings }) => settings.port;

  expect(byInstance(instancesOf(parse({})), port)).toBe(8180);
  expect(byInstance(several(), port)).toEqual({ alice: 8180, bob: 8181 });
});
