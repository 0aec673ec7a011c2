// dashboard-page.mjs FILE: writes a page to FILE that leads a browser to the dashboard and logs it in.
//
// The way in is OpenClaw's own: a code that works once and for ten minutes, for which the browser gets a credential of its own.
// The user's token is in no URL: the browser's history keeps the part after the # as well. The page is a file, because a URL in
// an argument is in every process list.
import fs from "node:fs";
import { createRequire } from "node:module";
import { URLSearchParams } from "node:url";

const [file] = process.argv.slice(2);
const dashboard = "http://127.0.0.1:18789/";

/** What `openclaw dashboard` asks for; that command does the same and takes five seconds more. */
const owner = {
  roles: ["operator"],
  purpose: "control-ui-owner",
  scopes: ["admin", "approvals", "pairing", "questions", "read", "talk.secrets", "write"].map(
    (scope) => `operator.${scope}`,
  ),
};

async function pairingFragment() {
  const require = createRequire(fs.realpathSync("/usr/local/bin/openclaw"));
  const sdk = await import(require.resolve("openclaw/plugin-sdk/device-bootstrap"));
  const { token } = await sdk.issueDeviceBootstrapToken({ profile: owner });
  return new URLSearchParams({
    bootstrapToken: token,
    bootstrapProfile: "owner",
    gatewayUrl: "ws://127.0.0.1:18789",
  });
}

let url = dashboard;
try {
  url = `${dashboard}#${await pairingFragment()}`;
} catch (error) {
  // A browser that has been in before still is; another one is told by the dashboard what to do.
  console.error(`no pairing code for the dashboard: ${error.message}`);
}
// The browser may look at any moment.
fs.writeFileSync(
  `${file}.new`,
  `<!doctype html><meta charset="utf-8"><title>OpenClaw</title><script>location.replace(${JSON.stringify(url)})</script>`,
  { mode: 0o600 },
);
fs.renameSync(`${file}.new`, file);
// The store would keep the process for a while.
process.exit();
