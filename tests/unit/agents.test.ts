import { sessionCheck } from "../../cli/reach/session";
import { destinationOf } from "../../cli/move";
import { hostProblems, parseFacts } from "../../cli/preflight/host";
import { parseSettings, secretKeys } from "../../config";
import {
  desktopImageHosts,
  gatewayHosts,
  hostOfImage,
  kasmHost,
  kasmImageResource,
  overlayHosts,
} from "../../config/host";
import { settingsOn } from "../../config/instances";
import { nextSteps } from "../../config/nextSteps";
import { needs } from "../../config/plans";
import { stackTiles } from "../../config/tiles";
import { thisMachine } from "../../components/host";
import { exclusions } from "../../pulumi/exclusions";

const hostKey = `ssh-ed25519 ${Buffer.from("key").toString("base64")}`;
const server = (address: string, more: object = {}) => ({ address, hostKey, ...more });
const served = '{"mode":"path","webServers":["two"],"privateAddress":"10.0.0.1"}';
const homes = "s3://profiles/{username}";
const base = {
  host: JSON.stringify(server("kasm.example.com")),
  hosts: JSON.stringify({ two: server("two.example.com"), three: server("three.example.com") }),
  kasmAgents: '["two","three"]',
  kasmUrl: "https://kasm.example.com",
  kasmApiKey: "bMjMwTT0JKUQ",
  kasmApiSecret: "KUNAvRw4KLHGmldBxhRUD5sAhWkvJVzS",
  kasmImage: '{"build":true}',
  workspaces: JSON.stringify({ desktop: { persistentProfilePath: homes } }),
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
const desktop = (options: object) => JSON.stringify({ desktop: options });

describe("openclaw:kasmAgents", () => {
  test("have the desktop image, built unless they pull it, and no gateway's", () => {
    const pushed = '{"build":true,"push":{"registry":"registry.example.com"}}';

    expect(desktopImageHosts(parse())).toEqual([kasmHost, "two", "three"]);
    expect(desktopImageHosts(parse({ kasmImage: pushed }))).toEqual([kasmHost]);
    expect(desktopImageHosts(parse({ kasmImage: "{}" }))).toEqual([]);
    expect(gatewayHosts(parse())).toEqual([kasmHost]);
    const instances = '["alice",{"name":"bob","host":"two"}]';
    expect(gatewayHosts(parse({ instances }))).toEqual([kasmHost, "two"]);
    expect(
      [kasmHost, "two"].map(kasmImageResource).map((name) => hostOfImage(`::${name}-image`)),
    ).toEqual([kasmHost, "two"]);
  });

  test("are checked for what desktops need there, and for no gateway", () => {
    const [kasms, two] = [kasmHost, "two"].map((name) => settingsOn(parse(), name));

    expect(two).toMatchObject({ kasmImage: { build: true }, desktopPlan: "none" });
    expect(two?.workspaces.desktop).toEqual(kasms?.workspaces.desktop);
    expect(two && needs(two).cores.map(({ amount }) => amount)).toEqual([0]);
    expect(settingsOn(parse({ kasmAgents: "[]", instances: '["alice"]' }), "two")).toMatchObject({
      workspaces: {},
      kasmImage: { build: false },
    });
  });

  test.each<[what: string, facts: string, values: Record<string, string>, count: number]>([
    ["until the desktop image is there", "", {}, 1],
    ["no more once it is", "image=openclaw-kasm:latest test/openclaw-kasm\n", {}, 0],
    ["none for an image that they pull", "", { kasmImage: "{}" }, 0],
    ["until a forwarder runs", "", { nginxRoute: served, kasmImage: "{}" }, 1],
    ["no more once one does", "container=openclaw-route own\n", { nginxRoute: served }, 0],
  ])("need room for images %s", (_, more, values, count) => {
    const facts = parseFacts(`complete=yes\nfreeMb=100\n${more}`);
    const settings = settingsOn(parse(values), "two");
    const problems = hostProblems({ settings, stack: "test" }, ["own"], facts);

    expect(problems.filter((problem) => problem.includes("100 MiB are free"))).toHaveLength(count);
  });

  test("get the directories of the desktop tile, which go with their host", () => {
    const agents = [thisMachine];
    const { desktop: tile } = stackTiles(parse(), { host: thisMachine, agents, image: undefined });

    expect(tile).toMatchObject({ agents });
    expect(exclusions(parse(), ["two"])).toEqual(
      expect.arrayContaining(["**::host-two-*", "**::openclaw-host-two-*"]),
    );
  });

  test("need no way between KASM's host and them without a gateway there", () => {
    const overlay = '{"name":"openclaw-hosts"}';
    const hosts = JSON.stringify({
      two: server("two.example.com"),
      three: server("three.example.com"),
    });
    const routed = { hosts, nginxRoute: '{"mode":"path"}' };
    const instances = '["alice",{"name":"bob","host":"three"}]';

    expect(problemsOf(routed)).toBe("none");
    expect(problemsOf({ ...routed, instances })).toContain(
      "hosts.three.privateAddress: found nothing",
    );
    expect(overlayHosts(parse({ ...routed, instances, overlay }))).toEqual([kasmHost, "three"]);
    expect(() =>
      destinationOf(parse({ ...routed, instances: '["alice"]' }), "alice", "two"),
    ).toThrow("openclaw:hosts.two.privateAddress");
  });
});

describe("the browser tile on several agents", () => {
  const nginxRoute = '{"mode":"path"}';
  const opens = (values: Record<string, string>) => {
    const tiles = stackTiles(parse(values), { host: thisMachine, agents: [], image: undefined });
    return tiles.browser && "opens" in tiles.browser ? tiles.browser.opens : undefined;
  };

  test("opens the route, which sessions reach from every host", () => {
    const workspaces = '{"browser":{}}';

    expect(opens({ workspaces, nginxRoute })).toBe("https://kasm.example.com/openclaw/");
    expect(opens({ workspaces, nginxRoute, kasmAgents: "[]", hosts: "{}" })).toBe(
      "http://host.docker.internal:8180/openclaw/",
    );
    const published = { publishAddresses: '["127.0.0.1"]' };
    expect(problemsOf({ workspaces, nginxRoute, ...published })).toBe("none");
    expect(
      problemsOf({ workspaces, nginxRoute, ...published, kasmAgents: "[]", hosts: "{}" }),
    ).toContain("publishAddresses: found loopback addresses only");
  });

  test("or its own address, or on one agent the session's host", () => {
    const address = "https://openclaw.example.com/";
    const serverId = "0123456789abcdef0123456789abcdef";

    expect(opens({ workspaces: JSON.stringify({ browser: { address } }) })).toBe(address);
    expect(opens({ workspaces: JSON.stringify({ browser: { serverId } }) })).toBe(
      "http://host.docker.internal:8180/",
    );
  });

  test("is refused without any of them", () => {
    expect(problemsOf({ workspaces: '{"browser":{}}' })).toContain(
      "openclaw:workspaces.browser: found no address and no nginxRoute with several agents (openclaw:kasmAgents two, three)",
    );
  });

  test("needs no way from KASM's sessions to their own host", () => {
    const facts = parseFacts("proxy=missing\nsessionAddress=172.17.0.1\n");
    const check = (values: Record<string, string>) =>
      sessionCheck(parse({ workspaces: '{"browser":{}}', nginxRoute, ...values }), facts, 1);

    expect(check({})).toBeUndefined();
    expect(check({ kasmAgents: "[]", hosts: "{}" })).toMatchObject({ state: "bad" });
  });
});

describe("homes on several agents", () => {
  test.each([{}, { persistentProfilePath: "/srv/profiles/{username}" }])(
    "in a directory are refused: %j",
    (options) => {
      expect(problemsOf({ workspaces: desktop(options) })).toMatch(
        /workspaces\.desktop\.persistentProfilePath: found \S+\/\{username\} with several agents \(openclaw:kasmAgents two, three\)/,
      );
    },
  );

  test.each<[options: object, isTold: boolean]>([
    [{ persistentProfilePath: homes }, false],
    [{ persistentProfilePath: "" }, false],
    [{ serverId: "0123456789abcdef0123456789abcdef" }, false],
    // A zone may have several agents.
    [{ zoneId: "0123456789abcdef0123456789abcdef" }, true],
  ])("are accepted with %j", (options, isTold) => {
    const steps = nextSteps(parse({ workspaces: desktop(options) }), "kasm");

    expect(steps.join().includes("workspaces.desktop.persistentProfilePath")).toBe(isTold);
  });
});

test.each([
  ['["two","four"]', "kasmAgents: found four; expected hosts of openclaw:hosts: two, three"],
  ['["two","two"]', "none twice"],
])("wrong openclaw:kasmAgents %s are refused", (kasmAgents, problem) => {
  expect(problemsOf({ kasmAgents })).toContain(problem);
});

test("a host that is neither an agent nor for gateways is refused", () => {
  expect(problemsOf({ kasmAgents: '["two"]' })).toContain(
    "openclaw:hosts.three: found no instance on it; expected openclaw:instances, which can be on it, or its name in openclaw:kasmAgents",
  );
});
