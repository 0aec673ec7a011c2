import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { $ } from "zx";
import type { Rig } from "../../dev/rig/rig";
import { eventually, pausing } from "../support/docker";
import { containersFolder, dataFolders, KasmServer } from "../support/kasmServer";
import { watchProcesses } from "../support/processes";
import { outcome, Project, refusal, unchanged } from "../support/project";
import { typingMachinePath } from "../support/typingMachine";
import { kasmDirectory, kasmUrl, removeWorkerRig, startWorkerRig } from "../support/workerRig";

jest.setTimeout(5 * 60_000);

const dashboard = `${kasmUrl}/openclaw/`;
const routeFile = `${containersFolder}/openclaw.conf`;
const providerKey = "sk-server-provider-0123456789";
const password = "server-password-0123";

// The tests build on each other, as the days of a server do: an `up` that puts one thing right shows a second one too.
// What happens to KASM, Docker and disk meanwhile: tests/e2e/besideKasm.test.ts; kills and cuts: tests/e2e/kasmServer.test.ts.
const project = new Project();
let rig: Rig;
let server: KasmServer;
let hostBefore: Record<string, string[]>;
let pageBefore: object;
let servicesBefore: string;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "kasm", ...options);
const up = () => run("up");
const basic = Buffer.from(`admin:${password}`).toString("base64");
const authorization = `Basic ${basic}`;

/** KASM's own page as a browser gets it. */
async function kasmPage(): Promise<object> {
  const answer = await server.get("/");
  return { ...answer, headers: { ...answer.headers, date: undefined } };
}

function settings(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    host: rig.host,
    kasmUrl,
    kasmDirectory,
    nginxRoute: { mode: "path" },
    memoryMb: 2048,
    ...changes,
  };
}

function configure(changes?: Record<string, unknown>): void {
  project.settings("kasm", settings(changes));
}

/** Deploys the dashboard of the current settings if an earlier test left it missing. */
async function deployed(): Promise<void> {
  if ((await server.statusOf("/openclaw/")) !== 401) {
    expect(outcome(await up())).toBe("ok");
    await server.answers("/openclaw/", 401);
  }
}

beforeAll(async () => {
  await project.checkout("light");
  const rigStarted = startWorkerRig({ openclaw: "light" });
  project.settings("kasm", {});
  await project.pulumi("stack", "init", "kasm");
  await project.setSecret("kasm", "providerKeys.ANTHROPIC_API_KEY", providerKey);
  await project.setSecret("kasm", "password", password);
  rig = await rigStarted;
  server = new KasmServer(rig, project);
  configure();
  [hostBefore, pageBefore, servicesBefore] = await Promise.all([
    rig.inventory(),
    kasmPage(),
    server.services(),
  ]);
});

beforeEach(() => {
  configure();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

describe("a KASM server", () => {
  let seen: string;

  test("npm run up prints the address behind KASM's own nginx, with few SSH connections", async () => {
    const stopWatching = watchProcesses((script) => rig.exec(script));
    const connections = await rig.sshConnections();
    const { text, exitCode } = await up();
    const made = (await rig.sshConnections()) - connections;
    seen = await stopWatching();

    expect(text).toContain("OpenClaw is up.");
    expect(exitCode).toBe(0);
    expect(text).toContain(`Dashboard     ${dashboard}`);
    await server.answers("/openclaw/", 401);
    await server.answers("/openclaw/", 200, { authorization });
    expect(made).toBeLessThan(10);
  });

  test("a second npm run up changes nothing, over one SSH connection", async () => {
    const connections = await rig.sshConnections();
    const { text, exitCode } = await up();

    expect(exitCode).toBe(0);
    expect(text).toMatch(unchanged);
    expect((await rig.sshConnections()) - connections).toBe(1);
  });

  test("up, status and backup need only Node, ssh and a Mac's tools, and no bash", async () => {
    const path = typingMachinePath();
    const there = (command: string, ...options: string[]) =>
      project.runOnPath(path, command, "--stack", "kasm", ...options);
    const unchangedUp = await there("up");
    const status = await eventually(
      "all is well",
      () => there("status"),
      ({ exitCode }) => exitCode === 0,
    );
    const saved = await there("backup", "--output", join(project.folder, "saved"));
    rmSync(path, { recursive: true });

    expect([unchangedUp, status, saved].map(outcome)).toEqual(["ok", "ok", "ok"]);
    expect(existsSync(join(project.folder, "saved"))).toBe(true);
  });

  test("the data directory has OpenClaw's owner and private modes", async () => {
    expect(await server.dataModes()).toBe(dataFolders);
  });

  test("another stack is refused this stack's resources, and its down removes none of them", async () => {
    const before = await rig.inventory();
    const other = (command: string, ...options: string[]) =>
      project.run(command, "--stack", "other", ...options);
    project.settings("other", settings());
    await project.pulumi("stack", "init", "other");
    const same = await other("up");
    const names = { containerName: "claw", networkName: "claw-net", port: 8181 };
    project.settings("other", settings({ ...names, directory: "/opt/claw" }));
    const sameRoute = await other("up");
    project.settings("other", settings());
    const backup = await other("backup");
    const down = await other("down", "--delete-data");

    expect(refusal(same)).toContain(
      "the directory /opt/openclaw/data is of stack kasm: change openclaw:directory",
    );
    expect(refusal(sameRoute)).toContain(
      "openclaw.conf is of stack kasm: change openclaw:nginxRoute",
    );
    expect(refusal(sameRoute)).toContain("stack kasm has a route from /openclaw already");
    expect(refusal(backup)).toContain("there is a container named openclaw already");
    expect(refusal(down)).toContain("/opt/openclaw/data is of stack kasm");
    expect(await rig.inventory()).toEqual(before);
  });

  test("npm run status passes, and reports a gateway that hangs", async () => {
    const ask = () => run("status", "--json");
    const well = await project.wellStatus("--stack", "kasm", "--json");
    await rig.exec(pausing("openclaw"));
    const hanging = await ask().finally(() => rig.exec("docker unpause openclaw"));

    expect(outcome(well)).toBe("ok");
    expect(JSON.parse(well.stdout)).toMatchObject({ ok: true, stack: "kasm", sessions: [] });
    expect(hanging.exitCode).toBe(1);
    expect(JSON.parse(hanging.stdout)).toMatchObject({ ok: false });
    expect(hanging.stdout).toContain('"name":"container","value":"paused"');
  });

  test("KASM's own page is unchanged, and the route serves no path with the same prefix", async () => {
    expect(await kasmPage()).toEqual(pageBefore);
    expect(await server.kasmStatus()).toBe(200);
    expect([401, 502]).not.toContain(await server.statusOf("/openclawfoo"));
  });

  test("the gateway and KASM share no Docker network, and the gateway sees the client's address", async () => {
    const networks = (name: string) =>
      rig.exec(
        `docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' ${name}`,
      );
    const address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    const forwarder = await rig.exec(`docker inspect --format '${address}' openclaw-route`);
    await server.answers("/openclaw/who-asks", 401);
    const seenByGateway = await eventually(
      "the gateway's log",
      () => rig.exec("docker logs openclaw 2>&1 | grep /openclaw/who-asks || true"),
      (lines) => lines !== "",
    );

    expect(await networks("kasm_proxy")).toBe("kasm_default_network kasm_sidecar_network");
    expect(await networks("openclaw-route")).toBe("openclaw-net");
    expect(await networks("openclaw")).toBe("openclaw-net");
    // Docker's own DNS listens on 127.0.0.11 in each container.
    const sockets = await rig.exec("docker exec openclaw-route cat /proc/net/tcp /proc/net/tcp6");
    const listening = sockets.split("\n").filter((line) => / 0A /.test(line));
    expect(listening.filter((line) => !line.includes(" 0B00007F:"))).toEqual([]);
    expect(seenByGateway).not.toContain(`${forwarder} `);
  });

  test("sessions reach the gateway on Docker's bridge, and other hosts can't", async () => {
    const session = await rig.startSession({ extraHosts: ["host.docker.internal:host-gateway"] });
    const ask = (url: string) =>
      rig.exec(
        `docker exec ${session} curl -s -o /dev/null -w '%{http_code}' --max-time 5 ${url} || true`,
      );

    for (const host of ["host.docker.internal", "172.17.0.1"]) {
      await eventually(
        `${host} answers a session`,
        () => ask(`http://${host}:8180/healthz`),
        (status) => status === "200",
      );
    }
    await rig.stopSession(session);
    const address = await rig.exec("ip -4 -o addr show eth0 | awk '{ print $4 }' | cut -d/ -f1");
    const { exitCode } = await $({
      quiet: true,
      nothrow: true,
    })`curl -s -o /dev/null --max-time 3 http://${address}:8180/healthz`;
    expect(exitCode).toBe(7); // connection refused
  });

  test("a firewall that keeps sessions out is named by up and status, though the gateway is well", async () => {
    const rule = "INPUT ! -i lo -p tcp --dport 8180 -j DROP";
    await rig.exec(`iptables -I ${rule}`);
    const ended = await up();
    const told = await run("status", "--json").finally(() => rig.exec(`iptables -D ${rule}`));

    expect(refusal(ended)).toContain(
      "http://host.docker.internal:8180/openclaw/ (172.17.0.1), asked from KASM's network (container kasm_proxy): no answer within ",
    );
    expect(ended.text).toMatch(/with ufw: ufw allow from \S+ to any port 8180 proto tcp/);
    expect(ended.text).not.toContain("OpenClaw is up.");
    const { checks } = JSON.parse(told.stdout) as { checks: { name: string; state: string }[] };
    expect(checks.filter(({ state }) => state === "bad").map(({ name }) => name)).toEqual([
      "KASM's sessions",
    ]);
  });

  test("no secret is in the host's processes, shell histories, logs or files that others can read", async () => {
    const token = await project.secretOutput("kasm", "gatewayToken");
    const secrets = [password, basic, providerKey, token];
    const texts = await rig.exec(`
      cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'
      cat /root/.*history /home/*/.*history ${kasmDirectory}/current/log/nginx/* /var/log/*.log 2>/dev/null
      docker logs kasm_proxy 2>&1
      find /etc /home /opt /root /run /srv /tmp /var/log /var/tmp -xdev -type f -perm -o=r -size -2M -exec cat {} + | tr -d '\\0'
    `);

    expect(seen).toContain("kasm_proxy");
    expect(secrets.filter((secret) => seen.includes(secret))).toEqual([]);
    expect(secrets.filter((secret) => texts.includes(secret))).toEqual([]);
  });
});

describe("failures that change nothing", () => {
  beforeEach(deployed);

  test("connection problems are reported before anything changes", async () => {
    const wrongKey = join(project.folder, "wrong_key");
    await $({ quiet: true })`ssh-keygen -q -t ed25519 -N ${""} -f ${wrongKey}`;
    const cases: [Record<string, unknown>, string][] = [
      [{ port: 1 }, "can't be reached"],
      [{ user: "unknown-user" }, "does not let unknown-user in"],
      [{ privateKeyFile: wrongKey }, `does not let kasm-admin in with the key in ${wrongKey}`],
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
    const host = await rig.inventory();
    const refused = await Promise.all(
      cases.map(async ([changes, problem], index) => {
        // A stack each: all of them go on at once.
        const stack = `wrong-${index.toString()}`;
        project.settings(stack, settings({ host: { ...rig.host, ...changes } }));
        return [problem, await project.run("up", "--stack", stack)] as const;
      }),
    );

    for (const [problem, end] of refused) {
      expect(refusal(end)).toContain(problem);
    }
    expect(await rig.inventory()).toEqual(host);
  });

  test("a refresh detects a manual change of the route's file", async () => {
    await rig.exec(`echo '# changed by hand' >> ${routeFile}`);
    const preview = await project.pulumi("preview", "--refresh", "--diff", "--stack", "kasm");

    expect(preview.text).toContain("file: different");
  });

  test("a file that nginx refuses is never installed: requests and new sessions of KASM succeed meanwhile", async () => {
    const template = join(project.folder, "assets/nginx/path.conf");
    const good = readFileSync(template, "utf8");
    const installed = await rig.exec(`cat ${routeFile}`);
    const load = underLoad();
    appendFileSync(template, "location /broken { no_such_directive on; }\n");
    const refused = await up().finally(() => {
      writeFileSync(template, good);
    });
    const { answered, started, failed } = await load.stop();

    expect(refusal(refused)).toContain("nginx refuses the route, and nothing is changed");
    expect(refusal(refused)).toContain("no_such_directive");
    expect(await rig.exec(`cat ${routeFile}`)).toBe(installed);
    expect(await server.containersFiles()).toBe("openclaw.conf");
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(50);
    expect(started).toBeGreaterThan(2);
  });

  test("up repairs manual changes of the route's file, even if nginx refuses it", async () => {
    await rig.exec(`echo 'no_such_directive on;' >> ${routeFile}`);

    expect(outcome(await up())).toBe("ok");
    await server.expectKasmWorks();
    expect(await rig.exec(`cat ${routeFile}`)).not.toMatch(/changed by hand|no_such_directive/);
  });

  /**
   * Asks KASM for its own pages and starts sessions all the time; tells of everything that failed. An answer may take
   * long on a busy machine: after five seconds without one it is asked for again, and that one has to come.
   */
  function underLoad() {
    let running = true;
    let [answered, started] = [0, 0];
    const failed: string[] = [];
    const ask = async () => {
      const begun = performance.now();
      const status = await server.kasmStatus();
      return status === 0 && performance.now() - begun > 4900 ? "too slow" : status;
    };
    const pages = async () => {
      while (running) {
        const first = await ask();
        const status = first === "too slow" ? await ask() : first;
        if (status === 200) {
          answered++;
        } else {
          failed.push(`/api/__healthcheck: ${status.toString()}`);
        }
        await sleep(50);
      }
    };
    const sessions = async () => {
      while (running) {
        try {
          await rig.stopSession(await rig.startSession());
          started++;
        } catch (error) {
          failed.push(String(error));
        }
      }
    };
    const done = Promise.all([pages(), pages(), sessions()]);
    return {
      stop: async () => {
        running = false;
        await done;
        return { answered, started, failed };
      },
    };
  }
});

describe("npm run down without a word about the data", () => {
  test("restores the host except for the data", async () => {
    expect(outcome(await run("down"))).toBe("ok");

    expect(await rig.inventory()).toEqual(hostBefore);
    expect(await rig.exec("ls /opt/openclaw")).toBe("data");
    expect(await server.dataModes()).toBe(dataFolders);
    expect(outcome(await up())).toBe("ok");
  });

  test("KASM was never stopped", async () => {
    expect(await server.services()).toBe(servicesBefore);
  });
});

describe("the nginx file", () => {
  test("KASM's cookies are not sent to the gateway; the gateway's errors and headers of KASM's nginx are passed on", async () => {
    const echo =
      'require("http").createServer((asked, answer) => answer.writeHead(500).end(JSON.stringify(asked.headers))).listen(8080)';
    const headersFile = `${containersFolder}/headers.conf`;
    const cookie = "username=ann; session_token=x";
    const answer = async () => {
      await rig.exec(`
        echo 'add_header Strict-Transport-Security max-age=31536000 always;' >${headersFile}
        docker exec kasm_proxy nginx -s reload`);
      return await eventually(
        "the gateway's stand-in answers",
        () => server.get("/openclaw/", { cookie, authorization }),
        // Until its reload is done nginx answers without the header.
        ({ status, headers }) => status === 500 && "strict-transport-security" in headers,
      );
    };
    const { headers, body } = await withStandIn(echo, answer).finally(() =>
      rig.exec(`rm -f ${headersFile}; docker exec kasm_proxy nginx -s reload`),
    );

    const seen = JSON.parse(body) as Record<string, string>;
    expect(seen).toMatchObject({ authorization, host: `127.0.0.1:${new URL(kasmUrl).port}` });
    expect(seen).not.toHaveProperty("cookie");
    expect(headers["strict-transport-security"]).toBe("max-age=31536000");
  });

  test("an answer's cookies and headers are limited to the path, and OpenClaw's cookies are passed on", async () => {
    const standIn = `require("http").createServer((asked, answer) => {
      answer.setHeader("Set-Cookie", ["__openclaw_tab=1; Path=/openclaw/plugins/tab; HttpOnly; Secure", "session_token=1; Path=/",
        "username=1; Domain=example.com; Path=/openclaw/", "twice=1; Path=/openclaw/; Path=/"]);
      for (const name of ["Clear-Site-Data", "Service-Worker-Allowed", "Alt-Svc"]) answer.setHeader(name, "/");
      if (asked.url.endsWith("?elsewhere")) answer.setHeader("X-Accel-Redirect", "/api/__healthcheck");
      answer.end(JSON.stringify(asked.headers));
    }).listen(8080)`;
    const ask = (path: string) =>
      server.get(path, {
        cookie: "username=ann; __openclaw_tab=1; session_token=x; __openclaw_b=2",
      });
    const answered = (path: string) =>
      eventually(
        `the gateway's stand-in answers ${path}`,
        () => ask(path),
        ({ status }) => status === 200,
      );
    const [{ headers, body }, escaped, elsewhere, withoutSlash, disguised] = await withStandIn(
      standIn,
      async () =>
        [
          await answered("/openclaw/"),
          await answered("/openclaw/a%20b+c"),
          await answered("/openclaw/?elsewhere"),
          await answered("/openclaw"),
          await ask("/x%2f..%2fopenclaw%2f"),
        ] as const,
    );

    expect(headers["set-cookie"]).toEqual([
      "__openclaw_tab=1; Path=/openclaw/plugins/tab; HttpOnly; Secure",
      "session_token=1; Path=/openclaw/",
      "username=1; Domain=; Path=/openclaw/",
      "twice=1; Path=/openclaw/; Path=/openclaw/",
    ]);
    expect(Object.keys(headers)).not.toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^(clear-site-data|service-worker-allowed|alt-svc)$/),
      ]),
    );
    for (const seen of [body, escaped.body]) {
      expect(JSON.parse(seen)).toMatchObject({ cookie: "__openclaw_tab=1; __openclaw_b=2" });
    }
    expect(elsewhere.body).toContain("__openclaw_tab");
    // There a browser takes a cookie that names no path for one of the whole address.
    expect([withoutSlash.status, withoutSlash.headers["set-cookie"]]).toEqual([200, undefined]);
    expect(disguised.status).toBe(404);
  });

  /** Has a program of Node's answer in the gateway's place meanwhile. */
  async function withStandIn<T>(program: string, work: () => Promise<T>): Promise<T> {
    await rig.exec(
      `docker rm --force --volumes openclaw
      docker run --detach --name openclaw --network openclaw-net kasmweb/session-like:1.17.0 node -e '${program}'`,
    );
    return await work().finally(() => rig.exec("docker rm --force openclaw"));
  }
});

describe("a server name of its own", () => {
  const name = "openclaw.example.com";

  beforeEach(() => {
    configure({ nginxRoute: { mode: "serverName", serverName: name } });
  });

  test("of two concurrent ups, one repairs everything and names the missing DNS entry, and the other names the process that uses the stack", async () => {
    await rig.exec(
      "docker network disconnect --force openclaw-net openclaw-route; docker network rm openclaw-net",
    );
    // The first stands still meanwhile: on a busy machine it could be done before the second one asks.
    const upMeanwhile = async (group: number) => {
      process.kill(-group, "SIGSTOP");
      return await up().finally(() => process.kill(-group, "SIGCONT"));
    };
    const args = ["up", "--stack", "kasm"];
    const [first, second] = await project.actAt(/openclaw-network creating/, upMeanwhile, ...args);

    expect(refusal(first)).toContain(
      `https://${name}:${new URL(kasmUrl).port}/, asked from this machine: its name has no address here; create its DNS entry`,
    );
    expect(refusal(second)).toMatch(/Stack kasm is in use \(process \d+ on /);
  });

  test("once the name has an address, up ends well", async () => {
    expect(outcome(await project.runKnowing(name, "up", "--stack", "kasm"))).toBe("ok");
  });

  test("serves the dashboard and its WebSocket, and removes the path", async () => {
    expect(await server.containersFiles()).toBe("");
    expect(await answerByName("/")).toMatch(/^HTTP\/1.1 401 /);
    expect(await answerByName("/", { Authorization: authorization })).toMatch(/^HTTP\/1.1 200 /);
    const upgrade = {
      Authorization: authorization,
      Connection: "Upgrade",
      Upgrade: "websocket",
      Origin: `https://${name}:${new URL(kasmUrl).port}`,
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "b3BlbmNsYXctcmVhZHktcA==",
    };
    expect(await answerByName("/", upgrade)).toMatch(/^HTTP\/1.1 101 /);
    expect((await server.get("/")).body).toContain("KASM");
  });

  /** The first line of the answer under that name; KASM's certificate is for another. */
  function answerByName(path: string, headers: Record<string, string> = {}): Promise<string> {
    const port = Number(new URL(kasmUrl).port);
    const lines = Object.entries({ Host: `${name}:${port.toString()}`, ...headers });
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: "127.0.0.1",
        port,
        servername: name,
        ca: server.ca,
        checkServerIdentity: () => undefined,
      });
      socket.on("error", reject);
      socket.once("data", (head: Buffer) => {
        socket.destroy();
        resolve(head.toString().split("\r\n")[0] ?? "");
      });
      socket.write(
        [`GET ${path} HTTP/1.1`, ...lines.map((line) => line.join(": ")), "", ""].join("\r\n"),
      );
    });
  }
});

describe("npm run down", () => {
  test("with --delete-data removes everything of OpenClaw", async () => {
    expect(outcome(await run("down", "--delete-data"))).toBe("ok");

    const left = Object.values(await rig.inventory()).flat();
    expect(left.filter((line) => /openclaw/i.test(line))).toEqual([]);
    expect((await rig.tryExec("test -e /opt/openclaw")).exitCode).toBe(1);
  });
});
