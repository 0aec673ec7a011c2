import { readFileSync } from "node:fs";
import { OpenClawBrowser } from "../../components/openClawBrowser";
import { type Container, rules } from "../../policy/rules";
import { withBrowser } from "../../components/gateway/browserConfig";
import { parseSettings, SettingsError } from "../../config";
import { Recorder, valueOf } from "./mocks";

const recorder = new Recorder();

beforeAll(async () => {
  await recorder.start();
  const browser = new OpenClawBrowser("openclaw-sidecar", {
    image: "sha256:browser",
    containerName: "openclaw-browser",
    networkName: "openclaw-net",
    cpus: 1,
    memoryMb: 2048,
  });
  await valueOf(browser.containerId);
});

test("the browser has no port, one network, no capabilities, a read-only file system, and bounds for all that it writes", () => {
  const { inputs } = recorder.get("openclaw-sidecar-container");
  expect(inputs).toMatchObject({
    name: "openclaw-browser",
    image: "sha256:browser",
    networkMode: "openclaw-net",
    networksAdvanced: [{ name: "openclaw-net" }],
    cpus: "1.0",
    memory: 2048,
    memorySwap: 2048,
    ulimits: [{ name: "core", soft: 0, hard: 0 }],
    readOnly: true,
    tmpfs: { "/tmp": "mode=1777,size=512m" },
    logOpts: { "max-size": "10m", "max-file": "3" },
    wait: true,
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
  });
  for (const absent of ["ports", "volumes", "mounts", "envs", "uploads", "privileged"]) {
    expect(inputs).not.toHaveProperty(absent);
  }
});

test("the policy pack reports no violation", () => {
  const { inputs } = recorder.get("openclaw-sidecar-container");

  expect(rules.flatMap(({ container }) => container?.(inputs as Container) ?? [])).toEqual([]);
});

describe("openclaw.json", () => {
  const parse = (values: Record<string, string>) => parseSettings({ values, encrypted: [] });

  test("has the browser's address, and keeps the given configuration", () => {
    const given = {
      ui: { seamColor: "#ff0000" },
      browser: {
        evaluateEnabled: false,
        profiles: { other: { cdpUrl: "https://cdp.example.com" } },
        ssrfPolicy: { allowRfc2544BenchmarkRange: true, allowedHostnames: ["wiki.example.com"] },
      },
    };
    expect(withBrowser(given, "openclaw-browser")).toEqual({
      ui: { seamColor: "#ff0000" },
      browser: {
        enabled: true,
        evaluateEnabled: false,
        defaultProfile: "sidecar",
        profiles: {
          other: { cdpUrl: "https://cdp.example.com" },
          sidecar: { cdpUrl: "http://openclaw-browser:9222" },
        },
        ssrfPolicy: {
          allowRfc2544BenchmarkRange: true,
          allowedHostnames: ["openclaw-browser", "wiki.example.com"],
        },
      },
    });
  });

  test.each(["enabled", "defaultProfile", "profiles.sidecar"])(
    "with browser.%s is refused together with a browser, and accepted without one",
    (key) => {
      const value = key.split(".").reduceRight<unknown>((inner, part) => ({ [part]: inner }), {});
      const values = { openclawConfig: JSON.stringify({ browser: value }) };

      expect(() => parse({ ...values, plan: "medium" })).toThrow(SettingsError);
      expect(() => parse(values)).not.toThrow();
    },
  );
});

test.each([
  ["openclaw-browser:9222", true],
  ["my.claw-browser:9222", true],
  ["127.0.0.1:9222", true],
  ["localhost", true],
  ["evil.example.com:9222", false],
  ["openclaw-browser.example.com:9222", false],
  ["", false],
])("DevTools answer a request for the host %j: %s", (host, isAnswered) => {
  const conf = readFileSync("assets/browser-image/rootfs/etc/browser-image/nginx.conf", "utf8");
  const patterns = [...conf.matchAll(/"~(\S+)" 1;/g)].map(
    ([, pattern = ""]) => new RegExp(pattern),
  );

  expect(conf).toContain("if ($is_own_name = 0)");
  expect(patterns.some((pattern) => pattern.test(host))).toBe(isAnswered);
});
