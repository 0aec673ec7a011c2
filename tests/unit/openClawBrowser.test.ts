import { OpenClawBrowser } from "../../components/openClawBrowser";
import { type Container, rules } from "../../policy/rules";
import { openclawConfig } from "../../settings/browser";
import { parseSettings, SettingsError } from "../../settings";
import { Recorder, valueOf } from "./mocks";

const recorder = new Recorder();

beforeAll(() => recorder.start());

test("the browser's exact inputs: no port, one network, no rights, nothing to write to but memory", async () => {
  const browser = new OpenClawBrowser("openclaw-sidecar", {
    image: "sha256:browser",
    containerName: "openclaw-browser",
    networkName: "openclaw-net",
    cpus: 1,
    memoryMb: 2048,
  });
  expect(await valueOf(browser.containerId)).toBe("openclaw-sidecar-container-id");

  const container = recorder.get("openclaw-sidecar-container");
  expect(container.secrets).toEqual([]);
  expect(container.inputs).toEqual({
    name: "openclaw-browser",
    hostname: "openclaw-browser",
    image: "sha256:browser",
    restart: "unless-stopped",
    init: true,
    networkMode: "openclaw-net",
    networksAdvanced: [{ name: "openclaw-net" }],
    cpus: "1.0",
    memory: 2048,
    memorySwap: 2048,
    shmSize: 512,
    readOnly: true,
    tmpfs: { "/tmp": "mode=1777,size=512m" },
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    wait: true,
    waitTimeout: 60,
    healthcheck: {
      tests: [
        "CMD",
        "curl",
        "--disable",
        "--noproxy",
        "*",
        "-fsS",
        "-o",
        "/dev/null",
        "--max-time",
        "4",
        "http://127.0.0.1:9222/json/version",
      ],
      interval: "10s",
      timeout: "5s",
      startPeriod: "30s",
      retries: 3,
    },
    logDriver: "json-file",
    logOpts: { "max-size": "10m", "max-file": "3" },
  });
});

test("the policy pack has nothing against it", () => {
  const { inputs } = recorder.get("openclaw-sidecar-container");

  expect(rules.flatMap(({ container }) => container?.(inputs as Container) ?? [])).toEqual([]);
});

describe("openclaw.json", () => {
  const parse = (values: Record<string, string>) => parseSettings({ values, encrypted: [] });

  test("is left alone without a browser", () => {
    const given = '{"browser":{"enabled":false}}';

    expect(openclawConfig(parse({ openclawConfig: given }))).toEqual(JSON.parse(given));
  });

  test("leads to the browser, and keeps what was given", () => {
    const given = {
      ui: { seamColor: "#ff0000" },
      browser: {
        evaluateEnabled: false,
        profiles: { other: { cdpUrl: "https://cdp.example.com" } },
        ssrfPolicy: { allowRfc2544BenchmarkRange: true, allowedHostnames: ["wiki.example.com"] },
      },
    };
    const settings = parse({ plan: "medium", openclawConfig: JSON.stringify(given) });

    expect(openclawConfig(settings)).toEqual({
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
    "with browser.%s given is refused beside a browser, and fine without one",
    (key) => {
      const value = key.split(".").reduceRight<unknown>((inner, part) => ({ [part]: inner }), {});
      const values = { openclawConfig: JSON.stringify({ browser: value }) };

      expect(() => parse({ ...values, plan: "medium" })).toThrow(SettingsError);
      expect(() => parse(values)).not.toThrow();
    },
  );
});
