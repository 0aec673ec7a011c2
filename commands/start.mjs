// The way into every command on a machine where nothing is set up: the right Node, then the packages, then main.ts.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Node ${process.versions.node} runs this command; 20.19 or newer is needed (https://nodejs.org).`,
  );
  process.exit(1);
}

process.chdir(new URL("..", import.meta.url).pathname);

// npm ci takes half a minute: only when the lockfile is not the one that the packages were installed from.
const stamp = "node_modules/.installed-lockfile";
const lockfile = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lockfile) {
  console.error("Installing packages (npm ci) …");
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, lockfile);
}
run(process.execPath, ["--import", "tsx", "commands/main.ts", ...process.argv.slice(2)]);

function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { stdio: "inherit" });
  if (error) {
    console.error(`${command} could not be started: ${error.message}`);
  }
  if (error || signal || status !== 0) {
    process.exit(status ?? 1);
  }
}
