import {
  type Container,
  dataRule,
  type Image,
  imageAgeRule,
  type Rule,
  rules,
  type Workspace,
} from "../../policy/rules";

function rule(name: string): Rule {
  const found = rules.find((candidate) => candidate.name === name);
  if (found === undefined) {
    throw new Error(`no rule ${name}`);
  }
  return found;
}

/** A container that every rule is content with. */
const container: Container = {
  image: "sha256:0123",
  ports: [{ internal: 8080, external: 8180, ip: "127.0.0.1" }],
  volumes: [{ hostPath: "/opt/openclaw/data", containerPath: "/data" }],
  memory: 2048,
  restart: "unless-stopped",
};

/** A workspace that every rule is content with. */
const workspace: Workspace = {
  image: "kasmweb/chrome:1.17.0",
  runConfig: { environment: { LAUNCH_URL: "http://172.17.0.1:8180/" } },
  volumeMappings: { "/opt/openclaw/shared": { bind: "/home/kasm-user/openclaw-shared" } },
};

test.each(rules)("$name finds nothing in what this program declares", ({ name }) => {
  expect(rule(name).container?.(container) ?? []).toEqual([]);
  expect(rule(name).workspace?.(workspace) ?? []).toEqual([]);
  expect(rule(name).image?.({ name: "coollabsio/openclaw:2026.9.6" }) ?? []).toEqual([]);
});

const socketMounts = ["/var/run/docker.sock", "/run/docker.sock", "/var/run/", "/run", "/"];

test.each<[string, Container, string]>([
  [
    "ports-on-chosen-addresses",
    { ports: [{ internal: 8080, ip: "0.0.0.0" }] },
    "Port 8080 is published on all addresses",
  ],
  [
    "ports-on-chosen-addresses",
    { ports: [{ internal: 8080, ip: "::" }] },
    "Port 8080 is published on all addresses",
  ],
  [
    "ports-on-chosen-addresses",
    { ports: [{ internal: 8080, external: 8180 }] },
    "Port 8080 is published on all addresses",
  ],
  ["ports-on-chosen-addresses", { publishAllPorts: true }, "All ports are published"],
  ["ports-on-chosen-addresses", { networkMode: "host" }, "shares the host's network"],
  ["not-privileged", { privileged: true }, "runs privileged"],
  ...socketMounts.map((hostPath): [string, Container, string] => [
    "no-docker-socket",
    { volumes: [{ hostPath, containerPath: "/host" }] },
    `${hostPath} gives it Docker's socket`,
  ]),
  [
    "no-docker-socket",
    { mounts: [{ type: "bind", source: "/var/run/docker.sock", target: "/s" }] },
    "/var/run/docker.sock gives it Docker's socket",
  ],
  ["images-pinned", { image: "nginx" }, "Its image nginx may be another one tomorrow"],
  ["images-pinned", { image: "nginx:latest" }, "Its image nginx:latest"],
  ["images-pinned", { image: "registry:5000/nginx" }, "Its image registry:5000/nginx"],
  ["memory-limited", {}, "It may take all memory"],
  ["memory-limited", { memory: 0 }, "It may take all memory"],
  ["restarted", {}, "Its restart policy is no"],
  ["restarted", { restart: "on-failure" }, "Its restart policy is on-failure"],
])("%s refuses a container with %j", (name, props, sentence) => {
  expect(rule(name).container?.(props)).toEqual([expect.stringContaining(sentence)]);
});

test.each<[string, Container]>([
  ["ports-on-chosen-addresses", { networkMode: "openclaw-net" }],
  ["no-docker-socket", { volumes: [{ volumeName: "openclaw-data", containerPath: "/data" }] }],
  ["no-docker-socket", { volumes: [{ hostPath: "/var/lib/openclaw", containerPath: "/data" }] }],
  ["images-pinned", { image: "registry:5000/nginx:1.29" }],
  ["images-pinned", { image: `nginx@sha256:${"0".repeat(64)}` }],
  ["restarted", { restart: "always" }],
])("%s allows a container with %j", (name, props) => {
  expect(rule(name).container?.(props)).toEqual([]);
});

test("an image whose id a preview can't know yet is no problem", () => {
  const unknown = Object.defineProperty({}, "image", {
    get: () => {
      throw new Error("string value at .image can't be known during preview");
    },
  });

  expect(rule("images-pinned").container?.(unknown)).toEqual([]);
});

test.each<[Image, string[]]>([
  [{ name: "nginx" }, [expect.stringContaining("Its image nginx may be")]],
  [{ name: "kasmweb/chrome:latest" }, [expect.stringContaining("kasmweb/chrome:latest")]],
  [{ name: "kasmweb/chrome:1.17.0" }, []],
  [{ name: "openclaw-kasm:latest", build: { context: "assets/kasm-image" } }, []],
])("images-pinned judges the image %j", (image, expected) => {
  expect(rule("images-pinned").image?.(image)).toEqual(expected);
});

test.each<[string, Workspace, string]>([
  ["images-pinned", { image: "kasmweb/chrome", runConfig: {} }, "Its image kasmweb/chrome may be"],
  ["not-privileged", { runConfig: { privileged: true } }, "runs privileged"],
  [
    "no-docker-socket",
    { runConfig: {}, volumeMappings: { "/var/run/docker.sock": { bind: "/s" } } },
    "/var/run/docker.sock gives it Docker's socket",
  ],
  [
    "no-docker-socket",
    { runConfig: { volumes: ["/run/docker.sock:/run/docker.sock"] } },
    "/run/docker.sock gives it Docker's socket",
  ],
  [
    "no-docker-socket",
    { runConfig: { volumes: { "/run": { bind: "/run", mode: "rw" } } } },
    "/run gives it Docker's socket",
  ],
  [
    "no-secret-in-run-config",
    { runConfig: { environment: { ANTHROPIC_API_KEY: "sk-ant-value" } } },
    "Its run config sets ANTHROPIC_API_KEY",
  ],
])("%s refuses a workspace with %j", (name, props, sentence) => {
  const problems = rule(name).workspace?.(props);

  expect(problems).toEqual([expect.stringContaining(sentence)]);
  expect(problems?.join("")).not.toContain("sk-ant-value");
});

test.each<[string, Workspace]>([
  ["images-pinned", { image: "", runConfig: {} }],
  ["no-secret-in-run-config", { runConfig: { environment: { ANTHROPIC_API_KEY: "" } } }],
  [
    "no-secret-in-run-config",
    { runConfig: { environment: { HF_TOKEN: "hf_value" } }, allowSecretsInRunConfig: true },
  ],
])("%s allows a workspace with %j", (name, props) => {
  expect(rule(name).workspace?.(props)).toEqual([]);
});

test.each([
  [true, false, []],
  [true, true, []],
  [false, true, []],
  [false, false, [expect.stringContaining("Its data goes with the stack")]],
])("data-kept: kept %j, removal asked for %j", (keepsData, isRemovalAsked, expected) => {
  expect(dataRule.problems({ keepsData }, isRemovalAsked)).toEqual(expected);
});

test("data-kept refuses a gateway that does not say", () => {
  expect(dataRule.problems({}, false)).toHaveLength(1);
});

describe("images-recent", () => {
  const now = Date.parse("2026-11-29T12:00:00Z");
  const built = (imagesFrom?: string): Image => ({
    name: "openclaw-kasm/gateway-dev:2026.9.6-0123456789ab",
    build: {
      context: "assets/gateway-image",
      buildArgs: { BASE_IMAGE: "base", ...(imagesFrom && { IMAGES_FROM: imagesFrom }) },
    },
  });
  const problems = (image: Image, maxDays: number) => imageAgeRule.problems(image, maxDays, now);

  test("refuses a built image that is too old, or whose age is not known", () => {
    expect(problems(built("2026-10-29T00:00:00Z"), 30)).toEqual([
      "Its packages are 31 days old, and openclaw:maxImageDays is 30: npm run rebuild.",
    ]);
    expect(problems(built(), 30)).toEqual([expect.stringContaining("is not known")]);
  });

  test.each<[string, Image, number]>([
    ["a built image that is recent", built("2026-10-30"), 30],
    ["a pulled image", { name: "coollabsio/openclaw:2026.9.6" }, 30],
    ["any image without a limit", built(), 0],
  ])("lets pass %s", (_, image, maxDays) => {
    expect(problems(image, maxDays)).toEqual([]);
  });
});
