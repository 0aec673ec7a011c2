import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { $ } from "zx";
import { type Answer, httpsGet } from "../rig/https";
import { removeRig, type Rig, startRig } from "../rig/rig";
import { launchBrowser, messageBox, visit } from "./browser";
import { eventually } from "./docker";
import { type Finished, Project } from "./project";
import { type Provider, startProvider } from "./provider";

jest.setTimeout(15 * 60_000);

const place = { name: "server", sshPort: 12223, httpsPort: 18444 };
const kasmUrl = `https://127.0.0.1:${place.httpsPort.toString()}`;
const dashboard = `${kasmUrl}/openclaw/`;
const nginxFolder = "/opt/kasm/current/conf/nginx";
const routeFile = `${nginxFolder}/containers.d/openclaw.conf`;
const providerKey = "sk-kasm-server-provider-0123456789";
const password = "kasm-server-password-0123";

const project = new Project();
let rig: Rig;
let provider: Provider;
let before: Record<string, string[]>;

const up = () => project.npm("up", "--", "--stack", "kasm");
const outcome = ({ exitCode, text }: Finished) => (exitCode === 0 ? "ok" : text);
const login = { username: "admin", password };
const authorization = `Basic ${Buffer.from(`admin:${password}`).toString("base64")}`;

const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  httpsGet(`${kasmUrl}${path}`, readFileSync(join(rig.folder, "ca.pem")), headers);
const statusOf = async (path: string, headers = {}) => (await get(path, headers)).status;
const nginxTest = async () => (await rig.tryExec("docker exec kasm_proxy nginx -t")).exitCode;
const fileIsThere = async () => (await rig.tryExec(`test -e ${routeFile}`)).exitCode === 0;

function configure(changes: Record<string, unknown> = {}): void {
  project.settings("kasm", {
    host: rig.host,
    kasmUrl,
    nginxRoute: { mode: "path" },
    memoryMb: 2048,
    readyTimeoutSeconds: 120,
    openclawConfig: provider.openclawConfig,
    ...changes,
  });
}

/** A change that makes the next up do something. */
const bounce = () =>
  project.pulumi(
    ...["config", "set", "openclaw:username", `user${process.hrtime.bigint().toString()}`],
    ...["--stack", "kasm"],
  );

beforeAll(async () => {
  await project.checkout();
  await removeRig(place.name);
  rig = await startRig(place);
  provider = await startProvider(await rig.exec("ip route show default | awk '{ print $3 }'"));
  configure();
  await project.pulumi("stack", "init", "kasm");
  await project.setSecret("kasm", "providerKeys.ANTHROPIC_API_KEY", providerKey);
  await project.setSecret("kasm", "password", password);
  before = await rig.inventory();
});

afterAll(async () => {
  await removeRig(place.name);
  project.remove();
  provider.stop();
});

describe("a KASM server", () => {
  test("npm run up ends with the address behind KASM's own nginx", async () => {
    const { text, exitCode } = await up();

    expect(text).toContain("OpenClaw is up.");
    expect(exitCode).toBe(0);
    expect(text).toContain(`Dashboard     ${dashboard}`);
    expect(await statusOf("/openclaw/")).toBe(401);
    expect(await statusOf("/openclaw/", { authorization })).toBe(200);
  });

  test("a second npm run up changes nothing, over one SSH connection", async () => {
    const connections = await rig.sshConnections();
    const { text, exitCode } = await up();

    expect(exitCode).toBe(0);
    expect(text).toMatch(/Resources:\s+\d+ unchanged\s/);
    const made = (await rig.sshConnections()) - connections;
    console.log(`SSH connections of a run without changes: ${made.toString()}`);
    expect(made).toBeLessThanOrEqual(3);
  });

  test("the data's directory is OpenClaw's", async () => {
    expect(await rig.exec("stat -c '%u:%g' /opt/openclaw /opt/openclaw/data")).toBe(
      "1000:1000\n1000:1000",
    );
  });

  test("in a browser the dashboard connects through TLS on KASM's port, and a chat is answered", async () => {
    const browser = await launchBrowser();
    try {
      const { page, refused, sockets } = await visit(browser, dashboard, login);
      await messageBox(page).fill("hello through KASM");
      await messageBox(page).press("Enter");
      await page
        .getByText("stand-in heard: hello through KASM")
        .first()
        .waitFor({ timeout: 60_000 });
      await page.screenshot({ path: "test-results/kasm-route.png" });

      expect(refused.filter((answer) => /^(401|403|failed .*ws)/.test(answer))).toEqual([]);
      // A browser on a busy machine may have connected anew.
      expect(sockets.filter(({ open, frames }) => open && frames > 0)).not.toHaveLength(0);
    } finally {
      await browser.close();
    }
    expect(provider.keysSeen()).toEqual([providerKey]);
  });

  test("npm run status tells that all is well, and that a gateway hangs", async () => {
    const ask = () => project.npm("status", "--", "--stack", "kasm", "--json");
    const well = await ask();
    await rig.exec("docker pause openclaw");
    const hanging = await ask();
    await rig.exec("docker unpause openclaw");

    expect(outcome(well)).toBe("ok");
    expect(JSON.parse(well.stdout)).toMatchObject({ ok: true, stack: "kasm", sessions: [] });
    expect(hanging.exitCode).toBe(1);
    expect(JSON.parse(hanging.stdout)).toMatchObject({ ok: false });
    expect(hanging.stdout).toContain('"name":"container","value":"paused"');
  });

  test("KASM's own pages are untouched, and no neighbour of the path is taken", async () => {
    expect((await get("/")).body).toContain("KASM");
    expect(await statusOf("/api/__healthcheck")).toBe(200);
    expect([401, 502]).not.toContain(await statusOf("/openclawfoo"));
  });

  test("sessions reach the gateway on Docker's bridge, and nothing does from outside the host", async () => {
    const session = await rig.startSession({ extraHosts: ["host.docker.internal:host-gateway"] });
    const ask = (url: string) =>
      rig.exec(`docker exec ${session} curl -s -o /dev/null -w '%{http_code}' --max-time 5 ${url}`);

    expect(await ask("http://host.docker.internal:8180/healthz")).toBe("200");
    expect(await ask("http://172.17.0.1:8180/healthz")).toBe("200");
    await rig.stopSession(session);
    const address = await rig.exec("ip -4 -o addr show eth0 | awk '{ print $4 }' | cut -d/ -f1");
    const { exitCode } = await $({
      quiet: true,
      nothrow: true,
    })`curl -s -o /dev/null --max-time 3 http://${address}:8180/healthz`;
    expect(exitCode).toBe(7); // connection refused
  });

  test("no secret is in the host's processes, shell histories, logs or files that others can read", async () => {
    const secrets = [password, providerKey, await project.secretOutput("kasm", "gatewayToken")];
    const texts = await rig.exec(`
      cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'
      cat /root/.*history /home/*/.*history /opt/kasm/current/log/nginx/* /var/log/*.log 2>/dev/null
      docker logs kasm_proxy 2>&1
      find /etc /home /opt /root /run /srv /tmp /var/log /var/tmp -xdev -type f -perm -o=r -size -2M -exec cat {} + | tr -d '\\0'
    `);

    expect(secrets.filter((secret) => texts.includes(secret))).toEqual([]);
  });
});

describe("down", () => {
  test("leaves the host as it was, but for the data, and with --delete-data nothing at all", async () => {
    expect(outcome(await project.npm("down", "--", "--stack", "kasm"))).toBe("ok");
    expect(await rig.exec("ls -A /opt/openclaw")).toBe("data");

    expect(outcome(await project.npm("down", "--", "--stack", "kasm", "--delete-data"))).toBe("ok");
    expect((await rig.tryExec("test -e /opt/openclaw")).exitCode).toBe(1);
    expect(await rig.inventory()).toEqual(before);

    expect(outcome(await up())).toBe("ok");
  });
});

describe("the nginx file can't hurt KASM", () => {
  async function kasmWorks(): Promise<void> {
    expect(await nginxTest()).toBe(0);
    expect(await statusOf("/api/__healthcheck")).toBe(200);
    const session = await rig.startSession();
    await rig.stopSession(session);
    expect(await statusOf("/openclaw/")).toBeGreaterThanOrEqual(500);
  }

  test("with the gateway stopped, removed, and its network gone", async () => {
    await rig.exec("docker stop --time 2 openclaw");
    await kasmWorks();
    await rig.exec("docker rm openclaw");
    await kasmWorks();
    await rig.exec(
      "docker network disconnect openclaw-net kasm_proxy && docker network rm openclaw-net",
    );
    await kasmWorks();

    expect(outcome(await up())).toBe("ok");
    expect(await statusOf("/openclaw/", { authorization })).toBe(200);
  });

  test("KASM's cookies stay with KASM; the gateway's own errors and the headers of KASM's nginx come through", async () => {
    const echo =
      'require("http").createServer((asked, answer) => answer.writeHead(500).end(JSON.stringify(asked.headers))).listen(8080)';
    const headersFile = `${nginxFolder}/containers.d/headers.conf`;
    await rig.exec(`docker rm --force openclaw
      docker run --detach --name openclaw --network openclaw-net kasmweb/session-like:1.17.0 node -e '${echo}'
      echo 'add_header Strict-Transport-Security max-age=31536000 always;' >${headersFile}
      docker exec kasm_proxy nginx -s reload`);
    const cookie = "username=ann; session_token=x";
    const { headers, body } = await eventually(
      "the gateway's stand-in answers",
      () => get("/openclaw/", { cookie, authorization }),
      // Until its reload is done nginx answers without the header.
      ({ status, headers }) => status === 500 && "strict-transport-security" in headers,
    );
    await rig.exec(
      `rm ${headersFile}; docker exec kasm_proxy nginx -s reload; docker rm --force openclaw`,
    );

    const seen = JSON.parse(body) as Record<string, string>;
    expect(seen).toMatchObject({ authorization, host: `127.0.0.1:${place.httpsPort.toString()}` });
    expect(seen).not.toHaveProperty("cookie");
    expect(headers["strict-transport-security"]).toBe("max-age=31536000");
    expect(outcome(await up())).toBe("ok");
  });

  test("a file that nginx refuses is taken back at once, and no request of KASM's fails meanwhile", async () => {
    const template = join(project.folder, "assets/nginx/path.conf");
    const good = readFileSync(template, "utf8");
    const installed = await rig.exec(`cat ${routeFile}`);
    const load = underLoad();
    appendFileSync(template, "location /broken { no_such_directive on; }\n");
    const refused = await up();
    writeFileSync(template, good);
    const { asked, failed } = await load.stop();

    expect(refused.exitCode).toBe(1);
    expect(refused.text).toContain("nginx refuses the route, and the old state is back");
    expect(refused.text).toContain("no_such_directive");
    expect(await rig.exec(`cat ${routeFile}`)).toBe(installed);
    expect(await rig.exec(`ls -A ${nginxFolder}/containers.d`)).toBe("openclaw.conf");
    expect(asked).toBeGreaterThan(50);
    expect(failed).toEqual([]);
    expect(outcome(await up())).toBe("ok");
  });

  test("what somebody changed or removed by hand is noticed and repaired", async () => {
    await rig.exec(`echo '# by hand' >> ${routeFile}`);
    const preview = await project.pulumi("preview", "--refresh", "--diff", "--stack", "kasm");
    expect(preview.text).toContain("file: different");
    expect(outcome(await up())).toBe("ok");
    await rig.exec(`echo 'no_such_directive on;' >> ${routeFile}`);
    expect(outcome(await up())).toBe("ok");
    expect(await nginxTest()).toBe(0);
    await rig.exec(`rm ${routeFile} && docker exec kasm_proxy nginx -s reload`);
    expect(outcome(await up())).toBe("ok");
    expect(await statusOf("/openclaw/")).toBe(401);
  });

  test("after KASM's upgrade and a proxy made anew the next up repairs the route", async () => {
    await rig.recreateProxy();
    expect(await statusOf("/openclaw/")).toBe(502);
    expect(outcome(await up())).toBe("ok");
    expect(await statusOf("/openclaw/")).toBe(401);

    await rig.upgrade();
    expect(outcome(await up())).toBe("ok");
    expect(await statusOf("/openclaw/")).toBe(401);
    expect((await up()).text).toMatch(/Resources:\s+\d+ unchanged\s/);
  });

  test("WebSockets stay open through 20 reloads", async () => {
    const sockets = await Promise.all([openSocket(), openSocket(), openSocket()]);
    await rig.churn(10);

    expect(sockets.map(({ isOpen }) => isOpen())).toEqual([true, true, true]);
    sockets.forEach(({ close }) => {
      close();
    });
  });

  /** Asks KASM for its own pages all the time; tells of every answer that was not 200. */
  function underLoad() {
    let running = true;
    const failed: number[] = [];
    let asked = 0;
    const ask = async () => {
      while (running) {
        const status = await statusOf("/api/__healthcheck");
        asked++;
        if (status !== 200) {
          failed.push(status);
        }
        await sleep(50);
      }
    };
    const done = Promise.all([ask(), ask()]);
    return {
      stop: async () => {
        running = false;
        await done;
        return { asked, failed };
      },
    };
  }

  /** A WebSocket to the dashboard's own address, past the login. */
  function openSocket(): Promise<{ isOpen: () => boolean; close: () => void }> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: "127.0.0.1",
        port: place.httpsPort,
        ca: readFileSync(join(rig.folder, "ca.pem")),
      });
      let open = true;
      socket.on("error", reject);
      socket.on("close", () => (open = false));
      socket.write(
        [
          "GET /openclaw HTTP/1.1",
          `Host: 127.0.0.1:${place.httpsPort.toString()}`,
          `Origin: ${kasmUrl}`,
          `Authorization: ${authorization}`,
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: b3BlbmNsYXctcmVhZHktcA==",
          "",
          "",
        ].join("\r\n"),
      );
      socket.once("data", (head: Buffer) => {
        if (head.toString().startsWith("HTTP/1.1 101 ")) {
          resolve({ isOpen: () => open, close: () => socket.destroy() });
        } else {
          reject(new Error(head.toString().split("\r\n")[0]));
        }
      });
    });
  }
});

describe("faults", () => {
  beforeEach(() => {
    configure();
  });

  test("what is wrong with the connection is named before anything changes", async () => {
    const cases: [Record<string, unknown>, string][] = [
      [{ port: 1 }, "can't be reached"],
      [{ user: "nobody-here" }, "does not let nobody-here in"],
      [
        {
          hostKeyFile: undefined,
          hostKey: readFileSync(join(rig.folder, "id_ed25519.pub"), "utf8").trim(),
        },
        "is not the one in openclaw:host",
      ],
      [{ user: "plain" }, "plain may not use sudo without a password"],
      [{ user: "plain" }, "expected that plain may use Docker (group docker)"],
      [{ user: "docker-only" }, "docker-only may not use sudo without a password"],
    ];
    for (const [changes, problem] of cases) {
      configure({ host: { ...rig.host, ...changes } });
      const { text, exitCode } = await up();
      expect([exitCode, text]).toEqual([1, expect.stringContaining(problem)]);
    }
    configure();
    expect(outcome(await up())).toBe("ok");
  });

  test("SSH cut at step after step: the host is never half done, and the next up converges", async () => {
    for (const seconds of [3, 6, 9, 12, 15]) {
      await bounce();
      await rig.exec(`rm -f ${routeFile}`);
      const running = up();
      await sleep(seconds * 1000);
      await rig.tryExec("pkill -f '^sshd: kasm-admin'");
      await running;
      expect(await nginxTest()).toBe(0);
    }
    expect(outcome(await up())).toBe("ok");
    expect((await up()).text).toMatch(/Resources:\s+\d+ unchanged\s/);
  });

  test("the engine killed at step after step: the next up converges", async () => {
    for (const seconds of [4, 8, 14]) {
      await bounce();
      await rig.exec(`rm -f ${routeFile}`);
      const running = project.start("up", "--", "--stack", "kasm");
      await sleep(seconds * 1000);
      await running.kill("SIGKILL").catch(() => undefined);
      await running;
      expect(await nginxTest()).toBe(0);
    }
    expect(outcome(await up())).toBe("ok");
    expect((await up()).text).toMatch(/Resources:\s+\d+ unchanged\s/);
  });

  test("two at once: one works, the other says that the stack is in use", async () => {
    await bounce();
    const both = await Promise.all([up(), up()]);

    expect(both.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
    expect(both.find(({ exitCode }) => exitCode === 1)?.text).toMatch(/lock|in use|conflict/i);
    expect(outcome(await up())).toBe("ok");
  });

  test("a full disk: the route says so and leaves nothing half done", async () => {
    await rig.exec(
      "mkdir /srv/tiny && mount -t tmpfs -o size=4k,nr_inodes=2 tmpfs /srv/tiny && echo x > /srv/tiny/full",
    );
    configure({ nginxRoute: { mode: "path", directory: "/srv/tiny" } });
    const { text, exitCode } = await up();
    expect(exitCode).toBe(1);
    expect(text).toMatch(/No space left|could not write/);
    expect(await rig.exec("ls -A /srv/tiny")).toBe("full");
    configure();
    expect(outcome(await up())).toBe("ok");
    await rig.exec("umount /srv/tiny && rmdir /srv/tiny");
  });

  test("the host loses power and comes back in any order", async () => {
    await rig.reboot();

    await eventually(
      "the dashboard through KASM",
      () => statusOf("/openclaw/"),
      (status) => status === 401,
      90,
    );
    expect((await up()).text).toMatch(/Resources:\s+\d+ unchanged\s/);
  });

  test("KASM's agent rewrites its files a hundred times while the route comes and goes", async () => {
    const churn = rig.churn(100);
    await project.pulumi(
      "config",
      "set",
      "--path",
      "openclaw:nginxRoute.mode",
      "none",
      "--stack",
      "kasm",
    );
    expect(outcome(await up())).toBe("ok");
    expect(await fileIsThere()).toBe(false);
    await project.pulumi(
      "config",
      "set",
      "--path",
      "openclaw:nginxRoute.mode",
      "path",
      "--stack",
      "kasm",
    );
    expect(outcome(await up())).toBe("ok");
    await churn;

    expect(await statusOf("/openclaw/")).toBe(401);
  });
});

describe("other ways in", () => {
  /** Node would check the certificate, which KASM's own has for no other name. */
  async function statusByName(path: string, ...options: string[]): Promise<string> {
    const name = `openclaw.example.com:${place.httpsPort.toString()}`;
    const { stdout } = await $({
      quiet: true,
    })`curl --silent --insecure --output /dev/null --write-out ${"%{http_code}"} --resolve ${`${name}:127.0.0.1`} ${options} https://${name}${path}`;
    return stdout;
  }

  test("another path leaves nothing of the old one", async () => {
    configure({ basePath: "/ai/claw" });
    expect(outcome(await up())).toBe("ok");

    expect(await statusOf("/ai/claw/")).toBe(401);
    expect([401, 502]).not.toContain(await statusOf("/openclaw/"));
  });

  test("by a server name of its own", async () => {
    configure({ nginxRoute: { mode: "serverName", serverName: "openclaw.example.com" } });
    expect(outcome(await up())).toBe("ok");

    expect(await fileIsThere()).toBe(false);
    expect(await statusByName("/")).toBe("401");
    expect(await statusByName("/", "--header", `Authorization: ${authorization}`)).toBe("200");
    expect((await get("/")).body).toContain("KASM");
  });

  test("by way of a jump host", async () => {
    const { address, port, user, hostKeyFile, privateKeyFile } = rig.host;
    // The rig is its own jump host: from there it is at its port 22.
    const jump = { address, port, user, hostKeyFile };
    configure({
      host: { address: "localhost", port: 22, user, hostKeyFile, privateKeyFile, jump },
    });
    await bounce();

    expect(outcome(await up())).toBe("ok");
    expect(await statusOf("/openclaw/")).toBe(401);
    configure();
    expect(outcome(await up())).toBe("ok");
  });
});

describe("taking it away", () => {
  test("npm run down leaves nothing of OpenClaw, in KASM's old version neither", async () => {
    expect(outcome(await project.npm("down", "--", "--stack", "kasm", "--delete-data"))).toBe("ok");

    const left = Object.values(await rig.inventory()).flat();
    expect(left.filter((line) => /openclaw/i.test(line))).toEqual([]);
  });
});
