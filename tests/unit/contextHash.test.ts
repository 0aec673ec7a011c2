import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contextHash } from "../../components/contextHash";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "context-"));
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "Dockerfile"), "FROM scratch");
  writeFileSync(join(folder, "sub", "run.sh"), "exit 0");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("is twelve hex digits, the same each time", () => {
  expect(contextHash(folder, { VERSION: "1" })).toMatch(/^[0-9a-f]{12}$/);
  expect(contextHash(folder, { VERSION: "1" })).toBe(contextHash(folder, { VERSION: "1" }));
});

test.each<[what: string, change: () => void]>([
  [
    "a file's content",
    () => {
      writeFileSync(join(folder, "sub", "run.sh"), "exit 1");
    },
  ],
  [
    "a file's name",
    () => {
      renameSync(join(folder, "sub", "run.sh"), join(folder, "sub", "go.sh"));
    },
  ],
  [
    "a file's place",
    () => {
      renameSync(join(folder, "sub", "run.sh"), join(folder, "run.sh"));
    },
  ],
  [
    "a file's being executable",
    () => {
      chmodSync(join(folder, "sub", "run.sh"), 0o755);
    },
  ],
  [
    "a further file",
    () => {
      writeFileSync(join(folder, "more"), "");
    },
  ],
])("changes with %s", (_, change) => {
  const before = contextHash(folder);
  change();

  expect(contextHash(folder)).not.toBe(before);
});

test("changes with an input's name and value", () => {
  const inputs: Record<string, string>[] = [{}, { A: "1" }, { A: "2" }, { B: "1" }];
  const hashes = inputs.map((input) => contextHash(folder, input));

  expect(new Set(hashes).size).toBe(4);
});

test("does not change with documentation", () => {
  const before = contextHash(folder);
  writeFileSync(join(folder, "README.md"), "words");

  expect(contextHash(folder)).toBe(before);
});

test("does not depend on the umask of the clone", () => {
  const script = join(folder, "sub", "run.sh");
  const hashes = [0o755, 0o700, 0o775].map((mode) => {
    chmodSync(script, mode);
    chmodSync(join(folder, "sub"), mode);
    chmodSync(join(folder, "Dockerfile"), mode & 0o666);
    return contextHash(folder);
  });

  expect(new Set(hashes).size).toBe(1);
});

describe("an image that is built from a clone", () => {
  /** What is copied from the clone, as `file destination`, and the commands that follow it. */
  const copies = (dockerfile: string) => {
    const steps = readFileSync(dockerfile, "utf8").replaceAll("\\\n", "").split("\n");
    return steps.flatMap((step, index) => {
      const [, file = "", destination = ""] = /^COPY (?!--from)(\S+) (\S+)$/.exec(step) ?? [];
      return file === "" ? [] : [{ file, destination, after: steps.slice(index).join("\n") }];
    });
  };

  test.each(["gateway", "browser", "kasm"])("sets the modes of its files (%s)", (name) => {
    const found = copies(`assets/${name}-image/Dockerfile`);

    expect(found).not.toEqual([]);
    for (const { file, destination, after } of found) {
      const place = file.endsWith("/") ? destination.replace(/(?<=.)\/$/, "") : `/tmp/${file}`;
      expect(after).toMatch(new RegExp(`chmod [^&]*${place}( |$)`, "m"));
    }
  });
});
