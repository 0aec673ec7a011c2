import { readFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "zx";
import { quoted } from "../../components/host/shell";
import { httpsGet } from "../rig/https";
import { limitsInForce, removeRig, type Rig, startRig } from "../rig/rig";
import { docker, dockerInventory, eventually, get, removeLeftovers } from "./docker";
import { type Finished, Project } from "./project";

jest.setTimeout(15 * 60_000);

const outcome = ({ exitCode, text }: Finished) => (exitCode === 0 ? "ok" : text);
const unchanged = /Resources:\s+\d+ unchanged\s/;

/** A web site for a browser; not "page" or the like: Chromium knows top-level domains that are spoken to by TLS only. */
const site = "openclaw-e2e-plans-site";
const page = "<title>A page of its own</title><h1>Read this aloud</h1>";
const server = `require("http").createServer((_, answer) => answer.setHeader("content-type", "text/html").end("${page}")).listen(80)`;
const siteAnswers = (ask: () => Promise<{ exitCode: number | null }>) =>
  eventually("the site answers", ask, ({ exitCode }) => exitCode === 0);
const mayOpenSite = { browser: { ssrfPolicy: { allowedHostnames: [site] } } };

describe("a gateway with a browser", () => {
  const names = {
    containerName: "openclaw-e2e-plans",
    networkName: "openclaw-e2e-plans-net",
    dataVolume: "openclaw-e2e-plans-data",
  };
  const port = 18183;
  const gateway = names.containerName;
  const browser = `${gateway}-browser`;
  const settings = {
    ...names,
    port,
    publishAddresses: ["127.0.0.1"],
    plan: "medium",
    // The plan's four, and one for the browser, are more than the machine of these tests may have.
    cpus: 1,
    openclawConfig: mayOpenSite,
  };

  const project = new Project();
  let before: Record<string, string[]>;
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
    await project.checkout();
    await removeLeftovers();
    before = await dockerInventory();
    project.settings("dev", settings);
    await project.pulumi("stack", "init", "dev");
  });

  afterAll(async () => {
    await $({ quiet: true, nothrow: true })`docker rm --force --volumes ${site}`;
    await project.npm("down", "--", "--delete-data");
    project.remove();
  });

  test("a host that is too small is told so before anything changes", async () => {
    project.settings("dev", { ...settings, cpus: 200 });
    const { text, exitCode } = await project.npm("up");
    project.settings("dev", settings);

    expect(exitCode).toBe(1);
    expect(text).toContain(
      "openclaw:cpus (200), openclaw:browser (1) together ask for 201 processor cores, Docker has",
    );
    expect(await dockerInventory()).toEqual(before);
  });

  test("the policy pack has nothing against it", async () => {
    expect(outcome(await project.npm("preview"))).toBe("ok");
  });

  test("both come up, and a second up changes nothing", async () => {
    expect(outcome(await project.npm("up"))).toBe("ok");
    expect((await project.npm("up")).text).toMatch(unchanged);
  });

  test("the gateway's image stays under 1.5 GB and keeps its contract", async () => {
    const image = await inspect(gateway, "{{.Image}}");
    const size = Number(await docker("image", "inspect", "--format", "{{.Size}}", image));
    const contract = await $({
      quiet: true,
      nothrow: true,
    })`bash tests/image/gateway-image.sh ${image}`;

    expect(size).toBeLessThan(1.5e9);
    expect(contract.stdout.match(/^not ok .*(\n# .*)*/gm) ?? []).toEqual([]);
    expect(contract.stdout.match(/^ok /gm)?.length).toBeGreaterThan(30);
    expect(contract.exitCode).toBe(0);
  });

  test("the plan's limits are in force", async () => {
    expect(await limits(gateway)).toEqual([1e9, 2 ** 33, 2 ** 33, "unless-stopped"]);
    expect(await limits(browser)).toEqual([1e9, 2 ** 31, 2 ** 31, "unless-stopped"]);
  });

  test("the browser has no port on the host, one network, and no rights", async () => {
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

  test("OpenClaw opens a page in it, and reads what the page says", async () => {
    const image = await inspect(gateway, "{{.Image}}");
    await docker(
      ...["run", "--detach", "--name", site, "--network", names.networkName],
      ...["--entrypoint", "node", image, "--eval", server],
    );
    await siteAnswers(
      () => $({ quiet: true, nothrow: true })`docker exec ${browser} curl -fsS http://${site}/`,
    );

    expect(await drive("profiles")).toContain("sidecar: running");
    expect(await drive("open", `http://${site}/`)).toContain(`opened: http://${site}/`);
    expect(await drive("tabs")).toContain("A page of its own");
    expect(await drive("snapshot")).toContain('heading "Read this aloud"');
  });

  test("other private addresses stay closed to it", async () => {
    const address = await inspect(site, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");

    await expect(drive("open", `http://${address}/`)).rejects.toThrow("blocked by policy");
  });

  test("a browser that dies is back, and status tells of one that hangs", async () => {
    const oldest = "grep -l ^chromium /proc/[0-9]*/comm | cut -d/ -f3 | sort -n | head -n 1";
    await docker("exec", browser, "sh", "-c", `kill -9 $(${oldest})`);
    await eventually(
      "it was started again",
      () => inspect(browser, "{{.RestartCount}} {{.State.Health.Status}}"),
      (state) => state === "1 healthy",
    );
    await docker("pause", browser);
    const { stdout, exitCode } = await project.npm("status", "--", "--json");
    await docker("unpause", browser);

    expect(exitCode).toBe(1);
    expect(stdout).toContain('{"name":"browser","value":"paused');
    await project.wellStatus();
  });

  test("the plan without a browser takes it away and leaves the gateway", async () => {
    project.settings("dev", { ...settings, plan: "small", openclawConfig: {} });
    expect(outcome(await project.npm("up"))).toBe("ok");

    expect(await docker("ps", "--all", "--format", "{{.Names}}")).not.toContain(browser);
    expect((await get(`http://127.0.0.1:${port.toString()}/healthz`)).status).toBe(200);
  });

  test("down leaves nothing", async () => {
    await docker("rm", "--force", "--volumes", site);
    expect(outcome(await project.npm("down", "--", "--delete-data"))).toBe("ok");

    expect(await dockerInventory()).toEqual(before);
  });
});

describe("two instances on a KASM server", () => {
  // The largest plan and its browsers ask for ten cores.
  const place = { name: "plans", sshPort: 12227, httpsPort: 18448, cores: 16 };
  const kasmUrl = `https://127.0.0.1:${place.httpsPort.toString()}`;
  const project = new Project();
  let rig: Rig;
  let before: Record<string, string[]>;
  let passwords: Record<string, string>;

  const npm = (command: string, ...options: string[]) =>
    project.npm(command, "--", "--stack", "kasm", ...options);
  const aBrowser = { "openclaw-alice-browser": { cores: 1, memoryGb: 2 } };
  const currentPasswords = async () =>
    JSON.parse(await project.secretOutput("kasm", "password")) as Record<string, string>;
  const statusOf = async (name: string, password?: string) => {
    const login = Buffer.from(`admin:${password ?? ""}`).toString("base64");
    const headers: Record<string, string> =
      password === undefined ? {} : { authorization: `Basic ${login}` };
    const ca = readFileSync(join(rig.folder, "ca.pem"));
    return (await httpsGet(`${kasmUrl}/openclaw/${name}/`, ca, headers)).status;
  };

  function configure(instances: string[], plan = "large"): void {
    project.settings("kasm", {
      host: rig.host,
      kasmUrl,
      nginxRoute: { mode: "path" },
      plan,
      openclawConfig: mayOpenSite,
      instances,
    });
  }

  beforeAll(async () => {
    await project.checkout();
    await removeRig(place.name);
    rig = await startRig(place);
    configure(["alice", "bob"]);
    await project.pulumi("stack", "init", "kasm");
    before = await rig.inventory();
  });

  afterAll(async () => {
    await removeRig(place.name);
    project.remove();
  });

  test("npm run up waits for both and tells where they are", async () => {
    const { text, exitCode } = await npm("up");

    expect(text).toContain("OpenClaw is up.");
    expect(exitCode).toBe(0);
    for (const name of ["alice", "bob"]) {
      expect(text).toContain(`Instance      ${name}`);
      expect(text).toContain(`Dashboard     ${kasmUrl}/openclaw/${name}/`);
    }
    passwords = await currentPasswords();
  });

  test("a second npm run up changes nothing", async () => {
    expect((await npm("up")).text).toMatch(unchanged);
  });

  test("each has half of the plan, a network, a port and data of its own", async () => {
    const format =
      '{{.Name}} {{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.NetworkMode}} {{range .Mounts}}{{.Source}}{{end}} {{(index (index .HostConfig.PortBindings "8080/tcp") 0).HostPort}}';
    const rows = await rig.exec(`docker inspect --format '${format}' openclaw-alice openclaw-bob`);

    expect(rows.split("\n")).toEqual([
      "/openclaw-alice 4000000000 8589934592 openclaw-net-alice /opt/openclaw-alice/data 8180",
      "/openclaw-bob 4000000000 8589934592 openclaw-net-bob /opt/openclaw-bob/data 8181",
    ]);
  });

  test("each lets its own login in and not the other's", async () => {
    const { alice, bob } = passwords;

    expect(alice).not.toBe(bob);
    expect(await statusOf("alice")).toBe(401);
    expect([await statusOf("alice", alice), await statusOf("bob", bob)]).toEqual([200, 200]);
    expect([await statusOf("alice", bob), await statusOf("bob", alice)]).toEqual([401, 401]);
  });

  test("status tells of each, logs and rotate are for one", async () => {
    const { stdout } = await project.wellStatus("--stack", "kasm", "--json");
    const { ok, checks } = JSON.parse(stdout) as {
      ok: boolean;
      checks: { instance?: string; name: string; value: string }[];
    };
    expect(ok).toBe(true);
    for (const instance of ["alice", "bob"]) {
      expect(checks).toContainEqual({ instance, name: "gateway", value: "ready", state: "ok" });
    }

    expect((await npm("logs")).text).toContain("--instance with one of alice, bob");
    expect((await npm("logs", "--instance", "bob")).text).toContain("dashboard at /openclaw/bob/");

    const rotated = await project.npm("rotate", "--", "password", "-s", "kasm", "-i", "bob");
    expect(outcome(rotated)).toBe("ok");
    const now = await currentPasswords();
    expect(now.alice).toBe(passwords.alice);
    expect([await statusOf("bob", passwords.bob), await statusOf("bob", now.bob)]).toEqual([
      401, 200,
    ]);
    expect(await statusOf("alice", now.alice)).toBe(200);
  });

  test("one that is listed no more goes, and its data and the other stay", async () => {
    configure(["alice"]);
    expect(outcome(await npm("up"))).toBe("ok");

    expect(await statusOf("alice", passwords.alice)).toBe(200);
    expect(await rig.exec("docker ps --all --format '{{.Names}}'")).not.toContain("openclaw-bob");
    expect(await rig.exec("ls /opt/openclaw-bob")).toBe("data");
    expect(await rig.exec("ls /opt/kasm/current/conf/nginx/containers.d")).toBe(
      "openclaw-alice.conf",
    );
    await rig.exec("rm -r /opt/openclaw-bob");
  });

  test("that one has the whole plan now, and a browser in which OpenClaw opens a page", async () => {
    expect(await limitsInForce(rig, "openclaw-alice")).toEqual({
      "openclaw-alice": { cores: 8, memoryGb: 16 },
      ...aBrowser,
    });

    const drive = (...args: string[]) =>
      rig.exec(`docker exec openclaw-alice openclaw browser ${args.join(" ")}`);
    await rig.exec(`docker run --detach --name ${site} --network openclaw-net-alice --entrypoint node \\
      $(docker inspect --format '{{.Image}}' openclaw-alice) --eval ${quoted(server)}`);
    await siteAnswers(() =>
      rig.tryExec(`docker exec openclaw-alice-browser curl -fsS http://${site}/`),
    );
    expect(await drive("open", `http://${site}/`)).toContain(`opened: http://${site}/`);
    expect(await drive("snapshot")).toContain('heading "Read this aloud"');
    await rig.exec(`docker rm --force --volumes ${site}`);
  });

  test.each([
    ["medium", { "openclaw-alice": { cores: 4, memoryGb: 8 }, ...aBrowser }],
    ["small", { "openclaw-alice": { cores: 2, memoryGb: 4 } }],
  ])("plan %s: its limits are in force", async (plan, limits) => {
    configure(["alice"], plan);
    expect(outcome(await npm("up"))).toBe("ok");

    expect(await limitsInForce(rig, "openclaw-alice")).toEqual(limits);
  });

  test("down leaves nothing", async () => {
    expect(outcome(await npm("down", "--delete-data"))).toBe("ok");

    expect(await rig.inventory()).toEqual(before);
  });
});
