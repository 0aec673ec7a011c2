import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineChoice, withEngineChoice } from "../../host/dockerEngine";

const before = { ...process.env };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-engine-"));
  process.env.PATH = `${folder}:${before.PATH ?? ""}`;
});
afterEach(() => {
  for (const name of ["DOCKER_HOST", "DOCKER_CONTEXT"]) {
    Reflect.deleteProperty(process.env, name);
  }
  Object.assign(process.env, before);
  rmSync(folder, { recursive: true });
});

function context(answer: string): void {
  const script = `#!/bin/sh\ncase $* in "context inspect "*) ${answer} ;; *) exit 9 ;; esac\n`;
  writeFileSync(join(folder, "docker"), script, { mode: 0o755 });
}

/** What is left of an environment that chooses an engine by every variable. */
async function chosen(target: Parameters<typeof engineChoice>[0]) {
  const env = { DOCKER_CONTEXT: "elsewhere", OTHER: "kept" };
  return withEngineChoice(env, await engineChoice(target));
}

describe("the Docker engine in use", () => {
  test("is a server's own, whatever this machine's environment chooses", async () => {
    context("exit 9");
    process.env.DOCKER_HOST = "tcp://elsewhere:2375";
    process.env.DOCKER_CONTEXT = "elsewhere";
    const target = { ssh: { options: ["-F", "none"], alias: "server", needsSudo: false } };

    expect(await chosen(target)).toEqual({ OTHER: "kept" });
  });

  test("is that of the client's context on this machine, by its address", async () => {
    context("echo 'elsewhere|unix:///run/user/1000/docker.sock|0|/tls/docker'");

    expect(await chosen({})).toEqual({
      DOCKER_HOST: "unix:///run/user/1000/docker.sock",
      OTHER: "kept",
    });
  });

  test("is reached with the certificates of the context", async () => {
    context("echo 'elsewhere|tcp://build:2376|1|/tls/docker'");

    expect(await chosen({})).toMatchObject({
      DOCKER_HOST: "tcp://build:2376",
      DOCKER_TLS_VERIFY: "1",
      DOCKER_CERT_PATH: "/tls/docker",
    });
  });

  test("is that of DOCKER_HOST, which overrides a context", async () => {
    context("exit 9");
    process.env.DOCKER_HOST = "tcp://build:2375";

    expect(await chosen({})).toEqual({ DOCKER_HOST: "tcp://build:2375", OTHER: "kept" });
  });

  test("is the default one without a choice", async () => {
    context("echo 'default|unix:///var/run/docker.sock|0|<IN MEMORY>/docker'");

    expect(await chosen({})).toEqual({ OTHER: "kept" });
  });

  test("is undefined if the context is unknown", async () => {
    context("echo 'context \"gone\": context not found' >&2; exit 1");

    await expect(engineChoice({})).rejects.toThrow(
      `Docker's context can't be used: context "gone": context not found`,
    );
  });
});
