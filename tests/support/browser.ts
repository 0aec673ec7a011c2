import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";
import { eventually } from "./docker";

/** Milliseconds that a page may take for what a test waits for: it only ends what hangs, on a machine that is busy with others. */
const patience = 180_000;

/** A page of the dashboard, and what went over the network while it was open. */
export interface Visit {
  readonly page: Page;
  /** Answers of status 400 and above, and requests that got none. */
  readonly refused: string[];
  /** The page's WebSockets: frames received, and whether they are still open. */
  readonly sockets: { url: string; frames: number; open: boolean }[];
}

/** Debian's Chromium, without its own talk to the outside. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Connects to a browser that has its DevTools at a port of this machine. */
export async function connectBrowser(port: number): Promise<Browser> {
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port.toString()}`);
  for (const context of browser.contexts()) {
    context.setDefaultTimeout(patience);
  }
  return browser;
}

/** Opens a context of a browser in which a server's own certificate is good enough. */
export async function openContext(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  context.setDefaultTimeout(patience);
  return context;
}

/** Opens a page with the login. */
export async function visit(
  browser: Browser,
  url: string,
  httpCredentials: { username: string; password: string },
): Promise<Visit> {
  const viewport = { width: 1280, height: 800 };
  const context = await openContext(browser, { httpCredentials, viewport });
  const page = await context.newPage();
  const refused: string[] = [];
  const sockets: Visit["sockets"] = [];
  page.on("response", (answer) => {
    if (answer.status() >= 400) {
      refused.push(`${answer.status().toString()} ${answer.url()}`);
    }
  });
  page.on("requestfailed", (request) => {
    refused.push(`failed ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    const seen = { url: socket.url(), frames: 0, open: true };
    sockets.push(seen);
    socket.on("framereceived", () => seen.frames++);
    socket.on("close", () => (seen.open = false));
  });
  await page.goto(url, { waitUntil: "load" });
  return { page, refused, sockets };
}

/** Waits until a part of a page is shown. OpenClaw's page can stay empty at first, mostly just after the gateway's start: it is loaded again. */
export async function shown(part: Locator): Promise<void> {
  await eventually(
    `a page shows ${part.toString()}`,
    async () => {
      const isThere = part.waitFor({ timeout: 30_000 }).then(() => true);
      return await isThere.catch(() =>
        part
          .page()
          .reload()
          .then(() => false),
      );
    },
    (isThere) => isThere,
    180,
  );
}

/** Returns the input for messages, which is enabled once the dashboard is connected to the gateway. */
export function messageBox(page: Page) {
  return page.getByPlaceholder("Message Assistant");
}
