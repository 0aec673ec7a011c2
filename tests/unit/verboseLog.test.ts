import { isVerbose, secretTexts, withoutSecrets } from "../../pulumi/verboseLog";

test.each([
  ["-v=9"],
  ["-v9"],
  ["-v"],
  ["--verbose"],
  ["--verbose=3"],
  ["--debug"],
  ["-d"],
  ["--debug=true"],
  ["--logtostderr"],
  ["--logtostderr=true"],
  ["-yd"],
  ["-yv9"],
])("%s makes the output verbose", (option) => {
  expect(isVerbose(["up", option])).toBe(true);
});

test("other options do not", () => {
  expect(isVerbose(["up", "--diff", "--yes", "--show-config", "--version", "-y", "-sdev"])).toBe(
    false,
  );
});

const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  plaintext: JSON.stringify(value),
});

test("finds a state's secrets at any depth", () => {
  const state = {
    deployment: {
      resources: [
        { outputs: { result: secret("random-password"), length: 32 } },
        { inputs: { keys: secret({ ANTHROPIC_API_KEY: "sk-1234567", more: ["sk-second"] }) } },
      ],
    },
  };

  expect(secretTexts(state)).toEqual(["random-password", "sk-1234567", "sk-second"]);
});

test("removes them from a log, with any quotes or escapes", () => {
  const secrets = [
    'pass"word\\1',
    "pass",
    "token-of-the-gateway",
    "holds token-of-the-gateway too",
  ];
  const log = [
    'plain pass"word\\1',
    JSON.stringify({ password: 'pass"word\\1' }),
    JSON.stringify(JSON.stringify({ password: 'pass"word\\1' })),
    "holds token-of-the-gateway too",
    "by pass",
  ].join("\n");

  expect(withoutSecrets(log, secrets)).toBe(
    [
      "plain [secret]",
      '{"password":"[secret]"}',
      '"{\\"password\\":\\"[secret]\\"}"',
      "[secret]",
      "by pass",
    ].join("\n"),
  );
});
