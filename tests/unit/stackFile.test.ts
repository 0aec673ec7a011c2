import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkStackFile } from "../../pulumi/stackFile";
import { inClear, plainSettings } from "../../config/stackFile";

test("reads settings like the engine, except encrypted ones", () => {
  const file = `
encryptionsalt: v1:salt
config:
  aws:region: eu-central-1
  openclaw:openclawVersion: 2026.10
  openclaw:port: 8180
  openclaw:removeDataOnDestroy: true
  openclaw:publishAddresses: ["127.0.0.1"]
  openclaw:host:
    address: kasm.example.com
    port: 2222
  openclaw:password:
    secure: v1:abc
  openclaw:providerKeys:
    ANTHROPIC_API_KEY:
      secure: v1:abc
`;

  expect(plainSettings(file)).toEqual({
    openclawVersion: "2026.10",
    port: "8180",
    removeDataOnDestroy: "true",
    publishAddresses: '["127.0.0.1"]',
    host: '{"address":"kasm.example.com","port":2222}',
  });
});

test("distinguishes clear from encrypted parts of a setting", () => {
  const file = `
config:
  openclaw:port: 8180
  openclaw:password:
    secure: v1:abc
  openclaw:openclawConfig:
    channels:
      telegram:
        botToken:
          secure: v1:abc
      slack:
        - secure: v1:abc
        - appToken: 123
`;

  expect(inClear(file)).toEqual({
    port: "8180",
    openclawConfig: '{"channels":{"telegram":{},"slack":[null,{"appToken":123}]}}',
  });
});

test.each(["", "config:\n", "config: {}\n", "encryptionsalt: v1:salt\n"])(
  "%j has no settings",
  (file) => {
    expect(plainSettings(file)).toEqual({});
  },
);

test.each(["Pulumi.dev.yaml", "Pulumi.rig.yaml"])("%s is valid", (file) => {
  const [folder, home] = [mkdtempSync(join(tmpdir(), "stack-file-")), process.cwd()];
  writeFileSync(join(folder, "Pulumi.copy.yaml"), readFileSync(file));
  process.chdir(folder);
  try {
    expect(() => {
      checkStackFile("copy");
    }).not.toThrow();
  } finally {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  }
});

describe("reports problems without the engine", () => {
  const home = process.cwd();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "stack-file-"));
    process.chdir(folder);
  });
  afterEach(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });

  test.each([
    [undefined, 'There is no Pulumi.kasm.yaml with the settings of stack "kasm"'],
    ["config:\n  openclaw:port: 80a\n  openclaw:prot: 1\n", "2 settings are not usable"],
    ["config:\n  openclaw:password: in-clear-for-all\n", "openclaw:password: found in clear"],
    [
      "config:\n  openclaw:providerKeys:\n    OPENAI_API_KEY:\n      secure: v1:abc\n    XAI_API_KEY: in-clear-for-all\n",
      "openclaw:providerKeys.XAI_API_KEY: found in clear",
    ],
    [
      "config:\n  openclaw:openclawConfig:\n    a:\n      secure: v1:abc\n    botToken: in-clear-for-all\n",
      "openclaw:openclawConfig.botToken: found in clear",
    ],
  ])("%j", (file, problem) => {
    if (file !== undefined) {
      writeFileSync("Pulumi.kasm.yaml", file);
    }

    expect(() => {
      checkStackFile("kasm");
    }).toThrow(problem);
  });
});
