import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openclawIn } from "../support/conversation";
import { docker, dockerInventory } from "../support/docker";
import { localSettings, runBroken, setUpStack } from "../support/localGateway";
import { outcome, Project, unchanged } from "../support/project";
import type { Provider } from "../support/provider";

jest.setTimeout(15 * 60_000);

// With the light OpenClaw: what is real here is Debian.
const [older, newer] = ["2026.9.5", "2026.9.6"];
const stack = "rebuild";
const prefix = "openclaw-e2e-rebuild";
const settings = localSettings(prefix, 18194);

const project = new Project();
const file = (name: string) => join(project.folder, name);
let provider: Provider;

const run = (...args: string[]) => project.run(...args, "--stack", stack);
const { say, remembers, version } = openclawIn(settings.containerName);

beforeAll(async () => {
  provider = await setUpStack(project, "light", stack, { ...settings, openclawVersion: older });
  expect(outcome(await run("up"))).toBe("ok");
  await say("what is to stay");
});

afterAll(async () => {
  await run("down", "--delete-data");
  project.remove();
  provider.stop();
});

const imagesFrom = () =>
  /openclaw:imagesFrom: "?([^"\n]+)/.exec(readFileSync(file(`Pulumi.${stack}.yaml`), "utf8"))?.[1];
const image = () => docker("inspect", "--format", "{{.Image}}", settings.containerName);

test("restores image and setting if new packages break the gateway", async () => {
  const before = await image();
  const halted = { deed: "exec sleep infinity", unless: '-z "$IMAGES_FROM"' };
  const { text, exitCode } = await runBroken(project, stack, halted, "rebuild");
  expect(outcome(await run("up"))).toBe("ok");

  expect(text).toContain(`OpenClaw ${older} on its previous packages, its setting and its data`);
  expect(exitCode).toBe(1);
  expect([await image(), imagesFrom()]).toEqual([before, undefined]);
  expect(await remembers("what is to stay")).toBe(true);
});

test("installs all of Debian's updates, with the same OpenClaw and data", async () => {
  const before = await image();

  expect(outcome(await run("rebuild"))).toBe("ok");
  expect(await image()).not.toBe(before);
  expect(Date.now() - Date.parse(imagesFrom() ?? "")).toBeLessThan(300_000);
  expect(await version()).toBe(older);
  expect(await remembers("what is to stay")).toBe(true);
  expect((await run("up")).text).toMatch(unchanged);
  const pending = "apt-get -q update >/dev/null && apt-get -s upgrade | grep ^Inst || echo none";
  expect(await docker("run", "--rm", "--entrypoint", "sh", await image(), "-c", pending)).toBe(
    "none",
  );
  expect(await docker("image", "ls", "--quiet", `openclaw-kasm/kept-${stack}`)).toBe("");
});

test("can be part of an upgrade, and is kept by its rollback", async () => {
  const before = imagesFrom();

  expect(outcome(await run("upgrade", newer, "--rebuild"))).toBe("ok");
  const after = imagesFrom();
  expect(await version()).toBe(newer);
  expect(after).not.toBe(before);
  expect(outcome(await run("rollback"))).toBe("ok");
  expect([await version(), imagesFrom()]).toEqual([older, after]);
});

test("down leaves nothing", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");

  expect(await dockerInventory(prefix, stack)).toEqual([]);
});
