import * as pulumi from "@pulumi/pulumi";
import {
  Host,
  KasmNginxRoute,
  KasmWorkspaceRegistration,
  OpenClawKasmImage,
  OpenClawStandalone,
} from "../../components";
import { defaults } from "../../components/defaults";
import { Recorder, valueOf } from "./mocks";

const recorder = new Recorder();
const key = pulumi.secret("sk-provider-0123456789");
const kasm = { kasmUrl: "https://kasm.example.com", apiKey: key, apiSecret: key };
const hostKey = "ssh-ed25519 AAAAtarget";

/** Waits until everything that was declared has arrived. */
async function settle(...outputs: pulumi.Output<unknown>[]): Promise<void> {
  await Promise.all(outputs.map(valueOf));
  for (let turn = 0; turn < 20; turn++) {
    await new Promise(setImmediate);
  }
}

const settingsFile = () => {
  const uploads = recorder.get("openclaw-container").inputs.uploads as {
    file: string;
    content: string;
  }[];
  const { content = "" } = uploads.find(({ file }) => file.endsWith("settings.json")) ?? {};
  return JSON.parse(content) as { basePath: string; allowedOrigins: string[] };
};

beforeAll(() => recorder.start());
beforeEach(() => {
  recorder.clear();
});

describe("a server with everything", () => {
  async function declare() {
    const host = new Host("kasm", { address: "kasm.example.com", user: "ops", hostKey });
    const gateway = new OpenClawStandalone("openclaw", {
      host,
      providerKeys: { ANTHROPIC_API_KEY: key },
      browser: true,
    });
    const route = new KasmNginxRoute("route", { gateway, path: "/openclaw" });
    const tile = new KasmWorkspaceRegistration("tile", { kasm, kind: "browser", opens: gateway });
    const link = new KasmWorkspaceRegistration("link", { kasm, kind: "link", opens: route });
    const desktop = new OpenClawKasmImage("desktop", { host });
    await settle(gateway.urls, route.url, tile.workspaceId, link.workspaceId, desktop.reference);
    return { gateway, route };
  }

  test("the gateway uses the route's path and allows its origin", async () => {
    const { gateway, route } = await declare();

    expect(await valueOf(gateway.basePath)).toBe("/openclaw");
    expect(await valueOf(route.url)).toBe("https://kasm.example.com/openclaw/");
    expect(settingsFile().basePath).toBe("/openclaw");
    expect(settingsFile().allowedOrigins).toContain("https://kasm.example.com");
    const { stdin } = recorder.get("route-nginx").inputs as { stdin: string };
    expect(stdin).toContain("PROBE_PATH='/openclaw/'");
    expect(stdin).toContain("NETWORK='openclaw-net'");
  });

  test("everything runs on the host, with its Docker provider and over SSH", async () => {
    await declare();

    expect(recorder.get("kasm").inputs).toMatchObject({
      host: "ssh://openclaw-server",
    });
    const { sshOpts } = recorder.get("kasm").inputs as { sshOpts: string };
    expect(JSON.parse(sshOpts)).toEqual(
      expect.arrayContaining(["HostName=kasm.example.com", "User=ops"]),
    );
    expect(recorder.get("openclaw-data").inputs).toMatchObject({ identity: "/opt/openclaw" });
    for (const name of ["openclaw-data", "route-nginx"]) {
      expect(recorder.get(name).inputs.apply).toEqual(
        expect.arrayContaining(["HostName=kasm.example.com", "openclaw-server"]),
      );
    }
  });

  test("a host's private key is left to its agent, and needs no engine in a test", async () => {
    // Of a key with a passphrase no agent is started.
    const privateKey = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
    const args = { address: "kasm.example.com", hostKey, privateKey: pulumi.secret(privateKey) };
    await settle(new Host("with key", args).target);

    const { sshOpts } = recorder.get("with key").inputs as { sshOpts: string };
    expect(JSON.parse(sshOpts)).toContain("IdentityAgent=.build/ssh/test-with_key/agent");
    expect(sshOpts).not.toContain("ENCRYPTED");
  });

  test("agents get a browser sidecar, and the workspaces open gateway and route", async () => {
    await declare();

    expect(recorder.get("openclaw-sidecar-container").inputs).toMatchObject({
      name: "openclaw-browser",
      cpus: "1.0",
      memory: 2048,
    });
    expect(recorder.get("tile-workspace").inputs.runConfig).toMatchObject({
      environment: {
        LAUNCH_URL: `http://host.docker.internal:${defaults.port.toString()}/openclaw/`,
      },
      extra_hosts: { "host.docker.internal": "host-gateway" },
    });
    expect(recorder.get("link-workspace").inputs.linkUrl).toBe(
      "https://kasm.example.com/openclaw/",
    );
  });
});

describe("a gateway without other components", () => {
  test("needs only a name, and keeps its data in a volume of this machine's Docker", async () => {
    const gateway = new OpenClawStandalone("openclaw");
    await settle(gateway.urls);

    expect(recorder.get("openclaw-container").inputs).toMatchObject({
      name: "openclaw",
      image: "sha256:openclaw-image",
      cpus: "2.0",
      memory: 4096,
    });
    expect(recorder.get("openclaw-data").inputs.name).toBe("openclaw-data");
    expect(await valueOf(gateway.urls)).toEqual([
      `http://127.0.0.1:${defaults.port.toString()}/`,
      `http://172.17.0.1:${defaults.port.toString()}/`,
    ]);
  });

  test("accepts inputs that are known later", async () => {
    const later = <T>(value: T) => pulumi.output(Promise.resolve(value));
    const gateway = new OpenClawStandalone("openclaw", {
      port: later(8190),
      containerName: later("claw"),
      basePath: later("/claw"),
      username: later("jane"),
    });
    await settle(gateway.urls);

    expect(await valueOf(gateway.urls)).toContain("http://127.0.0.1:8190/claw/");
    expect(recorder.get("openclaw-network").inputs.name).toBe("claw-net");
  });
});

describe("wrong arguments", () => {
  test("a server without a host key names what is missing", () => {
    expect(() => new Host("kasm", { address: "kasm.example.com" })).toThrow(
      /^Host kasm: hostKey or hostKeyFile is required with address/,
    );
  });

  test("refuses a route that is created too late for its gateway", async () => {
    const gateway = new OpenClawStandalone("openclaw");
    await settle(gateway.urls);

    expect(
      () => new KasmNginxRoute("route", { gateway, kasmUrl: "https://kasm.example.com" }),
    ).toThrow("created too late");
  });

  test("a route on this machine needs KASM's address", () => {
    const gateway = new OpenClawStandalone("openclaw");

    expect(() => new KasmNginxRoute("route", { gateway })).toThrow("kasmUrl is required");
  });
});
