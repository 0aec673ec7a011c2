import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { parseFacts } from "../../cli/preflight/host";
import { lookOnHost, runWithInput } from "../../host/run";
import { ProxyTrap } from "./proxyTrap";

let folder: string;
let server: Server;
let answer: RequestListener;
const { PATH } = process.env;

beforeAll((done) => {
  server = createServer((request, response) => {
    answer(request, response);
  }).listen(0, "127.0.0.1", done);
});
afterAll((done) => {
  server.closeAllConnections();
  server.close(done);
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-status-"));
  process.env.PATH = `${folder}${delimiter}${PATH ?? ""}`;
  answer = wellAnswer;
});
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true });
});

const login = `Basic ${Buffer.from('admin:pass"word\\').toString("base64")}`;
const wellAnswer: RequestListener = ({ url, headers }, response) => {
  if (url === "/healthz") {
    response.end('{"ok":true}');
  } else if (headers.authorization === login) {
    response.end("<openclaw-app></openclaw-app>");
  } else {
    response.writeHead(401).end();
  }
};

/** Stands in for Docker's CLI; what it is asked is written down. */
function docker(script: string): void {
  const file = join(folder, "docker");
  writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' "$*" >>'${folder}/asked'\n${script}\n`);
  chmodSync(file, 0o755);
}
const asked = () => readFileSync(join(folder, "asked"), "utf8");

const values = () => ({
  CONTAINER: "openclaw",
  DATA_USER: "1000",
  ORIGIN: `http://127.0.0.1:${(server.address() as AddressInfo).port.toString()}`,
  BASE_PATH: "/openclaw",
  HEALTH: "json",
  USERNAME: "admin",
  PASSWORD: 'pass"word\\',
  ENVIRONMENT: "",
  BROWSER: "openclaw-browser",
  OFFSITE: "",
  SIGN_ON: "",
  PATIENCE: "0.4",
});

const allContainers = ["openclaw", "openclaw-browser", "openclaw-offsite"];

async function look(script: string, variables: Record<string, string>) {
  const begin = performance.now();
  const { said } = await lookOnHost({}, [{ script, variables, containers: allContainers }], 5);
  return {
    text: said[0] ?? "",
    facts: Object.fromEntries(parseFacts(said[0] ?? "")),
    seconds: (performance.now() - begin) / 1000,
  };
}

const settings = (...entries: string[]) =>
  `printf '%s\\n' ${entries.map((e) => `'${e}'`).join(" ")}`;

/** An engine with one container; `found` is what is on it and `brought` what its image has. */
const engine = (found: string[], brought: string[]) => `
case $* in
  ps*) ;;
  "image inspect"*' sha256:1') ${settings("== sha256:1", ...brought)} ;;
  inspect*) ${settings("== /openclaw", "image sha256:1", "state running", ...found)}; exit 1 ;;
  *) exit 1 ;;
esac`;

test("scripts that look get any number of seconds, and no longer", async () => {
  docker("exec sleep 30");
  const begin = performance.now();
  const variables = { ...values(), PATIENCE: "20" };
  const { exitCode } = await lookOnHost({}, [{ script: "status.sh", variables }], 0.7);

  expect(exitCode).not.toBe(0);
  expect(performance.now() - begin).toBeLessThan(5000);
  expect(asked()).toBe("ps --quiet\n");
});

describe("the container of off-site backups", () => {
  const lookWith = async (script: string) => {
    docker(`case $* in ${script} ps*) ;; *) exit 1 ;; esac`);
    const { facts } = await look("status.sh", { ...values(), OFFSITE: "openclaw-offsite" });
    return Object.fromEntries(Object.entries(facts).filter(([name]) => name.startsWith("offsite")));
  };

  test("is reported with what it knows, and the host's time", async () => {
    const found = await lookWith(
      `inspect*) ${settings("== /openclaw-offsite", "id abc", "state running")} ;; 'exec openclaw-offsite cat '*) echo offsiteGood=2026-11-29T03:00:10Z ;;`,
    );
    const [now = ""] = found.offsiteNow ?? [];

    expect(found).toMatchObject({
      offsiteId: ["abc"],
      offsite: ["running"],
      offsiteGood: ["2026-11-29T03:00:10Z"],
    });
    expect(Math.abs(Date.parse(now) - Date.now())).toBeLessThan(60_000);
  });

  test("is missing", async () => {
    expect(await lookWith("")).toEqual({ offsite: ["missing"] });
  });

  test("is not reported by a Docker that is slow", async () => {
    expect(await lookWith("inspect*) exec sleep 5 ;;")).toEqual({});
  });
});

describe("plugins.sh", () => {
  const install = (project: string, name: string, text: string) => {
    const place = join(folder, "data/.openclaw/npm/projects", project, "node_modules", name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "package.json"), text);
  };
  const manifest = (version: string) => JSON.stringify({ name: "x", version }, undefined, 2);
  const gateway = { CONTAINER: "openclaw", DATA_USER: "1000", PATIENCE: "1" };

  test("prints OpenClaw's own plugins in the data, and nothing that has another form", async () => {
    docker(
      `for last in "$@"; do :; done; printf %s "$last" | sed 's,/data/,${folder}/data/,g' | sh`,
    );
    install("slack-1", "@openclaw/slack", manifest("2026.9.5"));
    install("matrix-1", "@openclaw/matrix", manifest("2026.9.6-beta.1"));
    install("other-1", "@someone/plugin", manifest("1.0.0"));
    install("evil-1", "@openclaw/evil", manifest("1.0\u001b[2J state=running"));
    const { facts } = await look("plugins.sh", gateway);

    expect(facts).toEqual({
      plugin: ["@openclaw/matrix 2026.9.6-beta.1", "@openclaw/slack 2026.9.5"],
    });
  });

  test("prints nothing where there is none, or Docker does not answer", async () => {
    docker("exit 1");

    expect((await look("plugins.sh", gateway)).facts).toEqual({});
  });
});

describe("status.sh", () => {
  test.each([
    [
      "TypeError: fetch failed (cause: unable to get local issuer certificate)",
      "unable to get local issuer certificate",
    ],
    [
      "Error: self-signed certificate in certificate chain",
      "self-signed certificate in certificate chain",
    ],
    ['{"code":"UNABLE_TO_VERIFY_LEAF_SIGNATURE"}', "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["the provider answered 200", undefined],
  ])("names a certificate that the gateway did not trust: %s", async (line, distrust) => {
    docker(`case $* in ps*) ;; logs*) echo started; echo '${line}' >&2 ;; *) exit 1 ;; esac`);
    const { facts } = await look("status.sh", values());

    expect(facts.distrust).toEqual(distrust && [distrust]);
  });

  test("reads the log by Docker's socket where there is one", async () => {
    const socket = join(folder, "docker.sock");
    const addresses: (string | undefined)[] = [];
    const daemon = createServer(({ url }, response) => {
      addresses.push(url);
      // A header of eight bytes is before each line.
      response.end(Buffer.from("\u0002\0\0\0\0\0\0\u00a0self-signed certificate\n", "latin1"));
    });
    await new Promise<void>((done) => daemon.listen(socket, done));
    docker(`case $* in ps*) ;; context*) echo unix://${socket} ;; *) exit 1 ;; esac`);
    const { facts } = await look("status.sh", values());
    daemon.close();

    expect(facts.distrust).toEqual(["self-signed certificate"]);
    expect(addresses).toEqual([
      expect.stringMatching(
        /^\/containers\/openclaw\/logs\?stdout=true&stderr=true&tail=1000&since=\d{10}$/,
      ),
    ]);
    expect(asked()).not.toContain("logs");
  });

  test("asks the gateway at its own address, without the login and with it", async () => {
    docker("exit 1");
    const { facts } = await look("status.sh", values());

    expect(facts).toEqual({ healthz: ['{"ok":true} 200'], stranger: ["401"], page: ["opens"] });
  });

  test("sends no request to a proxy, and follows no .curlrc", async () => {
    docker("exit 1");
    const trap = new ProxyTrap();
    await trap.start();
    const { HOME } = process.env;
    Object.assign(process.env, trap.env);
    const { facts } = await look("status.sh", values());
    Object.keys(trap.env).forEach((name) => Reflect.deleteProperty(process.env, name));
    Object.assign(process.env, { HOME });
    trap.stop();

    expect(facts).toEqual({ healthz: ['{"ok":true} 200'], stranger: ["401"], page: ["opens"] });
    expect(trap.connections).toBe(0);
  });

  test("reports a healthy gateway with refused pages", async () => {
    docker("exit 1");
    answer = (request, response) => {
      if (request.url === "/openclaw/" && request.headers.authorization) {
        response.writeHead(403).end('{"error":"proxy_attribution_required"}');
      } else {
        wellAnswer(request, response);
      }
    };
    const { facts } = await look("status.sh", values());

    expect(facts).toEqual({ healthz: ['{"ok":true} 200'], stranger: ["401"], page: ["403"] });
  });

  test("skips /healthz of an image where it proves nothing, and the page without a login", async () => {
    docker("exit 1");
    const { facts } = await look("status.sh", { ...values(), HEALTH: "page", PASSWORD: "" });

    expect(facts).toEqual({ stranger: ["401"] });
  });

  test("does not wait for a gateway that hangs", async () => {
    docker("exit 1");
    answer = () => undefined;
    const { facts, seconds } = await look("status.sh", values());

    expect(facts).toEqual({ healthz: [" 000"], stranger: ["000"], page: ["000"] });
    expect(seconds).toBeLessThan(2);
  });

  test("reports nothing of an engine that hangs, and calls it once", async () => {
    docker("trap '' TERM; sleep 30");
    const { facts, seconds } = await look("status.sh", values());

    expect(Object.keys(facts).sort()).toEqual(["healthz", "page", "stranger"]);
    expect(asked()).toBe("ps --quiet\n");
    expect(seconds).toBeLessThan(2);
  });

  test("does not report a container that hangs as missing", async () => {
    docker("case $* in ps*) ;; *) exec sleep 30 ;; esac");
    const { facts } = await look("status.sh", values());

    expect(facts).toMatchObject({ docker: ["answers"] });
    expect(facts).not.toHaveProperty("state");
    expect(facts).not.toHaveProperty("browser");
  });

  test("reports a missing container", async () => {
    docker("case $* in ps*) ;; *) exit 1 ;; esac");
    const { facts } = await look("status.sh", values());

    expect(facts).toMatchObject({ state: ["missing"], browser: ["missing"] });
  });

  test("names what was added, changed and removed, without values", async () => {
    docker(
      engine(
        [
          'environment "PATH=/bin"',
          'environment "KEY=the-secret"',
          'environment "OWN=a b=c"',
          'environment "EXTRA="',
          'label "mine=1"',
        ],
        ['environment "PATH=/usr/bin"', 'environment "KEY="', 'label "maker=x"'],
      ),
    );
    const ENVIRONMENT = ['"KEY=the-other-secret"', '"OWN=a b=c"', '"GONE=the-third"'].join("\n");
    const { facts, text } = await look("status.sh", { ...values(), ENVIRONMENT });

    expect(facts.difference).toEqual([
      "environment EXTRA",
      "environment GONE removed",
      "environment KEY changed",
      "environment PATH changed",
      "label maker removed",
      "label mine",
    ]);
    expect(text).not.toMatch(/secret|third/);
  });

  test("reports no difference for a container as it was declared", async () => {
    const found = ['environment "PATH=/bin"', 'environment "KEY=a"', 'label "x=y"'];
    docker(engine(found, ['environment "PATH=/bin"', 'environment "KEY=b"', 'label "x=y"']));
    const { facts } = await look("status.sh", { ...values(), ENVIRONMENT: '"KEY=a"' });

    expect(facts.difference).toEqual(["none"]);
    expect(asked().match(/^(image )?inspect/gm)).toHaveLength(2);
  });

  describe.each([
    [
      "version 2",
      "0::/system.slice/docker-c1.scope\n",
      {
        "system.slice/docker-c1.scope/cpu.stat": "usage_usec 5\n",
        "system.slice/docker-c1.scope/memory.current": "700\n",
        "system.slice/docker-c1.scope/memory.stat": "anon 1\ninactive_file 300\n",
      },
    ],
    [
      "version 1",
      "9:name=systemd:/docker/c1\n4:cpu,cpuacct:/docker/c1\n3:memory:/docker/c1\n",
      {
        "cpuacct/docker/c1/cpuacct.usage": "5000\n",
        "memory/docker/c1/memory.usage_in_bytes": "700\n",
        "memory/docker/c1/memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
      },
    ],
  ])("counts of control groups in %s", (_, groups, files) => {
    const places = () => ({ PROC: join(folder, "proc"), CONTROL_GROUPS: join(folder, "groups") });
    const lookAt = async (ofProcess: string) => {
      const counted = Object.entries(files).map(([name, text]) => [`groups/${name}`, text]);
      for (const [name = "", text = ""] of [["proc/4711/cgroup", ofProcess], ...counted]) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
      docker(engine(["id c1", "pid 4711"], []));
      return (await look("status.sh", { ...values(), ...places(), PATIENCE: "2" })).facts;
    };
    const starts = () => asked().match(/^exec/gm)?.length;

    test("are read without a process in the container", async () => {
      const facts = await lookAt(groups);

      expect(facts).toMatchObject({ memoryUsed: ["700"], memoryInactive: ["300"] });
      expect(facts.firstCpu?.[0]).toMatch(/^5000 \d/);
      expect(facts.secondCpu?.[0]).toMatch(/^5000 \d/);
      expect(starts()).toBeUndefined();
    });

    test("are asked for in the container if its process is not on this machine", async () => {
      await lookAt(groups.replaceAll("c1", "other"));

      expect(starts()).toBe(1);
    });
  });

  test("asks Docker once for all gateways of a host, and starts no process in their containers", async () => {
    const gateways = ["openclaw", "openclaw-two", "openclaw-three"];
    const found = gateways.flatMap((name) => [`== /${name}`, "id c1", "pid 4711", "state running"]);
    docker(`case $* in ps* | logs*) ;; inspect*) ${settings(...found)} ;; esac`);
    const group = join(folder, "groups/docker/c1");
    mkdirSync(group, { recursive: true });
    mkdirSync(join(folder, "proc/4711"), { recursive: true });
    writeFileSync(join(group, "memory.stat"), "inactive_file 300\n");
    writeFileSync(join(folder, "proc/4711/cgroup"), "0::/docker/c1\n");
    const places = { PROC: join(folder, "proc"), CONTROL_GROUPS: join(folder, "groups") };
    const looks = gateways.map((CONTAINER) => ({
      script: "status.sh",
      variables: { ...values(), ...places, CONTAINER, BROWSER: "" },
      containers: [CONTAINER],
    }));
    const { said } = await lookOnHost({}, looks, 5);
    const calls = asked().match(/^(ps|inspect|image inspect|exec|logs)\b/gm);

    expect(said.map((text) => parseFacts(text).get("state"))).toEqual(Array(3).fill(["running"]));
    expect(calls?.sort()).toEqual([...["image inspect", "inspect", "logs", "logs", "logs", "ps"]]);
    expect(asked()).toContain(" openclaw openclaw-two openclaw-three\n");
  });
});

describe("gateway-data.sh", () => {
  /** Docker that runs what is to be run in the container here, with the data elsewhere. */
  const running = (data: string) => `case $* in
    inspect*) echo /openclaw 4711 ;;
    exec*) shift 4
      for each; do set -- "$@" "$(printf %s "$each" | sed 's,/data,${data},g')"; shift; done
      exec "$@" ;;
    *) exit 1 ;;
  esac`;
  const mounted = () => join(folder, "proc/4711/root/data");
  const gateway = () => ({
    CONTAINER: "openclaw",
    DATA_USER: "1000",
    PATIENCE: "2",
    PROC: join(folder, "proc"),
  });
  const inside = "exec --user 1000 openclaw timeout -s KILL 2 sh -c ";
  const fill = (data: string) => {
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, "file"), "x".repeat(100_000));
  };
  const install = (data: string) => {
    const place = join(data, ".openclaw/npm/projects/slack-1/node_modules/@openclaw/slack");
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "package.json"), '{\n  "version": "2026.9.5"\n}');
  };

  test("takes the size where the container has its data mounted, without a process in it", async () => {
    fill(mounted());
    docker(running(mounted()));
    const { facts } = await look("gateway-data.sh", gateway());

    expect(Number(facts.dataKb?.[0])).toBeGreaterThan(90);
    expect(asked()).not.toContain("exec");
  });

  test("asks for plugins in the container, where their links lead to its own files", async () => {
    install(mounted());
    docker(running(mounted()));
    const { facts } = await look("gateway-data.sh", gateway());

    expect(facts.plugin).toEqual(["@openclaw/slack 2026.9.5"]);
    expect(facts.dataKb).toHaveLength(1);
    expect(asked().match(/^exec .*/gm)).toEqual([inside]);
  });

  test("asks in the container where this account can't see its files, by one process as the data's owner that ends there after a timeout", async () => {
    const data = join(folder, "elsewhere");
    fill(data);
    install(data);
    docker(running(data));
    const { facts } = await look("gateway-data.sh", gateway());

    expect(Number(facts.dataKb?.[0])).toBeGreaterThan(90);
    expect(facts.plugin).toEqual(["@openclaw/slack 2026.9.5"]);
    expect(asked().match(/^exec .*/gm)).toEqual([inside]);
  });

  test("prints nothing of a container that does not run, and where Docker does not answer", async () => {
    docker("case $* in inspect*) echo /openclaw 0 ;; esac");
    expect((await look("gateway-data.sh", gateway())).facts).toEqual({});

    docker("exec sleep 30");
    const { facts } = await look("gateway-data.sh", { ...gateway(), PATIENCE: "0.2" });
    expect(facts).toEqual({});
  });
});

describe("kasm-status.sh", () => {
  const variables = { MARKER: "managed by openclaw-kasm: kasm/", PATIENCE: "0.4" };

  test("reports tiles and sessions", async () => {
    docker(`case $* in
      ps*) ;;
      inspect*) echo running ;;
      exec*) printf '%s\\t%s\\n' tile '01	A | B' session 'A | B	u	running	5' ;;
    esac`);
    const { facts } = await look("kasm-status.sh", variables);

    expect(facts).toEqual({
      docker: ["answers"],
      kasmDb: ["running"],
      tiles: ["known"],
      tile: ["01\tA | B"],
      session: ["A | B\tu\trunning\t5"],
    });
    expect(asked()).toMatch(/default_transaction_read_only=on/);
  });

  test.each<[what: string, docker: string, facts: object]>([
    ["an engine that hangs", "exec sleep 30", {}],
    [
      "a database elsewhere",
      "case $* in ps*) ;; *) exit 1 ;; esac",
      { docker: ["answers"], kasmDb: ["elsewhere"] },
    ],
    [
      "a database that hangs",
      "case $* in ps*) ;; inspect*) echo running ;; *) exec sleep 30 ;; esac",
      { docker: ["answers"], kasmDb: ["running"] },
    ],
  ])("%s", async (_, script, facts) => {
    docker(script);
    const found = await look("kasm-status.sh", variables);

    expect(found.facts).toEqual(facts);
    expect(found.seconds).toBeLessThan(2);
  });
});

describe("nginx-route.sh with patience", () => {
  const variables = {
    DIRECTORY: "/nowhere",
    FILE: "openclaw.conf",
    CONTENT: "",
    MARK: "0123456789ab",
    PROXY: "kasm_proxy",
    FORWARDER: "openclaw-route",
    SOCKETS: "/nowhere/.openclaw-kasm",
    NETWORK: "openclaw-net",
    PROBE_NAME: "",
    PROBE_PATH: "/openclaw/",
    TIMEOUT_SECONDS: "60",
    PATIENCE: "0.4",
  };

  test("calls an engine that hangs once", async () => {
    docker("exec sleep 30");
    const { text, seconds } = await look("nginx-route.sh", variables);

    expect(text).toBe("not known: Docker does not answer");
    expect(asked()).toBe("ps --quiet\n");
    expect(seconds).toBeLessThan(2);
  });

  test("does not wait for a dashboard that hangs", async () => {
    const { port } = server.address() as AddressInfo;
    docker(`case $* in
      inspect*) ${settings("running true", `port ${port.toString()}/tcp`, "network openclaw-net", "address 127.0.0.1")} ;;
    esac`);
    answer = () => undefined;
    const { text, seconds } = await look("nginx-route.sh", variables);

    expect(text).toMatch(
      /^file: missing; forwarder: does not serve; KASM's proxy needs: network openclaw-net; nginx: does not serve the route/,
    );
    expect(asked().match(/^(ps|inspect|image)\b/gm)).toEqual(["ps", "inspect"]);
    expect(seconds).toBeLessThan(2);
  });
});

describe("images.sh", () => {
  const images = (IMAGES: string) => look("images.sh", { IMAGES, PATIENCE: "0.4" });

  test("reports the date of an image's packages, regardless of later layers", async () => {
    docker(`case "$1 $6" in
      "ps ") ;;
      "history --format") exit 1 ;;
      "history sha256:built") ${settings(
        '2026-11-29T00:57:00Z CMD ["start-gateway"]',
        "2026-11-29T00:56:43Z RUN |2 /bin/sh -c npm ci",
        "2026-10-01T00:22:56Z RUN |1 /bin/sh -c apt-get update -q",
        "2026-09-01T00:12:45Z RUN /bin/sh -c apt-get install of the base",
      )} ;;
      "history sha256:plain") ${settings('2026-11-02T00:00:00Z CMD ["x"]', "2026-11-01T00:00:00Z ")} ;;
      *) exit 1 ;;
    esac`);

    const { facts } = await images(
      "gateway sha256:built\nbrowser sha256:gone\ndesktop sha256:plain",
    );
    expect(facts).toEqual({
      image: ["gateway\t2026-10-01T00:22:56Z", "desktop\t2026-11-02T00:00:00Z"],
    });
  });

  test("reports nothing of an engine that hangs, and calls it once", async () => {
    docker("exec sleep 30");

    expect((await images("gateway sha256:built\nbrowser sha256:gone")).facts).toEqual({});
    expect(asked()).toBe("ps --quiet\n");
  });
});

test("runs several scripts in one SSH session, and returns the output of each", async () => {
  docker("exec sleep 30");
  const kasm = { MARKER: "x", PATIENCE: "0.2" };
  const { said, exitCode } = await lookOnHost(
    {},
    [
      { script: "kasm-status.sh", variables: kasm },
      { script: "status.sh", variables: { ...values(), BROWSER: "it's" } },
    ],
    5,
  );

  expect(exitCode).toBe(0);
  expect(said[0]).toBe("");
  expect(said[1]).toContain("page=opens");
});

test("returns the exit status of a command that does not read its input", async () => {
  const { exitCode, stderr } = await runWithInput(
    ["sh", "-c", "echo refused >&2; exit 255"],
    "x".repeat(1_000_000),
  );

  expect([exitCode, stderr]).toEqual([255, "refused\n"]);
});
