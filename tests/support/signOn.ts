import type { Browser, Page } from "playwright-core";
import { openContext } from "./browser";

/** Fills in the login of a person at the provider. */
async function enter(page: Page, name: string): Promise<void> {
  await page.fill("input[name=login]", name);
  await page.fill("input[name=password]", "any");
  await page.click("button[type=submit]");
}

/** Logs a person in at the provider, to which a dashboard has sent the page, and waits until the page is back there. */
export async function logInAtProvider(page: Page, name: string, dashboard: string): Promise<void> {
  await enter(page, name);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(`${dashboard}/**`);
}

/** Expects that a person can use two gateways in one browser: neither a login nor a log-out at one ends what the other has. */
export async function expectTwoSessions(
  browser: Browser,
  [one, two]: readonly [string, string],
  name: string,
): Promise<void> {
  const context = await openContext(browser);
  const [first, second] = [await context.newPage(), await context.newPage()];
  const statuses = () =>
    Promise.all(
      [one, two].map(async (dashboard) =>
        (await context.request.get(`${dashboard}/`, { headers: { accept: "*/*" } })).status(),
      ),
    );
  // Both logins are under way at the same time.
  await first.goto(`${one}/`);
  await second.goto(`${two}/`);
  await logInAtProvider(first, name, one);
  // The provider has the person's consent by then.
  await enter(second, name);
  await second.waitForURL(`${two}/**`);
  const pages = await Promise.all([first.content(), second.content()]);
  const both = await statuses();
  await first.goto(`${one}/oidc/logout`);

  expect(pages.map((page) => page.includes("openclaw-app"))).toEqual([true, true]);
  expect([both, await statuses()]).toEqual([
    [200, 200],
    [401, 200],
  ]);
}
