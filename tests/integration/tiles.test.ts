import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ApiKey } from "../../dev/rig/keys";
import type { Rig } from "../../dev/rig/rig";
import { eventually, pausing } from "../support/docker";
import { watchProcesses } from "../support/processes";
import { outcome, Project } from "../support/project";
import { rigSettings } from "../support/rigSettings";
import {
  inventoryWithoutProfiles,
  kasmDirectory,
  kasmUrl,
  kasmVersion,
  removeWorkerRig,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(5 * 60_000);

const login = { username: "admin", password: "tiles-password-0123" };
const certificate = `${kasmDirectory}/current/certs/kasm_nginx`;

const providerKey = "sk-tiles-provider-0123456789";

const project = new Project();
let rig: Rig;
let before: Awaited<ReturnType<Rig["tables"]>>;
let hostBefore: Record<string, string[]>;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "rig", ...options);
const up = () => run("up");
const names = () => rig.sql("SELECT friendly_name FROM images ORDER BY 1");

function configure(changes: Record<string, unknown> = {}): void {
  project.settings("rig", {
    ...rigSettings(rig),
    kasmDirectory,
    // Any image that KASM's agent can start: no test here uses the desktop itself.
    kasmImage: { build: true, baseImage: `kasmweb/session-like:${kasmVersion}` },
    ...changes,
  });
}

/** Puts a key into the file that the settings name. */
function useKey(key: ApiKey): void {
  writeFileSync(
    join(project.folder, ".build/rig", rig.name, "api_key.json"),
    JSON.stringify({ api_key: key.api_key, api_key_secret: key.api_key_secret }),
  );
}

/** Returns the tiles' rows in KASM's tables, without generated ids. */
async function tiles(): Promise<Record<string, object[]>> {
  const withoutIds = (row: object) =>
    Object.fromEntries(
      Object.entries(row).filter(
        ([column]) => !/^(image|group_image|cast_config)_id$/.test(column),
      ),
    );
  const sorted = (rows: object[]) =>
    rows
      .map(withoutIds)
      .sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));
  const { images, group_images, cast_configs } = await rig.tables();
  return {
    images: sorted(images),
    group_images: sorted(group_images),
    cast_configs: sorted(cast_configs),
  };
}

beforeAll(async () => {
  await project.checkout("light");
  rig = await startWorkerRig({ openclaw: "light" });
  await rig.exec(`
    for image in session-like chrome; do
      docker tag kasmweb/session-like:1.17.0 kasmweb/$image:${kasmVersion}
    done`);
  // The settings name its keys by their place in the checkout that started it.
  cpSync(rig.folder, join(project.folder, ".build/rig", rig.name), { recursive: true });
  configure();
  await project.pulumi("stack", "init", "rig");
  await project.setSecret("rig", "providerKeys.ANTHROPIC_API_KEY", providerKey);
  await project.setSecret("rig", "password", login.password);
  before = await rig.tables();
  hostBefore = await rig.inventory();
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

// The other refusals of a key: tests/scripts/kasmApi/client.test.ts.
test("an API key without all permissions is refused before anything changes, and its secret not shown", async () => {
  const key = await rig.addApiKey([400, 401, 441, 700, 701, 702, 900, 901, 902, 904]);
  useKey(key);
  const { exitCode, text } = await up();

  expect(exitCode).not.toBe(0);
  expect(text).toContain("the API key lacks 903 Images Delete, 703 Casting Delete (");
  expect(text).not.toContain(key.api_key_secret);
  expect(await rig.tables()).toEqual(before);
  expect(await rig.inventory()).toEqual(hostBefore);
});

describe("three tiles and a cast link", () => {
  let declared: Record<string, object[]>;
  let said = "";

  test("npm run up creates them", async () => {
    useKey(rig.apiKey);
    const first = await up();
    said += first.text;

    expect(outcome(first)).toBe("ok");
    expect(await names()).toBe("OpenClaw\nOpenClaw AI Gateway\nOpenClaw Desktop");
    expect(
      await rig.sql("SELECT count(*) FROM images WHERE available AND image_type = 'Container'"),
    ).toBe("2");
    declared = await tiles();
  });

  test("a second run changes nothing, and no secret is shown, passed on or stored in clear", async () => {
    const watch = watchProcesses();
    const second = await project.run("up", "--stack", "rig");
    const seen = await watch();
    const state = (await project.pulumi("stack", "export", "--stack", "rig")).text;
    const preview = await project.pulumi("preview", "--refresh", "--diff", "--stack", "rig");
    const secrets = {
      ...rig.apiKey,
      password: login.password,
      providerKey,
      token: await project.secretOutput("rig", "gatewayToken"),
    };
    const texts = {
      output: said + second.stdout + second.stderr,
      preview: preview.text,
      state,
      processes: seen,
      database: JSON.stringify(await rig.tables()),
    };

    expect(second.exitCode).toBe(0);
    expect(second.stdout).toMatch(/Resources:\s+\d+ unchanged\s/);
    expect(await tiles()).toEqual(declared);
    expect(state).toContain("OpenClaw AI Gateway");
    expect(seen).toContain("pulumi-language-nodejs");
    for (const [where, text] of Object.entries(texts)) {
      const found = Object.entries(secrets).filter(([, secret]) => text.includes(secret));
      expect([where, found.map(([name]) => name)]).toEqual([where, []]);
    }
  });

  test("a preview shows only the field of the changed setting", async () => {
    const { workspaces } = rigSettings(rig);
    configure({ workspaces: { ...workspaces, desktop: { cores: 3 } } });
    const { text } = await project.pulumi("preview", "--diff", "--stack", "rig");
    configure();

    expect(text).toMatch(/~ cores\s*: 2 => 3/);
    expect(text.match(/^\s+[~+-] \w+\s*:/gm)).toHaveLength(1);
    expect(text).toMatch(/Resources:\s+~ 1 to update/);
  });

  test("refresh detects what an admin changed or deleted, and up restores it, even if KASM's answer is lost", async () => {
    await rig.sql(`
      UPDATE images SET friendly_name = 'By hand', cores = 1, run_config = '{"hostname": "x"}'
        WHERE friendly_name = 'OpenClaw AI Gateway';
      UPDATE cast_configs SET kasm_url = 'http://elsewhere/';
      DELETE FROM group_images WHERE image_id IN (SELECT image_id FROM images WHERE image_type = 'Link');
      DELETE FROM images WHERE image_type = 'Link'`);
    const seen = await project.pulumi("refresh", "--preview-only", "--diff", "--stack", "rig");

    expect(seen.text).toContain("By hand");
    expect(seen.text).toContain("http://elsewhere/");
    expect(seen.text).toMatch(/- 1 /);

    await rig.disturbApi([{ call: "create_image", kind: "cut" }]);
    const lost = await up();
    expect(lost.text).toContain("create_image: KASM answered with an error page (status 502)");
    expect(lost.exitCode).not.toBe(0);
    // The one that was made then is taken over: there is no second.
    expect(outcome(await up())).toBe("ok");
    expect(await tiles()).toEqual(declared);
  });

  // The other kinds of answers: tests/scripts/kasmApi/workspaceProvider.test.ts.
  test("a page in place of an answer is reported for each tile, and the state is unchanged", async () => {
    const state = async () =>
      (
        JSON.parse((await project.pulumi("stack", "export", "--stack", "rig")).stdout) as {
          deployment: { resources: object[] };
        }
      ).deployment.resources;
    const stateBefore = await state();
    const answer = { kind: "answer", status: 500, body: "<H1>Internal Error</H1>" } as const;
    await rig.disturbApi([{ call: "get_images_group", times: 1000, ...answer }]);
    const { text, exitCode } = await project.pulumi("refresh", "--yes", "--stack", "rig");
    await rig.disturbApi([]);

    expect(exitCode).not.toBe(0);
    expect(text).toContain("get_images_group: KASM answered with an error page (status 500)");
    expect(await state()).toEqual(stateBefore);
  });

  test("a changed certificate stops all requests, and the message names the setting", async () => {
    const { workspaces } = rigSettings(rig);
    configure({ workspaces: { ...workspaces, link: undefined } });
    await rig.exec(`
      cp -a ${certificate}.crt ${certificate}.key /root/
      openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \\
        -out /root/new.crt -keyout /root/new.key 2>/dev/null
      cat /root/new.crt >${certificate}.crt
      cat /root/new.key >${certificate}.key
      docker exec kasm_proxy nginx -s reload`);
    const { exitCode, text } = await up();
    await rig.exec(`
      cat /root/kasm_nginx.crt >${certificate}.crt
      cat /root/kasm_nginx.key >${certificate}.key
      cp -a /root/kasm_nginx.* ${certificate.replace(/\/[^/]*$/, "")}/
      rm /root/kasm_nginx.* /root/new.*
      docker exec kasm_proxy nginx -s reload`);

    expect(exitCode).not.toBe(0);
    expect(text).toContain(`the certificate of ${kasmUrl} is not trusted`);
    expect(await tiles()).toEqual(declared);
  });

  test("a tile that is not in the settings any more is deleted, and importId takes over one that was created by hand", async () => {
    // Without the link, since the test before.
    expect(outcome(await up())).toBe("ok");
    expect(await names()).toBe("OpenClaw AI Gateway\nOpenClaw Desktop");
    const id = await rig.sql(
      "INSERT INTO images (friendly_name, image_type, link_url) VALUES ('By hand', 'Link', 'https://old/') RETURNING image_id",
    );
    const { workspaces } = rigSettings(rig);
    configure({ workspaces: { ...workspaces, link: { importId: id } } });
    expect(outcome(await up())).toBe("ok");

    expect(await rig.sql("SELECT image_id FROM images WHERE image_type = 'Link'")).toBe(id);
    expect(await tiles()).toEqual(declared);
    // The way in which the tile came is not needed any more.
    configure();
  });
});

describe("npm run status", () => {
  interface Report {
    readonly ok: boolean;
    readonly checks: readonly { name: string; value: string; state: string }[];
    readonly sessions: readonly { workspace: string; user: string; status: string }[];
  }

  async function status(): Promise<Report & { exitCode: number | null }> {
    const { stdout, exitCode } = await run("status", "--json");
    return { ...(JSON.parse(stdout) as Report), exitCode };
  }

  const bad = ({ checks }: Report) =>
    checks.filter(({ state }) => state === "bad").map(({ name, value }) => `${name}: ${value}`);

  test("passes, and lists the users with a session", async () => {
    const session = await rig.startWorkspace("OpenClaw AI Gateway");
    // On a busy machine Docker may not tell in time what is used.
    const report = await eventually("all is well", status, ({ ok }) => ok);
    await rig.stopSession(session.containerId);

    expect(bad(report)).toEqual([]);
    expect(report).toMatchObject({ ok: true, exitCode: 0 });
    expect(report.sessions).toMatchObject([
      { workspace: "OpenClaw AI Gateway", user: "user@kasm.local", status: "running" },
    ]);
    expect(report.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "version",
        "desktop image",
        "browser tile",
        "desktop tile",
        "link tile",
      ]),
    );
  });

  const images = (change: string, title: string) =>
    `docker exec kasm_db psql -U kasmapp -d kasm -q -c "UPDATE images SET ${change} WHERE friendly_name = '${title}'"`;
  /** Returns a command that waits until KASM's database has the agent's answer about the desktop's image. */
  const untilAvailable = (answer: "t" | "f") =>
    `until docker exec kasm_db psql -U kasmapp -d kasm -qAt -c "SELECT available FROM images WHERE friendly_name = 'OpenClaw Desktop'" | grep -q ${answer}; do sleep 0.2; done`;
  const route = `${kasmDirectory}/current/conf/nginx/containers.d/openclaw.conf`;
  const reload = "docker exec kasm_proxy nginx -s reload";
  const inGateway = (signal: string, process: string) =>
    `docker exec openclaw sh -c 'kill -${signal} $(pidof ${process})'`;

  /** What can go wrong: commands that make it so, commands that mend it, and what status says of it. */
  const faults = {
    "gateway stopped": [
      "docker stop --time 3 openclaw",
      "docker start openclaw",
      /^container: exited/,
    ],
    "gateway paused": [pausing("openclaw"), "docker unpause openclaw", /^container: paused/],
    "gateway under another name": [
      "docker rename openclaw aside",
      "docker rename aside openclaw",
      /^container: missing/,
    ],
    "another container in its place": [
      "docker rename openclaw aside && docker run --detach --name openclaw kasmweb/session-like:1.17.0",
      "docker rm --force openclaw && docker rename aside openclaw",
      /^container: running, and not the one that this stack made/,
    ],
    "an environment variable and a label added by hand": [
      "docker rename openclaw aside && docker run --detach --name openclaw --env EXTRA=1 --label mine=1 kasmweb/session-like:1.17.0",
      "docker rm --force openclaw && docker rename aside openclaw",
      /^drift: environment EXTRA, label mine/,
    ],
    "nginx in it hangs": [inGateway("STOP", "nginx"), inGateway("CONT", "nginx"), /^gateway: /],
    "on one more network": [
      "docker network connect bridge openclaw",
      "docker network disconnect bridge openclaw",
      /^drift: on network bridge/,
    ],
    "off its network": [
      "docker network disconnect openclaw-net openclaw",
      "docker network connect openclaw-net openclaw",
      /^drift: not on network openclaw-net/,
    ],
    "forwarder stopped": [
      "docker stop --time 2 openclaw-route",
      "docker start openclaw-route",
      /^KASM's nginx: .*forwarder: does not serve/,
    ],
    "proxy on the network": [
      "docker network connect openclaw-net kasm_proxy",
      "docker network disconnect openclaw-net kasm_proxy",
      /^KASM's nginx: .*KASM's proxy needs: network openclaw-net/,
    ],
    "route's file gone": [
      `mv ${route} /root/ && ${reload}`,
      `mv /root/openclaw.conf ${route} && ${reload}`,
      /^KASM's nginx: file: missing/,
    ],
    "route's file changed": [
      `cp -a ${route} /root/ && echo '# mine' >>${route} && ${reload}`,
      `mv /root/openclaw.conf ${route} && ${reload}`,
      /^KASM's nginx: file: different/,
    ],
    "KASM's proxy down": [
      "docker stop --time 2 kasm_proxy",
      "docker start kasm_proxy && until curl -sko /dev/null https://127.0.0.1/api/__healthcheck; do sleep 0.2; done",
      /^address: /,
    ],
    "certificate about to end": [
      `cp -a ${certificate}.crt ${certificate}.key /root/
      openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=localhost -out /root/new.crt -keyout /root/new.key 2>/dev/null
      cat /root/new.crt >${certificate}.crt && cat /root/new.key >${certificate}.key && ${reload}`,
      `cat /root/kasm_nginx.crt >${certificate}.crt && cat /root/kasm_nginx.key >${certificate}.key
      rm /root/kasm_nginx.* /root/new.* && ${reload}`,
      /^certificate: ends in 2 days/,
    ],
    "tile disabled": [
      images("enabled = false", "OpenClaw AI Gateway"),
      images("enabled = true", "OpenClaw AI Gateway"),
      /^browser tile: OpenClaw AI Gateway: disabled/,
    ],
    "tile without an image on the agent": [
      `docker image ls --format '{{.Repository}}:{{.Tag}}' openclaw-kasm >/root/tags
      docker tag openclaw-kasm:latest aside && xargs docker image rm </root/tags && ${untilAvailable("f")}`,
      `xargs --max-args 1 docker tag aside </root/tags && docker image rm aside && rm /root/tags
      ${untilAvailable("t")}`,
      /^desktop tile: OpenClaw Desktop: enabled, not available/,
    ],
    "tile that is not the stack's any more": [
      images("notes = ''", "OpenClaw"),
      images("notes = 'managed by openclaw-kasm: rig/openclaw-link'", "OpenClaw"),
      /^link tile: not in KASM any more/,
    ],
    "KASM's database hangs": [pausing("kasm_db"), "docker unpause kasm_db", /^tiles: not known/],
    "Docker hangs": ["pkill -STOP dockerd", "pkill -CONT dockerd", /^container: unknown: Docker/],
  } satisfies Record<string, readonly [make: string, mend: string, named: RegExp]>;

  // Those that do not hide each other are there at once: each status takes seconds.
  test.each<[together: (keyof typeof faults)[]]>([
    [["gateway stopped", "certificate about to end"]],
    [["gateway paused", "forwarder stopped", "tile that is not the stack's any more"]],
    [["gateway under another name", "route's file gone"]],
    [["another container in its place", "route's file changed"]],
    [["an environment variable and a label added by hand", "tile without an image on the agent"]],
    [["nginx in it hangs", "tile disabled"]],
    [["on one more network", "proxy on the network"]],
    [["off its network"]],
    [["KASM's proxy down"]],
    [["KASM's database hangs"]],
    [["Docker hangs"]],
  ])("reports %p", async (together) => {
    const made = together.map((fault) => faults[fault]);
    const report = await rig
      .exec(made.map(([make]) => make).join("\n"))
      .then(status)
      .finally(() => rig.exec(made.map(([, mend]) => mend).join("\n")));

    const named = made.map(([, , told]) => expect.stringMatching(told) as string);
    expect(bad(report)).toEqual(expect.arrayContaining(named));
    expect(report).toMatchObject({ ok: false, exitCode: 1 });
  });

  test("reports an unreachable server", async () => {
    configure({
      host: { address: "127.0.0.1", port: 1, user: "root", hostKey: "ssh-ed25519 AAAA" },
    });
    const report = await status();
    configure();

    expect(bad(report)).toEqual([expect.stringContaining("can't be reached")]);
    expect(report.exitCode).toBe(1);
  });

  test("a last up repairs the rest", async () => {
    expect(outcome(await up())).toBe("ok");
    await eventually("all is well", status, ({ ok }) => ok, 120);
  });
});

test("npm run down leaves KASM's tables, files and containers as they were", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");
  expect(await rig.tables()).toEqual(before);

  expect(await inventoryWithoutProfiles(rig)).toEqual(hostBefore);
});
