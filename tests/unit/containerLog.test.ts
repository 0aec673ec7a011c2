import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepLog } from "../../host/containerLog";

const { PATH = "" } = process.env;
let folder: string;
const file = () => join(folder, "logs", "openclaw.log");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-log-"));
  process.env.PATH = `${folder}:${PATH}`;
});
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true });
});

function docker(image: string): void {
  const script = `#!/bin/sh
case $* in
  "container inspect "*" openclaw") ${image} ;;
  logs*openclaw) printf 'config: \\033[2Jthe-token is wrong\\n'; echo 'on stderr' >&2 ;;
esac
`;
  writeFileSync(join(folder, "docker"), script, { mode: 0o755 });
}

const keep = () =>
  keepLog({ target: {}, container: "openclaw", image: "sha256:old" }, file(), ["the-token"]);

describe("the log of a version that did not start", () => {
  test("is kept without secrets, for this user only", async () => {
    docker("echo sha256:new");

    expect(await keep()).toBe(true);
    expect(readFileSync(file(), "utf8").split("\n").filter(Boolean).sort()).toEqual([
      "config: \\u001b[2J[secret] is wrong",
      "on stderr",
    ]);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  test.each([
    ["the container still runs the previous version", "echo sha256:old"],
    ["there is no container", "exit 1"],
  ])("is not saved if %s", async (_, image) => {
    docker(image);

    expect(await keep()).toBe(false);
    expect(() => statSync(file())).toThrow("ENOENT");
  });
});
