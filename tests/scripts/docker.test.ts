import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureDocker } from "../../host/docker";
import { Project, refusal } from "../support/project";

const { PATH, DOCKER_HOST } = process.env;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-docker-"));
  process.env.PATH = `${folder}:${PATH ?? ""}`;
  delete process.env.DOCKER_HOST;
});
afterEach(() => {
  process.env.PATH = PATH;
  delete process.env.DOCKER_HOST;
  Object.assign(process.env, DOCKER_HOST === undefined ? {} : { DOCKER_HOST });
  rmSync(folder, { recursive: true });
  jest.restoreAllMocks();
});

const docker = (text: string) => {
  writeFileSync(join(folder, "docker"), `#!/bin/sh\n${text}\n`, { mode: 0o700 });
};

test("installs nothing if Docker answers", async () => {
  docker("echo 28.0.0");

  await expect(ensureDocker()).resolves.toBeUndefined();
});

test("installs nothing for another machine's engine, which it names", async () => {
  docker("echo 'no route to host' >&2; exit 1");
  process.env.DOCKER_HOST = "tcp://docker.example.com:2376";

  await expect(ensureDocker()).rejects.toThrow(
    "The Docker engine at DOCKER_HOST=tcp://docker.example.com:2376 can't be used: no route to host",
  );
});

test("without root, prints installation instructions", async () => {
  docker("echo 'permission denied' >&2; exit 1");
  jest.spyOn(process, "getuid").mockReturnValue(1000);

  await expect(ensureDocker()).rejects.toThrow(
    /^Docker can't be used: permission denied\nInstall and start it .* as root on Debian or Ubuntu/,
  );
});

test("up names an engine that hangs: it takes the question and never replies", async () => {
  const socket = join(folder, "docker.sock");
  const engine = createServer().listen(socket);
  await once(engine, "listening");
  const project = new Project({ DOCKER_HOST: `unix://${socket}` });
  await project.checkout("light");
  project.settings("hangs", {});

  const hanging = await project.run("up", "--stack", "hangs");
  project.remove();
  engine.close();
  expect(refusal(hanging)).toContain("Docker does not answer: no reply within 30 s");
}, 120_000);
