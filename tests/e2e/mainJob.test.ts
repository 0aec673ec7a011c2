import { docker, dockerInventory, get, removeLeftovers } from "../support/docker";
import { launchBrowser, messageBox, shown, visit } from "../support/browser";
import { localSettings } from "../support/localGateway";
import { outcome, Project, unchanged } from "../support/project";
import { type Provider, startProvider } from "../support/provider";

jest.setTimeout(10 * 60_000);

// The stack that `npm run up` deploys with nothing configured, under names that leave a person's own alone.
const stack = "dev";
const prefix = "openclaw-e2e-main";
const port = 18179;
const dashboard = `http://127.0.0.1:${port.toString()}`;
const settings = localSettings(prefix, port);
const providerKey = "sk-e2e-provider-key-0123456789";

const project = new Project();
let provider: Provider;
let imagesBefore: string[];

/** Images of stack `dev`, which a person may have too. */
const images = async () =>
  (await dockerInventory(prefix, stack)).filter((entry) => entry.startsWith("image"));

beforeAll(async () => {
  await project.checkout("real");
  await removeLeftovers(prefix, "none");
  imagesBefore = await images();
  provider = await startProvider();
  project.settings(stack, { ...settings, openclawConfig: provider.openclawConfig });
  await project.pulumi("stack", "init", stack);
  await project.setSecret(stack, "providerKeys.ANTHROPIC_API_KEY", providerKey);
});

afterAll(async () => {
  await project.run("down", "--delete-data");
  project.remove();
  provider.stop();
});

test("npm run up prints the address, the user name and how to read the password", async () => {
  const up = await project.npm("up");

  expect(outcome(up)).toBe("ok");
  expect(up.text).toContain(`Dashboard     ${dashboard}/`);
  expect(up.text).toContain("People        admin (admin)");
  expect(up.text).toContain("npm run pulumi -- stack output passwords --show-secrets --stack dev");
  expect(up.text).toContain("Provider key  ANTHROPIC_API_KEY");
  expect(up.text).not.toMatch(/warning/i);
});

test("the dashboard connects with the login only, and a chat is answered", async () => {
  const password = await project.secretOutput(stack, "password");
  const login = { username: "admin", password };
  expect((await get(`${dashboard}/`)).status).toBe(401);

  const browser = await launchBrowser();
  try {
    const { page, refused, sockets } = await visit(browser, `${dashboard}/`, login);
    await shown(messageBox(page));
    await messageBox(page).fill("hello from the end-to-end test");
    await page.screenshot({ path: "test-results/dashboard.png" });
    await messageBox(page).press("Enter");
    await page.getByText("stand-in heard: hello from the end-to-end test").first().waitFor();
    await page.screenshot({ path: "test-results/chat.png" });

    // Without the Internet OpenClaw has no picture of the user (502); nothing may be refused for want of a login.
    expect(refused.filter((answer) => /^(401|403) |^failed wss?:/.test(answer))).toEqual([]);
    // A browser on a busy machine may have reconnected.
    expect(sockets.filter(({ open, frames }) => open && frames > 0)).not.toHaveLength(0);
    expect(await page.locator("body").innerText()).not.toMatch(/pairing required|unauthorized/i);
  } finally {
    await browser.close();
  }
  expect(provider.keysSeen()).toEqual([providerKey]);
});

test("a second npm run up, a refresh and a preview change nothing, and all checks of status pass", async () => {
  expect((await project.npm("up")).text).toMatch(unchanged);
  const refresh = ["refresh", "--yes", "--stack", stack, "--expect-no-changes"];

  expect(outcome(await project.npm("pulumi", "--", ...refresh))).toBe("ok");
  expect(outcome(await project.npm("preview", "--", "--expect-no-changes"))).toBe("ok");
  await project.wellStatus();
  expect(outcome(await project.npm("status"))).toBe("ok");
  expect((await project.npm("logs", "--", "--lines", "50")).text).toContain("gateway");
});

test("npm run down with --delete-data leaves nothing", async () => {
  expect(outcome(await project.npm("down", "--", "--delete-data"))).toBe("ok");

  expect((await dockerInventory(prefix, "none")).concat(await images())).toEqual(imagesBefore);
  expect(await docker("ps", "--all", "--format", "{{.Names}}")).not.toContain(prefix);
});
