import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { baseImageName } from "../../components/baseImageCommand";
import { checkNode } from "../../cli/preflight/baseNode";
import type { Deployment } from "../../pulumi/deployment";
import { publishedTags, publishedVersion } from "../../cli/preflight/npmRegistry";
import { parseSettings } from "../../config";
import { DockerStandIn } from "../dockerStandIn";

let folder: string;
const { PATH } = process.env;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "npm-registry-"));
  process.env.PATH = `${folder}:${PATH ?? ""}`;
});
afterEach(() => {
  process.env.PATH = PATH;
  // A process that was given up may still write.
  rmSync(folder, { recursive: true, maxRetries: 5 });
});

/** Replaces npm; its arguments and its environment are written down. */
function npm(script: string): void {
  const note = `echo "$*" >>'${folder}/asked'; env >'${folder}/environment'`;
  writeFileSync(join(folder, "npm"), `#!/bin/sh\n${note}\n${script}\n`, { mode: 0o755 });
}
const answers = (answer: object) => {
  npm(`echo '${JSON.stringify(answer)}'`);
};

describe("the tags of OpenClaw", () => {
  test("are read from the registry", async () => {
    answers({ "dist-tags": { latest: "2026.11.2", beta: "2026.12.1" }, name: "openclaw" });

    expect(await publishedTags(5)).toEqual(new Map([["latest", "2026.11.2"]]));
  });

  test.each([
    ["can't be reached", `echo '{"error":{"code":"ECONNREFUSED"}}'; exit 1`],
    ["answers with a page", "echo '<html>'"],
    ["does not answer in time", "exec sleep 60"],
  ])("of a registry that %s are unknown", async (_, script) => {
    npm(script);

    expect(await publishedTags(1)).toBeUndefined();
  });

  test("are requested without the secrets of a command's environment", async () => {
    process.env.PULUMI_CONFIG_PASSPHRASE = "a passphrase";
    answers({ "dist-tags": {}, name: "openclaw" });
    await publishedTags(5).finally(() => delete process.env.PULUMI_CONFIG_PASSPHRASE);

    expect(readFileSync(join(folder, "environment"), "utf8")).not.toContain("passphrase");
  });
});

describe("a version of OpenClaw", () => {
  test("names the Node that it needs, if it needs one", async () => {
    answers({ version: "2026.10.6", "engines.node": ">=26" });
    expect(await publishedVersion("2026.10.6", 5)).toEqual({ node: ">=26" });
    answers({ version: "2026.10.6" });
    expect(await publishedVersion("2026.10.6", 5)).toEqual({ node: undefined });
  });

  test.each([`echo '{"error":{"code":"E404"}}'; exit 1`, "exit 0"])(
    "that does not exist is missing",
    async (script) => {
      npm(script);

      expect(await publishedVersion("2099.1.1", 5)).toBe("missing");
    },
  );
});

describe("an upgrade", () => {
  const upstream = "node:26-bookworm-slim";
  const base = (imagesFrom?: string) => baseImageName("base", "dev", { upstream, imagesFrom });
  const settings = parseSettings({ values: {}, encrypted: [] });
  const deployment = { stack: "dev", settings, target: {} } as Deployment;
  const check = (imagesFrom?: string) => checkNode(deployment, "2026.10.6", imagesFrom);
  const older = "NODE_VERSION=26.5.0";
  let docker: DockerStandIn;

  beforeEach(() => {
    jest.spyOn(console, "error").mockReturnValue();
    // Its ids are all that it says of an image.
    docker = new DockerStandIn(folder);
    answers({ version: "2026.10.6", "engines.node": ">=24.22.1 <25 || >=26.12.1" });
  });

  test("refuses a version that needs another Node than the base image has", async () => {
    docker.have({ [base()]: older });

    await expect(check()).rejects.toThrow(
      "OpenClaw 2026.10.6 needs Node >=24.22.1 <25 || >=26.12.1, and openclaw:baseImage (node:26-bookworm-slim) has 26.5.0. Nothing has been changed.\nA newer base image may have it: npm run upgrade -- 2026.10.6 --rebuild --stack dev",
    );
    expect(docker.has()).toEqual({ [base()]: older });
  });

  test("with a rebuild checks the new base image, and removes it if it refuses", async () => {
    // Nothing newer can be pulled, and this can't be built from packages.
    const other = { ...settings, baseImage: "registry.example.com/node:26" };
    docker.have({ "registry.example.com/node:26": older });

    await expect(
      checkNode({ ...deployment, settings: other }, "2026.10.6", "2026-11-29"),
    ).rejects.toThrow("Set openclaw:baseImage to an image with such a Node.");
    expect(docker.has()).toEqual({ "registry.example.com/node:26": older });
  });

  test("accepts a version that runs on the base image's Node", async () => {
    docker.have({ [base("2026-11-29")]: "NODE_VERSION=26.12.1" });

    await expect(check("2026-11-29")).resolves.toBeUndefined();
  });

  test("refuses a version that does not exist", async () => {
    npm(`echo '{"error":{"code":"E404"}}'; exit 1`);

    await expect(check()).rejects.toThrow("The npm registry has no OpenClaw 2026.10.6.");
  });

  test.each([
    ["without an answer of the registry", "exit 1"],
    ["in a form of engines that is not known", `echo '{"version":"1","engines.node":"^26"}'`],
  ])("%s continues: the build decides", async (_, script) => {
    docker.have({ [base()]: older });
    npm(script);

    await expect(check()).resolves.toBeUndefined();
  });

  test("requests nothing for an image that is not built here", async () => {
    const pulled = { ...settings, gatewayImage: "coollabsio/openclaw:2026.9.6" };
    await checkNode({ ...deployment, settings: pulled }, "2026.10.6", undefined);

    expect(() => readFileSync(join(folder, "asked"))).toThrow();
  });
});
