import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { GatewayData } from "../../cli/backup/gatewayData";
import { dumpCommand } from "../../cli/backup/offsite";
import { parseSettings } from "../../config";

const programs = "assets/offsite-image/rootfs/usr/local/lib/offsite";

describe("when a backup is due", () => {
  type Times = Partial<Record<"since" | "attempt" | "good" | "problem" | "wait", string>>;
  const day = (text: string) => `2026-11-${text}:00Z`;
  const cases: [what: string, state: Times, now: string, isDue: boolean, isMissing: boolean][] = [
    ["a first start", { since: day("29T10:00") }, day("29T10:00"), true, false],
    [
      "the day of the first start",
      { since: day("29T10:00"), attempt: day("29T10:00") },
      ...([day("29T23:00"), false, false] as const),
    ],
    [
      "the first night",
      { since: day("29T10:00"), attempt: day("29T10:00") },
      ...([day("30T03:00"), true, true] as const),
    ],
    [
      "a minute before the time",
      { since: day("01T10:00"), attempt: day("29T03:00"), good: day("29T03:00") },
      ...([day("30T02:59"), false, false] as const),
    ],
    [
      "after a night for which the machine was off",
      { since: day("01T10:00"), attempt: day("28T03:00"), good: day("28T03:00") },
      ...([day("29T12:00"), true, true] as const),
    ],
    [
      "soon after a failure",
      { since: day("01T10:00"), attempt: day("29T03:00"), good: day("28T03:00"), problem: "x" },
      ...([day("29T03:10"), false, true] as const),
    ],
    [
      "a quarter of an hour after a failure",
      { since: day("01T10:00"), attempt: day("29T03:00"), good: day("28T03:00"), problem: "x" },
      ...([day("29T03:15"), true, true] as const),
    ],
    [
      "hours after a failure that stays until the next day",
      {
        ...{ since: day("01T10:00"), attempt: day("29T03:00"), good: day("28T03:00") },
        ...{ problem: "x", wait: "true" },
      },
      ...([day("29T09:00"), false, true] as const),
    ],
    [
      "after a backup by hand",
      { since: day("01T10:00"), attempt: day("29T12:00"), good: day("29T12:00") },
      ...([day("29T13:00"), false, false] as const),
    ],
  ];
  let answers: [boolean, boolean][];

  beforeAll(() => {
    const script = `import { isDue, isMissing } from ${JSON.stringify(join(process.cwd(), programs, "schedule.mjs"))};
      const cases = ${JSON.stringify(cases)};
      console.log(JSON.stringify(cases.map(([, state, now]) => {
        const at = [state, Date.parse(now), "03:00"];
        return [isDue(...at), isMissing(...at)];
      })));`;
    const args = ["--input-type=module", "--eval", script];
    answers = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as never;
  });

  test.each(cases.map(([what, , , ...expected], index) => [what, expected, index] as const))(
    "%s",
    (_, expected, index) => {
      expect(answers[index]).toEqual(expected);
    },
  );
});

/** Stands in for restic: its repository is a file, and `during` notes which calls were made while the gateway was stopped. */
const resticStandIn = `#!/usr/bin/env node
const fs = require("node:fs");
const folder = process.env.PATH.split(":")[0];
const file = folder + "/repository.json";
const args = process.argv.slice(2);
const at = args.indexOf("--cache-dir") + 2;
const [command, ...rest] = args.slice(at);
const option = (name) => rest[rest.indexOf(name) + 1];
fs.appendFileSync(folder + "/calls", [fs.existsSync(folder + "/paused") ? "paused" : "runs", command, ...rest].join(" ") + "\\n");
fs.appendFileSync(folder + "/seen", JSON.stringify([process.argv, process.env]));
const fail = (text) => { console.error(text); process.exit(1); };
if (fs.existsSync(folder + "/away")) fail("Fatal: unable to open config file: of key the-access-key and " + "pass'\\"word" + ": connection refused\\nIs there a repository at the following location?\\nx");
if (command === "init") fs.writeFileSync(file, "[]");
if (!fs.existsSync(file)) fail("Fatal: unable to open config file: Stat: The specified key does not exist.\\nIs there a repository at the following location?\\nx");
let all = JSON.parse(fs.readFileSync(file, "utf8"));
const done = (text = "") => { fs.writeFileSync(file, JSON.stringify(all)); console.log(text); };
if (command === "cat") done('{"id":"repository-1"}');
else if (command === "snapshots") done(JSON.stringify(all));
else if (command === "backup") {
  const id = "s" + Math.random().toString(16).slice(2, 10);
  all.push({ short_id: id, time: new Date().toISOString(), tags: [option("--tag")] });
  done('{"message_type":"status"}\\n' + JSON.stringify({ message_type: "summary", snapshot_id: id, data_added: 12 }));
} else if (command === "tag") { all.find((each) => each.short_id === rest[2]).tags = [option("--set")]; done(); }
else if (command === "forget") { all = all.filter((each) => !rest.includes(each.short_id)); done(); }
else if (command === "dump") process.stdout.write("an archive of " + option("tar"));
else done();
`;

describe("the container of off-site backups", () => {
  let folder: string;
  let gateway: Server | undefined;
  const at = (...path: string[]) => join(folder, ...path);
  const read = (name: string) => (existsSync(at(name)) ? readFileSync(at(name), "utf8") : "");

  beforeEach(() => {
    // A socket's path has to be short.
    folder = mkdtempSync(join(tmpdir(), "offsite-"));
    for (const path of ["lib", "etc", ".mc", "state", "backup/data/.openclaw", "pause"]) {
      mkdirSync(at(path), { recursive: true });
    }
    const places: [from: string, to: string][] = [
      ["/usr/local/lib/offsite", at("lib")],
      ["/etc/offsite", at("etc")],
      ["/root/.mc", at(".mc")],
      ["/var/lib/offsite", at("state")],
      ["/run/openclaw-pause", at("pause")],
      ['"/backup', `"${at("backup")}`],
      ["root=/backup", `root=${at("backup")}`],
    ];
    const install = (source: string, name: string) => {
      const text = readFileSync(source, "utf8");
      writeFileSync(
        at("lib", name),
        places.reduce((all, [from, to]) => all.replaceAll(from, to), text),
      );
    };
    readdirSync(programs).forEach((name) => {
      install(join(programs, name), name);
    });
    install("assets/data-container/data.sh", "data.sh");
    const databases =
      'import fs from "node:fs"; if (fs.existsSync("damaged")) { console.error("the database x is damaged"); process.exit(1); }';
    writeFileSync(at("lib/databases.mjs"), databases);
    writeFileSync(
      at("etc/settings.json"),
      JSON.stringify({
        ...{ endpoint: "http://store", bucket: "b", prefix: "dev/openclaw", time: "03:00" },
        ...{ keep: { daily: 2, weekly: 1, monthly: 0 }, stack: "dev" },
      }),
    );
    writeFileSync(at("etc/password"), `pass'"word`);
    const s3 = { url: "http://store", accessKey: "the-access-key", secretKey: "the-secret-key" };
    writeFileSync(at(".mc/config.json"), JSON.stringify({ hosts: { s3 } }));
    writeFileSync(at("restic"), resticStandIn, { mode: 0o755 });
    writeFileSync(at("backup/data/.openclaw/conversation"), "hello\n");
  });
  afterEach(() => {
    gateway?.close();
    gateway = undefined;
    rmSync(folder, { recursive: true });
  });

  const env = () => ({ ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` });
  const start = (...args: string[]): ChildProcess =>
    spawn(process.execPath, [at("lib/main.mjs"), ...args], { env: env() });

  async function run(...args: string[]): Promise<number | null> {
    const [code] = (await once(start(...args), "close")) as [number | null];
    return code;
  }
  const state = () =>
    Object.fromEntries(
      read("state/state")
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  const snapshots = () => JSON.parse(read("repository.json")) as { tags: string[] }[];
  const tags = () => snapshots().flatMap((each) => each.tags);
  const since = (time: string) => {
    writeFileSync(at("state/state"), `offsiteSince=${time}\n`);
  };
  /** The gateway's end of the pause; `meanwhile` happens after its answer. */
  async function listen(answer = "paused 2026.9.6", meanwhile?: (socket: Socket) => void) {
    gateway = createServer((socket) => {
      socket.once("data", (claim: Buffer) => {
        writeFileSync(at("paused"), "");
        writeFileSync(at("backup/data/.offsite-repository"), claim);
        socket.write(`${answer}\n`);
        meanwhile?.(socket);
      });
      socket.on("close", () => {
        rmSync(at("paused"), { force: true });
      });
      socket.on("error", () => undefined);
    }).listen(at("pause/socket"));
    await once(gateway, "listening");
  }

  test("makes a repository at its start, and no backup before its time", async () => {
    expect(await run("save")).toBe(0);

    expect(snapshots()).toEqual([]);
    expect(Object.keys(state()).sort()).toEqual(["offsiteAttempt", "offsiteSince"]);
  });

  test("saves most while the gateway runs and the rest while it is stopped, and keeps what the settings say", async () => {
    since("2020-01-01T00:00:00.000Z");
    await listen();
    expect(await run("save")).toBe(0);
    const calls = read("calls")
      .split("\n")
      .filter((line) => /backup|forget|check/.test(line));

    expect(calls).toEqual([
      expect.stringMatching(/^runs backup --json --tag unfinished data$/),
      expect.stringMatching(
        /^paused backup --json --tag unfinished --parent s\w+ backup.json SHA256SUMS data$/,
      ),
      expect.stringMatching(/^runs forget s\w+$/),
      "runs forget --tag whole --group-by  --keep-daily 2 --keep-weekly 1 --keep-monthly 0 --prune",
      expect.stringMatching(/^runs check --read-data-subset=\d+\/31$/),
    ]);
    expect(tags()).toEqual(["whole"]);
    expect(state()).toHaveProperty("offsiteGood");
    expect(state()).not.toHaveProperty("offsiteProblem");
    expect(JSON.parse(read("backup/backup.json"))).toMatchObject({
      ...{ format: 1, stack: "dev", openclawVersion: "2026.9.6" },
    });
    expect(read("backup/SHA256SUMS")).toContain("./.openclaw/conversation");
  });

  test("makes no second backup before the next day, unless it is told to", async () => {
    since("2020-01-01T00:00:00.000Z");
    await listen();
    await run("save");
    await run("save");
    expect(tags()).toHaveLength(1);

    await run("save", "--now");
    expect(tags()).toEqual(["whole", "whole"]);
  });

  test("does not count a backup during which the gateway was started, and removes it the next time", async () => {
    since("2020-01-01T00:00:00.000Z");
    await listen("paused 2026.9.6", (socket) => socket.end());
    expect(await run("save")).toBe(1);
    expect(state().offsiteProblem).toContain("started before its backup was whole");
    expect(tags()).toEqual(["unfinished", "unfinished"]);

    gateway?.close();
    await listen();
    expect(await run("save")).toBe(0);
    expect(tags()).toEqual(["whole"]);
  });

  test.each([
    ["does not run", undefined, "the gateway does not run (ENOENT)"],
    ["does not stop", "it did not end within 340 s", "it did not end within 340 s"],
  ])("saves nothing of a gateway that %s", async (_, answer, problem) => {
    since("2020-01-01T00:00:00.000Z");
    if (answer !== undefined) {
      await listen(answer);
    }

    expect(await run("save")).toBe(1);
    expect(state().offsiteProblem).toContain(problem);
    expect(tags()).not.toContain("whole");
  });

  test("keeps the earlier backups from a damaged database, and stops the gateway for it once a day", async () => {
    since("2020-01-01T00:00:00.000Z");
    await listen();
    writeFileSync(at("backup/data/damaged"), "");

    expect(await run("save")).toBe(1);
    expect(state()).toMatchObject({
      offsiteProblem: expect.stringContaining("the database x is damaged") as string,
      offsiteWait: "true",
    });
    expect(read("calls")).not.toMatch(/forget|prune/);
  });

  test("adds no other data to the backups of a gateway, unless it is told to", async () => {
    await listen();
    await run("save", "--now");
    rmSync(at("backup/data"), { recursive: true });
    mkdirSync(at("backup/data"));
    since("2020-01-01T00:00:00.000Z");

    expect(await run("save")).toBe(1);
    expect(state().offsiteProblem).toContain("has backups of other data than this gateway has now");
    expect(tags()).toEqual(["whole"]);

    expect(await run("save", "--now")).toBe(0);
    expect(tags()).toEqual(["whole", "whole"]);
    expect(state()).not.toHaveProperty("offsiteProblem");
  });

  test("says why the storage does not answer, and stops no gateway for it", async () => {
    since("2020-01-01T00:00:00.000Z");
    await listen();
    writeFileSync(at("away"), "");

    expect(await run("save")).toBe(1);
    expect(state().offsiteProblem).toBe(
      "Fatal: unable to open config file: of key *** and ***: connection refused",
    );
    expect(read("calls")).not.toContain("paused");
  });

  test("gives restic its keys in no argument and no environment", async () => {
    await run("save");
    const seen = read("seen");

    expect(seen).toContain("s3:http://store/b/dev/openclaw");
    for (const secret of ["the-access-key", "the-secret-key", `pass'`]) {
      expect(seen).not.toContain(secret);
    }
  });

  test("tells restic the proxy and the authorities that the settings name, and no other variable of the container", async () => {
    const known = JSON.parse(read("etc/settings.json")) as object;
    const proxy = "http://proxy:3128";
    writeFileSync(at("etc/settings.json"), JSON.stringify({ ...known, proxy }));
    writeFileSync(at("etc/extra-ca.pem"), "PEM");
    await run("save");
    const [, ...variables] = /"PATH":[^}]*/.exec(read("seen"))?.[0].split(",") ?? [];

    expect(variables).toEqual([
      '"HOME":"/root"',
      `"SSL_CERT_FILE":"${at("etc/extra-ca.pem")}"`,
      `"HTTP_PROXY":"${proxy}"`,
      `"HTTPS_PROXY":"${proxy}"`,
    ]);
  });

  test("lists whole backups only, and writes one as a gzipped archive", async () => {
    await listen();
    await run("save", "--now");
    const list = start("list");
    let listed = "";
    list.stdout?.on("data", (chunk: Buffer) => (listed += chunk.toString()));
    await once(list, "close");
    const [{ id = "" } = {}] = JSON.parse(listed) as { id?: string }[];
    const { stdout } = spawnSync(process.execPath, [at("lib/main.mjs"), "dump", id], {
      env: env(),
    });

    expect(gunzipSync(stdout).toString()).toBe(`an archive of ${id}`);
  });

  test("writes no whole archive of a backup that can't be read", async () => {
    await listen();
    await run("save", "--now");
    writeFileSync(at("away"), "");
    const { status, stdout } = spawnSync(process.execPath, [at("lib/main.mjs"), "dump", "s1"], {
      env: env(),
    });

    expect(status).toBe(1);
    expect(() => gunzipSync(stdout)).toThrow();
  });
});

describe("the choice among the backups of a storage", () => {
  const { PATH } = process.env;
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "openclaw-choice-"));
    process.env.PATH = `${folder}:${PATH ?? ""}`;
  });
  afterEach(() => {
    process.env.PATH = PATH;
    rmSync(folder, { recursive: true });
  });

  const settings = (offsite: object) =>
    parseSettings({
      values: {
        ...{ offsite: JSON.stringify(offsite), offsiteAccessKey: "access" },
        offsiteSecretKey: "secret-key",
      },
      encrypted: ["offsiteAccessKey", "offsiteSecretKey"],
    });
  const data = (offsite: object = { endpoint: "https://s3.example.com", bucket: "backups" }) =>
    ({
      ...{ stack: "kasm", container: "openclaw", target: {} },
      instance: { name: "", resource: "openclaw", settings: settings(offsite) },
    }) as GatewayData;
  /** A container with these backups; each is `ID TIME`. */
  function docker(...backups: string[]): void {
    const listed = backups.map((each) => {
      const [id, time] = each.split(" ");
      return { id, time };
    });
    const script = `#!/bin/sh\n[ "$*" = "exec openclaw-offsite offsite list" ] && echo '${JSON.stringify(listed)}'\n`;
    writeFileSync(join(folder, "docker"), script, { mode: 0o755 });
  }
  const [older, newer] = ["a1 2026-11-28T03:00:00Z", "b2 2026-11-29T03:00:00Z"];

  test.each([
    [undefined, "b2"],
    ["a1", "a1"],
  ])("of %s is %s", async (id, chosen) => {
    docker(older, newer);

    expect(await dumpCommand(data(), id)).toEqual(
      `docker exec openclaw-offsite offsite dump ${chosen}`.split(" "),
    );
  });

  test("names all if there is none of that id", async () => {
    docker(older, newer);

    await expect(dumpCommand(data(), "c3")).rejects.toThrow(
      "There is no backup c3 off the machine:\n  a1  2026-11-28T03:00:00Z\n  b2  2026-11-29T03:00:00Z",
    );
  });

  test("names the command for the first one, or the setting", async () => {
    docker();

    await expect(dumpCommand(data(), undefined)).rejects.toThrow("npm run backup -- --offsite");
    await expect(dumpCommand(data({}), undefined)).rejects.toThrow("set openclaw:offsite");
  });
});

describe("the gateway's end of a pause", () => {
  const script = "assets/gateway-image/rootfs/usr/local/lib/gateway-image/pause";
  let folder: string;
  const read = (name: string) =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "openclaw-pause-"));
    mkdirSync(join(folder, "public"));
    mkdirSync(join(folder, "data"));
    const tools = {
      openclaw: "echo OpenClaw 2026.9.6",
      "s6-svc": `echo "$*" >>'${folder}/calls'; case $* in *-d*) exit "$(cat '${folder}/ends' 2>/dev/null || echo 0)" ;; esac`,
      "s6-setuidgid": 'shift; exec "$@"',
    };
    for (const [name, text] of Object.entries(tools)) {
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function open(): ChildProcess {
    const text = readFileSync(script, "utf8")
      .replaceAll("/run/gateway-image", folder)
      .replaceAll("/data/", `${folder}/data/`);
    writeFileSync(join(folder, "pause"), text);
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` };
    return spawn("sh", [join(folder, "pause")], { env, stdio: ["pipe", "pipe", "ignore"] });
  }
  const stop = "-wD -T 340000 -d /run/service/gateway\n";
  const go = "-u /run/service/gateway\n";

  test("stops the gateway until the connection is closed, and notes the claim in the data", async () => {
    const pause = open();
    pause.stdin?.write("repository-1\n");
    const [answer] = (await once(pause.stdout as NodeJS.ReadableStream, "data")) as [Buffer];

    expect(answer.toString()).toBe("paused 2026.9.6\n");
    expect(read("calls")).toBe(stop);
    expect(read("data/.offsite-repository")).toBe("repository-1\n");
    expect(JSON.parse(read("public/down.json"))).toMatchObject({ ok: false, status: "saving" });

    pause.stdin?.end();
    await once(pause, "close");
    expect(read("calls")).toBe(stop + go);
  });

  test("lets a gateway go on that does not end in time", async () => {
    writeFileSync(join(folder, "ends"), "99");
    const pause = open();
    pause.stdin?.write("repository-1\n");
    const [answer] = (await once(pause.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
    await once(pause, "close");

    expect(answer.toString()).toBe("it did not end within 340 s\n");
    expect(read("calls")).toBe(stop + go);
    expect(read("data/.offsite-repository")).toBe("");
  });

  test("does not touch the gateway for a connection without a claim", async () => {
    const pause = open();
    pause.stdin?.end();
    await once(pause, "close");

    expect(read("calls")).toBe("");
  });
});
