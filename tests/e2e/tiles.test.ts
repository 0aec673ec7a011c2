import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { removeRig, type Rig, startRig, type WorkspaceSession } from "../../dev/rig/rig";
import { connectBrowser, launchBrowser, messageBox, shown, visit } from "../support/browser";
import { docker, eventually } from "../support/docker";
import { useLightDesktop } from "../support/lightOpenclaw";
import { outcome, Project } from "../support/project";
import { rigSettings } from "../support/rigSettings";
import { type Provider, startProvider } from "../support/provider";
import {
  inventoryWithoutProfiles,
  kasmDirectory,
  kasmUrl,
  workerPlace,
} from "../support/workerRig";

jest.setTimeout(20 * 60_000);

const login = { username: "admin", password: "tiles-password-0123" };
const inside = "http://host.docker.internal:8180/openclaw/";
const outside = `${kasmUrl}/openclaw/`;
const providerKey = "sk-tiles-provider-0123456789";

const project = new Project();
let rig: Rig;
let provider: Provider;
let before: Awaited<ReturnType<Rig["tables"]>>;
let hostBefore: Record<string, string[]>;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "rig", ...options);
const up = () => run("up");
const names = () => rig.sql("SELECT friendly_name FROM images ORDER BY 1");

beforeAll(async () => {
  await project.checkout("real");
  // Its content is tested in kasmImage.test.ts, in sessions that are started as KASM's agent does it.
  useLightDesktop(join(project.folder, "assets/kasm-image"));
  await removeRig(workerPlace.name);
  const started = await project.npm(
    ...["rig", "--", "--name", workerPlace.name, "--flavour", workerPlace.flavour],
    ...["--ssh-port", workerPlace.sshPort.toString()],
    ...["--https-port", workerPlace.httpsPort.toString()],
  );
  expect(outcome(started)).toBe("ok");
  // Its keys are in the checkout that started it.
  const keys = join(".build/rig", workerPlace.name);
  cpSync(join(project.folder, keys), join(__dirname, "../..", keys), { recursive: true });
  rig = await startRig(workerPlace);
  provider = await startProvider(await rig.exec("ip route show default | awk '{ print $3 }'"));
  // Without a model the dashboard opens on its setup.
  project.settings("rig", { ...rigSettings(rig), openclawConfig: provider.openclawConfig });
  await project.pulumi("stack", "init", "rig");
  await project.setSecret("rig", "providerKeys.ANTHROPIC_API_KEY", providerKey);
  await project.setSecret("rig", "password", login.password);
  before = await rig.tables();
  hostBefore = await rig.inventory();
});

afterAll(async () => {
  await removeRig(workerPlace.name);
  project.remove();
  provider.stop();
});

test("npm run up registers three tiles and a cast link", async () => {
  expect(outcome(await up())).toBe("ok");
  expect(await names()).toBe("OpenClaw\nOpenClaw AI Gateway\nOpenClaw Desktop");
});

describe("a user", () => {
  /** Connects to a session's browser, types the login if the page requests one, and waits for the connected dashboard. */
  async function dashboardIn(session: WorkspaceSession, picture: string): Promise<string> {
    const devTools = await rig.forward(session.address, 9222);
    let browser: Browser | undefined;
    try {
      browser = await eventually(
        "the session's browser",
        () => connectBrowser(devTools.port).catch(() => undefined),
        (connected) => connected?.contexts()[0]?.pages()[0] !== undefined,
      );
      const page = browser?.contexts()[0]?.pages()[0] as Page;
      // Without a screen there is no box to type it into: the answer goes the way that the box's would.
      const typing = await page.context().newCDPSession(page);
      // A request that the page sends while the test disconnects needs no answer.
      const gone = () => undefined;
      typing.on("Fetch.authRequired", ({ requestId }) => {
        const authChallengeResponse = { response: "ProvideCredentials" as const, ...login };
        typing.send("Fetch.continueWithAuth", { requestId, authChallengeResponse }).catch(gone);
      });
      typing.on("Fetch.requestPaused", ({ requestId }) => {
        typing.send("Fetch.continueRequest", { requestId }).catch(gone);
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

  test("the cast link opens it without KASM's dashboard", async () => {
    const cast = await rig.startCast("openclaw");

    expect(await dashboardIn(cast, "tile-cast.png")).toMatch(new RegExp(`^${inside}`));
  });

  test("the desktop's tile starts a session with the user's key, home and shared directory", async () => {
    const userKey = "sk-of-the-user-0123456789";
    const { containerId } = await rig.startWorkspace("OpenClaw Desktop", {
      selections: { anthropic_api_key: userKey },
    });
    const inSession = (script: string) =>
      rig.exec(`docker exec ${containerId} bash -c ${JSON.stringify(script)}`);
    const form = await inSession("cat /tmp/launch_selections.json");
    const owner = await inSession("touch /mnt/openclaw-shared/by-a-session && stat -c %u ~");
    const elsewhere = `${JSON.stringify(await rig.tables())}${await rig.exec(`docker inspect ${containerId}`)}`;

    expect(JSON.parse(form)).toEqual({ anthropic_api_key: userKey });
    expect(owner).toBe("1000");
    expect(elsewhere.includes(userKey)).toBe(false);
    expect(await rig.exec("ls /opt/openclaw/shared")).toBe("by-a-session");
    expect(await rig.exec(`ls ${kasmDirectory}/profiles/openclaw`)).toBe("user@kasm.local");
    await rig.stopSession(containerId);
    await rig.exec("rm /opt/openclaw/shared/by-a-session");
  });

  test("the link opens it in the user's own browser", async () => {
    const url = await rig.sql("SELECT link_url FROM images WHERE image_type = 'Link'");
    expect(url).toBe(outside);
    const browser = await launchBrowser();
    try {
      const { page } = await visit(browser, url, login);
      await shown(messageBox(page));
      await messageBox(page).fill("typed outside");
      await page.screenshot({ path: "test-results/tile-link.png" });
    } finally {
      await browser.close();
    }
  });
});

test("npm run down leaves KASM's tables, files and containers as they were", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");
  expect(await rig.tables()).toEqual(before);

  expect(await inventoryWithoutProfiles(rig)).toEqual(hostBefore);
});

test("npm run rig -- down removes the server", async () => {
  const { exitCode } = await project.npm("rig", "--", "down", "--name", workerPlace.name);

  expect(exitCode).toBe(0);
  const all = await Promise.all([
    docker("ps", "--all", "--format", "{{.Names}}"),
    docker("volume", "ls", "--format", "{{.Name}}"),
    docker("network", "ls", "--format", "{{.Name}}"),
  ]);
  expect(all.join("\n")).not.toContain(`openclaw-kasm-rig-${workerPlace.name}`);
});
