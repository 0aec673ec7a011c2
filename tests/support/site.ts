import { eventually } from "./docker";

/** A web site for a browser; not "page" or the like: Chromium knows top-level domains that are spoken to by TLS only. */
export const site = "openclaw-e2e-site";
const page = "<title>A page of its own</title><h1>Read this aloud</h1>";

/** The program of the site, for `node --eval`. */
export const server = `require("http").createServer((_, answer) => answer.setHeader("content-type", "text/html").end("${page}")).listen(80)`;

/** Waits until a command that asks the site succeeds. */
export const siteAnswers = (ask: () => Promise<{ exitCode: number | null }>) =>
  eventually("the site answers", ask, ({ exitCode }) => exitCode === 0);

/** OpenClaw's setting by which its browser may open the site, which has a private address. */
export const mayOpenSite = { browser: { ssrfPolicy: { allowedHostnames: [site] } } };
