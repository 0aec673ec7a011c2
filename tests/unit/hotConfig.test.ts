import { splitConfig } from "../../components/gateway/hotConfig";

describe("a change of openclaw.json", () => {
  test.each<[path: string, isHot: boolean]>([
    ["agents.defaults.model", true],
    ["channels.telegram.botToken", true],
    ["gateway.publicOrigin", true],
    ["gateway.controlUi.environment", true],
    ["gateway.controlUi.root", false],
    ["gateway.tailscale.mode", false],
    ["mcp.servers.a", true],
    ["mcp.apps.port", false],
    ["mcp.apps.sandboxOrigin", true],
    ["browser.profiles.a", true],
    ["browser.other", false],
    ["env.vars.KEY", false],
    ["agentsOther", false],
  ])("of %s reaches a running gateway: %s", (path, isHot) => {
    const config = path.split(".").reduceRight<unknown>((value, key) => ({ [key]: value }), "x");

    expect(splitConfig(config as Record<string, unknown>)).toEqual({
      hot: isHot ? config : {},
      cold: isHot ? {} : config,
    });
  });

  test("is split by its leaves; lists and empty objects are whole", () => {
    expect(splitConfig({ gateway: { tools: { deny: ["a"] }, port: 1 }, ui: {}, env: {} })).toEqual({
      hot: { gateway: { tools: { deny: ["a"] } }, ui: {} },
      cold: { gateway: { port: 1 }, env: {} },
    });
  });

  test("needs a restart if OpenClaw is told to take none in", () => {
    const config = { ui: { seamColor: "#ff0000" }, gateway: { reload: { mode: "off" } } };

    expect(splitConfig(config)).toEqual({ hot: {}, cold: config });
  });
});
