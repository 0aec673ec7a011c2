import { parseState } from "../../pulumi/stackState";

/** As `pulumi stack export --show-secrets` writes it. */
const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  plaintext: JSON.stringify(value),
});
const container = (name: string, more: object) => ({
  type: "docker:index/container:Container",
  inputs: { name },
  ...more,
});

test("reads outputs and containers from a stack's state, with secrets in clear", () => {
  const resources = [
    {
      type: "pulumi:pulumi:Stack",
      outputs: { password: { alice: secret("a") }, urls: secret(["http://127.0.0.1:8180/"]) },
    },
    { type: "pulumi:providers:docker", id: "x", inputs: { version: "5.2.0" } },
    container("openclaw", { id: "c1", inputs: { name: "openclaw", envs: secret(["A=1", "B=2"]) } }),
    container("openclaw-browser", { id: "b1" }),
  ];
  const { outputs, containers } = parseState({ version: 3, deployment: { resources } });

  expect(outputs).toEqual({ password: { alice: "a" }, urls: ["http://127.0.0.1:8180/"] });
  expect(Object.fromEntries(containers)).toEqual({
    openclaw: { id: "c1", environment: ["A=1", "B=2"] },
    "openclaw-browser": { id: "b1", environment: [] },
  });
});

test("ignores a container that is being replaced", () => {
  const resources = [
    container("openclaw", { id: "new" }),
    container("openclaw", { id: "old", delete: true }),
  ];

  expect(parseState({ deployment: { resources } }).containers.get("openclaw")?.id).toBe("new");
});

test("reads images by their purpose, and ignores those that are being replaced", () => {
  const image = (path: string, imageId: string, more: object = {}) => ({
    type: "docker:index/remoteImage:RemoteImage",
    urn: `urn:pulumi:dev::openclaw::openclaw:index:${path}`,
    outputs: { imageId },
    ...more,
  });
  const own = "$docker:index/remoteImage:RemoteImage::openclaw";
  const resources = [
    image(`OpenClawImages${own}-image`, "sha256:new"),
    image(`OpenClawImages${own}-image`, "sha256:old", { delete: true }),
    image(`OpenClawImages${own}-browser-image`, "sha256:browser"),
    image(`OpenClawImages${own}-offsite-image`, "sha256:offsite"),
    image(`OpenClawKasmImage${own}-kasm-image-image`, "sha256:desktop"),
  ];

  expect(parseState({ deployment: { resources } }).images).toEqual([
    { kind: "gateway", id: "sha256:new" },
    { kind: "browser", id: "sha256:browser" },
    { kind: "offsite", id: "sha256:offsite" },
    { kind: "desktop", id: "sha256:desktop" },
  ]);
});

test("reads an empty stack", () => {
  expect(parseState({ deployment: {} })).toEqual({
    outputs: {},
    containers: new Map(),
    images: [],
  });
});
