// Starts a command on a machine where nothing is set up: the right Node, then the packages, then main.ts of the folder that
// the first argument names.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants, release } from "node:os";
import { fileURLToPath } from "node:url";

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Node ${process.versions.node} runs this command; 20.19 or newer is needed (https://nodejs.org).`,
  );
  process.exit(1);
}

const place = fileURLToPath(new URL("..", import.meta.url));
const problem = unsupported(place);
if (problem !== undefined) {
  console.error(problem);
  process.exit(1);
}
process.chdir(place);

// npm ci takes half a minute: only when the lockfile is not the one that the packages were installed from.
const stamp = "node_modules/.installed-lockfile";
const lockfile = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lockfile) {
  console.error("Installing packages (npm ci) …");
  await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
  writeFileSync(stamp, lockfile);
}
const [program, ...args] = process.argv.slice(2);
await run(process.execPath, ["--require", "tsx/cjs", `${program}/main.ts`, ...args]);

/** Why no command can run here; undefined if one can. */
function unsupported(folder) {
  if (process.platform === "win32") {
    return "Windows itself can't run this command: run it in WSL (https://learn.microsoft.com/windows/wsl/install).";
  }
  if (/microsoft/i.test(release()) && /^\/mnt\/[a-z]\//.test(folder)) {
    return `This checkout is on a drive of Windows (${folder}), which has no sockets and no file modes: clone it into WSL's own file system, for example ~/openclaw-kasm.`;
  }
  return undefined;
}

async function run(command, args) {
  const child = spawn(command, args, { stdio: "inherit" });
  // It ends in its own way, and this after it.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => child.kill(signal));
  }
  const [status, signal] = await once(child, "close").catch((error) => {
    console.error(`${command} could not be started: ${error.message}`);
    return [1];
  });
  if (status !== 0) {
    process.exit(status ?? 128 + constants.signals[signal]);
  }
}
