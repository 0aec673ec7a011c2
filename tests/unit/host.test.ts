import { decodeSocket, hostProblems, parseFacts } from "../../commands/host";
import { parseSettings } from "../../settings";

const healthy = `address=127.0.0.1
address=192.168.1.5
address=172.17.0.1
listening=0100007F:0016
availableMb=9000
docker=20.10.24
cores=4
memoryMb=16000
freeMb=50000
complete=yes
`;

const settings = parseSettings({ values: {}, encrypted: [] });

/** 8180 as the kernel writes it. */
const port = "1FF4";

function problems(
  change: (facts: string) => string,
  values: Record<string, string> = {},
): string[] {
  const facts = parseFacts(change(healthy));
  return hostProblems(
    parseSettings({ values, encrypted: [] }),
    ["own-container", "own-network"],
    facts,
  );
}

const plus =
  (...lines: string[]) =>
  (facts: string) =>
    `${facts}${lines.join("\n")}\n`;
const instead = (name: string, value: string) => (facts: string) =>
  facts.replace(new RegExp(`^${name}=.*$`, "m"), `${name}=${value}`);

test("a host that has all it takes has no problems", () => {
  expect(hostProblems(settings, [], parseFacts(healthy))).toEqual([]);
});

test.each<[what: string, change: (facts: string) => string, problem: string]>([
  [
    "Docker hangs",
    (facts) => facts.replace("complete=yes\n", ""),
    "Docker does not answer: no reply within 9 s. Restart the Docker service, then try again",
  ],
  [
    "Docker is not installed",
    plus("dockerError=the command docker is not installed"),
    "Docker can't be used: the command docker is not installed",
  ],
  [
    "too few cores",
    instead("cores", "1"),
    "openclaw:cpus asks for 2 processor cores, Docker has 1",
  ],
  [
    "too small",
    instead("memoryMb", "3900"),
    "openclaw:memoryMb asks for 4096 MiB, the machine has 3900 MiB",
  ],
  [
    "no free memory",
    instead("availableMb", "700"),
    "OpenClaw needs 1536 MiB of free memory to start, 700 MiB are available",
  ],
  [
    "no space",
    instead("freeMb", "287"),
    "Docker's disk needs 5120 MiB of free space for the image and its build, 287 MiB are free",
  ],
  [
    "the container's name taken",
    plus("containerId=somebody-elses"),
    "there is a container named openclaw already that this stack did not make: remove it or change openclaw:containerName",
  ],
  [
    "the network's name taken",
    plus("networkId=somebody-elses"),
    "there is a network named openclaw-net already that this stack did not make: remove it or change openclaw:networkName",
  ],
  [
    "no such address",
    (facts) => facts.replace("address=172.17.0.1\n", ""),
    "openclaw:publishAddresses has 172.17.0.1, which is not an address of this host (127.0.0.1, 192.168.1.5)",
  ],
  [
    "the port taken on loopback",
    plus(`listening=0100007F:${port}`),
    "port 8180 on 127.0.0.1 is taken by another program (listening on 127.0.0.1:8180): free it or change openclaw:port",
  ],
])("%s", (_, change, problem) => {
  expect(problems(change)).toEqual([problem]);
});

test.each<[what: string, socket: string, addresses: string, taken: boolean]>([
  ["all IPv4 addresses", `00000000:${port}`, '["127.0.0.1"]', true],
  [
    "all IPv6 addresses, which takes IPv4 too",
    `00000000000000000000000000000000:${port}`,
    '["127.0.0.1"]',
    true,
  ],
  ["another address", `0101A8C0:${port}`, '["127.0.0.1"]', false],
  ["one address where all are wanted", `0101A8C0:${port}`, '["0.0.0.0"]', true],
  ["another port", "00000000:1FF5", '["127.0.0.1"]', false],
])("a program that listens on %s", (_, socket, publishAddresses, taken) => {
  expect(problems(plus(`listening=${socket}`), { publishAddresses })).toHaveLength(taken ? 1 : 0);
});

test("our own container's ports, memory and space are not in its way", () => {
  const running = plus(
    "containerId=own-container",
    "networkId=own-network",
    "published=127.0.0.1:8180",
    "published=172.17.0.1:8180",
    `listening=0100007F:${port}`,
    `listening=010011AC:${port}`,
  );

  expect(
    problems((facts) => instead("freeMb", "100")(instead("availableMb", "100")(running(facts)))),
  ).toEqual([]);
});

describe("a KASM image", () => {
  const build = { kasmImage: '{"build":true}' };

  test.each([
    ["1.17.0", []],
    ["1.17.3", []],
    [
      "1.18.1",
      [
        "openclaw:kasmImage has the baseImage kasmweb/core-ubuntu-jammy:1.17.0, the KASM server is 1.18.1: expected a tag that starts with 1.18",
      ],
    ],
  ])("for KASM 1.17 on a server of version %s", (version, expected) => {
    expect(problems(plus(`kasmVersion=${version}`), build)).toEqual(expected);
    expect(problems(plus(`kasmVersion=${version}`))).toEqual([]);
  });

  test("needs room of its own", () => {
    expect(problems(instead("freeMb", "8000"), build)).toEqual([
      "Docker's disk needs 11264 MiB of free space for the image and its build, 8000 MiB are free",
    ]);
    expect(problems(instead("freeMb", "8000"))).toEqual([]);
  });
});

test("all problems come at once", () => {
  const change = (facts: string) =>
    plus(`listening=00000000:${port}`)(instead("cores", "1")(instead("freeMb", "1")(facts)));

  expect(problems(change)).toHaveLength(4);
});

test.each([
  ["0100007F:1FF4", "127.0.0.1:8180"],
  ["010011AC:01BB", "172.17.0.1:443"],
  ["00000000:0016", "0.0.0.0:22"],
  ["00000000000000000000000000000000:1FF4", "0.0.0.0:8180"],
  ["00000000000000000000000001000000:1FF4", "[ipv6]:8180"],
])("the kernel's %s is %s", (kernel, readable) => {
  expect(decodeSocket(kernel)).toBe(readable);
});
