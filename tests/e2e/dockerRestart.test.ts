import { readFileSync } from "node:fs";
import { $ } from "zx";
import { ensureDocker } from "../../host/docker";
import { eventually, get, removeLeftovers } from "../support/docker";
import { localSettings } from "../support/localGateway";
import { outcome, Project } from "../support/project";

jest.setTimeout(5 * 60_000);

// Runs before all others and alone: they share the engine that is stopped here.
const stack = "restart";
const prefix = "openclaw-e2e-restart";
const port = 18196;
const settings = localSettings(prefix, port);

const project = new Project();

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

test("up starts a stopped Docker engine, and the gateway restarts by itself", async () => {
  const pid = readFileSync("/var/run/docker.pid", "utf8");
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
