import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { Project } from "../../support/project";

jest.setTimeout(240_000);

const project = new Project({ DOCKER_HOST: "unix:///nowhere/docker.sock" });

beforeAll(async () => {
  await project.checkout("real");
  await project.pulumi("stack", "init", "dev");
});
afterAll(() => {
  project.remove();
});

const today = new Date().toISOString().slice(0, 10);
const preview = () =>
  project.pulumi("preview", "--stack", "dev", "--policy-pack", "policy", "--non-interactive");

test("stack dev has no policy violation", async () => {
  const { text, exitCode } = await preview();

  expect(text).toContain("✅ openclaw@v0.1.0 (local: policy)");
  expect(text).not.toContain("can't run policy");
  expect(exitCode).toBe(0);
});

test("a stack with browsers, routes and several instances has no policy violation", async () => {
  const instances = ["alice", "bob"];
  const kasm = { kasmUrl: "https://kasm.example.com", nginxRoute: { mode: "path" } };
  project.settings("dev", { plan: "large", instances, dataVolume: "openclaw-data", ...kasm });
  const { text, exitCode } = await preview();

  expect(text).toContain("openclaw-bob-sidecar-container");
  expect(text).toContain("openclaw-bob-route-forwarder");
  expect(text).toContain("✅ openclaw@v0.1.0 (local: policy)");
  expect(exitCode).toBe(0);
});

test("a port on all addresses fails the preview", async () => {
  project.settings("dev", { publishAddresses: ["0.0.0.0"], dataVolume: "openclaw-data" });
  const { text, exitCode } = await preview();

  expect(text).toContain("[mandatory]  ports-on-chosen-addresses");
  expect(text).toContain("Port 8080 is published on all addresses");
  expect(exitCode).not.toBe(0);
});

test("images older than openclaw:maxImageDays fail the preview", async () => {
  const dataVolume = "openclaw-data";
  project.settings("dev", { dataVolume, maxImageDays: 30, imagesFrom: "2026-01-01" });
  const old = await preview();
  project.settings("dev", { dataVolume, maxImageDays: 30, imagesFrom: today });
  const recent = await preview();

  expect(old.text).toContain("[mandatory]  images-recent");
  expect(old.exitCode).not.toBe(0);
  expect(recent.text).not.toContain("images-recent");
  expect(recent.exitCode).toBe(0);
});

test("every rule is enforced by the engine", async () => {
  copyFileSync(join(__dirname, "everythingForbidden.ts"), join(project.folder, "index.ts"));
  const { text, exitCode } = await preview();

  const broken = [...text.matchAll(/\[mandatory\] +([\w-]+) +\(.*: ([\w-]+)\)/g)].map(
    ([, rule, resource]) => `${rule ?? ""} by ${resource ?? ""}`,
  );
  // A rule that finds several things wrong with a resource is named for each of them.
  expect([...new Set(broken)].sort()).toEqual([
    "confined by container",
    "confined by workspace",
    "data-kept by gateway",
    "images-pinned by container",
    "images-pinned by image",
    "images-pinned by workspace",
    "known-arguments by container",
    "known-arguments by workspace",
    "known-resources by service",
    "memory-limited by container",
    "no-secret-in-run-config by workspace",
    "not-privileged by container",
    "not-privileged by workspace",
    "own-directories by container",
    "own-directories by volume",
    "own-directories by workspace",
    "own-namespaces by container",
    "own-namespaces by workspace",
    "ports-on-chosen-addresses by container",
    "restarted by container",
  ]);
  expect(text).not.toContain("sk-in-clear");
  expect(exitCode).not.toBe(0);
});

test("data may be deleted if the settings say so", async () => {
  project.settings("dev", { removeDataOnDestroy: true });
  const { text } = await preview();

  expect(text).toContain("no-secret-in-run-config");
  expect(text).not.toContain("data-kept");
});
