import { gatewaySecrets } from "../../components/gateway/readiness";

describe("the secrets to hide in a gateway's log", () => {
  test("include every given secret, also escaped as JSON, the longest first", () => {
    expect(
      gatewaySecrets({
        passwords: ['pass"word-123'],
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

  test("exclude texts so short that they occur in any line", () => {
    const config = { passwords: ["long-enough"], token: "", providerKeys: {} };

    expect(gatewaySecrets({ ...config, openclawConfig: { token: "a" } })).toEqual(["long-enough"]);
  });
});
