import { destinationOf } from "../../cli/move";
import { placedLook } from "../../cli/placement/placed";
import { parseSettings, secretKeys } from "../../config";
import { containerNames, networkNames } from "../../config/containers";
import { imageHosts, kasmHost, overlayHosts } from "../../config/host";
import { instancesOf, settingsOn } from "../../config/instances";
import { routeOf } from "../../config/route";
import { exclusions } from "../../pulumi/exclusions";

const hostKey = `ssh-ed25519 ${Buffer.from("key").toString("base64")}`;
const server = (address: string, more: object = {}) => ({ address, hostKey, ...more });
const two = server("two.example.com", { privateAddress: "10.0.0.2" });
const route = { mode: "path", webServers: ["two", "three"], privateAddress: "10.0.0.1" };
const base = {
  host: JSON.stringify(server("kasm.example.com")),
  hosts: JSON.stringify({ two, three: server("three.example.com") }),
  kasmUrl: "https://kasm.example.com",
  nginxRoute: JSON.stringify(route),
  instances: '["alice",{"name":"bob","host":"two"}]',
};
const parse = (values: Record<string, string> = {}) =>
  parseSettings({ values: { ...base, ...values }, encrypted: [...secretKeys] });
const problemsOf = (values: Record<string, string>): string => {
  try {
    parse(values);
    return "none";
  } catch (error) {
    return (error as Error).message;
  }
};
const routeWith = (more: object) => JSON.stringify({ ...route, ...more });
const hosts = [kasmHost, "two", "three"];

describe("several web servers", () => {
  test("have a forwarder for each gateway, straight on its own host and by its door elsewhere", () => {
    const settings = parse();
    const ways = instancesOf(settings).map(({ settings: own }) =>
      hosts.map((name) => {
        const forwarder = routeOf(own, name)?.forwarder;
        return forwarder && `${forwarder.host}:${forwarder.port.toString()}`;
      }),
    );

    expect(ways).toEqual([
      ["openclaw-alice:8080", "10.0.0.1:8180", "10.0.0.1:8180"],
      ["10.0.0.2:8181", "openclaw-bob:8080", "10.0.0.2:8181"],
    ]);
  });

  test("have their containers and networks in the preflight of their host", () => {
    const settings = parse();
    const names = (name: string) => {
      const own = settingsOn(settings, name);
      return [containerNames(own).sort(), networkNames(own).sort()];
    };
    const networks = ["openclaw-net-alice", "openclaw-net-bob"];

    expect(hosts.map(names)).toEqual([
      [
        ["openclaw-alice", "openclaw-alice-door", "openclaw-alice-route", "openclaw-bob-route"],
        networks,
      ],
      [
        ["openclaw-alice-route", "openclaw-bob", "openclaw-bob-door", "openclaw-bob-route"],
        networks,
      ],
      [["openclaw-alice-route", "openclaw-bob-route"], networks],
    ]);
  });

  test("lead to one gateway without a name", () => {
    const settings = parse({ instances: "[]" });

    expect(containerNames(settingsOn(settings, kasmHost))).toEqual([
      ...["openclaw", "openclaw-route", "openclaw-door"],
    ]);
    expect(containerNames(settingsOn(settings, "two"))).toEqual(["openclaw-route"]);
    expect(networkNames(settingsOn(settings, "two"))).toEqual(["openclaw-net"]);
  });

  test("have the gateway's image, of which forwarders run", () => {
    expect(imageHosts(parse())).toEqual(hosts);
    expect(
      imageHosts(
        parse({ kasmAgents: '["three"]', nginxRoute: routeWith({ webServers: ["two"] }) }),
      ),
    ).toEqual([kasmHost, "two"]);
  });

  test("are all in the swarm if a gateway is reached by it, KASM's host by its own setting too", () => {
    const overlay = '{"name":"openclaw-hosts"}';
    const settings = parse({ overlay, nginxRoute: routeWith({ privateAddress: undefined }) });

    expect(overlayHosts(settings)).toEqual(hosts);
    expect(
      instancesOf(settings).map(({ settings: own }) => routeOf(own, "three")?.networkName),
    ).toEqual([...["openclaw-hosts", "openclaw-net-bob"]]);
    expect(networkNames(settingsOn(settings, "three"))).toEqual(["openclaw-net-bob"]);
  });

  test("are left out with all that is on them", () => {
    expect(exclusions(parse(), ["three"])).toEqual(
      expect.arrayContaining(["**::host-three", "**::host-three-*", "**::openclaw-host-three-*"]),
    );
  });

  test("keep their way to a gateway elsewhere, which is no stray one", () => {
    const alice = instancesOf(parse()).filter(({ name }) => name === "alice");
    const { variables } = placedLook("test", alice, "two");

    expect(variables.CONTAINERS).not.toContain("-route");
    expect(variables.NETWORKS).toBe("");
  });
});

describe("wrong web servers", () => {
  test.each<[what: string, problem: string, values: Record<string, string>]>([
    [
      "that are no hosts",
      "openclaw:nginxRoute.webServers: found four; expected hosts of openclaw:hosts: two, three",
      { nginxRoute: routeWith({ webServers: ["two", "three", "four"] }) },
    ],
    ["twice", "none twice", { nginxRoute: routeWith({ webServers: ["two", "two"] }) }],
    [
      "without a route",
      "openclaw:nginxRoute: found webServers without a route",
      { nginxRoute: routeWith({ mode: "none" }) },
    ],
    [
      "that reach no gateway on KASM's host",
      "openclaw:nginxRoute.privateAddress: found nothing; expected the address at which the web servers two, three reach the KASM server",
      { nginxRoute: routeWith({ privateAddress: undefined }) },
    ],
    [
      "that take a published port",
      "publishAddresses: found 10.0.0.1, which takes the port of nginxRoute.privateAddress",
      { publishAddresses: '["127.0.0.1","10.0.0.1"]' },
    ],
    [
      "and an address for none",
      "openclaw:nginxRoute.privateAddress: found it without webServers",
      {
        nginxRoute: routeWith({ webServers: [] }),
        instances: '["alice",{"name":"bob","host":"three"}]',
      },
    ],
    [
      "with more networks than Docker chooses",
      "networkSubnet: found nothing with 21 networks on a host",
      {
        instances: JSON.stringify(Array.from({ length: 21 }, (_, index) => `i${index.toString()}`)),
      },
    ],
  ])("%s", (_, problem, values) => {
    expect(problemsOf(values)).toContain(problem);
  });

  test("keep a gateway from a host on which they do not reach it", () => {
    expect(() => destinationOf(parse(), "alice", "three")).toThrow(
      "openclaw:hosts.three.privateAddress",
    );
    const instances = '[{"name":"bob","host":"two"}]';
    const nginxRoute = routeWith({ privateAddress: undefined });
    expect(() => destinationOf(parse({ instances, nginxRoute }), "bob", "openclaw:host")).toThrow(
      "openclaw:nginxRoute.privateAddress",
    );
  });
});
