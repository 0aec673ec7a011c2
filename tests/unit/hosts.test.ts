import { withSessionLooks } from "../../cli/reach/session";
import { parseSettings, secretKeys } from "../../config";
import { containerNames, networkNames } from "../../config/containers";
import { hostArgs, hostOf, hostOfProvider, kasmHost, overlayHosts } from "../../config/host";
import { acrossHosts, instancesOf, settingsByHost, settingsOn } from "../../config/instances";
import { needs } from "../../config/plans";
import { routeOf } from "../../config/route";
import { stackTiles } from "../../config/tiles";
import { thisMachine } from "../../components/host";
import { gatewaysOf, onHosts, withinSessions } from "../../pulumi/deployment";
import { exclusions } from "../../pulumi/exclusions";
import { deploymentOf } from "../support/deployment";

const hostKey = `ssh-ed25519 ${Buffer.from("key").toString("base64")}`;
const server = (address: string, more: object = {}) => ({ address, hostKey, ...more });
const kasm = {
  kasmUrl: "https://kasm.example.com",
  kasmApiKey: "bMjMwTT0JKUQ",
  kasmApiSecret: "KUNAvRw4KLHGmldBxhRUD5sAhWkvJVzS",
};
const two = server("two.example.com", { privateAddress: "10.0.0.2" });
const three = server("three.example.com", { privateAddress: "10.0.0.3" });
const placed = '["alice",{"name":"bob","host":"two"},{"name":"carol","host":"two"}]';
const base = {
  host: JSON.stringify(server("kasm.example.com")),
  instances: placed,
};
const parse = (values: Record<string, string> = {}) =>
  parseSettings({
    values: { ...base, hosts: JSON.stringify({ two }), ...values },
    encrypted: [...secretKeys],
  });
const problemsOf = (values: Record<string, string>): string => {
  try {
    parse(values);
    return "none";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("openclaw:hosts", () => {
  test("are where the instances that name them are, and the others are on openclaw:host", () => {
    const settings = parse();

    expect(settings.instances.map(({ name }) => hostOf(settings, name))).toEqual([
      "",
      "two",
      "two",
    ]);
    expect(instancesOf(settings).map(({ settings: own }) => own.host?.address)).toEqual([
      "kasm.example.com",
      "two.example.com",
      "two.example.com",
    ]);
  });

  test("give each gateway the same names and port wherever it is", () => {
    const apart = instancesOf(parse()).map(({ settings: own }) => [own.containerName, own.port]);
    const together = instancesOf(parse({ hosts: "{}", instances: '["alice","bob","carol"]' })).map(
      ({ settings: own }) => [own.containerName, own.port],
    );

    expect(apart).toEqual(together);
  });

  test("divide the plan among the gateways of a host", () => {
    const settings = parse({ plan: "large", browser: "none" });

    expect(instancesOf(settings).map(({ settings: { cpus } }) => cpus)).toEqual([8, 4, 4]);
    expect(settingsByHost(settings).map((each) => needs(each).memoryMb)).toEqual([
      [{ by: "plan large", amount: 16_384 }],
      [{ by: "plan large", amount: 16_384 }],
    ]);
  });

  test("are worked on side by side, whatever the order of their gateways", () => {
    const on = (host: string, ...names: string[]) => names.map((name) => ({ name, host }));
    const instances = JSON.stringify(["a", "b", "c", ...on("two", "d", "e")]);

    expect(acrossHosts(parse({ instances })).map(({ name }) => name)).toEqual([
      ...["a", "d", "b", "e", "c"],
    ]);
  });

  test("get as many of the engine's operations at a time as their shared connections take", () => {
    const ssh = { options: [], alias: "server", needsSudo: true };

    expect(withinSessions([{ ssh }])).toEqual({ PULUMI_PARALLEL: "3" });
    expect(withinSessions([{}, { ssh }, { ssh }])).toEqual({ PULUMI_PARALLEL: "4" });
    expect(withinSessions([{}])).toEqual({});
  });

  test("need nothing for gateways where there are none", () => {
    const settings = parse({ instances: placed.replace('"alice",', "") });

    expect(needs(settingsOn(settings, kasmHost)).cores).toEqual([{ by: "plan small", amount: 0 }]);
    expect(instancesOf(settingsOn(settings, kasmHost))).toEqual([]);
  });

  test("have containers and networks of their own, and KASM's a forwarder to each gateway", () => {
    const settings = parse({ ...kasm, nginxRoute: '{"mode":"path"}' });
    const [kasms, others] = settingsByHost(settings).map((each) => [
      containerNames(each),
      networkNames(each),
    ]);

    expect(kasms).toEqual([
      ["openclaw-alice", "openclaw-alice-route", "openclaw-bob-route", "openclaw-carol-route"],
      ["openclaw-net-alice", "openclaw-net-bob", "openclaw-net-carol"],
    ]);
    expect(others).toEqual([
      ["openclaw-bob", "openclaw-bob-door", "openclaw-carol", "openclaw-carol-door"],
      ["openclaw-net-bob", "openclaw-net-carol"],
    ]);
  });

  test("lead the route of a gateway elsewhere to its door", () => {
    const settings = parse({ ...kasm, nginxRoute: '{"mode":"path"}' });

    expect(instancesOf(settings).map(({ settings: own }) => routeOf(own)?.forwarder)).toEqual([
      { containerName: "openclaw-alice-route", host: "openclaw-alice", port: 8080 },
      { containerName: "openclaw-bob-route", host: "10.0.0.2", port: 8181 },
      { containerName: "openclaw-carol-route", host: "10.0.0.2", port: 8182 },
    ]);
  });

  test("without a private address are reached by the overlay network, the same one for all of them", () => {
    const settings = parse({
      ...kasm,
      nginxRoute: '{"mode":"path"}',
      hosts: JSON.stringify({ two: server("two.example.com"), three }),
      instances:
        '["alice",{"name":"bob","host":"two"},{"name":"carol","host":"three"},{"name":"dave","host":"two"}]',
      overlay: '{"name":"openclaw-hosts"}',
    });
    const routes = instancesOf(settings).map(({ settings: own }) => routeOf(own));

    expect(routes.map((route) => [route?.networkName, route?.forwarder.host])).toEqual([
      ["openclaw-net-alice", "openclaw-alice"],
      ["openclaw-hosts", "openclaw-bob-door"],
      ["openclaw-net-carol", "10.0.0.3"],
      ["openclaw-hosts", "openclaw-dave-door"],
    ]);
    expect(networkNames(settingsOn(settings, kasmHost))).toEqual([
      ...["openclaw-net-alice", "openclaw-hosts", "openclaw-net-carol"],
    ]);
    expect(networkNames(settingsOn(settings, "two"))).toEqual([
      ...["openclaw-net-bob", "openclaw-net-dave"],
    ]);
    expect(overlayHosts(settings)).toEqual([kasmHost, "two"]);
  });

  test("open the tile of a gateway elsewhere by its route", () => {
    const settings = parse({
      ...kasm,
      nginxRoute: '{"mode":"path"}',
      workspaces: '{"browser":{}}',
    });
    const tiles = stackTiles(settings, { host: thisMachine, agents: [], image: undefined });

    expect(Object.values(tiles).map((tile) => ("opens" in tile ? tile.opens : ""))).toEqual([
      "http://host.docker.internal:8180/openclaw/alice/",
      "https://kasm.example.com/openclaw/bob/",
      "https://kasm.example.com/openclaw/carol/",
    ]);
  });

  test("are not asked for from KASM's sessions, which reach gateways elsewhere by the route", () => {
    const login = { username: "admin", password: "secret-0123456789" };
    const gateways = instancesOf(parse()).map(({ settings: own }) => ({ settings: own, login }));
    const looks = withSessionLooks(gateways, { seconds: 1, socketSeconds: 1 });

    expect(looks.map(({ session }) => session.variables.PASSWORD)).toEqual([
      ...[login.password, "", ""],
    ]);
    expect(looks.map(({ session }) => session.containers)).toEqual([["openclaw-alice"], [], []]);
  });

  test("keep KASM's own parts on KASM's host", () => {
    const settings = parse({
      ...kasm,
      workspaces: '{"desktop":{}}',
      desktopPlan: "one",
      kasmImage: '{"build":true}',
    });

    expect(settingsOn(settings, "two")).toMatchObject({
      workspaces: {},
      desktopPlan: "none",
      kasmImage: { build: false },
    });
  });

  test("become arguments of a Host each", () => {
    const args = hostArgs(parse(), "two");

    expect(args).toMatchObject({ address: "two.example.com", privateAddress: "10.0.0.2" });
  });
});

describe("wrong openclaw:hosts", () => {
  const place = (hosts: object, values: Record<string, string> = {}) =>
    problemsOf({ hosts: JSON.stringify(hosts), ...values });

  test("are told all at once", () => {
    const message = place(
      {
        two: server("kasm.example.com"),
        four: server("four.example.com"),
      },
      { instances: placed.replace('"host":"two"}]', '"host":"three"}]') },
    );

    expect(message).toContain(
      "openclaw:hosts.two.address: found kasm.example.com, which is the address of openclaw:host too",
    );
    expect(message).toContain(
      "openclaw:instances: found carol on three; expected hosts of openclaw:hosts: two, four",
    );
    expect(message).toMatch(/^2 settings are not usable/);
  });

  test.each<[what: string, problem: string, hosts: object, values: Record<string, string>]>([
    [
      "a route and no private address",
      "hosts.two.privateAddress: found nothing",
      { two: server("two.example.com") },
      { ...kasm, nginxRoute: '{"mode":"path"}' },
    ],
    [
      "the private address among those that are published",
      "publishAddresses: found 10.0.0.2, which takes the port of hosts.two.privateAddress",
      { two },
      { ...kasm, nginxRoute: '{"mode":"path"}', publishAddresses: '["127.0.0.1","10.0.0.2"]' },
    ],
    [
      "an overlay network that no host needs",
      "openclaw:overlay: found it and no host that needs it",
      { two },
      { ...kasm, nginxRoute: '{"mode":"path"}', overlay: '{"name":"openclaw-hosts"}' },
    ],
    [
      "an overlay network without a route",
      "openclaw:overlay: found it without nginxRoute",
      { two: server("two.example.com") },
      { overlay: '{"name":"openclaw-hosts"}' },
    ],
    [
      "a subnet of hosts that is none",
      "openclaw:overlay: found",
      { two: server("two.example.com") },
      { overlay: '{"name":"openclaw-hosts","hostSubnet":"10.0.0.2/24"}' },
    ],
    [
      "a browser tile without a route",
      "workspaces.browser: found it with gateways on other hosts than KASM (two) and no nginxRoute",
      { two },
      { ...kasm, workspaces: '{"browser":{}}' },
    ],
    [
      "one gateway without a name",
      "openclaw:hosts.two: found no instance on it",
      { two },
      { instances: "[]" },
    ],
    [
      "none for an instance",
      "found bob on two; expected hosts of openclaw:hosts, which has none",
      {},
      {},
    ],
    [
      "an instance twice",
      "openclaw:instances: found",
      { two },
      { instances: '["bob",{"name":"bob","host":"two"}]' },
    ],
    ["a bad name", "openclaw:hosts: found", { Two: two }, {}],
    ["no host key", "one of hostKey and hostKeyFile", { two: { address: "two" } }, {}],
  ])("with %s", (_, problem, hosts, values) => {
    expect(place(hosts, values)).toContain(problem);
  });

  test("with a private key in clear", () => {
    const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc";
    const message = place({ two: { ...two, privateKey } });

    expect(message).toContain("openclaw:hosts.two.privateKey: found in clear");
    expect(message).not.toContain("BEGIN");
  });
});

describe("a host that is left out", () => {
  test("keeps its resources, with the routes and tiles of its gateways", () => {
    expect(exclusions(parse(), ["two"])).toEqual(
      [
        ...["host-two", "openclaw-host-two", "openclaw-bob", "openclaw-carol"].flatMap((name) => [
          `**::${name}`,
          `**::${name}-*`,
        ]),
        "**::aside~*",
      ].flatMap((pattern) => ["--exclude", pattern]),
    );
    expect(exclusions(parse(), [])).toEqual([]);
  });

  test.each(["three", "", "host"])("is one of openclaw:hosts, not %j", (name) => {
    expect(() => exclusions(parse(), [name])).toThrow("expected names of openclaw:hosts");
  });

  test("is not asked, and neither are its gateways", () => {
    const deployment = deploymentOf({
      settings: parse(),
      stack: "kasm",
      target: {},
      leftOut: ["two"],
    });

    expect(onHosts(deployment).map(({ host }) => host)).toEqual([""]);
    expect(gatewaysOf(deployment).map(({ name }) => name)).toEqual(["alice"]);
  });
});

test.each([
  ["urn:pulumi:s::openclaw::pulumi:providers:docker::host-two::1234", "two"],
  ["urn:pulumi:s::openclaw::pulumi:providers:docker::host::1234", ""],
  ["urn:pulumi:s::openclaw::pulumi:providers:docker::default_5_2_0::1234", ""],
  [undefined, ""],
])("a resource of provider %s is on host %j", (provider, host) => {
  expect(hostOfProvider(provider)).toBe(host);
});
