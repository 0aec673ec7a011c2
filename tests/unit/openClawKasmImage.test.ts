import { Host, thisMachine } from "../../components/host";
import { OpenClawKasmImage, type OpenClawKasmImageArgs } from "../../components/openClawKasmImage";
import { parseSettings } from "../../config";
import { desktopImageHosts } from "../../config/host";
import { kasmImageArgs } from "../../config/kasmImage";
import { Recorder, valueOf } from "./mocks";

const recorder = new Recorder();

const args: OpenClawKasmImageArgs = {
  host: thisMachine,
  name: "openclaw-kasm",
  baseImage: "kasmweb/core-ubuntu-jammy:1.17.0",
  nodeImage: "node:26-bookworm-slim",
  openclawVersion: "2026.9.6",
  extraCaFile: ".build/extra-ca.pem",
};
const push = {
  registry: "registry.example.com:5000/team",
  username: "builder",
  password: "registry-password",
};
const tag = /^2026\.9\.6-[0-9a-f]{12}$/;

async function declare(changes: Partial<OpenClawKasmImageArgs> = {}): Promise<OpenClawKasmImage> {
  const component = new OpenClawKasmImage(
    "image",
    { ...args, ...changes },
    { transformations: [recorder.watch] },
  );
  await valueOf(component.reference);
  await new Promise(setImmediate);
  return component;
}

/** The name and tag that the image is built under. */
function built(): string {
  return recorder.get("image-image").inputs.name as string;
}

beforeAll(() => recorder.start());
beforeEach(() => {
  recorder.clear();
});

describe("on the target's Docker only", () => {
  test("declares these resources and no others", async () => {
    await declare();

    expect(recorder.names()).toEqual([
      ...["image", "image-image", "image-names", "image-node-image", "openclaw-dynamic"],
    ]);
    expect(recorder.get("image").inputs).toEqual({});
  });

  test("is built on KASM's core image in the version of the host's own KASM", async () => {
    await declare({ baseImage: undefined, host: new Host("kasm") });

    expect(recorder.get("image-image").inputs).toMatchObject({
      build: { buildArgs: { BASE_IMAGE: "kasmweb/core-ubuntu-jammy:1.18.1" } },
    });
  });

  test("trusts extra authorities, which are part of what its tag is made from", async () => {
    await declare();
    const before = built();
    recorder.clear();
    await declare({ extraCa: "-----BEGIN CERTIFICATE-----" });

    expect(recorder.get("image-image").inputs).toMatchObject({
      build: { buildArgs: { EXTRA_CA: "-----BEGIN CERTIFICATE-----" } },
    });
    expect(built()).not.toBe(before);
  });

  test("the image's exact inputs", async () => {
    await declare();
    const { name, build, ...rest } = recorder.get("image-image").inputs as {
      name: string;
      build: { buildArgs: Record<string, string> };
    };

    expect(name.replace("openclaw-kasm:", "")).toMatch(tag);
    expect(rest).toEqual({ keepLocally: true });
    expect(build).toEqual({
      context: "assets/kasm-image",
      buildArgs: {
        BASE_IMAGE: "kasmweb/core-ubuntu-jammy:1.17.0",
        NODE_IMAGE: expect.stringMatching(/^openclaw-kasm\/node-test:[0-9a-f]{12}$/) as string,
        OPENCLAW_VERSION: "2026.9.6",
      },
      labels: { "openclaw-kasm.stack": "test/openclaw-kasm" },
      secrets: [{ id: "extra_ca", src: ".build/extra-ca.pem" }],
      useLegacyBuilder: true,
    });
  });

  test("Node comes from an image of this component, which exists before the build", async () => {
    await declare();
    const { apply, remove } = recorder.get("image-node-image").inputs as Record<string, string[]>;
    const { buildArgs } = recorder.get("image-image").inputs.build as {
      buildArgs: Record<string, string>;
    };
    const node = buildArgs.NODE_IMAGE ?? "";

    expect(apply?.slice(2)).toEqual(["assets/base-image/ensure.sh", node, args.nodeImage]);
    expect(remove?.slice(2)).toEqual(["assets/base-image/remove.sh", node]);
    expect(recorder.options.get("image-image")?.dependsOn).toHaveLength(1);
  });

  test("a script adds and removes its names", async () => {
    await declare();
    const { apply, remove, stdin, expected, identity } = recorder.get("image-names").inputs as {
      apply: string[];
      remove: string[];
      stdin: string;
      expected: string;
      identity: string;
    };

    expect(apply).toEqual(["sh", "-s", "--", "apply"]);
    expect(remove).toEqual(["sh", "-s", "--", "remove"]);
    expect(stdin.split("\n").slice(0, 4)).toEqual([
      `IMAGE='${built()}'`,
      "LATEST='openclaw-kasm:latest'",
      "PUSHED=''",
      "LABEL='openclaw-kasm.stack=test/openclaw-kasm'",
    ]);
    expect(expected).toBe("image: there; latest: this one");
    expect(identity).toBe("openclaw-kasm:latest");
  });

  test("has the image name for a workspace as output", async () => {
    const { reference, imageId, digest } = await declare();

    expect(await valueOf(reference)).toBe(built());
    expect(await valueOf(imageId)).toBe("sha256:image-image");
    expect(digest).toBeUndefined();
  });
});

test.each<[what: string, changes: Partial<OpenClawKasmImageArgs>]>([
  ["OpenClaw", { openclawVersion: "2026.9.7" }],
  ["core image", { baseImage: "kasmweb/core-ubuntu-jammy:1.18.0" }],
  ["Node", { nodeImage: "node:26.12.1-bookworm-slim" }],
  ["time of a rebuild", { imagesFrom: "2026-11-29T03:10:00Z" }],
])("another %s changes the tag", async (_what, changes) => {
  await declare();
  const before = built();
  recorder.clear();
  await declare(changes);

  expect(built()).not.toBe(before);
});

describe("with a registry", () => {
  test("the image is pushed under its tag, and the login is secret", async () => {
    const { reference } = await declare({ push });
    const pushed = recorder.get("image-pushed");

    expect(pushed.inputs).toEqual({
      name: `registry.example.com:5000/team/${built()}`,
      keepRemotely: true,
      authConfig: {
        address: "registry.example.com:5000",
        username: "builder",
        password: "registry-password",
      },
    });
    expect(pushed.secrets).toEqual(["authConfig"]);
    expect(await valueOf(reference)).toBe(pushed.inputs.name);
    expect(recorder.get("image-names").inputs.stdin).toContain(
      `PUSHED='${pushed.inputs.name as string}'`,
    );
    expect(recorder.get("image-names").inputs.stdin).not.toContain("registry-password");
  });

  test("without a login has no login in the inputs", async () => {
    await declare({ push: { registry: "registry.example.com" } });

    expect(recorder.get("image-pushed").inputs).toEqual({
      name: `registry.example.com/${built()}`,
      keepRemotely: true,
    });
  });
});

describe("the image of the settings", () => {
  const settings = (kasmImage: object, more: Record<string, string> = {}) =>
    parseSettings({
      values: { kasmImage: JSON.stringify(kasmImage), ...more },
      encrypted: ["kasmRegistryPassword"],
    });

  test("does not exist by default", () => {
    expect(desktopImageHosts(settings({}))).toEqual([]);
    expect(desktopImageHosts(settings({ build: false }))).toEqual([]);
  });

  test("has defaults, and the versions of the gateway's image", () => {
    const asked = settings({ build: true }, { openclawVersion: "2026.9.7" });

    expect(kasmImageArgs(asked, thisMachine)).toEqual({
      ...args,
      baseImage: undefined,
      openclawVersion: "2026.9.7",
      push: undefined,
    });
  });

  test("passes a registry with a login", async () => {
    const { registry, username, password } = push;
    const asked = settings(
      { build: true, push: { registry, username } },
      { kasmRegistryPassword: password },
    );
    const given = kasmImageArgs(asked, thisMachine).push;

    expect(given).toMatchObject({ registry, username });
    expect(await valueOf(given?.password as never)).toBe(password);
  });
});
