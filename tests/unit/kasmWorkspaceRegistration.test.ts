import * as pulumi from "@pulumi/pulumi";
import { looksSecret } from "../../providers/kasm/secretNames";
import {
  type BrowserArgs,
  type DesktopArgs,
  type CastArgs,
  KasmWorkspaceRegistration,
  type LinkArgs,
} from "../../components/kasmWorkspaceRegistration";
import { Host } from "../../components/host";
import { providerKeyNames } from "../../config/providerKeys";
import { Recorder, valueOf } from "./mocks";

const recorder = new Recorder();

const kasm = {
  kasmUrl: "https://kasm.example.com",
  apiKey: "key",
  apiSecret: "secret",
  caPem: "",
  fingerprint: "ab".repeat(32),
};
const address = "http://host.docker.internal:8180/";
const browser: BrowserArgs = { kind: "browser", opens: address };
const desktop: DesktopArgs = {
  kind: "desktop",
  sharedDirectory: "/opt/openclaw/shared",
};
const link: LinkArgs = { kind: "link", opens: "https://kasm.example.com/openclaw/" };

beforeAll(() => recorder.start());
beforeEach(() => {
  recorder.clear();
});

async function declare(
  tile: BrowserArgs | DesktopArgs | LinkArgs,
  more: { readonly cast?: CastArgs } = {},
) {
  const component = new KasmWorkspaceRegistration(
    "tile",
    { ...tile, kasm, ...more },
    { transformations: [recorder.watch] },
  );
  await valueOf(component.workspaceId);
  await new Promise(setImmediate);
  const { __provider, ...inputs } = recorder.get("tile-workspace").inputs;
  expect(typeof __provider).toBe("string");
  return { component, inputs };
}

const everyTile = {
  ...kasm,
  marker: "managed by openclaw-kasm: test/tile",
  notes: "managed by openclaw-kasm: test/tile",
  categories: ["AI"],
  groups: ["All Users"],
  enabled: true,
  hidden: false,
  importId: "",
  dockerUser: "",
  dockerToken: "",
  zoneId: "",
  serverId: "",
  sessionTimeLimitSeconds: 0,
  gpuCount: 0,
  requireGpu: false,
  restrictToNetwork: false,
  allowNetworkSelection: false,
  allowSecretsInRunConfig: false,
};
const execConfig = {
  go: { cmd: `bash -c '/dockerstartup/custom_startup.sh --go --url "$KASM_URL"'` },
  assign: { cmd: `bash -c '/dockerstartup/custom_startup.sh --assign --url "$KASM_URL"'` },
};

describe("the kinds", () => {
  test("browser: KASM's Chrome, which finds the host and opens the gateway", async () => {
    const { inputs } = await declare(browser);

    expect(inputs).toEqual({
      ...everyTile,
      imageType: "Container",
      friendlyName: "OpenClaw AI Gateway",
      description: "OpenClaw's dashboard in a browser session",
      thumbnail: "img/thumbnails/chrome.png",
      image: "kasmweb/chrome:1.18.1",
      dockerRegistry: "https://index.docker.io/v1/",
      cores: 2,
      memoryMb: 2768,
      cpuAllocation: "Inherit",
      persistentProfilePath: "",
      runConfig: {
        hostname: "kasm",
        environment: { LAUNCH_URL: address },
        extra_hosts: { "host.docker.internal": "host-gateway" },
      },
      execConfig,
      volumeMappings: {},
      launchConfig: {},
      availableWithinSeconds: 300,
      linkUrl: "",
    });
  });

  test("browser with another address: no host name in /etc/hosts", async () => {
    const { inputs } = await declare({ ...browser, opens: "http://172.17.0.1:8180/" });

    expect(inputs.runConfig).toEqual({
      hostname: "kasm",
      environment: { LAUNCH_URL: "http://172.17.0.1:8180/" },
    });
  });

  test("desktop: the built image, a profile for each user, the shared directory, and a form for the provider key", async () => {
    const { inputs } = await declare(desktop);

    expect(inputs).toEqual({
      ...everyTile,
      imageType: "Container",
      friendlyName: "OpenClaw Desktop",
      description: "A desktop with OpenClaw of your own",
      thumbnail: "img/thumbnails/ubuntu.png",
      image: "openclaw-kasm:latest",
      dockerRegistry: "",
      cores: 2,
      memoryMb: 4096,
      cpuAllocation: "Inherit",
      persistentProfilePath: "/opt/kasm/profiles/openclaw/{username}",
      runConfig: { hostname: "kasm", environment: {} },
      execConfig,
      volumeMappings: {
        "/opt/openclaw/shared": {
          bind: "/mnt/openclaw-shared",
          mode: "rw",
          uid: 1000,
          gid: 1000,
          required: false,
          skip_check: false,
        },
      },
      launchConfig: {
        file_mapping: { destination: "/tmp/launch_selections.json" },
        launch_form: [
          {
            key: "anthropic_api_key",
            label: "ANTHROPIC_API_KEY",
            value: "",
            allow_saving: false,
            placeholder: "",
            required: false,
            help: "A key of your own for this session; leave it empty if OpenClaw has one already",
            input_type: "password",
            options: [],
            validator_regex: null,
            validator_regex_description: null,
            display_if: null,
          },
        ],
      },
      availableWithinSeconds: 300,
      linkUrl: "",
    });
  });

  test("desktop: its directories are created on the agent's host before its tile", async () => {
    await declare(desktop);

    expect(recorder.names()).toEqual(["tile", "tile-profiles", "tile-shared", "tile-workspace"]);
    const shared = recorder.get("tile-shared").inputs;
    expect(shared).toMatchObject({
      identity: "/opt/openclaw/shared",
      expected: "directory: of 1000:1000",
    });
    expect(shared.stdin).toContain("DIRECTORY='/opt/openclaw/shared'\nOWNER='1000:1000'\n");
    expect(recorder.get("tile-profiles").inputs.identity).toBe("/opt/kasm/profiles/openclaw");
    const dependsOn = recorder.options.get("tile-workspace")?.dependsOn as pulumi.Resource[];
    expect(dependsOn).toHaveLength(2);
  });

  test("desktop with several agents: the same directories on each, by names that belong to their host", async () => {
    const agent = (name: string) =>
      new Host(name, { address: `${name}.example.com`, hostKey: "ssh-ed25519 AAAA" });
    await declare({ ...desktop, agents: [agent("host-two"), agent("host-three")] });

    for (const use of ["shared", "profiles"]) {
      const [first, ...others] = ["", "host-two-", "host-three-"].map(
        (prefix) => recorder.get(`${prefix}tile-${use}`).inputs,
      );
      expect(
        others.map(({ stdin, expected, identity }) => ({ stdin, expected, identity })),
      ).toEqual(
        others.map(() => ({
          stdin: first?.stdin,
          expected: first?.expected,
          identity: first?.identity,
        })),
      );
      expect(others.map(({ apply }) => JSON.stringify(apply).includes("ssh"))).toEqual([
        true,
        true,
      ]);
    }
    const waitsFor = recorder.options.get("tile-workspace")?.dependsOn;
    expect(waitsFor).toHaveLength(6);
  });

  test("desktop with profiles in a bucket, or with more than the user in their path", async () => {
    await declare({ ...desktop, persistentProfilePath: "s3://profiles/{user_id}" });
    expect(recorder.names()).not.toContain("tile-profiles");

    recorder.clear();
    await declare({ ...desktop, persistentProfilePath: "/mnt/profiles/u-{user_id}/{image_id}" });
    expect(recorder.get("tile-profiles").inputs.identity).toBe("/mnt/profiles");
  });

  test("desktop without profile, shared directory and form", async () => {
    const { inputs } = await declare({
      ...desktop,
      persistentProfilePath: "",
      sharedDirectory: "",
      askForKeys: [],
    });

    expect(inputs).toMatchObject({
      persistentProfilePath: "",
      volumeMappings: {},
      launchConfig: {},
    });
    expect(recorder.names()).toEqual(["tile", "tile-workspace"]);
  });

  test("browser: with an image that is given, the server is not asked for its version", async () => {
    await declare({ ...browser, image: "registry.example.com/chrome:2", host: new Host("kasm") });

    expect(recorder.names()).not.toContain("kasm-kasm-version");
  });

  test("link: the address, and no fields of sessions", async () => {
    const { inputs } = await declare(link);

    expect(inputs).toEqual({
      ...everyTile,
      imageType: "Link",
      friendlyName: "OpenClaw",
      description: "OpenClaw's dashboard in a new tab",
      thumbnail: "img/thumbnails/chrome.png",
      image: "",
      dockerRegistry: "",
      // A link has none of these in KASM.
      cores: 2,
      memoryMb: 4096,
      cpuAllocation: "Inherit",
      persistentProfilePath: "",
      runConfig: {},
      execConfig: {},
      volumeMappings: {},
      launchConfig: {},
      availableWithinSeconds: 0,
      linkUrl: "https://kasm.example.com/openclaw/",
    });
  });

  test("every argument is sent to KASM", async () => {
    const choices = {
      friendlyName: "Claw",
      description: "mine",
      thumbnail: "https://example.com/claw.png",
      categories: ["Tools"],
      enabled: false,
      hidden: true,
      image: "registry.example.com/openclaw-kasm:1",
      dockerRegistry: "https://registry.example.com",
      dockerUser: "puller",
      cores: 4,
      memoryMb: 8192,
      cpuAllocation: "Shares",
      sessionTimeLimitSeconds: 3600,
      availableWithinSeconds: 60,
    };
    const zoneId = "5F1D0C39-64D2-4A33-8D44-2F2B5A0A0001";
    const groups = ["Sales", "Engineering", "Sales"];
    const { inputs } = await declare({ ...desktop, ...choices, zoneId, serverId: zoneId, groups });

    expect(inputs).toMatchObject({
      ...choices,
      groups: ["Engineering", "Sales"],
      zoneId: "5f1d0c3964d24a338d442f2b5a0a0001",
      serverId: "5f1d0c3964d24a338d442f2b5a0a0001",
    });
  });
});

describe("secrets", () => {
  test("key, secret and the registry's token are secret in inputs and outputs", async () => {
    await declare(desktop, { cast: { key: "claw" } });

    for (const [name, own] of [
      ["tile-workspace", ["apiKey", "apiSecret", "dockerToken"]],
      ["tile-cast", ["apiKey", "apiSecret"]],
    ] as const) {
      expect(recorder.get(name).secrets.sort()).toEqual(own);
      expect(recorder.options.get(name)?.additionalSecretOutputs).toEqual(
        expect.arrayContaining([...own]),
      );
    }
  });

  test("in run config are refused", () => {
    const secretEnvironment = { OPENAI_API_KEY: "sk-hidden" };

    expect(
      () =>
        new KasmWorkspaceRegistration("tile", {
          ...desktop,
          kasm,
          secretEnvironment,
        }),
    ).toThrow(/^secretEnvironment: found together with no allowSecretsInRunConfig/);
  });

  test("in run config are accepted with allowSecretsInRunConfig, and the state keeps them encrypted", async () => {
    const { inputs } = await declare({
      ...desktop,
      environment: { LANG: "C" },
      secretEnvironment: pulumi.secret({ OPENAI_API_KEY: "sk-hidden" }),
      allowSecretsInRunConfig: true,
    });

    expect(inputs.runConfig).toEqual({
      hostname: "kasm",
      environment: { LANG: "C", OPENAI_API_KEY: "sk-hidden" },
    });
    expect(recorder.get("tile-workspace").secrets).toContain("runConfig");
    expect(recorder.options.get("tile-workspace")?.additionalSecretOutputs).toContain("runConfig");
  });

  test.each([
    ...providerKeyNames,
    ...["KEY", "APIKEY", "OPENAI_APIKEY", "OPENAI_API_KEY_2", "apiKey", "AWS_SECRET_ACCESS_KEY"],
    ...["TOKEN", "HF_TOKEN", "TOKEN2", "apiToken", "AUTHTOKEN", "CLIENT_SECRET", "clientSecret"],
    ...["DB_PASSWORD", "DB_PASS", "DB_PWD", "PASSWD", "PASSPHRASE", "GITHUB_PAT", "CREDENTIALS"],
    ...["API_KEY_PROD", "OPENAI_KEY_2_OLD", "DB_PASS_STAGING", "JWT_V2", "GITHUB_PAT_CI", "VNC_PW"],
    ...["API_KEY_ACME", "TOKEN_ALICE", "botTokenSales", "SECRET_KEY_BASE", "db-password-reader"],
  ])("are recognized by the name of their variable: %s", (name) => {
    expect(looksSecret(name)).toBe(true);
  });

  test.each([
    ...["PATH", "PWD", "OLDPWD", "LAUNCH_URL", "LANG", "MONKEY", "KEYBOARD", "XKB_KEYMAP"],
    ...["TOKENIZER", "MAX_TOKENS", "PASSIVE", "COMPASS", "BYPASS", "PAT", "SPAT", "KEY_FILE"],
    ...["TOKENIZER_PROD", "KEYBOARD_2", "KEYBOARD_LAYOUT", "KEY_BINDINGS", "PASS_THROUGH", "PROD"],
    ...["API_KEY_FILE", "AWS_ACCESS_KEY_ID", "TOKEN_URL", "tokenBudget", "PASSWORD_MIN_LENGTH"],
    ...["SECRET_NAME", "apiKeyEnv", "TOKEN_LIMIT_PROD", "SECRETARY", "TOKENS_PER_MINUTE"],
    ...["PASSWORD_STORE_DIR", "COOKIE_DOMAIN", "AUTHORIZATION_ENDPOINT", "TOKEN_FILE_2"],
  ])("are not recognized in %s", (name) => {
    expect(looksSecret(name)).toBe(false);
  });
});

describe("a cast link", () => {
  test("does not exist by default", async () => {
    const { component } = await declare(browser);

    expect(recorder.names()).toEqual(["tile", "tile-workspace"]);
    expect(await valueOf(component.castUrl)).toBe("");
  });

  test("starts the workspace for logged-in users, without allowed referrers", async () => {
    const { component } = await declare(browser, { cast: { key: "claw" } });
    const { __provider: _, ...inputs } = recorder.get("tile-cast").inputs;

    expect(inputs).toEqual({
      ...kasm,
      configName: "openclaw-kasm: test/tile",
      key: "claw",
      workspaceId: "tile-workspace-id",
      group: "",
      allowedReferrers: [],
      allowAnonymous: false,
      requireRecaptcha: false,
      allowResume: true,
      enableSharing: false,
      disableControlPanel: false,
      disableTips: true,
      disableFixedResolution: false,
      opens: "",
      linkMayNameUrl: false,
      errorUrl: "",
      limitSessions: false,
      limitIps: false,
      linkMayNameNetwork: false,
      enforceClientSettings: false,
    });
    expect(await valueOf(component.castUrl)).toBe("https://kasm.example.com/#/cast/claw");
  });
});
