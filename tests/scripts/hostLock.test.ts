import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withHostLock } from "../../host/lock";
import { scriptWith } from "../../host/shell";
import { parseSettings } from "../../config";

let folder: string;
const started: ChildProcess[] = [];
const settings = parseSettings({ values: {}, encrypted: [] });
const deployment = (stack: string) => ({ stack, settings, target: {} });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "host-lock-"));
  process.env.RUN_DIRECTORY = folder;
});
afterEach(() => {
  started.forEach((child) => child.kill("SIGKILL"));
  rmSync(folder, { recursive: true });
  delete process.env.RUN_DIRECTORY;
});

/** A command in a process of its own that has the lock. */
async function holder(): Promise<ChildProcess> {
  const child = spawn("sh", ["-s", "--", "hold"], { stdio: "pipe", env: process.env });
  started.push(child);
  child.stdin.write(`${scriptWith("lock.sh", { NAME: "openclaw", HOLDER: "npm run backup" })}\n`);
  await once(child.stdout, "data");
  return child;
}

test("is held during the work, and leaves nothing", async () => {
  const during = await withHostLock(deployment("dev"), "up", () =>
    Promise.resolve(readdirSync(folder)),
  );

  expect(during).toEqual(["openclaw-kasm-openclaw.lock"]);
  expect(readdirSync(folder)).toEqual([]);
});

test("is released when the work fails", async () => {
  const fails = () => Promise.reject(new Error("no"));

  await expect(withHostLock(deployment("dev"), "up", fails)).rejects.toThrow("no");
  expect(await withHostLock(deployment("dev"), "up", () => Promise.resolve("next"))).toBe("next");
});

test("refuses a second command and names the first one", async () => {
  const work = jest.fn(() => Promise.resolve());

  await withHostLock(deployment("dev"), "backup", async () => {
    await expect(withHostLock(deployment("other"), "restore", work)).rejects.toThrow(
      /openclaw is being worked on: npm run backup of stack dev, process \d+ on /,
    );
  });
  expect(work).not.toHaveBeenCalled();
});

test.each(["SIGTERM", "SIGKILL"] as const)("is free after %s of the command", async (signal) => {
  const child = await holder();
  child.kill(signal);
  child.stdin?.end();
  await once(child, "close");

  expect(await withHostLock(deployment("dev"), "up", () => Promise.resolve("next"))).toBe("next");
});

test("is free once the command's connection is lost", async () => {
  const child = await holder();
  child.stdin?.end();
  await once(child, "close");

  expect(readdirSync(folder)).toEqual([]);
});
