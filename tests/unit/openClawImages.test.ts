import { readFileSync } from "node:fs";
import type * as pulumi from "@pulumi/pulumi";
import { OpenClawImages, type OpenClawImagesArgs } from "../../components/openClawImages";
import { hostAt, Recorder, valueOf } from "./mocks";

const recorder = new Recorder();

const args: OpenClawImagesArgs = {
  baseImage: "node:26-bookworm-slim",
  gateway: { openclawVersion: "2026.9.6", packages: [], extraCaFile: ".build/extra-ca.pem" },
  withBrowser: false,
};

async function declare(changes: Partial<OpenClawImagesArgs> = {}): Promise<OpenClawImages> {
  const images = new OpenClawImages(
    "openclaw",
    { ...args, ...changes },
    { transformations: [recorder.watch] },
  );
  await valueOf(images.gateway);
  await (images.browser && valueOf(images.browser));
  return images;
}

interface Built {
  name: string;
  build: { context: string; buildArgs: Record<string, string>; useLegacyBuilder: boolean };
}
const built = (name: string) => recorder.get(name).inputs as unknown as Built;

beforeAll(() => recorder.start());
beforeEach(() => {
  recorder.clear();
});

test("builds the gateway's image on a base named after stack, version and content", async () => {
  const images = await declare();
  const { name, build } = built("openclaw-image");

  expect(recorder.names()).toEqual([
    ...["openclaw", "openclaw-base-image", "openclaw-dynamic", "openclaw-image"],
  ]);
  // One for all dynamic resources, which no setting of the stack changes.
  expect(recorder.get("openclaw-dynamic")).toMatchObject({
    type: "pulumi:providers:pulumi-nodejs",
    inputs: {},
  });
  expect(recorder.get("openclaw-base-image").provider).toContain("::openclaw-dynamic::");
  expect(name).toMatch(/^openclaw-kasm\/gateway-test:2026\.9\.6-[0-9a-f]{12}$/);
  const base = build.buildArgs.BASE_IMAGE ?? "";
  expect(base).toMatch(/^openclaw-kasm\/base-test:[0-9a-f]{12}$/);
  expect(build).toEqual({
    context: "assets/gateway-image",
    buildArgs: { BASE_IMAGE: base, OPENCLAW_VERSION: "2026.9.6" },
    secrets: [{ id: "extra_ca", src: ".build/extra-ca.pem" }],
    useLegacyBuilder: true,
  });
  expect(recorder.get("openclaw-base-image").inputs.identity).toBe(base);
  expect(await valueOf(images.gateway)).toBe("sha256:openclaw-image");
  expect(images.browser).toBeUndefined();
});

test("a proxy is a build's and no image's: the names stay", async () => {
  await declare({ withBrowser: true });
  const before = ["openclaw-image", "openclaw-browser-image"].map((name) => built(name).name);
  recorder.clear();
  await declare({ withBrowser: true, proxy: "http://proxy.example.com:3128" });
  const after = ["openclaw-image", "openclaw-browser-image"].map(built);

  expect(after.map(({ name }) => name)).toEqual(before);
  for (const { build } of after) {
    expect(build.buildArgs).toMatchObject({
      https_proxy: "http://proxy.example.com:3128",
      HTTP_PROXY: "http://proxy.example.com:3128",
      no_proxy: "localhost,127.0.0.1,::1",
    });
  }
});

test("builds another image on the same base for another version of OpenClaw", async () => {
  await declare();
  const before = built("openclaw-image");
  recorder.clear();
  await declare({ gateway: { openclawVersion: "2026.9.5", packages: [], extraCaFile: "" } });
  const after = built("openclaw-image");

  expect(after.name).not.toBe(before.name);
  expect(after.build.buildArgs.BASE_IMAGE).toBe(before.build.buildArgs.BASE_IMAGE);
});

describe("after a rebuild", () => {
  const [first, second] = ["2026-11-29", "2026-12-24T03:10:00Z"];
  const rebuilt = async (imagesFrom?: string) => {
    recorder.clear();
    await declare({ withBrowser: true, ...(imagesFrom && { imagesFrom }) });
    return ["openclaw-image", "openclaw-browser-image"].map(built);
  };

  test("every image and the base have new tags, and packages are installed again", async () => {
    const images = [...(await rebuilt()), ...(await rebuilt(first)), ...(await rebuilt(second))];

    expect(new Set(images.map(({ name }) => name)).size).toBe(6);
    expect(new Set(images.map(({ build }) => build.buildArgs.BASE_IMAGE)).size).toBe(3);
    expect(images.map(({ build }) => build.buildArgs.IMAGES_FROM)).toEqual([
      ...[undefined, undefined],
      ...[first, first],
      ...[second, second],
    ]);
  });

  test("the base is pulled again", async () => {
    await rebuilt(first);
    const { apply } = recorder.get("openclaw-base-image").inputs as { apply: string[] };

    expect(apply.slice(-2)).toEqual(["node:26-bookworm-slim", first]);
  });
});

// A step of a Dockerfile runs again when a build argument above it has another value.
test.each(["gateway-image", "browser-image", "offsite-image", "kasm-image"])(
  "%s upgrades its packages after the build argument with the time",
  (folder) => {
    const [final = ""] = readFileSync(`assets/${folder}/Dockerfile`, "utf8")
      .split(/^FROM /m)
      .slice(-1);

    expect(final.indexOf("ARG IMAGES_FROM")).toBeGreaterThan(0);
    expect(final.indexOf("ARG IMAGES_FROM")).toBeLessThan(final.search(/^RUN /m));
    expect(/^RUN (?:.|\n)*?apt-get upgrade/m.exec(final)?.index).toBe(final.search(/^RUN /m));
  },
);

test.each(["browser", "offsite"] as const)("builds the image %s on the same base", async (kind) => {
  const images = await declare({ withBrowser: true, withOffsite: true });
  const { name, build } = built(`openclaw-${kind}-image`);

  expect(name).toMatch(new RegExp(`^openclaw-kasm/${kind}-test:[0-9a-f]{12}$`));
  expect(build).toEqual({
    context: `assets/${kind}-image`,
    buildArgs: { BASE_IMAGE: built("openclaw-image").build.buildArgs.BASE_IMAGE },
    useLegacyBuilder: true,
  });
  const image = images[kind];
  expect(image && (await valueOf(image))).toBe(`sha256:openclaw-${kind}-image`);
});

test("creates, checks and removes the base image of a server's Docker over SSH", async () => {
  await declare({
    host: hostAt({
      ssh: { options: ["-o", "KnownHostsCommand=a b"], alias: "server", needsSudo: true },
    }),
  });
  const { apply, look, remove } = recorder.get("openclaw-base-image").inputs as Record<
    string,
    string[]
  >;

  for (const command of [apply, look, remove]) {
    expect(command?.slice(0, 2)).toEqual([
      "env",
      "DOCKER_COMMAND=ssh -o 'KnownHostsCommand=a b' server docker",
    ]);
  }
});

test("creates a new base before it deletes the old one", async () => {
  await declare();

  expect(recorder.options.get("openclaw-base-image")?.deleteBeforeReplace).toBe(false);
});

test("pulls coollabsio's image, and creates a base only for a browser", async () => {
  const gateway = { reference: "coollabsio/openclaw:2026.9.6" };
  await declare({ gateway });

  expect(recorder.names()).toEqual(["openclaw", "openclaw-image"]);
  expect(recorder.get("openclaw-image").inputs).toEqual({ name: "coollabsio/openclaw:2026.9.6" });
  recorder.clear();
  await declare({ gateway, withBrowser: true });
  expect(recorder.names()).toEqual([
    "openclaw",
    "openclaw-base-image",
    "openclaw-browser-image",
    "openclaw-image",
  ]);
});

test("keeps the images of stacks in which they were children of the gateway", async () => {
  await declare({ withBrowser: true });
  const former = "urn:pulumi:test::openclaw::openclaw:index:OpenClawStandalone::openclaw";

  for (const name of ["openclaw-image", "openclaw-browser-image"]) {
    const aliases = recorder.options.get(name)?.aliases as { parent: pulumi.Output<string> }[];
    expect(await Promise.all(aliases.map(({ parent }) => valueOf(parent)))).toEqual([former]);
  }
});

test("installs Debian packages for agents in the gateway's image, which changes its tag", async () => {
  const image = () => recorder.get("openclaw-image").inputs as { name: string; build: object };
  await declare();
  const { name } = image();
  recorder.clear();
  const gateway = { openclawVersion: "2026.9.6", packages: ["git", "python3"], extraCaFile: "" };
  await declare({ gateway });

  expect(image().build).toMatchObject({ buildArgs: { EXTRA_PACKAGES: "git python3" } });
  expect(image().name).not.toBe(name);
});
