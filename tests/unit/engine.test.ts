import { saysTheSame, withoutVerbosity } from "../../commands/engine";

const text = "# a comment\nconfig:\n  openclaw:memoryMb: 2048\n  openclaw:host:\n    port: 22\n";

test.each([
  ["as it was", text, true],
  [
    "with a salt, as the CLI writes it",
    'config:\n  openclaw:memoryMb: "2048"\n  openclaw:host:\n    port: 22\nencryptionsalt: v1:abc=\n',
    true,
  ],
  ["with another value", text.replace("2048", "4096"), false],
  ["with one more setting", `${text}  openclaw:port: 8181\n`, false],
])("a stack's file %s", (_, now, expected) => {
  expect(saysTheSame(now, text)).toBe(expected);
});

test("an environment has no engine say secrets in clear", () => {
  const env = { PATH: "/bin", PULUMI_OPTION_DEBUG: "true", PULUMI_OPTION_VERBOSE: "9" };

  expect(withoutVerbosity({ ...env, PULUMI_OPTION_LOGTOSTDERR: "true" })).toEqual({ PATH: "/bin" });
});
