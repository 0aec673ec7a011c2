import { readFileSync } from "node:fs";
import { $ } from "zx";
import { ensureDocker } from "../../host/docker";
import { docker, eventually, get, removeLeftovers } from "../support/docker";
import { localSettings } from "../support/localGateway";
import { outcome, Project, refusal } from "../support/project";

jest.setTimeout(5 * 60_000);

// Runs before all others and alone: they share the engine that is stopped here.
const stack = "restart";
const prefix = "openclaw-e2e-restart";
const port = 18196;
const settings = localSettings(prefix, port);

const project = new Project();
/** Of the engine at the usual socket. */
const dockerPid = () => Number(readFileSync("/var/run/docker.pid", "utf8"));

beforeAll(async () => {
  await project.checkout("light");
  await removeLeftovers(prefix, stack);
  project.settings(stack, settings);
  expect(outcome(await project.run("up", "--stack", stack))).toBe("ok");
});

afterAll(async () => {
  await project.run("down", "--delete-data", "--stack", stack);
  project.remove();
});

test("up reports a Docker engine that hangs, and changes nothing", async () => {
  const before = await docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", prefix);
  const pid = dockerPid();
  process.kill(pid, "SIGSTOP");
  const hanging = await project.run("up", "--stack", stack).finally(() => {
    process.kill(pid, "SIGCONT");
  });

  expect(refusal(hanging)).toContain("Docker does not answer: no reply within 30 s");
  expect(await docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", prefix)).toBe(before);
});

test("up starts a stopped Docker engine, and the gateway restarts by itself", async () => {
  const pid = dockerPid();
  await $({
    quiet: true,
    nothrow: true,
  })`systemctl stop docker 2>/dev/null || kill -TERM ${pid}`;
  await eventually(
    "Docker has stopped",
    () => $({ quiet: true, nothrow: true })`ps -o comm= -p ${pid}`,
    ({ stdout }) => !/^dockerd$/m.test(stdout),
  );
  await ensureDocker();

  await eventually(
    "the gateway answers",
    () => get(`http://127.0.0.1:${port.toString()}/healthz`),
    ({ status }) => status === 200,
  );
});
