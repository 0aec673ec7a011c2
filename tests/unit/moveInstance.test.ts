import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastBackup } from "../../cli/backup/chosenBackup";
import { destinationOf } from "../../cli/move";
import { ownerOf, type Placed, placedIn, placedLook } from "../../cli/placement/placed";
import { removeStrays, strayable, strayChecks } from "../../cli/placement/strays";
import { parseFacts } from "../../cli/preflight/host";
import { parseSettings } from "../../config";
import { hostOf } from "../../config/host";
import { instancesOf } from "../../config/instances";
import { placedOn, withPlace } from "../../config/placement";
import {
  allAside,
  asideIn,
  withAsideBack,
  withoutPlaced,
  withPlacedAside,
} from "../../pulumi/placement";
import { deploymentOf } from "../support/deployment";

const hostKey = `ssh-ed25519 ${Buffer.from("key").toString("base64")}`;
const server = (address: string) => ({ address, hostKey, privateAddress: "10.0.0.2" });
const settings = parseSettings({
  values: {
    host: JSON.stringify({ address: "kasm", hostKey }),
    hosts: JSON.stringify({ two: server("two"), three: server("three") }),
    instances: '["alice",{"name":"bob","host":"two"}]',
  },
  encrypted: [],
});
const bob = instancesOf(settings).filter(({ name }) => name === "bob");
const errorOf = (work: () => unknown): string => {
  try {
    return JSON.stringify(work());
  } catch (error) {
    return (error as Error).message;
  }
};

describe("the destination", () => {
  test("is one of openclaw:hosts by its name, or KASM's by its setting", () => {
    expect(destinationOf(settings, "bob", "three")).toBe("three");
    expect(destinationOf(settings, "bob", "openclaw:host")).toBe("");
  });

  test.each([
    ["carol", "two", "no instance carol: expected one of alice, bob"],
    ["bob", "four", "no host four: expected one of two, three, openclaw:host"],
  ])("%s on %s is refused", (name, place, problem) => {
    expect(errorOf(() => destinationOf(settings, name, place))).toContain(problem);
  });

  test("is refused in a stack with one host", () => {
    const alone = parseSettings({ values: { instances: '["bob"]' }, encrypted: [] });

    expect(errorOf(() => destinationOf(alone, "bob", "two"))).toContain("has one host");
  });
});

describe("the place in the settings", () => {
  const file = (instances: string) =>
    `# of a stack\nconfig:\n  openclaw:hosts:\n    two: { address: two } # the other one\n  openclaw:instances:${instances}\n  openclaw:password:\n    secure: v1:abc\nencryptionsalt: v1:xyz\n`;

  test.each([
    ["a name", "\n    - alice\n    - bob", "two", "\n    - alice\n    - { name: bob, host: two }"],
    ["an object", "\n    - alice\n    - { name: bob, host: two }", "", "\n    - alice\n    - bob"],
    [
      "an object of several lines",
      "\n    - alice\n    - name: bob\n      host: two",
      "three",
      "\n    - alice\n    - { name: bob, host: three }",
    ],
    ["the text of a list", ` '["alice","bob"]'`, "two", ` '["alice",{"name":"bob","host":"two"}]'`],
  ])("changes as %s, and nothing else in the file does", (_, before, host, after) => {
    expect(withPlace(file(before), "bob", host)).toBe(file(after));
  });

  test("is the same in the settings that are read", () => {
    expect(hostOf(placedOn(settings, "bob", "three"), "bob")).toBe("three");
    expect(hostOf(placedOn(settings, "bob", ""), "bob")).toBe("");
    expect(hostOf(placedOn(settings, "bob", "three"), "alice")).toBe("");
  });

  test("can't be changed where the instance is missing", () => {
    expect(() => withPlace(file("\n    - alice"), "bob", "two")).toThrow("has no bob");
  });
});

describe("the host that has a gateway", () => {
  const on = (host: string, what: "gateway" | "data" | "both"): Placed => ({
    host,
    containers: [],
    hasGateway: what !== "data",
    data: what === "gateway" ? undefined : "/opt/openclaw-bob/data",
    empty: undefined,
  });

  test.each<[string, Placed[], string, string, string | undefined]>([
    ["the only one with a container", [on("", "both")], "", "two", ""],
    ["though the settings were changed by hand", [on("", "both")], "two", "two", ""],
    ["though a copy is at the destination", [on("", "both"), on("two", "data")], "", "two", ""],
    ["the configured one of two", [on("", "both"), on("two", "both")], "two", "two", "two"],
    ["the configured one with data", [on("", "data"), on("two", "data")], "two", "two", "two"],
    ["not a copy before the settings say so", [on("two", "data")], "", "two", undefined],
    ["the one with data before the settings", [on("", "data"), on("two", "data")], "", "two", ""],
    ["none", [], "", "two", undefined],
  ])("is %s", (_, placed, configured, to, owner) => {
    expect(ownerOf(placed, configured, to)).toBe(owner);
  });

  test("is not guessed", () => {
    const placed = [on("", "gateway"), on("three", "gateway")];

    expect(() => ownerOf(placed, "two", "two")).toThrow(
      "on several hosts, and on none where the settings place it: openclaw:host, openclaw:hosts.three",
    );
  });
});

describe("what a host has of gateways that are placed elsewhere", () => {
  const facts = parseFacts(
    [
      "container=openclaw-bob c1 running",
      "container=openclaw-bob-door c2 running",
      "data=/opt/openclaw-bob/data",
    ].join("\n"),
  );

  test("is found by the names that it would have there", () => {
    expect(strayable({ settings }, "three").map(({ name }) => name)).toEqual(["alice", "bob"]);
    expect(strayable({ settings }, "two").map(({ name }) => name)).toEqual(["alice"]);
    expect(placedLook("dev", bob, "three").variables).toEqual({
      STACK: "dev",
      CONTAINERS: "openclaw-bob openclaw-bob-browser openclaw-bob-offsite openclaw-bob-door",
      NETWORKS: "openclaw-net-bob",
      DIRECTORIES: "/opt/openclaw-bob/data",
      VOLUMES: "",
      STOPPED: "",
      LOCK: "",
    });
  });

  test("leaves out KASM's way to a gateway elsewhere", () => {
    expect(placedLook("dev", bob, "").variables).toMatchObject({ NETWORKS: "" });
    expect(placedLook("dev", bob, "").variables.CONTAINERS).not.toContain("-route");
  });

  test("is read for each gateway", () => {
    const [instance] = bob;

    expect(instance && placedIn(facts, instance, "three")).toEqual({
      host: "three",
      containers: [
        { name: "openclaw-bob", id: "c1", state: "running" },
        { name: "openclaw-bob-door", id: "c2", state: "running" },
      ],
      hasGateway: true,
      data: "/opt/openclaw-bob/data",
      empty: undefined,
    });
  });

  test("is bad in status if it is a container, and told if it is data", () => {
    const checks = strayChecks({ settings, stack: "dev" }, "three", facts);

    expect(checks.map(({ instance, state }) => [instance, state])).toEqual([
      ["bob", "bad"],
      ["bob", "bad"],
      ["bob", "info"],
    ]);
    expect(checks[0]?.value).toContain(
      "openclaw-bob (running), although it is on openclaw:hosts.two",
    );
    expect(checks[2]?.value).toContain("npm run move -- bob two --stack dev");
  });

  test("is not a gateway that the settings were led away from by hand: up refuses it", async () => {
    const deployment = deploymentOf({ settings, stack: "dev", target: {} });
    const containers = [{ name: "openclaw-bob", host: "" }];

    await expect(removeStrays(deployment, { containers })).rejects.toThrow(
      "bob is on openclaw:host, and openclaw:instances places it on openclaw:hosts.two. With its data it gets there by npm run move -- bob two --stack dev",
    );
  });
});

describe("Pulumi's state without what a gateway has on hosts", () => {
  const urn = (type: string, name: string) => `urn:pulumi:dev::openclaw::${type}::${name}`;
  const [container, command] = ["docker:index/container:Container", "command:local:Command"];
  const resource = (type: string, name: string, more: object = {}) => ({
    urn: urn(type, name),
    type,
    ...more,
  });
  const gateway = resource(container, "openclaw-bob-container");
  const exported = {
    version: 3,
    deployment: {
      manifest: {},
      resources: [
        resource("openclaw:index:OpenClawStandalone", "openclaw-bob"),
        resource("random:index/randomPassword:RandomPassword", "openclaw-bob-password"),
        gateway,
        resource("docker:index/network:Network", "openclaw-bob-network"),
        resource("docker:index/volume:Volume", "openclaw-bob-pause"),
        resource("pulumi-nodejs:dynamic/openclaw:DataDirectory", "openclaw-bob-data"),
        resource(command, "openclaw-bob-ready", { dependencies: [gateway.urn] }),
        resource(container, "openclaw-bob-route-forwarder"),
        resource(container, "openclaw-bobby-container"),
        resource("pulumi-nodejs:dynamic/openclaw:KasmWorkspace", "openclaw-bob-browser-tile", {
          dependencies: [gateway.urn, "other"],
          propertyDependencies: { address: [gateway.urn], name: null },
        }),
      ],
    },
  };

  test("keeps credentials, tiles, components and other gateways, and no reference to what is gone", () => {
    expect(withoutPlaced(exported, "openclaw-bob")).toEqual({
      version: 3,
      deployment: {
        manifest: {},
        resources: [
          resource("openclaw:index:OpenClawStandalone", "openclaw-bob"),
          resource("random:index/randomPassword:RandomPassword", "openclaw-bob-password"),
          resource(container, "openclaw-bobby-container"),
          resource("pulumi-nodejs:dynamic/openclaw:KasmWorkspace", "openclaw-bob-browser-tile", {
            dependencies: ["other"],
            propertyDependencies: { address: [], name: null },
          }),
        ],
      },
    });
  });

  test("takes the ways from all web servers, but from one that is left out", () => {
    const ways = ["openclaw-bob-route-forwarder", "host-two-openclaw-bob-route-forwarder"];
    const other = resource(container, "host-two-openclaw-alice-route-forwarder");
    const [first, second] = ways.map((name) => resource(container, name));
    const after = (leftOut: string[]) =>
      withoutPlaced(
        { deployment: { resources: [first, second, other] } },
        "openclaw-bob",
        "all",
        leftOut,
      );

    expect(after([])).toEqual({ deployment: { resources: [other] } });
    expect(after(["two"])).toEqual({ deployment: { resources: [second, other] } });
  });

  test("is the same state if it has none of it", () => {
    expect(withoutPlaced(exported, "openclaw-carol")).toBeUndefined();
  });
});

describe("Pulumi's state with what a gateway has on its host set aside", () => {
  const standalone = "openclaw:index:OpenClawStandalone";
  const kasmRoute = "openclaw:index:KasmNginxRoute";
  const urn = (type: string, name: string) => `urn:pulumi:dev::openclaw::${type}::${name}`;
  const resource = (parent: string, type: string, name: string, more: object = {}) => ({
    urn: urn(`${parent}$${type}`, name),
    type,
    ...more,
  });
  const container = "docker:index/container:Container";
  const network = "docker:index/network:Network";
  const hostTwo = `${urn("pulumi:providers:docker", "host-two")}::p1`;
  const parents = [
    { urn: urn(standalone, "openclaw-bob"), type: standalone },
    { urn: urn(kasmRoute, "openclaw-bob-route"), type: kasmRoute },
  ];
  const gateway = (id: string, name: string, more: object = {}) =>
    resource(standalone, container, name, { id, ...more });
  const ofRoute = (type: string, part: string, more: object = {}) =>
    resource(kasmRoute, type, `openclaw-bob-route-${part}`, more);
  const state = (...resources: object[]) => ({ version: 3, deployment: { resources } });
  const ready = resource(standalone, "command:local:Command", "openclaw-bob-ready", {
    dependencies: [gateway("", "openclaw-bob-container").urn],
  });
  const sidecar = resource(
    `${standalone}$openclaw:index:OpenClawBrowser`,
    container,
    "openclaw-bob-sidecar-container",
  );
  const before = state(
    ...parents,
    gateway("c1", "openclaw-bob-container", { provider: hostTwo }),
    ready,
    sidecar,
    ofRoute(network, "network", { id: "n1" }),
    ofRoute(container, "forwarder", {
      dependencies: [ofRoute(network, "network").urn, ready.urn],
    }),
  );

  test("has it under names that are not the gateway's, leaves the route, and is undone to the same", () => {
    const aside = withPlacedAside(before, "openclaw-bob", "three");
    const names = JSON.stringify(aside).match(/(?<=::)aside~[a-z-]+(?="[,}])/g);

    expect(asideIn(aside)).toEqual([
      { resource: "openclaw-bob", previous: { id: "c1", host: "two" }, current: undefined },
    ]);
    expect(names).toEqual(expect.arrayContaining(["aside~openclaw-bob-ready"]));
    expect(JSON.stringify(aside)).not.toMatch(/::openclaw-bob-(container|ready|sidecar)/);
    expect(allAside).toBe("**::aside~*");
    const back = withAsideBack(aside, "openclaw-bob") as typeof before;
    const byUrn = (resources: object[]) =>
      resources.map((each) => JSON.stringify(each)).sort((one, other) => (one < other ? -1 : 1));
    const [forwarder] = before.deployment.resources.slice(-1);
    const unreferenced = before.deployment.resources.map((each) =>
      each === forwarder ? { ...forwarder, dependencies: [] } : each,
    );
    expect(byUrn(back.deployment.resources)).toEqual(byUrn(unreferenced));
  });

  test("gives it back in the place of what the destination has by then", () => {
    const aside = withPlacedAside(before, "openclaw-bob", "three") as typeof before;
    const created = gateway("c2", "openclaw-bob-container");
    const both = state(...aside.deployment.resources, created);
    expect(asideIn(both)).toMatchObject([{ current: { id: "c2", host: "" } }]);

    expect(JSON.stringify(withAsideBack(both, "openclaw-bob"))).not.toContain("c2");
    const given = JSON.stringify(withoutPlaced(both, "openclaw-bob", "aside"));
    expect(given).toContain("c2");
    expect(given).toContain("-route-forwarder");
    expect(given).not.toContain("aside~");
    const settled = JSON.stringify(withoutPlaced(both, "openclaw-bob", "route"));
    expect(settled).toContain("c2");
    expect(settled).not.toMatch(/aside~|-route-forwarder|-route-network/);
  });

  test("on the way to KASM's host has the network of the route as the gateway's own", () => {
    const aside = JSON.stringify(withPlacedAside(before, "openclaw-bob", ""));

    expect(aside).toContain(
      JSON.stringify({
        ...resource(standalone, network, "openclaw-bob-network", { id: "n1" }),
        parent: parents[0]?.urn,
      }).slice(1, -1),
    );
    expect(aside).not.toContain("-route-network");
  });
});

describe("the last backup", () => {
  let home: string;
  const before = process.env.XDG_STATE_HOME;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "last-backup-"));
    process.env.XDG_STATE_HOME = home;
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
    if (before === undefined) delete process.env.XDG_STATE_HOME;
    else process.env.XDG_STATE_HOME = before;
  });

  test("is the newest one of that gateway's own data", () => {
    const folder = join(home, "openclaw-kasm/backups/dev");
    mkdirSync(folder, { recursive: true });
    for (const name of [
      "dev-bob-2026-01-01T00-00-00Z.tar.gz",
      "dev-before-2026.9.6-bob-2026-01-02T00-00-00Z.tar.gz.age",
      "dev-moved-bob-2026-01-01T12-00-00Z.tar.gz",
      "dev-left-bob-2026-01-03T00-00-00Z.tar.gz",
      "dev-alice-2026-01-04T00-00-00Z.tar.gz",
      "dev-bob-2026-01-05T00-00-00Z.tar.gz.123.partial",
    ]) {
      writeFileSync(join(folder, name), "");
    }

    expect(lastBackup("dev", "bob")).toEqual({
      file: join(folder, "dev-before-2026.9.6-bob-2026-01-02T00-00-00Z.tar.gz.age"),
      time: "2026-01-02T00:00:00Z",
    });
    expect(lastBackup("dev", "carol")).toBeUndefined();
  });
});
