import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openclawIn } from "../support/conversation";
import { docker, dockerInventory, eventually, removeLeftovers } from "../support/docker";
import { localSettings, setUpStack } from "../support/localGateway";
import { ObjectStore, storeKeys } from "../support/objectStore";
import { outcome, Project, refusal, unchanged } from "../support/project";
import type { Provider } from "../support/provider";

jest.setTimeout(5 * 60_000);

const stack = "offsite";
const prefix = "openclaw-e2e-offsite";
const settings = localSettings(prefix, 18191);
const container = `${settings.containerName}-offsite`;
const marker = "a message that is worth a backup";
const { say, remembers } = openclawIn(settings.containerName);

// The tests build on each other, as the life of a gateway does.
const project = new Project();
const store = new ObjectStore(join(project.folder, "store"), 18192);
let provider: Provider;
let password: string;

const run = (...args: string[]) => project.run(...args, "--stack", stack);
const inOffsite = (script: string) => docker("exec", container, "sh", "-c", script);
const stateFile = "/var/lib/offsite/state";
const state = () => inOffsite(`cat ${stateFile}`);
const backups = async () =>
  JSON.parse(await docker("exec", container, "offsite", "list")) as object[];

/** Tells the container that it has been there since long ago, and has not asked the storage since. */
const letNightPass = () =>
  inOffsite(
    `sed -i '/^offsiteAttempt=/d; s/^offsiteSince=.*/offsiteSince=2020-01-01T00:00:00.000Z/' ${stateFile}`,
  );

const leaked = (text: string) =>
  [password, storeKeys.secretKey, marker].filter((secret) => text.includes(secret));

/** Arguments and environments of all processes but the store and this one, which have its keys, until the end of `work`. */
async function processesDuring(work: Promise<unknown>): Promise<string> {
  const seen = new Set<string>();
  const end = new AbortController();
  const done = work.finally(() => {
    end.abort();
  });
  while (!end.signal.aborted) {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      for (const file of ["cmdline", "environ"]) {
        seen.add(readQuietly(`/proc/${pid}/${file}`));
      }
    }
    await sleep(200);
  }
  await done;
  return [...seen].filter((text) => !text.includes("ROOT_SECRET_KEY")).join("\n");
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

beforeAll(async () => {
  const offsite = {
    endpoint: store.endpoint,
    bucket: "backups",
    keep: { daily: 1, weekly: 0, monthly: 0 },
  };
  [provider] = await Promise.all([
    setUpStack(project, "light", stack, { ...settings, offsite }),
    store.start(),
  ]);
  await project.setSecret(stack, "offsiteAccessKey", storeKeys.accessKey);
  await project.setSecret(stack, "offsiteSecretKey", storeKeys.secretKey);
  expect(outcome(await run("up"))).toBe("ok");
  password = await inOffsite("cat /etc/offsite/password");
});

afterAll(async () => {
  await removeLeftovers(prefix, stack);
  await store.stop();
  project.remove();
  provider.stop();
});

test("the scheduled backup is made while the gateway's container goes on, and status has its age", async () => {
  const started = () =>
    docker("inspect", "--format", "{{.State.StartedAt}}", settings.containerName);
  const before = await started();
  await say(marker);
  await eventually("the storage was asked", state, (text) => text.includes("offsiteAttempt="));
  await letNightPass();
  await eventually("a backup is there", state, (text) => text.includes("offsiteAttempt="));

  expect(await state()).toContain("offsiteGood=");
  expect(await started()).toBe(before);
  const { text } = await project.wellStatus("--stack", stack);
  expect(text).toMatch(/off-site backup\W+the last one is 0 hours old/);
  expect(await remembers(marker)).toBe(true);
});

test("only the last backup of a day is kept, and no process, inspect, log, state or object has a secret", async () => {
  const [first] = await backups();
  const seen = await processesDuring(
    run("backup", "--offsite").then((saved) => {
      expect(outcome(saved)).toBe("ok");
    }),
  );
  const kept = await backups();
  const { stdout: exported } = await project.pulumi("stack", "export", "--stack", stack);
  const inspected = await docker("inspect", container, settings.containerName);
  const logged = await docker("logs", container);

  expect(kept).toHaveLength(1);
  expect(kept).not.toContainEqual(first);
  expect(seen).toContain("restic");
  expect(store.content()).toContain("/backups/offsite/openclaw-e2e-offsite/snapshots/");
  expect([seen, exported, inspected, logged, store.content()].map(leaked)).toEqual(
    Array.from({ length: 5 }, () => []),
  );
});

test("a second up changes nothing", async () => {
  expect((await run("up")).text).toMatch(unchanged);
});

test("status fails for a storage that does not answer and a backup that is too old", async () => {
  await store.stop();
  expect(refusal(await run("backup", "--offsite"))).toContain("connection refused");
  await inOffsite(`sed -i 's/^offsiteGood=.*/offsiteGood=2026-01-01T00:00:00.000Z/' ${stateFile}`);
  const { exitCode, text } = await run("status");
  await store.start();

  expect(exitCode).toBe(1);
  expect(text).toMatch(
    /days old; more than 36 hours are too many; the last attempt failed: .*refused/s,
  );
});

test("a gateway that is lost with its data comes back from its last backup, after an up", async () => {
  await docker("rm", "--force", "--volumes", settings.containerName, container);
  await docker("volume", "rm", settings.dataVolume, `${settings.containerName}-pause`);
  expect(outcome(await run("up"))).toBe("ok");
  const known = await eventually("the storage was asked", state, (text) =>
    text.includes("offsiteAttempt="),
  );

  expect(known).toContain("has backups of other data than this gateway has now");
  expect(await remembers(marker)).toBe(false);

  expect(outcome(await run("restore", "offsite"))).toBe("ok");

  expect(await remembers(marker)).toBe(true);
  await project.wellStatus("--stack", stack);
});

test("down leaves no container, and keeps the backups and their password", async () => {
  const { text, exitCode } = await run("down", "--delete-data");
  const file = readFileSync(join(project.folder, `Pulumi.${stack}.yaml`), "utf8");

  expect(exitCode).toBe(0);
  expect(text).toContain("The off-site backups stay in the bucket backups");
  expect(store.content()).toContain("/backups/offsite/openclaw-e2e-offsite/snapshots/");
  expect(file).toMatch(/openclaw:offsitePassword:\s+secure:/);
  expect(leaked(file + text)).toEqual([]);
  expect(await dockerInventory(prefix, stack)).toEqual([]);
});
