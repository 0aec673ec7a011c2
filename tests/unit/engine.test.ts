import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTornAttributes, saysTheSame, withoutVerbosity } from "../../pulumi/engine";
import { replaceFile } from "../../host/files";

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

test("replaces a stack's file atomically", () => {
  const folder = mkdtempSync(join(tmpdir(), "openclaw-stack-"));
  const [file, link] = [join(folder, "target.yaml"), join(folder, "Pulumi.dev.yaml")];
  writeFileSync(file, "salted", { mode: 0o640 });
  symlinkSync("target.yaml", link);
  const reader = openSync(link, "r");
  replaceFile(link, text);
  const seen = readFileSync(reader, "utf8");
  closeSync(reader);
  const [now, mode, isLink] = [
    readFileSync(file, "utf8"),
    statSync(file).mode & 0o777,
    lstatSync(link).isSymbolicLink(),
  ];
  const files = readdirSync(folder);
  rmSync(folder, { recursive: true });

  expect([seen, now, mode, isLink]).toEqual(["salted", text, 0o640, true]);
  expect(files).toEqual(["Pulumi.dev.yaml", "target.yaml"]);
});

test("removes variables that make the engine show secrets in clear", () => {
  const env = { PATH: "/bin", PULUMI_OPTION_DEBUG: "true", PULUMI_OPTION_VERBOSE: "9" };

  expect(withoutVerbosity({ ...env, PULUMI_OPTION_LOGTOSTDERR: "true" })).toEqual({ PATH: "/bin" });
});

test("deletes only the partial state files of a killed engine", () => {
  const folder = mkdtempSync(join(tmpdir(), "openclaw-state-"));
  const stacks = join(folder, ".pulumi/stacks/openclaw");
  mkdirSync(stacks, { recursive: true });
  const files = {
    "dev.json": "{}",
    "dev.json.attrs": "",
    "dev.json.bak.attrs": '{"user.content',
    "kasm.json": "",
    "kasm.json.attrs": '{"md5":""}',
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(stacks, name), content);
  }
  removeTornAttributes(folder);
  removeTornAttributes(join(folder, "not-there"));
  const left = Object.keys(files).filter((name) => existsSync(join(stacks, name)));
  rmSync(folder, { recursive: true });

  expect(left).toEqual(["dev.json", "kasm.json", "kasm.json.attrs"]);
});
