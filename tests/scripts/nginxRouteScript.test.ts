import { spawn, type SpawnSyncReturns, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptWith } from "../../host/shell";
import { routeServes } from "../../components/nginxRouteFile";
import { describeAsRoot } from "../support/asRoot";

jest.setTimeout(60_000);

let folder: string;
const at = (...path: string[]) => join(folder, ...path);
const read = (...path: string[]) => readFileSync(at(...path), "utf8");
const write = (path: string, text: string) => {
  writeFileSync(at(path), text);
};

/** A route's file of one edition, as it is declared and as it is to be found on the host. */
const edition = (mark: string, more = "") =>
  `# Made by openclaw-kasm\n# mark ${mark}\nlocation /openclaw/ {}\n${more}`;
const [oldFile, newFile] = [edition("one"), edition("two")];
const well = `${routeServes}\n`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nginx-route-"));
  mkdirSync(at("conf"));
  mkdirSync(at("run"));
  write("conf/session.conf", "listen 443 ssl;\n");
  write("running", "true\n");
  write("gateway", "401");
  write("networks", "kasm_default_network\n");
  write("forwarder", "f1\n");
  write("forwarder-networks", "openclaw-net\n");
  write("serving", "");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const env = () => ({ ...process.env, HOST: folder, RUN_DIRECTORY: at("run") });
const standIns = readFileSync("tests/scripts/kasmHost.sh", "utf8");

function input(content: string, changes: Record<string, string> = {}): string {
  const script = scriptWith("nginx-route.sh", {
    DIRECTORY: at("conf"),
    FILE: "openclaw.conf",
    STACK: "dev",
    CONTENT: content.trimEnd(),
    MARK: /^# mark (.*)$/m.exec(content)?.[1] ?? "",
    PROXY: "kasm_proxy",
    FORWARDER: "openclaw-route",
    FORWARDER_OWNER: [process.getuid?.(), process.getgid?.()].join(":"),
    SOCKETS: at(".openclaw-kasm"),
    NETWORK: "openclaw-net",
    PROBE_NAME: "",
    PROBE_PATH: "/openclaw/",
    TIMEOUT_SECONDS: "5",
    ...changes,
  });
  return `${standIns}\n${script}`;
}

function run(action: string, content = newFile, changes = {}): SpawnSyncReturns<string> {
  return spawnSync("sh", ["-s", "--", action], {
    input: input(content, changes),
    env: env(),
    encoding: "utf8",
  });
}

/** Runs the script with its output closed, as over a lost connection. */
function runUnheard(action: string, content = newFile): void {
  spawnSync("sh", ["-c", `sh -s -- ${action} 2>&1 | :`], { input: input(content), env: env() });
}

const outcome = ({ status, stdout, stderr }: SpawnSyncReturns<string>) =>
  status === 0 ? stdout : stderr;
const calls = () => (existsSync(at("calls")) ? read("calls").trim().split(/ *\n/) : []);
const forget = () => {
  rmSync(at("calls"), { force: true });
  rmSync(at("count"), { force: true });
};
/** Returns the calls that change something, without those that only read. */
const changes = () =>
  calls()
    .filter((call) =>
      /^(docker (exec|restart|stop)|docker network (dis)?connect|mv|ln) /.test(call),
    )
    .map((call) => call.replace("docker exec kasm_proxy ", ""))
    .map((call) => (call.startsWith("sh -c ") ? rehearsal : call));
const rehearsal = "nginx -t of a copy";
const files = () => readdirSync(at("conf")).sort();
const file = () => (existsSync(at("conf/openclaw.conf")) ? read("conf/openclaw.conf") : undefined);
const loaded = () => (existsSync(at("loaded")) ? read("loaded") : undefined);
const isJoined = () => read("networks").includes("openclaw-net\n");

/** A host on which a route is served already. */
function serve(content: string): void {
  write("conf/openclaw.conf", content);
  copyFileSync(at("conf/openclaw.conf"), at("loaded"));
  mkdirSync(at(".openclaw-kasm"), { recursive: true });
}

/** As an earlier version left it. */
function joinProxy(): void {
  write("networks", "kasm_default_network\nopenclaw-net\n");
}

/** What a forwarder that was killed left. */
function leaveSocket(path: string): void {
  spawnSync(process.execPath, [
    "--eval",
    `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`,
  ]);
  expect(existsSync(path)).toBe(true);
}

describe("apply", () => {
  test("puts the file beside the old one, swaps, tests and reloads", () => {
    serve(oldFile);

    expect(outcome(run("apply"))).toBe(well);
    expect([file(), loaded()]).toEqual([newFile, newFile]);
    expect(files()).toEqual(["openclaw.conf", "session.conf"]);
    expect(changes()).toEqual([
      "nginx -t",
      rehearsal,
      "ln -fT ./openclaw.conf ./.openclaw.conf.old",
      "mv -fT ./.openclaw.conf.new ./openclaw.conf",
      "nginx -t",
      "nginx -s reload",
    ]);
  });

  test("changes nothing the second time", () => {
    expect(outcome(run("apply"))).toBe(well);
    expect(file()).toBe(newFile);
    forget();

    expect(outcome(run("apply"))).toBe(well);
    expect(changes()).toEqual(["nginx -t"]);
  });

  test("disconnects the proxy from the gateway's network once the dashboard answers over the socket", () => {
    serve(oldFile);
    joinProxy();
    write("gateway", "502");
    const early = run("apply");
    expect([early.status, isJoined()]).toEqual([1, true]);
    write("gateway", "401");

    expect(outcome(run("apply"))).toBe(well);
    expect(read("networks")).toBe("kasm_default_network\n");
    expect(changes().at(-1)).toBe("docker network disconnect openclaw-net kasm_proxy");
  });

  test("restarts a forwarder that does not serve, and connects it to its network", () => {
    rmSync(at("serving"));
    write("forwarder-networks", "");

    expect(outcome(run("apply"))).toBe(well);
    expect(read("forwarder-networks")).toBe("openclaw-net\n");
    expect(changes().slice(0, 2)).toEqual([
      "docker network connect openclaw-net f1",
      "docker restart --time 2 f1",
    ]);
  });

  test.each([
    [
      "that a restart does not help",
      () => {
        write("stuck", "");
        rmSync(at("serving"));
      },
      "openclaw-route.sock; its log says: EACCES: permission denied",
    ],
    [
      "that is not there",
      () => {
        rmSync(at("forwarder"));
      },
      "there is no container openclaw-route of this stack",
    ],
  ])("keeps the proxy connected with a forwarder %s", (_, change, problem) => {
    serve(oldFile);
    joinProxy();
    change();

    expect(outcome(run("apply"))).toContain(problem);
    expect([file(), loaded(), isJoined()]).toEqual([oldFile, oldFile, true]);
  });

  test("fills in the socket's path inside the proxy", () => {
    const content = edition("two", "proxy_pass http://unix:@SOCKET@;\n");

    expect(outcome(run("apply", content))).toBe(well);
    expect(file()).toContain(
      "proxy_pass http://unix:/etc/nginx/conf.d/.openclaw-kasm/openclaw-route.sock;",
    );
  });

  test("creates the sockets' directory if other accounts may not", () => {
    chmodSync(folder, 0o755);
    expect(outcome(run("apply"))).toBe(well);
    expect(statSync(at(".openclaw-kasm")).mode & 0o777).toBe(0o755);
    rmSync(at(".openclaw-kasm"), { recursive: true });
    chmodSync(folder, 0o777);

    // There the forwarder does, and root keeps its hands off.
    run("apply");
    expect(existsSync(at(".openclaw-kasm"))).toBe(false);
  });

  test("fills in KASM's own port and certificate", () => {
    write(
      "conf/a.conf",
      "listen 443 ssl;\n  ssl_certificate /a.crt;\n  ssl_certificate_key /a.key;\n",
    );
    const content = edition("two", "listen @PORT@ ssl;\n@CERTIFICATE@\n");

    expect(outcome(run("apply", content))).toBe(well);
    expect(file()).toBe(
      edition("two", "listen 443 ssl;\n  ssl_certificate /a.crt;\n  ssl_certificate_key /a.key;\n"),
    );
  });

  test.each([
    ["there is none", undefined],
    ["there is an older one", oldFile],
  ])("does not install a file that nginx refuses if %s", (_, before) => {
    if (before !== undefined) {
      serve(before);
    }
    const networks = read("networks");

    expect(outcome(run("apply", edition("bad", "refused\n")))).toBe(
      'nginx refuses the route, and nothing is changed: nginx: [emerg] unknown directive "refused" in /etc/nginx/conf.d/containers.d/openclaw.conf:1\n',
    );
    expect([file(), loaded()]).toEqual([before, before]);
    expect(files()).toHaveLength(before === undefined ? 1 : 2);
    expect(read("networks")).toBe(networks);
    expect(changes().filter((call) => /^(mv|ln|nginx -s) /.test(call))).toEqual([]);
  });

  test.each([
    ["there is none", undefined],
    ["there is an older one", oldFile],
  ])("reverts a file at once that nginx refuses only after its installation if %s", (_, before) => {
    if (before !== undefined) {
      serve(before);
    }
    write("lenient", "");
    const networks = read("networks");

    expect(outcome(run("apply", edition("bad", "refused\n")))).toBe(
      'nginx refuses the route, and the old state is back: nginx: [emerg] unknown directive "refused" in /etc/nginx/conf.d/containers.d/openclaw.conf:1\n',
    );
    expect([file(), loaded()]).toEqual([before, before]);
    expect(files()).toHaveLength(before === undefined ? 1 : 2);
    expect(read("networks")).toBe(networks);
    expect(calls().filter((call) => call.endsWith("nginx -t"))).toHaveLength(2);
  });

  test("restores the previous file if nginx refuses the new one and the connection is lost", () => {
    serve(oldFile);
    write("lenient", "");
    runUnheard("apply", edition("bad", "refused\n"));

    expect(files()).toEqual(["openclaw.conf", "session.conf"]);
    expect(file()).toBe(oldFile);
  });

  test("changes nothing while nginx refuses another program's file", () => {
    serve(oldFile);
    write("conf/session.conf", "refused\n");

    expect(outcome(run("apply"))).toMatch(
      /^nginx refuses KASM's configuration as it is, before any change: .*session.conf:1/,
    );
    expect(file()).toBe(oldFile);
    expect(changes()).toEqual(Array(5).fill("nginx -t"));
  });

  test("repairs its own file that nginx refuses", () => {
    serve(oldFile);
    write("conf/openclaw.conf", `${newFile}refused\n`);

    expect(outcome(run("apply"))).toBe(well);
    expect([file(), loaded()]).toEqual([newFile, newFile]);
    expect(files()).toEqual(["openclaw.conf", "session.conf"]);
  });

  test.each([
    ["the same", edition("bad", "refused\n")],
    ["another", edition("worse", "refused\n")],
  ])(
    "removes an installed file that nginx refuses if the next one is refused too: %s",
    (_, before) => {
      serve(oldFile);
      write("conf/openclaw.conf", before);

      expect(outcome(run("apply", edition("bad", "refused\n")))).toMatch(
        /^nginx refuses the route, as it refused the file that was there; KASM goes on without: /,
      );
      expect([file(), loaded()]).toEqual([undefined, undefined]);
      expect(files()).toEqual(["session.conf"]);
    },
  );

  test("succeeds although the gateway hangs", () => {
    rmSync(at("gateway"));

    expect(outcome(run("apply"))).toBe(
      `the route is there, and the dashboard does not answer behind it: ${well.replace("asks for its login", "not reached")}`,
    );
    expect([file(), loaded()]).toEqual([newFile, newFile]);
  });

  test("names the ports between hosts if the dashboard does not answer over an overlay network", () => {
    rmSync(at("gateway"));
    write("driver", "overlay\n");

    expect(outcome(run("apply"))).toContain("openclaw-net 7946/udp and 4789/udp have to be open");
  });

  test("releases the lock while it waits for the dashboard", () => {
    write("lock", "");
    expect(outcome(run("apply"))).toBe(well);

    expect(read("lock")).toBe("free\n");
  });

  test("runs concurrent calls one after the other, and the second one changes nothing", async () => {
    const both = [1, 2].map(() => {
      const child = spawn("sh", ["-s", "--", "apply"], {
        env: env(),
        stdio: ["pipe", "ignore", "ignore"],
      });
      child.stdin.end(input(newFile));
      return once(child, "exit");
    });

    expect(await Promise.all(both)).toEqual([
      [0, null],
      [0, null],
    ]);
    expect(changes().filter((call) => call.startsWith("mv "))).toHaveLength(1);
    expect([file(), loaded()]).toEqual([newFile, newFile]);
    expect(files()).toEqual(["openclaw.conf", "session.conf"]);
  });

  test("on a full disk keeps the existing file", () => {
    serve(oldFile);
    write("full", "");

    expect(outcome(run("apply"))).toMatch(/could not write .*\.openclaw\.conf\.new\n$/);
    expect(file()).toBe(oldFile);
  });

  test("removes its file from KASM's previous version", () => {
    for (const version of ["1.17.0", "1.17.1"]) {
      mkdirSync(at(version, "conf"), { recursive: true });
      write(`${version}/conf/session.conf`, "");
    }
    write("1.17.0/conf/openclaw.conf", oldFile);
    mkdirSync(at("1.17.1/nginx"));
    mkdirSync(at("1.17.0/nginx/.openclaw-kasm"), { recursive: true });
    leaveSocket(at("1.17.0/nginx/.openclaw-kasm/openclaw-route.sock"));
    symlinkSync("1.17.1", at("current"));
    rmSync(at("conf"), { recursive: true });
    symlinkSync("current/conf", at("conf"));

    const places = { DIRECTORY: at("current/conf"), SOCKETS: at("current/nginx/.openclaw-kasm") };
    expect(outcome(run("apply", newFile, places))).toBe(well);
    expect(read("1.17.1/conf/openclaw.conf")).toBe(newFile);
    expect(readdirSync(at("1.17.0/conf"))).toEqual(["session.conf"]);
    expect(readdirSync(at("1.17.0/nginx"))).toEqual([]);
  });
});

describe("remove", () => {
  test("removes the file, the socket and the network of earlier versions", () => {
    serve(newFile);
    joinProxy();
    leaveSocket(at(".openclaw-kasm/openclaw-route.sock"));

    expect(outcome(run("remove"))).toBe("");
    expect(files()).toEqual(["session.conf"]);
    expect([loaded(), isJoined()]).toEqual([undefined, false]);
    expect([existsSync(at("serving")), existsSync(at(".openclaw-kasm"))]).toEqual([false, false]);
    rmSync(at("forwarder"));
    forget();

    expect(outcome(run("remove"))).toBe("");
    expect(changes()).toEqual([]);
  });

  test("keeps another stack's socket, and follows no link to one", () => {
    serve(newFile);
    leaveSocket(at(".openclaw-kasm/claw-route.sock"));

    expect(outcome(run("remove"))).toBe("");
    expect(readdirSync(at(".openclaw-kasm"))).toEqual(["claw-route.sock"]);
    renameSync(at(".openclaw-kasm"), at("elsewhere-sockets"));
    leaveSocket(at("elsewhere-sockets/openclaw-route.sock"));
    symlinkSync(at("elsewhere-sockets"), at(".openclaw-kasm"));

    expect(outcome(run("remove"))).toBe("");
    expect(readdirSync(at("elsewhere-sockets"))).toHaveLength(2);
  });

  test("works on a full disk", () => {
    serve(newFile);
    write("full", "");

    expect(outcome(run("remove"))).toBe("");
    expect([file(), loaded()]).toEqual([undefined, undefined]);
  });

  test("reloads nginx if only the route's file was refused", () => {
    serve(newFile);
    write("conf/openclaw.conf", `${newFile}refused\n`);
    const { status, stderr } = run("remove");

    expect([status, stderr]).toEqual([0, ""]);
    expect(files()).toEqual(["session.conf"]);
    expect(loaded()).toBeUndefined();
  });

  test("deletes the file if nginx refuses another program's, and reports that it is still loaded", () => {
    serve(newFile);
    write("conf/session.conf", "refused\n");
    const { status, stderr } = run("remove");

    expect([status, stderr]).toEqual([
      0,
      expect.stringMatching(/^nginx refuses KASM's configuration .*session.conf:1/),
    ]);
    expect(files()).toEqual(["session.conf"]);
  });

  test("completes after the connection is lost", () => {
    serve(newFile);
    write("conf/session.conf", "refused\n");
    runUnheard("remove");

    expect(files()).toEqual(["session.conf"]);
  });

  test("keeps another program's file", () => {
    write("conf/openclaw.conf", "# mine\n");

    expect(outcome(run("remove"))).toBe("");
    expect(file()).toBe("# mine\n");
  });

  test("works without nginx", () => {
    serve(newFile);
    write("running", "false\n");

    expect(outcome(run("remove"))).toBe("");
    expect(files()).toEqual(["session.conf"]);
  });
});

describe("certificate and key", () => {
  const pair = (name: string) =>
    `ssl_certificate /${name}.crt;\nssl_certificate_key /${name}.key;\n`;
  const content = edition("two", "@CERTIFICATE@\n");
  beforeEach(() => {
    write("conf/0.conf", "listen 443 ssl;\n");
  });

  test("come from one file that has both", () => {
    write("conf/a.conf", "ssl_certificate /a.crt;\n");
    write("conf/b.conf", pair("b"));

    expect(outcome(run("apply", content))).toBe(well);
    expect(file()).toBe(edition("two", pair("b")));
  });

  test("are not taken from a link, from a route of this program, or from lines with other content", () => {
    write("elsewhere", pair("elsewhere"));
    symlinkSync(at("elsewhere"), at("conf/a.conf"));
    write("conf/b.conf", edition("other", pair("other")));
    write("conf/c.conf", pair("c").replaceAll(";", "; include /etc/passwd;"));
    write("conf/d.conf", pair("d"));

    expect(outcome(run("apply", content))).toBe(well);
    expect(file()).toBe(edition("two", pair("d")));
  });
});

describeAsRoot("another account that can write to KASM's nginx directories", () => {
  const stranger = 12345;
  const asStranger = (command: string) =>
    spawnSync("setpriv", [
      ...["--reuid=12345", "--regid=12345", "--clear-groups"],
      ...["sh", "-c", command],
    ]);
  beforeEach(() => {
    chmodSync(folder, 0o755);
    chmodSync(at("conf"), 0o777);
    write("victim", "root's\n");
  });
  const links = (names: readonly string[]) =>
    names.map((name) => `ln -sfn ${at("victim")} ${at("conf", name)}`).join("\n");

  test.each([
    ["the new file's name", [".openclaw.conf.new"]],
    ["the old file's name", [".openclaw.conf.old"]],
    ["both names", [".openclaw.conf.new", ".openclaw.conf.old"]],
    ["the route's own name", ["openclaw.conf"]],
  ])(
    "can't make the script follow a link at %s, even if it recreates it all the time",
    (_, names) => {
      for (const before of [undefined, oldFile]) {
        if (before !== undefined) {
          serve(before);
        }
        const attack = `setpriv --reuid=12345 --regid=12345 --clear-groups sh -c '${links(names)}'`;
        write("planted", attack);
        for (const action of ["apply", "check", "look", "remove"]) {
          run(action);
        }
        rmSync(at("planted"));
        names.forEach((name) => {
          rmSync(at("conf", name), { force: true });
        });

        expect([read("victim"), statSync(at("victim")).uid]).toEqual(["root's\n", 0]);
      }
      expect(outcome(run("apply"))).toBe(well);
    },
  );

  test("can't redirect the script to another directory", () => {
    mkdirSync(at("etc"));
    renameSync(at("conf"), at("real"));
    mkdirSync(at("nginx"));
    chmodSync(at("nginx"), 0o777);
    asStranger(`ln -s ${at("etc")} ${at("nginx/containers.d")}`);

    for (const action of ["apply", "check", "remove"]) {
      expect(run(action, newFile, { DIRECTORY: at("nginx/containers.d") })).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(`${at("nginx/containers.d")} belongs to`) as string,
      });
    }
    expect(run("look", newFile, { DIRECTORY: at("nginx/containers.d") }).stdout).toContain(
      "file: in a directory that another account controls",
    );
    expect(readdirSync(at("etc"))).toEqual([]);
  });

  test("can't replace the route's file or the certificate by its own", () => {
    asStranger(`echo '${newFile}' >${at("conf/openclaw.conf")}`);

    expect(run("look").stdout).toContain("file: different");
    expect(run("check").stdout).toContain("was not made by this program");
    rmSync(at("conf/openclaw.conf"));
    write("conf/b.conf", "ssl_certificate /b.crt;\nssl_certificate_key /b.key;\n");
    copyFileSync(at("conf/b.conf"), at("conf/a.conf"));
    chownSync(at("conf/a.conf"), stranger, stranger);
    appendFileSync(at("conf/a.conf"), "ssl_certificate /a.crt;\n");
    write("conf/0.conf", "listen 443 ssl;\n");

    expect(outcome(run("apply", edition("two", "@CERTIFICATE@\n")))).toBe(well);
    expect(file()).toContain("/b.crt;\nssl_certificate_key /b.key;\n");
  });

  test("can't hold the lock", () => {
    run("apply");

    expect(statSync(at("run/openclaw-kasm-nginx.lock")).mode & 0o777).toBe(0o600);
  });
});

describe.each(["KILL", "TERM"])("SIG%s at any step", (signal) => {
  /** Calls that change the host. All others leave it as the call before them did. */
  const isChange =
    /^(docker exec kasm_proxy nginx -s|docker (restart|stop)|docker network (dis)?connect|flock|dd|mv|ln|rm) /;

  /** Goes through an action once for each call that changes something, and is ended right after that call. */
  function atEachStep(action: string, before: string | undefined, check: () => void): void {
    const reset = () => {
      rmSync(at("conf"), { recursive: true });
      mkdirSync(at("conf"));
      write("conf/session.conf", "listen 443 ssl;\n");
      write("networks", "kasm_default_network\n");
      rmSync(at("loaded"), { force: true });
      rmSync(at("fatal"), { force: true });
      forget();
      if (before !== undefined) {
        serve(before);
      }
    };
    write("signal", signal);
    reset();
    run(action);
    const steps = calls().flatMap((call, index) => (isChange.test(call) ? [index + 1] : []));
    expect(steps.length).toBeGreaterThan(5);
    for (const step of steps) {
      reset();
      write("fatal", step.toString());
      run(action);
      rmSync(at("fatal"));
      check();
    }
  }

  test.each([
    ["of an apply over an older file", oldFile],
    ["of a first apply", undefined],
  ])("%s leaves the old file or the new one, and the next apply converges", (_, before) => {
    atEachStep("apply", before, () => {
      expect([before, newFile]).toContain(file());
      if (signal === "TERM") {
        expect(files().filter((name) => name.startsWith("."))).toEqual([]);
        expect(loaded()).toBe(file());
      }

      expect(outcome(run("apply"))).toBe(well);
      expect([file(), loaded()]).toEqual([newFile, newFile]);
      expect(files()).toEqual(["openclaw.conf", "session.conf"]);
    });
  });

  test("of a first apply: remove leaves nothing", () => {
    atEachStep("apply", undefined, () => {
      expect(outcome(run("remove"))).toBe("");
      expect(files()).toEqual(["session.conf"]);
      expect([loaded(), isJoined()]).toEqual([undefined, false]);
    });
  });

  test("of a remove leaves the whole file or none, and the next remove completes", () => {
    atEachStep("remove", newFile, () => {
      expect([newFile, undefined]).toContain(file());

      expect(outcome(run("remove"))).toBe("");
      expect(files()).toEqual(["session.conf"]);
      expect([loaded(), isJoined()]).toEqual([undefined, false]);
    });
  });
});

describe("look", () => {
  test.each<[what: string, change: () => void, said: string]>([
    ["nothing", () => undefined, well],
    [
      "the file changed",
      () => {
        write("conf/openclaw.conf", oldFile);
      },
      well.replace("as declared", "different"),
    ],
    [
      "the file gone",
      () => {
        rmSync(at("conf/openclaw.conf"));
      },
      well.replace("as declared", "missing"),
    ],
    [
      "another edition loaded",
      () => {
        write("loaded", oldFile);
      },
      well
        .replace("serves the route", "does not serve the route")
        .replace("asks for its login", "not reached"),
    ],
    [
      "the gateway gone",
      () => {
        write("gateway", "502");
      },
      well.replace("asks for its login", "answers 502"),
    ],
    [
      "the forwarder gone",
      () => {
        rmSync(at("serving"));
      },
      well.replace("forwarder: serves", "forwarder: does not serve"),
    ],
    [
      "the proxy on the gateway's network",
      joinProxy,
      well.replace("nothing of ours", "network openclaw-net"),
    ],
    [
      "the proxy gone",
      () => {
        write("running", "");
      },
      well
        .replace("serves the route", "does not serve the route")
        .replace("asks for its login", "not reached"),
    ],
  ])("reports %s", (_, change, said) => {
    serve(newFile);
    change();

    expect(outcome(run("look"))).toBe(said);
  });
});

describe("check", () => {
  const place = (file: string) => ({ FILE: file });

  test("reports nothing if there is no problem", () => {
    serve(oldFile);

    expect(outcome(run("check"))).toBe("");
  });

  test("reports every problem, and apply refuses the same ones", () => {
    write("running", "false\n");
    write("conf/openclaw.conf", "# mine\n");
    const problems = outcome(run("check"));

    expect(problems.trim().split("\n")).toEqual([
      "there is no running container kasm_proxy: is KASM up, and openclaw:nginxRoute.proxyContainer right?",
      `${at("conf/openclaw.conf")} is there already and was not made by this program: move it away or change openclaw:nginxRoute.fileName`,
    ]);
    expect(outcome(run("apply"))).toBe(problems);
    expect(file()).toBe("# mine\n");
  });

  test("refuses a server file that sorts before KASM's", () => {
    const server = edition("two", "@CERTIFICATE@\n");

    expect(outcome(run("check", server))).toContain("would be read before KASM's own server");
    expect(outcome(run("check", server, place("zz-openclaw.conf")))).toBe("");
  });

  test("reports a proxy that can't access the socket", () => {
    write("mounted", "");

    expect(outcome(run("check"))).toContain(`container kasm_proxy does not see ${folder}`);
  });

  test("the directory in which KASM is installed is told where another one was expected", () => {
    write("mounted", "/data/kasm/1.19.0/conf/nginx");

    expect(outcome(run("check", newFile, { DIRECTORY: at("gone") }))).toContain(
      "KASM's nginx reads /data/kasm/1.19.0/conf/nginx: set openclaw:kasmDirectory to /data/kasm\n",
    );
  });

  test("reports a missing directory", () => {
    expect(outcome(run("check", newFile, { DIRECTORY: at("gone") }))).toBe(
      `there is no directory ${at("gone")}: is KASM installed, and openclaw:nginxRoute.directory right?\n`,
    );
  });
});

describe("a route of another stack", () => {
  const of = (stack: string, leads: string) =>
    `# Made by openclaw-kasm for stack ${stack}: ${leads}\n# mark two\nlocation ${leads}/ {}\n`;
  const own = of("dev", "/openclaw");

  test("prevents overwriting or removing its file", () => {
    serve(of("theirs", "/claw"));
    const refused = `${at("conf")}/openclaw.conf is of stack theirs: change openclaw:nginxRoute.fileName\n`;
    expect(run("check", own).stdout).toBe(refused);
    expect(outcome(run("apply", own))).toBe(refused);
    expect(run("remove", own).status).toBe(0);

    expect(file()).toBe(of("theirs", "/claw"));
  });

  test("prevents a second route from the same path or server name", () => {
    write("conf/their.conf", of("theirs", "/openclaw"));

    expect(run("check", own).stdout).toBe(
      "stack theirs has a route from /openclaw already (their.conf): change openclaw:nginxRoute\n",
    );
  });

  test("from another path is no problem, nor is the stack's own of an earlier version", () => {
    write("conf/their.conf", of("theirs", "/claw"));
    serve(oldFile);

    expect(run("check", own).stdout).toBe("");
    expect(outcome(run("apply", own))).toBe(well);
  });
});
