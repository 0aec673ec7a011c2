import { deploymentOf } from "../support/deployment";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  checkHost,
  checkOwner,
  decodeSocket,
  hostProblems,
  parseFacts,
  problemsBeforeDocker,
} from "../../cli/preflight/host";
import { parseSettings, secretKeys } from "../../config";

const healthy = `address=127.0.0.1
address=192.168.1.5
address=172.17.0.1
listening=0100007F:0016
availableMb=9000
docker=20.10.24
cores=4
memoryMb=16000
diskMb=200000
freeMb=150000
complete=yes
`;

const settings = parseSettings({ values: { port: "8180" }, encrypted: [] });
const stack = "dev";

test("a full disk is a problem if images have to be built", () => {
  const there = `${healthy.replace(/^freeMb=.*$/m, "freeMb=287")}container=openclaw own-container\n`;
  const look = (makesImages: boolean) =>
    hostProblems(
      { settings, stack },
      ["own-container", "own-network"],
      parseFacts(there),
      makesImages,
    );

  expect(look(false)).toEqual([]);
  expect(look(true)).toEqual([
    "Docker's disk needs 5120 MiB of free space for images, their build and desktops, 287 MiB are free",
  ]);
});

/** 8180 as the kernel writes it. */
const port = "1FF4";

function problems(
  change: (facts: string) => string,
  values: Record<string, string> = {},
): string[] {
  const facts = parseFacts(change(healthy));
  return hostProblems(
    {
      settings: parseSettings({ values: { port: "8180", ...values }, encrypted: [...secretKeys] }),
      stack,
    },
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

test("a sufficient host has no problems", () => {
  expect(hostProblems({ settings, stack }, [], parseFacts(healthy))).toEqual([]);
});

test.each<[what: string, change: (facts: string) => string, problem: string]>([
  [
    "Docker hangs",
    (facts) => facts.replace("complete=yes\n", ""),
    "Docker does not answer: no reply within 30 s. Restart the Docker service, then try again",
  ],
  [
    "Docker is not installed",
    plus("dockerError=the command docker is not installed"),
    "Docker can't be used: the command docker is not installed",
  ],
  [
    "too few cores",
    instead("cores", "1"),
    "openclaw:plan small asks for 2 processor cores, Docker has 1",
  ],
  [
    "too small",
    instead("memoryMb", "3900"),
    "openclaw:plan small asks for 4096 MiB of memory, the machine has 3900",
  ],
  [
    "no free memory",
    instead("availableMb", "700"),
    "OpenClaw needs 1536 MiB of free memory to start, 700 MiB are available",
  ],
  [
    "no space",
    instead("freeMb", "287"),
    "Docker's disk needs 5120 MiB of free space for images, their build and desktops, 287 MiB are free",
  ],
  [
    "no space for the data",
    plus("dataFreeMb=80"),
    "the disk of openclaw:directory /opt/openclaw needs 512 MiB of free space, 80 MiB are free",
  ],
  [
    "an engine of another system",
    plus("osType=windows"),
    "Docker runs containers of windows: expected those of linux",
  ],
  [
    "a kernel without CPU quota",
    plus("lacks=CpuCfsQuota"),
    "Docker can't limit processors: expected a kernel with CONFIG_CFS_BANDWIDTH (docker info: CpuCfsQuota is false)",
  ],
  [
    "a kernel without swap accounting",
    plus("lacks=SwapLimit"),
    "Docker can't limit swap: expected the kernel's parameters cgroup_enable=memory swapaccount=1 (docker info: SwapLimit is false)",
  ],
  [
    "the container's name taken",
    plus("container=openclaw other-container"),
    "there is a container named openclaw already that this stack did not make: remove it or change openclaw:containerName",
  ],
  [
    "the network's name taken",
    plus("network=openclaw-net other-stack"),
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

describe("an engine to which the host's directories are others", () => {
  const engines = [
    ["rootless", plus("security=name=seccomp,profile=default", "security=name=rootless")],
    ["userns-remap", plus("security=name=userns")],
    ["SELinux", plus("security=name=selinux")],
    ["is a snap", plus("dockerRoot=/var/snap/docker/common/var-lib-docker")],
  ] as const;

  test.each(engines)("%s is refused by name", (name, change) => {
    expect(problems(change)).toEqual([expect.stringMatching(new RegExp(`^Docker .*${name}`))]);
  });

  test.each(engines)("%s will do where none is used", (_, change) => {
    expect(problems(change, { dataVolume: "openclaw-data" })).toEqual([]);
  });
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

test("ports, memory and disk space of the stack's own container are no problem", () => {
  const running = plus(
    "container=openclaw own-container",
    "network=openclaw-net own-network",
    "published=openclaw 127.0.0.1:8180",
    "published=openclaw 172.17.0.1:8180",
    `listening=0100007F:${port}`,
    `listening=010011AC:${port}`,
  );

  expect(
    problems((facts) => instead("freeMb", "100")(instead("availableMb", "100")(running(facts)))),
  ).toEqual([]);
});

describe("several instances", () => {
  const values = { instances: '["alice","bob"]' };

  test("each needs its own port, container and network", () => {
    const taken = plus(
      "listening=0100007F:1FF5",
      "container=openclaw-bob other-container",
      "network=openclaw-net-alice other-stack",
    );

    expect(problems(taken, values)).toEqual([
      "there is a container named openclaw-bob already that this stack did not make: remove it or change openclaw:containerName",
      "there is a network named openclaw-net-alice already that this stack did not make: remove it or change openclaw:networkName",
      "port 8181 on 127.0.0.1 is taken by another program (listening on 127.0.0.1:8181): free it or change openclaw:port; if a gateway of this stack has it that is to go or to move, run down first, which keeps the data",
    ]);
  });

  test("the network between hosts has a setting of its own", () => {
    const overlay = {
      host: '{"address":"kasm.example.com","hostKey":"ssh-ed25519 a2V5"}',
      hosts: '{"two":{"address":"two.example.com","hostKey":"ssh-ed25519 a2V5"}}',
      kasmUrl: "https://kasm.example.com",
      nginxRoute: '{"mode":"path"}',
      overlay: '{"name":"openclaw-hosts"}',
    };

    expect(problems(plus("network=openclaw-hosts other-stack"), { ...values, ...overlay })).toEqual(
      [
        "there is a network named openclaw-hosts already that this stack did not make: remove it or change openclaw:overlay.name",
      ],
    );
  });

  test("accepts names and ports of its running instance, and the memory that a second one needs", () => {
    const running = plus(
      "container=openclaw-alice own-container",
      "published=openclaw-alice 127.0.0.1:8180",
      `listening=0100007F:${port}`,
    );
    const memory = (mb: number) => (facts: string) =>
      instead("availableMb", mb.toString())(instead("freeMb", "100")(facts));

    expect(problems((facts) => memory(1536)(running(facts)), values)).toEqual([]);
    expect(problems((facts) => memory(1535)(running(facts)), values)).toHaveLength(1);
    expect(problems(instead("availableMb", "3071"), values)).toEqual([
      "OpenClaw needs 3072 MiB of free memory to start, 3071 MiB are available",
    ]);
  });

  test("refuses a port that another instance still publishes", () => {
    const swapped = plus(
      "container=openclaw-bob own-container",
      "published=openclaw-bob 127.0.0.1:8180",
      `listening=0100007F:${port}`,
    );

    expect(problems(swapped, values)).toHaveLength(1);
  });
});

describe("a KASM image", () => {
  const baseImage = "kasmweb/core-ubuntu-jammy:1.17.0";
  const build = { kasmImage: JSON.stringify({ build: true, baseImage }) };

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

  test("needs disk space", () => {
    expect(problems(instead("freeMb", "8000"), build)).toEqual([
      "Docker's disk needs 11264 MiB of free space for images, their build and desktops, 8000 MiB are free",
    ]);
    expect(problems(instead("freeMb", "8000"))).toEqual([]);
  });
});

const kasm = {
  kasmUrl: "https://kasm.example.com",
  kasmApiKey: "bMjMwTT0JKUQ",
  kasmApiSecret: "KUNAvRw4KLHGmldBxhRUD5sAhWkvJVzS",
  workspaces: '{"desktop":{}}',
};

describe("sizes", () => {
  const of =
    (cores: number, memoryMb: number, diskMb = 200_000) =>
    (facts: string) =>
      instead(
        "cores",
        cores.toString(),
      )(instead("memoryMb", memoryMb.toString())(instead("diskMb", diskMb.toString())(facts)));

  test.each<[values: Record<string, string>, cores: number, memoryMb: number, diskMb: number]>([
    [{}, 2, 4096, 1],
    [{ plan: "medium" }, 5, 10_240, 1],
    [{ plan: "medium", browser: "none" }, 4, 8192, 1],
    [{ plan: "large" }, 9, 18_432, 1],
    [{ plan: "large", cpus: "3", memoryMb: "2048" }, 4, 4096, 1],
    [{ plan: "large", instances: '["a","b","c"]' }, 9, 3 * (5461 + 2048), 1],
    [{ plan: "small", instances: '["a","b","c"]' }, 3, 3 * 2048, 1],
    [{ cpus: "1", memoryMb: "3000", instances: '["a","b"]' }, 2, 6000, 1],
    [{ ...kasm, desktopPlan: "one" }, 4, 4096 + 3907, 10_240],
    [{ ...kasm, desktopPlan: "five" }, 12, 4096 + 5 * 3907, 51_200],
    [{ ...kasm, desktopPlan: "ten" }, 18, 4096 + 10 * 3907, 102_400],
    [
      { ...kasm, desktopPlan: "ten", workspaces: '{"desktop":{"cores":1,"memoryMb":2000}}' },
      12,
      4096 + 10 * 1908,
      102_400,
    ],
  ])("%j fits on %d cores, %d MiB and a disk of %d MiB, and on less it does not", (...row) => {
    const [values, cores, memoryMb, diskMb] = row;

    expect(problems(of(cores, memoryMb, diskMb), values)).toEqual([]);
    expect(problems(of(cores - 1, memoryMb - 1, diskMb - 1), values)).toHaveLength(
      diskMb > 1 ? 3 : 2,
    );
  });

  test("reports everything that is too small, with the setting that needs it", () => {
    const values = { ...kasm, plan: "medium", memoryMb: "4000", desktopPlan: "five" };

    expect(problems(of(8, 16_000, 40_000), values)).toEqual([
      "openclaw:plan medium (4), openclaw:browser (1), openclaw:desktopPlan five (10) together ask for 15 processor cores, Docker has 8",
      "openclaw:memoryMb (4000), openclaw:browser (2048), openclaw:desktopPlan five (19535) together ask for 25583 MiB of memory, the machine has 16000",
      "openclaw:desktopPlan five asks for 51200 MiB of disk, Docker's disk has 40000",
    ]);
  });

  test("a first deployment needs disk space for images and desktops", () => {
    expect(problems(instead("freeMb", "6000"), { browser: "sidecar" })).toEqual([
      "Docker's disk needs 6144 MiB of free space for images, their build and desktops, 6000 MiB are free",
    ]);
    expect(problems(instead("freeMb", "6000"), { ...kasm, desktopPlan: "one" })).toEqual([
      "Docker's disk needs 10240 MiB of free space for images, their build and desktops, 6000 MiB are free",
    ]);
  });
});

test("reports all problems at once", () => {
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

test("without Docker, reports the problems that can be found before its installation", () => {
  const facts = plus(
    `listening=00000000:${port}`,
    "dataFreeMb=80",
  )(instead("availableMb", "700")(healthy.replace("address=172.17.0.1\n", "")));

  expect(problemsBeforeDocker(settings, parseFacts(healthy))).toEqual([]);
  expect(problemsBeforeDocker(settings, parseFacts(facts))).toEqual([
    expect.stringContaining("needs 1536 MiB of free memory"),
    expect.stringContaining("the disk of openclaw:directory"),
    expect.stringContaining("port 8180 on 127.0.0.1 is taken"),
    expect.stringContaining("port 8180 on 172.17.0.1 is taken"),
  ]);
});

describe("a server", () => {
  const onServer = parseSettings({
    values: { host: '{"address":"kasm","hostKey":"ssh-ed25519 AAAA"}' },
    encrypted: [],
  });

  test.each([
    [
      "can't run the look",
      "echo 'sh: timeout: not found' >&2; exit 127",
      "it can't be inspected: sh: timeout: not found",
    ],
    [
      "greets every command",
      "echo 'Welcome to \"kasm01\"'; echo facts=begin; echo complete=yes",
      'prints text before it runs a command ("Welcome to \\"kasm01\\""): expected none',
    ],
    [
      "has no shell for this user",
      "echo 'This account is currently not available.'; exit 1",
      'prints text before it runs a command ("This account is currently not available.")',
    ],
  ])("that %s says why", async (_, answer, problem) => {
    const [folder, path] = [mkdtempSync(join(tmpdir(), "openclaw-host-")), process.env.PATH];
    writeFileSync(join(folder, "ssh"), `#!/bin/sh\ncat >/dev/null; ${answer}\n`, { mode: 0o700 });
    process.env.PATH = `${folder}:${path ?? ""}`;
    const target = { ssh: { options: ["-F", "none"], alias: "server", needsSudo: false } };
    try {
      await expect(
        checkHost(deploymentOf({ settings: onServer, stack, target }), []),
      ).rejects.toThrow(problem);
    } finally {
      process.env.PATH = path;
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a command that works on data", () => {
  const target = { ssh: { options: ["-F", "none"], alias: "server", needsSudo: false } };
  const own = "container=openclaw own-container";

  async function check(values: Record<string, string>, ...facts: string[]): Promise<string> {
    const [folder, path] = [mkdtempSync(join(tmpdir(), "openclaw-host-")), process.env.PATH];
    const answer = ["facts=begin", ...facts].join("\n");
    writeFileSync(join(folder, "ssh"), `#!/bin/sh\ncat >/dev/null; echo '${answer}'\n`, {
      mode: 0o700,
    });
    process.env.PATH = `${folder}:${path ?? ""}`;
    try {
      const given = parseSettings({ values, encrypted: [] });
      await checkOwner({ settings: given, stack, target }, ["own-container"]);
      return "allowed";
    } catch (error) {
      return (error as Error).message;
    } finally {
      process.env.PATH = path;
      rmSync(folder, { recursive: true });
    }
  }

  test("may use its own stack's resources, even if the host is full", async () => {
    expect(
      await check({}, own, "directory=/opt/openclaw/data dev", "freeMb=1", "complete=yes"),
    ).toBe("allowed");
  });

  test.each<[what: string, values: Record<string, string>, facts: string[], problem: string]>([
    ["container", {}, ["container=openclaw theirs"], "a container named openclaw already that"],
    ["directory", {}, [own, "directory=/opt/openclaw/data theirs"], "is of stack theirs"],
    ["volume", { dataVolume: "claw" }, [own, "volume=claw theirs/claw"], "claw is of stack theirs"],
    ["unlabelled volume", { dataVolume: "claw" }, [own, "volume=claw "], "was not created by this"],
  ])("is refused another stack's %s", async (_, values, facts, problem) => {
    expect(await check(values, ...facts, "complete=yes")).toContain(problem);
  });

  test("is refused if Docker does not answer", async () => {
    expect(await check({}, own)).toContain("Docker does not answer");
  });
});

test.each([
  [
    "volume=claw theirs/claw",
    { dataVolume: "claw" },
    "the volume claw is of stack theirs: change openclaw:dataVolume",
  ],
  [
    "directory=/opt/openclaw/data theirs",
    {},
    "the directory /opt/openclaw/data is of stack theirs: change openclaw:directory",
  ],
  [
    "directory=/opt/kasm/profiles/openclaw theirs",
    kasm,
    "the directory /opt/kasm/profiles/openclaw is of stack theirs: change openclaw:workspaces.desktop.persistentProfilePath",
  ],
  [
    "directory=/opt/openclaw/shared theirs",
    kasm,
    "the directory /opt/openclaw/shared is of stack theirs: change openclaw:workspaces.desktop.sharedDirectory",
  ],
  [
    "image=openclaw-kasm:latest theirs/openclaw-kasm",
    {},
    "the image openclaw-kasm:latest is of stack theirs: change openclaw:kasmImage.name",
  ],
])("%s: refuses another stack's resources by name", (fact, values, problem) => {
  expect(problems(plus(fact), values)).toEqual([problem]);
  expect(problems(plus(fact.replace("theirs", "dev")), values)).toEqual([]);
});

test.each([
  [
    "volume=claw ",
    { dataVolume: "claw" },
    ["the volume claw was not created by this stack: change openclaw:dataVolume"],
  ],
  [
    "volume=claw-bob ",
    { dataVolume: "claw", instances: '["alice","bob"]' },
    ["the volume claw-bob was not created by this stack: change openclaw:dataVolume"],
  ],
  [
    "image=openclaw-kasm:latest ",
    {},
    [
      "the image openclaw-kasm:latest was not created by this stack: change openclaw:kasmImage.name",
    ],
  ],
  // Its script never changes or deletes what it did not create.
  ["directory=/opt/openclaw/data ", {}, []],
])(
  "%s: refuses resources without a stack's name unless they can be used unchanged",
  (fact, values, expected) => {
    expect(problems(plus(fact), values)).toEqual(expected);
  },
);
