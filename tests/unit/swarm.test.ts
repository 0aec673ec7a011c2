import { spawnSync } from "node:child_process";
import {
  advertisedAddress,
  engineProblems,
  freePool,
  membershipProblems,
  membersOf,
  type Overlay,
} from "../../cli/preflight/swarm";
import { parseFacts } from "../../cli/preflight/host";

const overlay: Overlay = { name: "openclaw-hosts", encrypted: false };
const host = (name: string, ...lines: string[]) => ({
  host: name,
  facts: parseFacts(["docker=26.1.5", ...lines].join("\n")),
});
const node = (id: string) => ["state=active", `node=${id}`, "manager=false"];
const kasm = (...more: string[]) =>
  host(
    "",
    ...["state=active", "node=n1", "manager=true", "member=n1 ready 10.0.0.1:2377 kasm/host made"],
    ...more,
  );

describe("membershipProblems", () => {
  const problems = (...found: ReturnType<typeof host>[]) =>
    membershipProblems(found, "kasm").join("\n");

  test("accepts the nodes of one swarm that KASM's host manages", () => {
    expect(problems(kasm("member=n2 ready -"), host("two", ...node("n2")))).toBe("");
  });

  test.each<[what: string, found: ReturnType<typeof host>[], refusal: string]>([
    [
      "a host in no swarm",
      [kasm(), host("two", "state=inactive")],
      "openclaw:hosts.two: it is in no Docker swarm, which openclaw:overlay needs: npm run hosts -- join --stack kasm",
    ],
    [
      "KASM's host in no swarm",
      [host("", "state=inactive"), host("two", ...node("n2"))],
      "openclaw:host: it is in no Docker swarm",
    ],
    [
      "another swarm",
      [kasm("member=n2 ready -"), host("two", ...node("n3"))],
      "openclaw:hosts.two: it is in another Docker swarm than openclaw:host",
    ],
    [
      "a node that the manager does not hear from",
      [kasm("member=n2 down -"), host("two", ...node("n2"))],
      "openclaw:hosts.two: the swarm's manager does not hear from it",
    ],
    [
      "KASM's host as a worker",
      [host("", ...node("n1")), host("two", ...node("n2"))],
      "openclaw:host: it is a worker of its Docker swarm",
    ],
    [
      "a swarm that is locked",
      [host("", "state=locked", "error=Swarm is encrypted and needs to be unlocked")],
      "openclaw:host: its Docker swarm is locked (Swarm is encrypted and needs to be unlocked)",
    ],
  ])("refuses %s", (_, found, refusal) => {
    expect(problems(...found)).toContain(refusal);
  });
});

describe("engineProblems", () => {
  const problems = (lines: string[], more: Partial<Overlay> = {}, name = "two") =>
    engineProblems(host(name, ...lines), { ...overlay, ...more }).join("\n");

  test("accepts a kernel without ESP unless the network is to be encrypted", () => {
    expect(problems(["lacks=esp"])).toBe("");
    expect(problems(["lacks=esp"], { encrypted: true })).toContain(
      "openclaw:hosts.two: its kernel can't encrypt by ESP: expected openclaw:overlay without encrypted",
    );
  });

  test.each([
    ["liveRestore=true", '"live-restore": false'],
    ["lacks=vxlan", "its kernel has no VXLAN"],
    ["missing=ip", "the command ip is needed"],
  ])("refuses %s", (line, refusal) => {
    expect(problems([line])).toContain(refusal);
  });

  test("names the other way for a host beside KASM's", () => {
    expect(problems(["liveRestore=true"])).toContain("or openclaw:hosts.two.privateAddress");
    expect(problems(["liveRestore=true"], {}, "")).not.toContain("privateAddress");
  });

  test("names a Docker that does not answer", () => {
    const facts = parseFacts("facts=begin");
    expect(engineProblems({ host: "two", facts }, overlay)).toEqual([
      "openclaw:hosts.two: Docker does not answer",
    ]);
  });
});

describe("advertisedAddress", () => {
  const several = host(
    "two",
    "address=docker0 172.17.0.1/16 1500",
    "address=br-c5f1a4d0b242 172.18.0.1/16 1500",
    "address=eth0 203.0.113.7/24 1500",
    "address=eth1 10.0.0.2/24 1500",
  );

  test("is the only one beside those of Docker's bridges", () => {
    const only = host("two", "address=docker0 172.17.0.1/16 1500", "address=ens3 10.0.0.2/24 1500");
    expect(advertisedAddress(only, overlay)).toEqual({ address: "10.0.0.2" });
  });

  test("is the one in hostSubnet", () => {
    const settings = { ...overlay, hostSubnet: "10.0.0.0/16" };
    expect(advertisedAddress(several, settings)).toEqual({ address: "10.0.0.2" });
  });

  test.each([undefined, "10.1.0.0/16"])("is not guessed with hostSubnet %s", (hostSubnet) => {
    expect(advertisedAddress(several, { ...overlay, hostSubnet })).toEqual({
      problem: expect.stringMatching(
        /^openclaw:hosts\.two: it has the addresses 203\.0\.113\.7, 10\.0\.0\.2: expected openclaw:overlay with .*hostSubnet/,
      ) as string,
    });
  });
});

describe("freePool", () => {
  test("is a subnet to which no host has a route", () => {
    expect(freePool([host("", "route=192.168.0.0/24")])).toBe("10.200.0.0/16");
    expect(
      freePool([
        host("", "route=10.200.3.0/24"),
        host("two", "route=10.201.0.9", "route=10.0.0.0/9"),
      ]),
    ).toBe("10.202.0.0/16");
  });

  test("is none if the hosts are everywhere", () => {
    expect(freePool([host("", "route=10.0.0.0/8")])).toBeUndefined();
  });
});

test("membersOf reads what a stack has put in the swarm", () => {
  const { facts } = host(
    "",
    "member=n1 ready 10.0.0.1:2377 kasm/host made",
    "member=n2 down - kasm/host-two kept",
    "member=n3 ready -  ",
  );

  expect(membersOf(facts)).toEqual([
    { id: "n1", isReady: true, joinedAt: "10.0.0.1:2377", owner: "kasm/host", hasOwnBridge: true },
    { id: "n2", isReady: false, joinedAt: undefined, owner: "kasm/host-two", hasOwnBridge: false },
    { id: "n3", isReady: true, joinedAt: undefined, owner: "", hasOwnBridge: false },
  ]);
});

test.each([
  ["join", "--stack", "nosuch"],
  ["--stack", "nosuch", "join"],
])("npm run hosts -- %s %s %s acts on that stack", (...args) => {
  const command = ["--require", "tsx/cjs", "cli/main.ts", "hosts", ...args];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });

  expect(stderr).toContain('no Pulumi.nosuch.yaml with the settings of stack "nosuch"');
  expect(status).toBe(1);
});
