import * as pulumi from "@pulumi/pulumi";
import {
  browserOrigins,
  dashboardUrls,
  OpenClawStandalone,
  type OpenClawStandaloneArgs,
  withPublicOrigin,
} from "../../components/openClawStandalone";
import { kasmPassword } from "../../components/gateway/kasmPeople";
import { builtInRoles } from "../../components/gateway/people";
import { type Declared, Recorder, valueOf } from "./mocks";

const recorder = new Recorder();

const images = (kind: "built" | "coollabsio") => ({
  kind,
  gateway: pulumi.output("sha256:gateway"),
  browser: undefined,
});

const args = {
  images: images("built"),
  data: { volume: "openclaw-data" },
  removeData: false,
  containerName: "openclaw",
  networkName: "openclaw-net",
  port: 8180,
  publishAddresses: ["127.0.0.1", "172.17.0.1"],
  basePath: "",
  allowedOrigins: [],
  username: "admin",
  providerKeys: { ANTHROPIC_API_KEY: "sk-test-provider" },
  openclawConfig: { ui: { seamColor: "#ff0000" } },
  cpus: 1,
  memoryMb: 2048,
  readyTimeoutSeconds: 60,
} satisfies OpenClawStandaloneArgs;

async function declare(changes: Partial<OpenClawStandaloneArgs> = {}): Promise<OpenClawStandalone> {
  const component = new OpenClawStandalone(
    "openclaw",
    { ...args, ...changes },
    { transformations: [recorder.watch] },
  );
  await valueOf(component.urls);
  return component;
}

function upload(container: Declared, file: string): { content: string; permissions: string } {
  const uploads = container.inputs.uploads as {
    file: string;
    content: string;
    permissions: string;
  }[];
  const found = uploads.find((candidate) => candidate.file === file);
  if (found === undefined) {
    throw new Error(`no upload of ${file}`);
  }
  return found;
}

beforeAll(() => recorder.start());
beforeEach(() => {
  recorder.clear();
});

describe("with the image that is built", () => {
  test("keeps the resource names of deployed stacks", async () => {
    await declare();

    expect(recorder.names()).toEqual([
      "openclaw",
      "openclaw-container",
      "openclaw-data",
      "openclaw-network",
      "openclaw-password",
      "openclaw-people",
      "openclaw-ready",
      "openclaw-token",
    ]);
  });

  test("runs with the plan's limits, on one network, with few rights", async () => {
    await declare();

    expect(recorder.get("openclaw-container").inputs).toMatchObject({
      image: "sha256:gateway",
      restart: "unless-stopped",
      networkMode: "openclaw-net",
      networksAdvanced: [{ name: "openclaw-net" }],
      volumes: [{ volumeName: "openclaw-data", containerPath: "/data" }],
      cpus: "1.0",
      memory: 2048,
      memorySwap: 2048,
      // An answer that is under way may end before the container does.
      init: true,
      stopTimeout: 30,
      destroyGraceSeconds: 30,
      ulimits: [{ name: "core", soft: 0, hard: 0 }],
      logOpts: { "max-size": "10m", "max-file": "3" },
      capabilities: {
        drops: ["ALL"],
        adds: ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"],
      },
      securityOpts: ["no-new-privileges:true"],
      hosts: [{ host: "host.docker.internal", ip: "host-gateway" }],
    });
    expect(recorder.get("openclaw-container").inputs.privileged).toBeUndefined();
  });

  test("publishes one port on the chosen addresses only", async () => {
    await declare();

    expect(recorder.get("openclaw-container").inputs.ports).toEqual([
      { internal: 8080, external: 8180, ip: "127.0.0.1" },
      { internal: 8081, external: 8180, ip: "172.17.0.1" },
    ]);
  });

  test("has a network that belongs to this stack", async () => {
    await declare();

    expect(recorder.get("openclaw-network").inputs).not.toHaveProperty("ipamConfigs");
    expect(recorder.get("openclaw-network")).toMatchObject({
      type: "docker:index/network:Network",
      inputs: {
        name: "openclaw-net",
        driver: "bridge",
        labels: [{ label: "openclaw-kasm.stack", value: "test/openclaw-net" }],
      },
    });
  });

  test("has a network with the addresses of the settings", async () => {
    await declare({ networkSubnet: "10.99.0.0/24" });

    expect(recorder.get("openclaw-network").inputs.ipamConfigs).toEqual([
      { subnet: "10.99.0.0/24" },
    ]);
  });

  test("sends secrets in one file that only root can read, as secret inputs", async () => {
    await declare();
    const container = recorder.get("openclaw-container");
    const { content, permissions } = upload(container, "/etc/openclaw-gateway/secrets.json");

    expect(permissions).toBe("0600");
    expect(JSON.parse(content)).toEqual({
      gatewayToken: "generated-openclaw-token",
      providerKeys: { ANTHROPIC_API_KEY: "sk-test-provider" },
      config: {},
    });
    expect(container.secrets).toEqual(["uploads"]);
    expect(container.inputs.envs).toBeUndefined();
  });

  test("sends settings in a separate file", async () => {
    await declare({ basePath: "/openclaw", allowedOrigins: ["https://kasm.example.com"] });
    const { content, permissions } = upload(
      recorder.get("openclaw-container"),
      "/etc/openclaw-gateway/settings.json",
    );

    expect(permissions).toBe("0644");
    expect(JSON.parse(content)).toEqual({
      waitsForPeople: true,
      basePath: "/openclaw",
      allowedOrigins: [
        "http://127.0.0.1:8180",
        "http://localhost:8180",
        "http://172.17.0.1:8180",
        "http://host.docker.internal:8180",
        "https://kasm.example.com",
      ],
      openPaths: {},
    });
  });

  test("authorities that it is to trust travel in a file of their own, to the image that is built only", async () => {
    await declare({ extraCa: "PEM" });

    expect(
      upload(recorder.get("openclaw-container"), "/etc/openclaw-gateway/extra-ca.pem").content,
    ).toBe("PEM");
    await expect(declare({ images: images("coollabsio"), extraCa: "PEM" })).rejects.toThrow(
      "extraCa",
    );
  });

  test("paths without the login are told to the image that is built, and to no other", async () => {
    const openPaths = { webhooks: ["/hooks"], api: ["/v1"] };
    await declare({ openPaths });
    const { content } = upload(
      recorder.get("openclaw-container"),
      "/etc/openclaw-gateway/settings.json",
    );

    expect(JSON.parse(content)).toMatchObject({ openPaths });
    await expect(declare({ images: images("coollabsio"), openPaths })).rejects.toThrow("openPaths");
  });

  test("waits for the dashboard of each new container, with the login on standard input only", async () => {
    await declare();
    const { inputs, secrets } = recorder.get("openclaw-ready");

    expect(secrets).toEqual(["stdin"]);
    expect(inputs.triggers).toEqual(["openclaw-container-id"]);
    for (const line of [
      "PASSWORD='generated-openclaw-password'",
      "ADDRESSES='127.0.0.1 172.17.0.1'",
      "HEALTH='json'",
    ]) {
      expect((inputs.stdin as string).split("\n")).toContain(line);
    }
  });

  test("has secrets in secret inputs only", async () => {
    const openclawConfig = { channels: { telegram: { botToken: "token-of-a-channel" } } };
    await declare({ password: "given-password", openclawConfig });
    const secrets = [
      "given-password",
      "generated-openclaw-token",
      "sk-test-provider",
      "token-of-a-channel",
    ];

    const { content } = upload(
      recorder.get("openclaw-container"),
      "/etc/openclaw-gateway/settings.json",
    );
    expect(content).not.toContain("token-of-a-channel");
    for (const { name, inputs, secrets: marked } of recorder.resources) {
      const open = JSON.stringify(
        Object.fromEntries(Object.entries(inputs).filter(([key]) => !marked.includes(key))),
      );
      for (const secret of secrets) {
        expect({ name, leaks: open.includes(secret) }).toEqual({ name, leaks: false });
      }
    }
  });
});

describe("people", () => {
  const people = {
    "ann@example.com": { role: "admin" },
    bob: { role: "observer", password: "password-of-bob" },
  };
  const told = () => {
    const { stdin } = recorder.get("openclaw-people").inputs;
    const [, input = ""] = /^INPUT='(.*)'$/m.exec(stdin as string) ?? [];
    return JSON.parse(input) as Record<string, unknown>;
  };

  test("are told to the running gateway over standard input, with roles and the configuration that needs no restart", async () => {
    const mine = {
      sessions: { others: "none" },
      agents: ["main"],
      scopes: ["operator.read"],
    } as const;
    await declare({
      people,
      roles: { guest: mine },
      openclawConfig: { ui: { seamColor: "#ff0000" }, env: { vars: {} } },
    });
    const { secrets, inputs } = recorder.get("openclaw-people");
    const { content } = upload(
      recorder.get("openclaw-container"),
      "/etc/openclaw-gateway/secrets.json",
    );

    expect(secrets).toEqual(["stdin"]);
    expect(inputs.triggers).toEqual(["openclaw-container-id"]);
    expect(told()).toEqual({
      people: {
        "ann@example.com": {
          role: "admin",
          password: "generated-openclaw-password-ann@example.com",
        },
        bob: { role: "observer", password: "password-of-bob" },
      },
      roles: { ...builtInRoles, guest: mine },
      config: { ui: { seamColor: "#ff0000" } },
    });
    expect(JSON.parse(content)).toMatchObject({ config: { env: { vars: {} } } });
  });

  test("are told with the given configuration of OpenClaw's browser as it is, without a sidecar", async () => {
    const browser = { headless: true, profiles: { other: { cdpUrl: "https://cdp.example.com" } } };
    await declare({ people, openclawConfig: { browser } });

    expect(told().config).toEqual({ browser });
  });

  test("and what a running gateway takes in do not change the container", async () => {
    await declare({ people });
    const before = recorder.get("openclaw-container").inputs;
    recorder.clear();
    await declare({ people: { carol: { role: "member" } }, openclawConfig: { agents: {} } });

    expect(recorder.get("openclaw-container").inputs).toEqual(before);
  });

  test("are one admin with the user name and the password, if none are given", async () => {
    const component = await declare({ username: "jane", password: "given-password" });

    expect(told()).toMatchObject({
      people: { jane: { role: "admin", password: "given-password" } },
    });
    expect(await valueOf(component.people)).toEqual({ jane: "admin" });
  });

  test("are outputs, the passwords as a secret; checks log in as the first by name", async () => {
    const component = await declare({ people });

    expect(await valueOf(component.people)).toEqual({
      "ann@example.com": "admin",
      bob: "observer",
    });
    expect(await pulumi.isSecret(component.people)).toBe(false);
    expect(await pulumi.isSecret(component.passwords)).toBe(true);
    expect((await valueOf(component.passwords)).bob).toBe("password-of-bob");
    expect(await valueOf(component.username)).toBe("ann@example.com");
    expect(await valueOf(component.password)).toBe("generated-openclaw-password-ann@example.com");
  });

  test("are refused with coollabsio's image", async () => {
    await expect(declare({ images: images("coollabsio"), people })).rejects.toThrow("people");
  });
});

describe("an organisation's login", () => {
  const oidc = {
    issuer: "https://sso.example.com",
    clientId: "openclaw",
    clientSecret: "secret-of-the-client",
    groups: [{ group: "staff", role: "member" }],
  };
  const capable = () => ({ ...images("built"), hasOidc: true });

  test("is in the container's files, its secret as one, and its groups are told to the running gateway", async () => {
    await declare({ oidc, images: capable() });
    const container = recorder.get("openclaw-container");
    const settings = upload(container, "/etc/openclaw-gateway/settings.json");
    const secrets = upload(container, "/etc/openclaw-gateway/secrets.json");

    expect(JSON.parse(settings.content)).toMatchObject({
      oidc: {
        issuer: "https://sso.example.com",
        clientId: "openclaw",
        groupsClaim: "groups",
        scopes: ["openid", "email", "profile"],
      },
    });
    expect(settings.content).not.toContain("secret-of-the-client");
    expect(JSON.parse(secrets.content)).toMatchObject({ oidcClientSecret: oidc.clientSecret });
    expect(recorder.get("openclaw-people").inputs.stdin).toContain('"groups":[{"group":"staff"');
  });

  test("with other groups leaves the container as it is", async () => {
    await declare({ oidc, images: capable() });
    const before = recorder.get("openclaw-container").inputs;
    recorder.clear();
    await declare({
      oidc: { ...oidc, groups: [{ group: "x", role: "admin" }] },
      images: capable(),
    });

    expect(recorder.get("openclaw-container").inputs).toEqual(before);
  });

  test("needs an image that can", async () => {
    await expect(declare({ oidc, images: images("built") })).rejects.toThrow("withOidc: true");
  });
});

describe("people of KASM's groups", () => {
  const kasm = {
    kasmUrl: "https://kasm.example.com",
    apiKey: "key-of-kasm",
    apiSecret: "secret-of-kasm",
  };
  const groups = [{ group: "Staff", role: "member" }];

  test("get a login beside those that are given, with a password that follows from one secret", async () => {
    const component = await declare({ kasmPeople: { kasm, groups } });
    const { inputs, secrets } = recorder.get("openclaw-kasm-people");
    const passwords = await valueOf(component.passwords);

    expect(inputs).toMatchObject({ ...kasm, groups });
    expect(secrets).toEqual(expect.arrayContaining(["apiKey", "apiSecret"]));
    // A user of KASM with the name of a login has that one.
    expect(await valueOf(component.people)).toEqual({ admin: "admin", "ann@kasm.local": "member" });
    expect(passwords["ann@kasm.local"]).toBe(
      kasmPassword("generated-openclaw-kasm-passwords", "ann@kasm.local"),
    );
    expect(passwords["ann@kasm.local"]).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(recorder.get("openclaw-people").inputs.stdin).toContain('"ann@kasm.local"');
    expect(await pulumi.isSecret(component.people)).toBe(false);
    expect(await valueOf(component.username)).toBe("admin");
  });

  test("have passwords of their own", () => {
    expect(kasmPassword("secret", "ann")).not.toBe(kasmPassword("secret", "bob"));
    expect(kasmPassword("secret", "ann")).not.toBe(kasmPassword("other", "ann"));
  });

  test("are refused with coollabsio's image", async () => {
    await expect(
      declare({ images: images("coollabsio"), kasmPeople: { kasm, groups } }),
    ).rejects.toThrow("kasmPeople");
  });
});

describe("credentials", () => {
  test("are generated by default", async () => {
    const component = await declare();

    expect(recorder.get("openclaw-password").inputs).toEqual({ length: 32, special: false });
    expect(recorder.get("openclaw-token").inputs).toEqual({ length: 48, special: false });
    expect(await valueOf(component.password)).toBe("generated-openclaw-password");
  });

  test("that are given are used, and stay secret", async () => {
    const component = await declare({ password: "given-password", gatewayToken: "given-token" });

    expect(recorder.names()).not.toContain("openclaw-password");
    expect(recorder.names()).not.toContain("openclaw-token");
    expect(await valueOf(component.password)).toBe("given-password");
    expect(await pulumi.isSecret(component.password)).toBe(true);
    expect(await pulumi.isSecret(component.gatewayToken)).toBe(true);
  });
});

describe("data", () => {
  test.each([
    [false, true],
    [true, false],
  ])("in a volume: removeData %s means retainOnDelete %s", async (removeData, retained) => {
    const component = await declare({ removeData });

    expect(recorder.get("openclaw-data").inputs).toEqual({
      name: "openclaw-data",
      labels: [{ label: "openclaw-kasm.stack", value: "test/openclaw-data" }],
    });
    // Another label would be another volume, without the data.
    expect(recorder.options.get("openclaw-data")?.ignoreChanges).toEqual(["labels"]);
    expect(recorder.options.get("openclaw-data")?.retainOnDelete).toBe(retained);
    expect(component.keepsData).toBe(retained);
  });

  test.each([true, false])("in a directory: removeData %s", async (removeData) => {
    await declare({ data: { directory: "/opt/openclaw" }, removeData });
    const data = recorder.get("openclaw-data");

    expect(data.type).toBe("pulumi-nodejs:dynamic/openclaw:DataDirectory");
    expect(data.inputs.identity).toBe("/opt/openclaw");
    expect(data.inputs.stdin).toContain(
      `DIRECTORY='/opt/openclaw'\nOWNER='1000:1000'\nSTACK='test'\nREMOVE_DATA='${removeData.toString()}'\n`,
    );
    expect(recorder.get("openclaw-container").inputs.volumes).toEqual([
      { hostPath: "/opt/openclaw/data", containerPath: "/data" },
    ]);
  });

  test("in a changed directory: the old one is deleted or kept after the container was replaced", async () => {
    await declare({ data: { directory: "/opt/openclaw" } });

    expect(recorder.options.get("openclaw-data")?.deleteBeforeReplace).toBe(false);
  });

  test("in a directory of an earlier version's command: keeps the directory", async () => {
    await declare({ data: { directory: "/opt/openclaw" } });

    expect(recorder.options.get("openclaw-data")?.aliases).toEqual([
      { type: "command:local:Command" },
    ]);
  });
});

describe("with coollabsio's image", () => {
  const coollabsio = { images: images("coollabsio") };

  test("sets everything that this image needs", async () => {
    await declare({
      ...coollabsio,
      basePath: "/openclaw",
      openclawConfig: { gateway: { controlUi: { environment: "x" } } },
    });
    const { envs, uploads, hosts } = recorder.get("openclaw-container").inputs;

    expect(uploads).toBeUndefined();
    expect(hosts).toEqual([
      { host: "host.docker.internal", ip: "host-gateway" },
      { host: "browser", ip: "127.0.0.1" },
    ]);
    const { OPENCLAW_CONFIG_JSON, ...environment } = Object.fromEntries(
      (envs as string[]).map((line) => [
        line.slice(0, line.indexOf("=")),
        line.slice(line.indexOf("=") + 1),
      ]),
    ) as Record<string, string>;
    expect(environment).toEqual({
      ANTHROPIC_API_KEY: "sk-test-provider",
      AUTH_USERNAME: "admin",
      AUTH_PASSWORD: "generated-openclaw-password",
      OPENCLAW_GATEWAY_TOKEN: "generated-openclaw-token",
    });
    expect(JSON.parse(OPENCLAW_CONFIG_JSON ?? "")).toEqual({
      gateway: {
        bind: "loopback",
        trustedProxies: ["127.0.0.1", "::1"],
        controlUi: {
          environment: "x",
          basePath: "/openclaw",
          allowedOrigins: expect.arrayContaining(["http://127.0.0.1:8180"]) as unknown,
        },
      },
    });
  });

  test("makes the whole environment secret", async () => {
    await declare(coollabsio);

    expect(recorder.get("openclaw-container").secrets).toEqual(["envs"]);
  });

  test("does not use its health check in JSON, which reports a wrong status", async () => {
    await declare(coollabsio);

    expect(recorder.get("openclaw-ready").inputs.stdin).toContain("HEALTH='page'\n");
  });
});

describe("the origin of links", () => {
  const route = "https://kasm.example.com";

  test("is the route's", () => {
    expect(withPublicOrigin({ ui: {}, gateway: { http: {} } }, route)).toEqual({
      ui: {},
      gateway: { http: {}, publicOrigin: route },
    });
  });

  test("is the one of the settings, if they have one", () => {
    const config = { gateway: { publicOrigin: "https://other.example.com" } };

    expect(withPublicOrigin(config, route)).toEqual(config);
  });

  test.each(["", "http://kasm.example.com"])("is none for a route from %j", (origin) => {
    expect(withPublicOrigin({}, origin)).toEqual({});
  });
});

describe("addresses", () => {
  const at = (publishAddresses: string[], basePath = "") => ({
    ...args,
    publishAddresses,
    basePath,
  });

  test.each([
    [["127.0.0.1"], "", ["http://127.0.0.1:8180/"]],
    [["10.1.2.3"], "/openclaw", ["http://10.1.2.3:8180/openclaw/"]],
    [["0.0.0.0"], "", ["http://127.0.0.1:8180/"]],
  ])("published on %j under %j: %j", (addresses, basePath, urls) => {
    expect(dashboardUrls(at(addresses, basePath))).toEqual(urls);
  });

  test.each([
    [["127.0.0.1"], ["http://127.0.0.1:8180", "http://localhost:8180"]],
    [["172.17.0.1"], ["http://172.17.0.1:8180", "http://host.docker.internal:8180"]],
    [["0.0.0.0"], ["http://127.0.0.1:8180", "http://localhost:8180"]],
  ])("origins of %j: %j", (addresses, origins) => {
    expect(browserOrigins(at(addresses))).toEqual(origins);
  });
});
