import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { $ } from "zx";
import type { ApiKey } from "../rig/keys";
import { removeRig, type Rig, startRig, type WorkspaceSession } from "../rig/rig";
import { launchBrowser, messageBox, visit } from "./browser";
import { eventually } from "./docker";
import { type Finished, Project } from "./project";
import { type Provider, startProvider } from "./provider";

jest.setTimeout(20 * 60_000);

const place = { name: "tiles", sshPort: 12224, httpsPort: 18445 };
const kasmUrl = `https://127.0.0.1:${place.httpsPort.toString()}`;
const login = { username: "admin", password: "tiles-password-0123" };
const inside = "http://host.docker.internal:8180/openclaw/";
const outside = `${kasmUrl}/openclaw/`;
const certificate = "/opt/kasm/current/certs/kasm_nginx";

const workspaces = {
  browser: { cast: { key: "openclaw" } },
  desktop: { availableWithinSeconds: 60 },
  link: {},
};

const project = new Project();
let rig: Rig;
let provider: Provider;
let before: Awaited<ReturnType<Rig["tables"]>>;
let hostBefore: Record<string, string[]>;

const up = () => project.npm("up", "--", "--stack", "kasm");
const outcome = ({ exitCode, text }: Finished) => (exitCode === 0 ? "ok" : text);
const names = () => rig.sql("SELECT friendly_name FROM images ORDER BY 1");

function configure(changes: Record<string, unknown> = {}): void {
  project.settings("kasm", {
    host: rig.host,
    kasmUrl,
    kasmCaFile: join(rig.folder, "ca.pem"),
    nginxRoute: { mode: "path" },
    memoryMb: 2048,
    openclawConfig: provider.openclawConfig,
    kasmImage: { build: true },
    workspaces,
    ...changes,
  });
}

async function useKey({ api_key, api_key_secret }: ApiKey): Promise<void> {
  await project.setSecret("kasm", "kasmApiKey", api_key);
  await project.setSecret("kasm", "kasmApiSecret", api_key_secret);
}

/** What KASM's tables hold of the tiles, without the ids that it gives anew. */
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
  await project.checkout();
  await removeRig(place.name);
  rig = await startRig(place);
  await rig.addChrome();
  await rig.addCoreImage();
  // Without a model the dashboard opens on its setup.
  provider = await startProvider(await rig.exec("ip route show default | awk '{ print $3 }'"));
  configure();
  await project.pulumi("stack", "init", "kasm");
  await project.setSecret("kasm", "providerKeys.ANTHROPIC_API_KEY", "sk-tiles-provider-0123456789");
  await project.setSecret("kasm", "password", login.password);
  before = await rig.tables();
  hostBefore = await rig.inventory();
});

afterAll(async () => {
  await removeRig(place.name);
  project.remove();
  provider.stop();
});

describe("before anything is changed", () => {
  test("a key that KASM does not know is told, without its secret", async () => {
    await useKey({ api_key: "nobodys-key", api_key_secret: "knows-this-secret" });
    const { exitCode, text } = await up();

    expect(exitCode).not.toBe(0);
    expect(text).toContain("Access Denied");
    expect(text).not.toContain("knows-this-secret");
  });

  test("a key that may do less than is needed is told what it lacks", async () => {
    await useKey(await rig.addApiKey([400, 401, 441, 700, 701, 702, 703, 900, 902, 903]));
    const { exitCode, text } = await up();

    expect(exitCode).not.toBe(0);
    expect(text).toContain("901 Images Modify");
    expect(text).toContain("904 Images Modify Resources");
    expect(await rig.tables()).toEqual(before);
    expect(await rig.inventory()).toEqual(hostBefore);
  });
});

describe("three tiles and a cast", () => {
  let declared: Record<string, object[]>;

  test("npm run up goes from empty to done; a tile whose answer got lost is taken over by the next run", async () => {
    await useKey(rig.apiKey);
    await rig.disturbApi([
      { call: "create_image", kind: "cut", containing: "OpenClaw AI Gateway" },
    ]);
    const first = await up();

    expect(first.text).toContain("create_image: KASM answered with an error page (status 502)");
    expect(first.exitCode).not.toBe(0);
    expect(outcome(await up())).toBe("ok");
    expect(await names()).toBe("OpenClaw\nOpenClaw AI Gateway\nOpenClaw Desktop");
    expect(
      await rig.sql("SELECT count(*) FROM images WHERE available AND image_type = 'Container'"),
    ).toBe("2");
    declared = await tiles();
  });

  test("a second run changes nothing, and no key is shown, handed on or kept in clear", async () => {
    const running = project.start("up", "--", "--stack", "kasm");
    const seen: string[] = [];
    const watch = setInterval(() => {
      // The processes of this run, engine and providers among them, have its state folder in their environment. The
      // program's own process gets its settings from Pulumi's language host in PULUMI_CONFIG, whatever they are.
      const { stdout } = $.sync({
        quiet: true,
        nothrow: true,
      })`cd /proc && for pid in [0-9]*; do grep -qsF ${project.folder} $pid/environ && tr '\\0' '\\n' <$pid/environ | grep -v ^PULUMI_CONFIG= && tr '\\0' ' ' <$pid/cmdline; done`;
      seen.push(stdout);
    }, 1000);
    const { stdout, stderr, exitCode } = await running;
    clearInterval(watch);
    const state = (await project.pulumi("stack", "export", "--stack", "kasm")).text;

    expect(exitCode).toBe(0);
    expect(stdout + stderr).toMatch(/Resources:\s+\d+ unchanged\s/);
    expect(state).toContain("OpenClaw AI Gateway");
    expect(seen.join()).toContain("pulumi-language-nodejs");
    const { api_key, api_key_secret } = rig.apiKey;
    for (const text of [stdout, stderr, state, seen.join()]) {
      expect(text.includes(api_key) || text.includes(api_key_secret)).toBe(false);
    }
  });

  test("what an admin changes or deletes is seen by refresh, and brought back by the next run", async () => {
    await rig.sql(`
      UPDATE images SET friendly_name = 'By hand', cores = 1, run_config = '{"hostname": "x"}'
        WHERE friendly_name = 'OpenClaw AI Gateway';
      UPDATE cast_configs SET kasm_url = 'http://elsewhere/';
      DELETE FROM group_images WHERE image_id IN (SELECT image_id FROM images WHERE image_type = 'Link');
      DELETE FROM images WHERE image_type = 'Link'`);
    const seen = await project.pulumi("refresh", "--preview-only", "--diff", "--stack", "kasm");

    expect(seen.text).toContain("By hand");
    expect(seen.text).toContain("http://elsewhere/");
    expect(seen.text).toMatch(/- 1 /);
    expect(outcome(await up())).toBe("ok");
    expect(await tiles()).toEqual(declared);
  });

  test("a tile that somebody made by hand is taken over by its id", async () => {
    configure({ workspaces: { ...workspaces, link: undefined } });
    expect(outcome(await up())).toBe("ok");
    expect(await names()).toBe("OpenClaw AI Gateway\nOpenClaw Desktop");
    const id = await rig.sql(
      "INSERT INTO images (friendly_name, image_type, link_url) VALUES ('By hand', 'Link', 'https://old/') RETURNING image_id",
    );
    configure({ workspaces: { ...workspaces, link: { importId: id } } });
    expect(outcome(await up())).toBe("ok");

    expect(await rig.sql("SELECT image_id FROM images WHERE image_type = 'Link'")).toBe(id);
    expect(await tiles()).toEqual(declared);
    configure();
    expect(outcome(await up())).toBe("ok");
    expect(await rig.sql("SELECT image_id FROM images WHERE image_type = 'Link'")).toBe(id);
  });

  test("a changed certificate: nothing is sent, and the message says what to set", async () => {
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
    expect(outcome(await up())).toBe("ok");
    expect(await tiles()).toEqual(declared);
  });
});

describe("what users get", () => {
  /** Looks into a session's browser, types the login where it is asked for, and waits for the connected dashboard. */
  async function dashboardIn(session: WorkspaceSession, picture: string): Promise<string> {
    const devTools = await rig.forward(session.address, 9222);
    let browser: Browser | undefined;
    try {
      browser = await eventually(
        "the session's browser",
        () => chromium.connectOverCDP(`http://127.0.0.1:${devTools.port}`).catch(() => undefined),
        (connected) => connected?.contexts()[0]?.pages()[0] !== undefined,
      );
      const page = browser?.contexts()[0]?.pages()[0] as Page;
      // Without a screen there is no box to type it into: the answer goes the way that the box's would.
      const typing = await page.context().newCDPSession(page);
      typing.on("Fetch.authRequired", ({ requestId }) => {
        const authChallengeResponse = { response: "ProvideCredentials" as const, ...login };
        void typing.send("Fetch.continueWithAuth", { requestId, authChallengeResponse });
      });
      typing.on("Fetch.requestPaused", ({ requestId }) => {
        void typing.send("Fetch.continueRequest", { requestId });
      });
      await typing.send("Fetch.enable", { handleAuthRequests: true });
      await page.reload();
      await messageBox(page).fill("typed in a session");
      await page.screenshot({ path: `test-results/${picture}` });
      return page.url();
    } finally {
      await browser?.close();
      devTools.close();
      await rig.stopSession(session.containerId);
    }
  }

  test("the browser's tile opens the dashboard at the registered address", async () => {
    const tile = await rig.startWorkspace("OpenClaw AI Gateway");

    expect(await dashboardIn(tile, "tile-browser.png")).toMatch(new RegExp(`^${inside}`));
  });

  test("the cast opens it without KASM's dashboard", async () => {
    const cast = await rig.startCast("openclaw");

    expect(await dashboardIn(cast, "tile-cast.png")).toMatch(new RegExp(`^${inside}`));
  });

  test("the desktop's tile starts an OpenClaw of the user's own, its dashboard connected", async () => {
    const { containerId } = await rig.startWorkspace("OpenClaw Desktop", {
      selections: { anthropic_api_key: "sk-of-the-user-0123456789" },
    });
    const inSession = (script: string) =>
      rig.tryExec(`docker exec ${containerId} bash -c ${JSON.stringify(script)}`);
    await eventually(
      "the dashboard is connected",
      () => inSession("grep -q 'webchat connected' /tmp/openclaw-kasm-*/gateway.log"),
      ({ exitCode }) => exitCode === 0,
      180,
    );
    const shared = await inSession(
      "touch ~/openclaw-shared/by-a-session && stat -c %u ~/.openclaw",
    );

    expect(shared).toMatchObject({ exitCode: 0, stdout: "1000\n" });
    expect(await rig.exec("ls /opt/openclaw/shared")).toBe("by-a-session");
    expect(await rig.exec("ls /opt/kasm/profiles/openclaw")).toBe("user@kasm.local");
    await rig.stopSession(containerId);
    await rig.exec("rm /opt/openclaw/shared/by-a-session");
  });

  test("the link opens it in the user's own browser", async () => {
    const url = await rig.sql("SELECT link_url FROM images WHERE image_type = 'Link'");
    expect(url).toBe(outside);
    const browser = await launchBrowser();
    try {
      const { page } = await visit(browser, url, login);
      await messageBox(page).fill("typed outside");
      await page.screenshot({ path: "test-results/tile-link.png" });
    } finally {
      await browser.close();
    }
  });
});

describe("npm run status", () => {
  interface Report {
    readonly ok: boolean;
    readonly checks: readonly { name: string; value: string; state: string }[];
    readonly sessions: readonly { workspace: string; user: string; status: string }[];
  }

  async function status(): Promise<Report & { exitCode: number | null }> {
    const { stdout, exitCode } = await project.npm("status", "--", "--stack", "kasm", "--json");
    return { ...(JSON.parse(stdout) as Report), exitCode };
  }

  const bad = ({ checks }: Report) =>
    checks.filter(({ state }) => state === "bad").map(({ name, value }) => `${name}: ${value}`);

  test("tells that all is well, and who has a session", async () => {
    const session = await rig.startWorkspace("OpenClaw AI Gateway");
    const begin = performance.now();
    const report = await status();
    console.log(`status took ${((performance.now() - begin) / 1000).toFixed(1)} s`);
    await rig.stopSession(session.containerId);

    expect(bad(report)).toEqual([]);
    expect(report).toMatchObject({ ok: true, exitCode: 0 });
    expect(report.sessions).toMatchObject([
      { workspace: "OpenClaw AI Gateway", user: "user@kasm.local", status: "running" },
    ]);
    expect(report.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["version", "browser tile", "desktop tile", "link tile"]),
    );
  });

  const images = (change: string, title: string) =>
    `docker exec kasm_db psql -U kasmapp -d kasm -q -c "UPDATE images SET ${change} WHERE friendly_name = '${title}'"`;
  const route = "/opt/kasm/current/conf/nginx/containers.d/openclaw.conf";
  const reload = "docker exec kasm_proxy nginx -s reload";
  const inGateway = (signal: string, process: string) =>
    `docker exec openclaw sh -c 'kill -${signal} $(pidof ${process})'`;

  test.each<[fault: string, make: string, mend: string, named: RegExp]>([
    [
      "gateway stopped",
      "docker stop --time 3 openclaw",
      "docker start openclaw",
      /^container: exited/,
    ],
    ["gateway paused", "docker pause openclaw", "docker unpause openclaw", /^container: paused/],
    [
      "gateway under another name",
      "docker rename openclaw aside",
      "docker rename aside openclaw",
      /^container: missing/,
    ],
    [
      "another container in its place",
      "docker rename openclaw aside && docker run --detach --name openclaw kasmweb/session-like:1.17.0",
      "docker rm --force openclaw && docker rename aside openclaw",
      /^container: running, and not the one that this stack made/,
    ],
    [
      "an environment and a label of somebody's",
      "docker rename openclaw aside && docker run --detach --name openclaw --env EXTRA=1 --label mine=1 kasmweb/session-like:1.17.0",
      "docker rm --force openclaw && docker rename aside openclaw",
      /^drift: environment EXTRA, label mine/,
    ],
    ["nginx in it hangs", inGateway("STOP", "nginx"), inGateway("CONT", "nginx"), /^gateway: /],
    [
      "on one more network",
      "docker network connect bridge openclaw",
      "docker network disconnect bridge openclaw",
      /^drift: on network bridge/,
    ],
    [
      "off its network",
      "docker network disconnect openclaw-net openclaw",
      "docker network connect openclaw-net openclaw",
      /^drift: not on network openclaw-net/,
    ],
    [
      "proxy off the network",
      "docker network disconnect openclaw-net kasm_proxy",
      "docker network connect openclaw-net kasm_proxy",
      /^KASM's nginx: .*proxy: (?!joined)/,
    ],
    [
      "route's file gone",
      `mv ${route} /root/ && ${reload}`,
      `mv /root/openclaw.conf ${route} && ${reload}`,
      /^KASM's nginx: file: missing/,
    ],
    [
      "route's file changed",
      `cp -a ${route} /root/ && echo '# mine' >>${route} && ${reload}`,
      `mv /root/openclaw.conf ${route} && ${reload}`,
      /^KASM's nginx: file: different/,
    ],
    [
      "KASM's proxy down",
      "docker stop --time 2 kasm_proxy",
      "docker start kasm_proxy",
      /^address: /,
    ],
    [
      "certificate about to end",
      `cp -a ${certificate}.crt ${certificate}.key /root/
      openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=localhost -out /root/new.crt -keyout /root/new.key 2>/dev/null
      cat /root/new.crt >${certificate}.crt && cat /root/new.key >${certificate}.key && ${reload}`,
      `cat /root/kasm_nginx.crt >${certificate}.crt && cat /root/kasm_nginx.key >${certificate}.key
      rm /root/kasm_nginx.* /root/new.* && ${reload}`,
      /^certificate: ends in 2 days/,
    ],
    [
      "tile disabled",
      images("enabled = false", "OpenClaw AI Gateway"),
      images("enabled = true", "OpenClaw AI Gateway"),
      /^browser tile: OpenClaw AI Gateway: disabled/,
    ],
    [
      "tile without an image on the agent",
      `docker image ls --format '{{.Repository}}:{{.Tag}}' openclaw-kasm >/root/tags
      docker tag openclaw-kasm:latest aside && xargs docker image rm </root/tags && sleep 2`,
      `xargs --max-args 1 docker tag aside </root/tags && docker image rm aside && rm /root/tags
      sleep 2`,
      /^desktop tile: OpenClaw Desktop: enabled, not available/,
    ],
    [
      "tile that is not the stack's any more",
      images("notes = ''", "OpenClaw"),
      images("notes = 'managed by openclaw-kasm: kasm/openclaw-link'", "OpenClaw"),
      /^link tile: not in KASM any more/,
    ],
    [
      "KASM's database hangs",
      "docker pause kasm_db",
      "docker unpause kasm_db",
      /^tiles: not known/,
    ],
    ["Docker hangs", "pkill -STOP dockerd", "pkill -CONT dockerd", /^container: unknown: Docker/],
  ])("names one fault: %s", async (_, make, mend, named) => {
    await rig.exec(make);
    const report = await status().finally(() => rig.exec(mend));

    expect(bad(report)).toEqual(expect.arrayContaining([expect.stringMatching(named)]));
    expect(report).toMatchObject({ ok: false, exitCode: 1 });
  });

  test("names a server that can't be reached", async () => {
    configure({
      host: { address: "127.0.0.1", port: 1, user: "root", hostKey: "ssh-ed25519 AAAA" },
    });
    const report = await status();
    configure();

    expect(bad(report)).toEqual([expect.stringContaining("can't be reached")]);
    expect(report.exitCode).toBe(1);
  });

  test("after all of them an up mends what is left", async () => {
    expect(outcome(await up())).toBe("ok");
    await eventually("all is well", status, ({ ok }) => ok, 120);
  });
});

test("npm run down leaves KASM's tables, files and containers as they were", async () => {
  expect(outcome(await project.npm("down", "--", "--stack", "kasm", "--delete-data"))).toBe("ok");
  expect(await rig.tables()).toEqual(before);

  const { kasm, containers, networks, images } = await rig.inventory();
  // Profiles are the users' own.
  const files = kasm?.filter((line) => !line.includes("/opt/kasm/profiles"));
  expect({ kasm: files, containers, networks, images }).toEqual({
    kasm: hostBefore.kasm,
    containers: hostBefore.containers,
    networks: hostBefore.networks,
    images: hostBefore.images,
  });
});
