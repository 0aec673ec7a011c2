import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Rig } from "../../dev/rig/rig";
import { words } from "../../host/shell";
import { openclawIn } from "../support/conversation";
import { docker } from "../support/docker";
import { ObjectStore, storeKeys } from "../support/objectStore";
import { outcome, Project, refusal } from "../support/project";
import { type Provider, startProvider } from "../support/provider";
import { rigSettings } from "../support/rigSettings";
import {
  containerOf,
  hostAddress,
  kasmDirectory,
  kasmUrl,
  removeWorkerRig,
  startOtherHost,
  startWorkerRig,
} from "../support/workerRig";

jest.setTimeout(10 * 60_000);

const project = new Project();
const stack = "rig";
const [saved, later] = ["a message that is worth a backup", "a message after the backup"];
let rigs: { kasm: Rig; two: Rig };
let store: ObjectStore;
let provider: Provider;

const run = (command: string, ...options: string[]) =>
  project.run(command, ...options, "--stack", stack);
const bobOn = (rig: Rig) =>
  openclawIn("openclaw-bob", (...args) => rig.exec(words(["docker", ...args])));

beforeAll(async () => {
  await project.checkout("light");
  const kasm = await startWorkerRig({ openclaw: "light" });
  const second = await startOtherHost("two", { openclaw: "light" });
  rigs = { kasm, two: second.rig };
  const address = await hostAddress(kasm);
  store = new ObjectStore(join(project.folder, "store"), 18193, address);
  [provider] = await Promise.all([startProvider(address), store.start()]);
  cpSync(kasm.folder, join(project.folder, ".build/rig", kasm.name), { recursive: true });
  const { workspaces: _, kasmImage: __, ...rest } = rigSettings(kasm);
  project.settings(stack, {
    ...rest,
    kasmDirectory,
    kasmUrl,
    hosts: { two: { ...second.rig.host, privateAddress: second.privateAddress } },
    instances: [{ name: "bob", host: "two" }],
    openclawConfig: provider.openclawConfig,
    offsite: { endpoint: store.endpoint, bucket: "backups" },
  });
  await project.pulumi("stack", "init", stack);
  await project.setSecret(stack, "providerKeys.ANTHROPIC_API_KEY", "sk-e2e-provider-key-012345");
  await project.setSecret(stack, "offsiteAccessKey", storeKeys.accessKey);
  await project.setSecret(stack, "offsiteSecretKey", storeKeys.secretKey);
  expect(outcome(await run("up"))).toBe("ok");
});

afterAll(async () => {
  await removeWorkerRig();
  await store.stop();
  provider.stop();
  project.remove();
});

test("a host that is lost for good has its gateway back on another one from S3, with its conversations", async () => {
  const passwords = await project.secretOutput(stack, "password");
  await bobOn(rigs.two).say(saved);
  expect(outcome(await run("backup", "--offsite", "--instance", "bob"))).toBe("ok");
  await bobOn(rigs.two).say(later);
  await docker("rm", "--force", "--volumes", containerOf("two"));

  expect(refusal(await run("move", "bob", "openclaw:host"))).toContain("--from-backup");
  const kill = (pid: number) => process.kill(-pid, "SIGKILL");
  const move = ["move", "bob", "openclaw:host", "--from-backup", "offsite", "--stack", stack];
  const [{ exitCode }] = await project.actAt(/openclaw-bob-container creating/, kill, ...move);
  expect(exitCode).toBeNull();
  expect(outcome(await project.run(...move))).toBe("ok");

  const bob = bobOn(rigs.kasm);
  expect([await bob.remembers(saved), await bob.remembers(later)]).toEqual([true, false]);
  expect(await project.secretOutput(stack, "password")).toBe(passwords);
  await bob.say(later);
  expect(outcome(await run("backup", "--offsite", "--instance", "bob"))).toBe("ok");
  expect(outcome(await run("up", "--without", "two"))).toBe("ok");
});
