import * as pulumi from "@pulumi/pulumi";
import { Host, thisMachine } from "../../components/host";
import { KasmNginxRoute, type KasmNginxRouteArgs } from "../../components/kasmNginxRoute";
import { routeFile } from "../../components/nginxRouteFile";
import { parseSettings } from "../../config";
import { routeArgs, routeOf, routeUrl } from "../../config/route";
import { hostAt, Recorder, valueOf } from "./mocks";

const recorder = new Recorder();

const gateway = {
  host: thisMachine,
  images: { kind: "built", gateway: pulumi.output("sha256:gateway"), browser: undefined },
  containerName: pulumi.output("openclaw"),
  networkName: pulumi.output("openclaw-net"),
  port: pulumi.output(8180),
  basePath: pulumi.output("/openclaw"),
  addRoute: jest.fn(),
} as const;

const hostKey = `ssh-ed25519 ${Buffer.from("key").toString("base64")}`;

const args: KasmNginxRouteArgs = {
  gateway,
  path: "/openclaw",
  kasmUrl: "https://kasm.example.com",
  readyTimeoutSeconds: 60,
};

beforeAll(() => recorder.start());
beforeEach(() => {
  recorder.clear();
});

async function declare(changes: Partial<KasmNginxRouteArgs> = {}) {
  const component = new KasmNginxRoute("route", { ...args, ...changes });
  await valueOf(component.urn);
  await new Promise(setImmediate);
  return recorder.get("route-nginx").inputs as {
    apply: string[];
    stdin: string;
    identity: string;
  };
}

describe("the component", () => {
  test("is identified by proxy, network and file", async () => {
    expect((await declare()).identity).toBe(
      "kasm_proxy openclaw-net /opt/kasm/current/conf/nginx/containers.d/openclaw.conf",
    );
  });

  test("on a server runs over SSH, with sudo if the user is not root", async () => {
    const ssh = {
      options: ["-F", "none"],
      alias: "kasm.example.com",
      needsSudo: true,
    };
    const { apply } = await declare({ gateway: { ...gateway, host: hostAt({ ssh }) } });

    expect(apply.join(" ")).toBe(
      "ssh -F none kasm.example.com sudo -n timeout --kill-after=18 360 sh -s -- apply",
    );
  });

  test("passes a file to the script that answers with its own hash", async () => {
    const { stdin } = await declare();

    const mark = /^MARK='([0-9a-f]{12})'$/m.exec(stdin)?.[1] ?? "";
    expect(stdin).toContain(`return 200 ${mark};`);
    expect(stdin.slice(0, stdin.indexOf("#!/bin/sh")).replaceAll("@SOCKET@", "")).not.toContain(
      "@",
    );
  });
});

describe("the forwarder", () => {
  async function forwarder(changes: Partial<KasmNginxRouteArgs> = {}) {
    await declare(changes);
    return recorder.get("route-forwarder").inputs as Record<string, unknown> & {
      command: string[];
    };
  }

  test("has no rights except forwarding from KASM's directory to the gateway", async () => {
    const { command, ...container } = await forwarder();

    expect(container).toMatchObject({
      name: "openclaw-route",
      image: "sha256:gateway",
      labels: [{ label: "openclaw-kasm.stack", value: "test/openclaw-route" }],
      user: "65534:65534",
      restart: "unless-stopped",
      networkMode: "openclaw-net",
      networksAdvanced: [{ name: "openclaw-net" }],
      volumes: [{ hostPath: "/opt/kasm", containerPath: "/opt/kasm" }],
      tmpfs: { "/data": "ro,size=4k" },
      readOnly: true,
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges:true"],
    });
    expect(container).not.toHaveProperty("ports");
    expect(command.slice(-4)).toEqual([
      "/opt/kasm/current/conf/nginx/.openclaw-kasm",
      "openclaw-route.sock",
      "openclaw",
      "8080",
    ]);
  });

  test.each([
    [{ directory: "/data/kasm/current/conf/nginx/containers.d" }, "/data/kasm"],
    [{ directory: "/srv/nginx/containers.d" }, "/srv/nginx"],
    [{ directory: "/srv/nginx", path: undefined, serverName: "claw.example.com" }, "/srv/nginx"],
  ])("of %j mounts %s", async (changes, hostPath) => {
    const { volumes, command } = await forwarder(changes);

    expect(volumes).toEqual([{ hostPath, containerPath: hostPath }]);
    expect(command.at(-4)).toMatch(/\/nginx\/\.openclaw-kasm$/);
  });
});

describe("a gateway on another host", () => {
  const server = (name: string, more: object = {}) =>
    new Host(name, { address: `${name}.example.com`, hostKey, ...more });
  const images = { gateway: pulumi.output("sha256:kasm") };

  async function declareElsewhere(more: { networkSubnet?: string } = {}) {
    const two = server("two", { privateAddress: "10.0.0.2" });
    const kasm = { host: server("kasm"), images };
    const { stdin } = await declare({ gateway: { ...gateway, ...more, host: two }, kasm });
    return { stdin, get: (name: string) => recorder.get(`route-${name}`) };
  }

  test("has a door there, and all else of the route is on KASM's host", async () => {
    const { get, stdin } = await declareElsewhere();
    const providerOf = (name: string) => /docker::(\w+)::/.exec(get(name).provider ?? "")?.[1];

    expect(["door", "forwarder", "network"].map(providerOf)).toEqual(["two", "kasm", "kasm"]);
    expect(stdin).toContain("NETWORK='openclaw-net'");
    expect(get("forwarder").inputs).toMatchObject({
      image: "sha256:kasm",
      networksAdvanced: [{ name: "openclaw-net" }],
    });
    expect(get("network").inputs).toMatchObject({ name: "openclaw-net", driver: "bridge" });
    expect(get("network").inputs).not.toHaveProperty("ipamConfigs");
  });

  test("has the gateway's addresses on KASM's host too, because Docker's own choice is small", async () => {
    const { get } = await declareElsewhere({ networkSubnet: "10.99.3.0/24" });

    expect(get("network").inputs).toMatchObject({ ipamConfigs: [{ subnet: "10.99.3.0/24" }] });
  });

  test("is published at the private address only, by a container without rights", async () => {
    const { get } = await declareElsewhere();

    expect(get("door").inputs).toMatchObject({
      name: "openclaw-door",
      image: "sha256:gateway",
      ports: [{ internal: 8443, external: 8180, ip: "10.0.0.2" }],
      networksAdvanced: [{ name: "openclaw-net" }],
      user: "65534:65534",
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges:true"],
    });
    expect(get("forwarder").inputs).not.toHaveProperty("ports");
  });

  test("is healthy while the gateway answers there, whatever the image's own check asks for", async () => {
    const { get } = await declareElsewhere();

    expect(get("door").inputs).toMatchObject({
      healthcheck: {
        tests: ["CMD-SHELL", expect.stringMatching(/ http:\/\/openclaw:8080\/healthz$/)],
      },
    });
  });

  test("keeps keys in secrets that are copied into the containers", async () => {
    const { get } = await declareElsewhere();

    for (const name of ["door", "forwarder"]) {
      const { inputs, secrets } = get(name);
      expect(secrets).toEqual(["uploads"]);
      expect((inputs.command as string[]).at(-1)).toBe("/etc/openclaw-kasm-route.json");
    }
    expect((get("forwarder").inputs.command as string[]).slice(-3, -1)).toEqual([
      "10.0.0.2",
      "8180",
    ]);
    expect((get("door").inputs.command as string[]).slice(-5, -1)).toEqual([
      ...["door", "8443", "openclaw", "8080"],
    ]);
    expect(get("certificates").inputs).toMatchObject({ serverName: "openclaw-door" });
  });

  test("in an overlay network is published nowhere, and found there by its door's name", async () => {
    const gatewayThere = { ...gateway, host: server("five") };
    const kasm = { host: server("kasm5"), images };
    const { stdin } = await declare({ gateway: gatewayThere, kasm, overlay: "openclaw-hosts" });
    const door = recorder.get("route-door").inputs;
    const forwarder = recorder.get("route-forwarder").inputs as { command: string[] };

    expect(door).not.toHaveProperty("ports");
    expect(door).toMatchObject({
      networkMode: "openclaw-net",
      networksAdvanced: [{ name: "openclaw-net" }, { name: "openclaw-hosts" }],
    });
    expect(forwarder).toMatchObject({
      networkMode: "openclaw-hosts",
      networksAdvanced: [{ name: "openclaw-hosts" }],
    });
    expect(forwarder.command.slice(-3, -1)).toEqual(["openclaw-door", "8443"]);
    expect(stdin).toContain("NETWORK='openclaw-hosts'");
    expect(() => recorder.get("route-network")).toThrow();
  });

  test("and several web servers: a forwarder and a file on each, all of them by one door", async () => {
    const [kasm, two, three] = [
      server("kasm6"),
      server("host-two", { privateAddress: "10.0.0.2" }),
      server("host-three"),
    ];
    const serverImages = { gateway: pulumi.output("sha256:server") };
    await declare({
      gateway: { ...gateway, host: two },
      kasm: { host: kasm, images },
      webServers: [two, three].map((host) => ({ host, images: serverImages })),
    });
    const forwarders = ["", "host-two-", "host-three-"].map((prefix) =>
      recorder.get(`${prefix}route-forwarder`),
    );

    expect(
      forwarders.map(({ provider }) => /docker::([\w-]+)::/.exec(provider ?? "")?.[1]),
    ).toEqual(["kasm6", "host-two", "host-three"]);
    expect(
      forwarders.map(({ inputs }) => [inputs.image, (inputs.command as string[]).slice(6, 8)]),
    ).toEqual([
      ["sha256:kasm", ["10.0.0.2", "8180"]],
      ["sha256:server", ["openclaw", "8080"]],
      ["sha256:server", ["10.0.0.2", "8180"]],
    ]);
    expect(recorder.names().filter((name) => name.endsWith("-door"))).toEqual(["route-door"]);
    expect(recorder.names().filter((name) => name.endsWith("-network"))).toEqual([
      ...["host-three-route-network", "route-network"],
    ]);
    expect(recorder.names().filter((name) => name.endsWith("-nginx"))).toEqual([
      ...["host-three-route-nginx", "host-two-route-nginx", "route-nginx"],
    ]);
  });

  test("needs a private address or an overlay network", () => {
    const args = {
      gateway: { ...gateway, host: server("three") },
      kasm: { host: server("kasm2"), images },
    };

    return expect(declare(args)).rejects.toThrow("needs an address and a privateAddress");
  });
});

describe("the file for nginx", () => {
  const path = routeFile({ serverName: undefined, basePath: "/openclaw" }, "dev");
  const server = routeFile({ serverName: "openclaw.example.com", basePath: "" }, "dev");

  test("names its stack and its path or server name", () => {
    expect([path, server].map((file) => file.split("\n")[0])).toEqual([
      "# Made by openclaw-kasm for stack dev: /openclaw",
      "# Made by openclaw-kasm for stack dev: openclaw.example.com",
    ]);
  });

  test("serves the path with and without a trailing slash, and no path with the same prefix", () => {
    expect(path.match(/^location .*$/gm)).toEqual([
      "location = /openclaw {",
      "location ^~ /openclaw/ {",
      "location = /openclaw/.openclaw-kasm-route {",
    ]);
  });

  test("forwards to a socket, which may be missing when nginx starts or reloads, and keeps the path", () => {
    expect(path.match(/proxy_pass .*/g)).toEqual(Array(2).fill("proxy_pass http://unix:@SOCKET@;"));
    expect(path).not.toContain("resolver");
  });

  test.each(["path", "server name"])(
    "by %s passes only OpenClaw's cookies to the gateway",
    (by) => {
      const file = by === "path" ? path : server;

      expect(file).toContain("proxy_set_header Cookie $openclaw_cookies;");
      expect(file).not.toMatch(/proxy_set_header Cookie .*\$http_cookie/);
      expect(new Set(file.match(/if \(\$openclaw_more .*$/gm))).toEqual(
        new Set([
          'if ($openclaw_more ~ "(?:^|; )(?<openclaw_own>__openclaw_[^=; ]*=[^; ]*)(?<openclaw_more>.*)$") {',
        ]),
      );
    },
  );

  test.each(["path", "server name"])(
    "by %s removes cookie domains and headers with effects outside of the route from answers",
    (by) => {
      const file = by === "path" ? path : server;

      expect(file).toContain('proxy_cookie_domain ~^ "";');
      expect(file).toContain("proxy_hide_header Clear-Site-Data;");
      expect(file).toMatch(/proxy_ignore_headers X-Accel-Redirect /);
    },
  );

  test("by path keeps cookies and service workers below the path, and escapes dots in the path", () => {
    const dotted = routeFile({ serverName: undefined, basePath: "/open.claw" }, "dev");

    expect(path.match(/proxy_cookie_path .*/g)).toEqual(
      Array(2).fill("proxy_cookie_path ~^(?!/openclaw(/|$)) /openclaw/;"),
    );
    expect(path.match(/proxy_hide_header Service-Worker-Allowed;/g)).toHaveLength(2);
    expect(dotted).toContain("proxy_cookie_path ~^(?!/open\\.claw(/|$)) /open.claw/;");
    expect(dotted).toContain("if ($request_uri !~ ^/open\\.claw/) {");
    expect(server).not.toContain("proxy_cookie_path");
  });

  test.each(["path", "server name"])(
    "by %s passes the gateway's error pages instead of KASM's",
    (by) => {
      const file = by === "path" ? path : server;

      expect(file).toContain("proxy_intercept_errors off;");
      expect(file).toContain("proxy_read_timeout 86400s;");
      expect(file).toContain("proxy_send_timeout 86400s;");
    },
  );

  test.each(["path", "server name"])("by %s keeps the headers that KASM's nginx adds", (by) => {
    expect(by === "path" ? path : server).not.toMatch(/^\s*add_header/m);
  });

  test("by server name is a separate server, with KASM's port and certificate", () => {
    expect(server).toMatch(
      /^server \{\n {4}listen @PORT@ ssl;\n {4}server_name openclaw\.example\.com;\n@CERTIFICATE@$/m,
    );
    expect(server).toContain("location = /.openclaw-kasm-route {");
    expect(server).not.toContain("default_server");
  });

  test("is identified as this program's by its first line", () => {
    expect(path).toMatch(/^# Made by openclaw-kasm/);
    expect(server).toMatch(/^# Made by openclaw-kasm/);
  });
});

describe("the route of the settings", () => {
  const kasmUrl = "https://kasm.example.com:8443";
  const settings = (nginxRoute: object, more: Record<string, string> = {}) =>
    parseSettings({
      values: { kasmUrl, nginxRoute: JSON.stringify(nginxRoute), ...more },
      encrypted: [],
    });

  test("does not exist by default", () => {
    expect(routeArgs(settings({}))).toBeUndefined();
    expect(routeUrl(settings({}))).toBeUndefined();
  });

  test("by path: KASM's agent's directory and KASM's address", () => {
    const asked = settings({ mode: "path" });

    expect(routeOf(asked)).toMatchObject({
      serverName: undefined,
      directory: "/opt/kasm/current/conf/nginx/containers.d",
      fileName: "openclaw.conf",
      forwarder: { containerName: "openclaw-route", host: "openclaw", port: 8080 },
      basePath: "/openclaw",
    });
    expect(routeUrl(asked)).toBe("https://kasm.example.com:8443/openclaw/");
  });

  test("of a KASM that is installed elsewhere", async () => {
    expect(routeOf({ ...settings({ mode: "path" }), kasmDirectory: "/data/kasm" })).toMatchObject({
      directory: "/data/kasm/current/conf/nginx/containers.d",
    });
    await declare({
      gateway: { ...gateway, host: new Host("kasm", { kasmDirectory: "/data/kasm" }) },
    });

    expect(recorder.get("route-forwarder").inputs).toMatchObject({
      volumes: [{ hostPath: "/data/kasm", containerPath: "/data/kasm" }],
    });
  });

  test("by server name: http context, a file that sorts behind KASM's own, KASM's port", () => {
    const asked = settings({ mode: "serverName", serverName: "openclaw.example.com" });

    expect(routeOf(asked)).toMatchObject({
      serverName: "openclaw.example.com",
      directory: "/opt/kasm/current/conf/nginx",
      fileName: "zz-openclaw.conf",
      basePath: "",
    });
    expect(routeUrl(asked)).toBe("https://openclaw.example.com:8443/");
  });
});
