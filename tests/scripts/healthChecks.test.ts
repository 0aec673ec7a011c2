import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { builtImageDemands } from "../../components/gateway/builtImage";
import { coollabsioDemands } from "../../components/gateway/coollabsioImage";
import type { GatewaySettings } from "../../components/gateway/container";
import { OpenClawBrowser } from "../../components/openClawBrowser";
import { Recorder, valueOf } from "../unit/mocks";
import { ProxyTrap } from "./proxyTrap";

const run = promisify(execFile);
const recorder = new Recorder();
const trap = new ProxyTrap();
let server: Server;
let answer: string;

beforeAll(async () => {
  await recorder.start();
  await trap.start();
  server = createServer((_, response) => response.end(answer));
  await once(server.listen(0, "127.0.0.1"), "listening");
});
afterAll(() => {
  trap.stop();
  server.close();
});
beforeEach(() => {
  answer = '{"status":"started"}';
});

const gateway: GatewaySettings = {
  username: "admin",
  people: pulumi.output<Record<string, { role: string; password: string }>>({}),
  password: pulumi.output("password"),
  token: pulumi.output("token"),
  providerKeys: pulumi.output<Record<string, string>>({}),
  basePath: "",
  allowedOrigins: [],
  openPaths: {},
  openclawConfig: {},
};

interface Healthcheck {
  readonly tests: string[];
}

/** The health check of a Dockerfile, in its form as a list. */
function inDockerfile(image: string): string[] {
  const text = readFileSync(`assets/${image}/Dockerfile`, "utf8");
  const [, list = "[]"] = /^HEALTHCHECK[^[]*CMD (\[.*\])$/m.exec(text) ?? [];
  return ["CMD", ...(JSON.parse(list) as string[])];
}

/** Runs a health check as Docker does, against this file's server, where the environment has a proxy. */
async function runCheck(tests: readonly string[]): Promise<unknown> {
  const { port } = server.address() as AddressInfo;
  const [kind, ...words] = tests.map((word) =>
    word.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port.toString()}`),
  );
  const [program = "", ...args] = kind === "CMD" ? words : ["sh", "-c", ...words];
  return await run(program, args, { env: { ...process.env, ...trap.env } });
}

const ofCoollabsio = () => (coollabsioDemands(gateway).healthcheck as Healthcheck).tests;

async function ofBrowser(): Promise<string[]> {
  const args = { image: "i", containerName: "b", networkName: "n", cpus: 1, memoryMb: 2048 };
  await valueOf(new OpenClawBrowser("browser", args).containerId);
  return (recorder.get("browser-container").inputs.healthcheck as Healthcheck).tests;
}

describe("a health check inside a container with a proxy in its environment", () => {
  test.each<[what: string, tests: () => string[] | Promise<string[]>]>([
    ["the gateway image's own", () => inDockerfile("gateway-image")],
    ["the browser image's own", () => inDockerfile("browser-image")],
    ["the gateway's", () => (builtImageDemands(gateway).healthcheck as Healthcheck).tests],
    ["coollabsio's", ofCoollabsio],
    ["the browser sidecar's", ofBrowser],
  ])("%s sends the request to the container itself", async (_, tests) => {
    await expect(runCheck(await tests())).resolves.toBeTruthy();
    expect(trap.connections).toBe(0);
  });

  test("coollabsio's fails until the gateway says that it has started", async () => {
    answer = '{"status":"starting"}';
    await expect(runCheck(ofCoollabsio())).rejects.toThrow();
  });
});
