import { gatewaySecrets } from "../../components/gateway/readiness";

describe("what a gateway's log must not show", () => {
  test("is every secret that it is given, also as JSON writes it, the longest first", () => {
    expect(
      gatewaySecrets({
        password: 'pass"word-123',
        token: "the-token",
        providerKeys: { ANTHROPIC_API_KEY: "sk-ant-key" },
        openclawConfig: {
          channels: { telegram: { botToken: "12:bot-token" }, slack: [{ token: "slack-1" }] },
          ui: { seamColor: "#ff0000" },
        },
      }),
    ).toEqual([
      'pass\\"word-123',
      'pass"word-123',
      "12:bot-token",
      "sk-ant-key",
      "the-token",
      "slack-1",
    ]);
  });

  test("is no text so short that any line holds it", () => {
    const config = { password: "long-enough", token: "", providerKeys: {} };

    expect(gatewaySecrets({ ...config, openclawConfig: { token: "a" } })).toEqual(["long-enough"]);
  });
});
