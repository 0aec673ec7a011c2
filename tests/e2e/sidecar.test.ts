import { $ } from "zx";
import {
  docker,
  dockerInventory,
  eventually,
  get,
  pause,
  removeLeftovers,
} from "../support/docker";
import { outcome, Project, unchanged } from "../support/project";

jest.setTimeout(15 * 60_000);

const stack = "sidecar";
const prefix = "openclaw-e2e-sidecar";
const names = {
  containerName: prefix,
  networkName: `${prefix}-net`,
  dataVolume: `${prefix}-data`,
};
const port = 18183;
const gateway = names.containerName;
const browser = `${gateway}-browser`;
// A web site for it; not "page" or the like: Chromium knows top-level domains that are spoken to by TLS only.
const site = "openclaw-e2e-site";
const page = "<title>A page of its own</title><h1>Read this aloud</h1>";
const server = `require("http").createServer((_, answer) => answer.setHeader("content-type", "text/html").end("${page}")).listen(80)`;
const settings = {
  ...names,
  port,
  publishAddresses: ["127.0.0.1"],
  plan: "medium",
  // The plan's four, and one for the browser, are more than the machine of these tests may have.
  cpus: 1,
  // The site has a private address.
  openclawConfig: { browser: { ssrfPolicy: { allowedHostnames: [site] } } },
};

const project = new Project();
const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", stack, ...options);
const inspect = (container: string, format: string) =>
  docker("inspect", "--format", format, container);
const limits = async (container: string) =>
  JSON.parse(
    await inspect(
      container,
      '[{{.HostConfig.NanoCpus}}, {{.HostConfig.Memory}}, {{.HostConfig.MemorySwap}}, "{{.HostConfig.RestartPolicy.Name}}"]',
    ),
  ) as unknown;
/** OpenClaw's own command line: the browser tool as its agents have it. */
const drive = (...args: string[]) => docker("exec", gateway, "openclaw", "browser", ...args);

beforeAll(async () => {
  await project.checkout("real");
  await removeLeftovers(prefix, stack);
  project.settings(stack, settings);
  await project.pulumi("stack", "init", stack);
});

afterAll(async () => {
  await $({ quiet: true, nothrow: true })`docker rm --force --volumes ${site}`;
  await run("down", "--delete-data");
  project.remove();
});

test("refuses a host that is too small before anything changes", async () => {
  project.settings(stack, { ...settings, cpus: 200 });
  const { text, exitCode } = await run("up");
  project.settings(stack, settings);

  expect(exitCode).toBe(1);
  expect(text).toContain(
    "openclaw:cpus (200), openclaw:browser (1) together ask for 201 processor cores, Docker has",
  );
  expect(await dockerInventory(prefix, stack)).toEqual([]);
});

test("the policy pack reports no violation", async () => {
  expect(outcome(await run("preview"))).toBe("ok");
});

test("up starts both, and a second up changes nothing", async () => {
  expect(outcome(await run("up"))).toBe("ok");
  expect((await run("up")).text).toMatch(unchanged);
});

test("the plan's limits are in force", async () => {
  expect(await limits(gateway)).toEqual([1e9, 2 ** 33, 2 ** 33, "unless-stopped"]);
  expect(await limits(browser)).toEqual([1e9, 2 ** 31, 2 ** 31, "unless-stopped"]);
});

test("the browser has no port on the host, one network, and no capabilities", async () => {
  const held = await inspect(
    browser,
    "{{json .HostConfig.CapDrop}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.ShmSize}} {{.HostConfig.Init}}",
  );
  const networks = await inspect(
    browser,
    "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}",
  );
  const users = (await docker("top", browser, "-o", "pid,uid")).split("\n").slice(1);

  expect(await docker("port", browser)).toBe("");
  expect(held).toBe(`["ALL"] true ${(512 * 2 ** 20).toString()} true`);
  expect(networks.trim()).toBe(names.networkName);
  expect(new Set(users.map((line) => line.trim().split(/\s+/)[1]))).toEqual(new Set(["1000"]));
});

test("OpenClaw opens a page in it, and reads the page's text", async () => {
  const image = await inspect(gateway, "{{.Image}}");
  await docker(
    ...["run", "--detach", "--name", site, "--network", names.networkName],
    ...["--entrypoint", "node", image, "--eval", server],
  );
  await eventually(
    "the site answers",
    () => $({ quiet: true, nothrow: true })`docker exec ${browser} curl -fsS http://${site}/`,
    ({ exitCode }) => exitCode === 0,
  );

  expect(await drive("profiles")).toContain("sidecar: running");
  expect(await drive("open", `http://${site}/`)).toContain(`opened: http://${site}/`);
  expect(await drive("tabs")).toContain("A page of its own");
  expect(await drive("snapshot")).toContain('heading "Read this aloud"');
});

test("OpenClaw can't open other private addresses", async () => {
  const address = await inspect(site, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");

  await expect(drive("open", `http://${address}/`)).rejects.toThrow("blocked by policy");
});

test("a killed browser restarts, and status reports one that hangs", async () => {
  const oldest = "grep -l ^chromium /proc/[0-9]*/comm | cut -d/ -f3 | sort -n | head -n 1";
  await docker("exec", browser, "sh", "-c", `kill -9 $(${oldest})`);
  await eventually(
    "it was started again",
    () => inspect(browser, "{{.RestartCount}} {{.State.Health.Status}}"),
    (state) => state === "1 healthy",
  );
  await pause(browser);
  const { stdout, exitCode } = await run("status", "--json");
  await docker("unpause", browser);

  expect(exitCode).toBe(1);
  expect(stdout).toContain('{"name":"browser","value":"paused');
  await project.wellStatus("--stack", stack);
});

test("a plan without a browser removes it and keeps the gateway", async () => {
  project.settings(stack, { ...settings, plan: "small", openclawConfig: {} });
  expect(outcome(await run("up"))).toBe("ok");

  expect(await docker("ps", "--all", "--format", "{{.Names}}")).not.toContain(browser);
  expect((await get(`http://127.0.0.1:${port.toString()}/healthz`)).status).toBe(200);
});

test("down leaves nothing", async () => {
  await docker("rm", "--force", "--volumes", site);
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");

  expect(await dockerInventory(prefix, stack)).toEqual([]);
});
