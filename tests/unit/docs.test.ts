import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { defaults } from "../../components/defaults";
import { componentsText } from "../../dev/componentsText";

const root = resolve(__dirname, "../..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const files = filesOfProject();
const pages = files.filter((file) => file.endsWith(".md"));
/** The pages that people read first; decision records and the READMEs of folders are for developers. */
const guides = pages.filter((page) => /^(README|docs\/\w+)\.md$/.test(page));

/** Returns the project's files, without what commands and tests leave in a checkout. */
function filesOfProject(folder = ""): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isFile()) {
      return [path];
    }
    const isSource = !/^(node_modules|coverage|dist|test-results|\.(?!github$|ci$).*)$/.test(
      entry.name,
    );
    return entry.isDirectory() && isSource ? filesOfProject(path) : [];
  });
}

/** Returns a page without its code blocks, in which `#` starts a comment. */
function withoutCode(page: string): string {
  return page.replace(/^```[^]*?^```$/gm, "");
}

/** Returns the anchors that GitHub gives to the headings of a page. */
function anchorsOf(page: string): string[] {
  const anchors: string[] = [];
  for (const [, heading = ""] of withoutCode(read(page)).matchAll(/^#+ (.*)$/gm)) {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    anchors.push(anchor);
  }
  return anchors;
}

/** Returns what is wrong with a link from the root of the project; nothing if it resolves. */
function problemOf(target: string): string[] {
  const [path = "", anchor] = target.split("#");
  if (!existsSync(join(root, path))) {
    return [`${target}: no such file`];
  }
  return anchor === undefined || anchorsOf(path).includes(anchor)
    ? []
    : [`${target}: no such heading`];
}

describe("README.md", () => {
  test("has at most 160 lines", () => {
    expect(read("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(160);
  });

  test("links to every page of docs/ or to one that does", () => {
    const linked = new Set<string>();
    const follow = (page: string) => {
      for (const target of linksOf(page)) {
        const [path = ""] = target.split("#");
        if (guides.includes(path) && !linked.has(path)) {
          linked.add(path);
          follow(path);
        }
      }
    };
    linked.add("README.md");
    follow("README.md");

    expect(guides.filter((page) => !linked.has(page))).toEqual([]);
  });
});

/** Returns the relative links of a page, as paths from the root of the project. */
function linksOf(page: string): string[] {
  const targets = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(
    ([, target = ""]) => target,
  );
  return (
    targets
      // The badge leads to the repository on GitHub.
      .filter((target) => !/^https?:|^\.\.\/\.\.\/actions\//.test(target))
      .map((target) =>
        target.startsWith("#")
          ? `${page}${target}`
          : relative(root, join(root, dirname(page), target)),
      )
  );
}

test.each(pages)("%s: every relative link and anchor resolves", (page) => {
  expect(linksOf(page).flatMap(problemOf)).toEqual([]);
});

test("every place in docs/ that a file names exists", () => {
  const problems = files.flatMap((file) => {
    const text = /\.(png|sum|gz)$|^package-lock/.test(file) ? "" : read(file);
    const named = text.match(/(?<![\w/-])docs\/[\w/-]+\.md(#[\w-]+)?/g) ?? [];
    return named.flatMap(problemOf).map((problem) => `${file}: ${problem}`);
  });

  expect(problems).toEqual([]);
});

test("no message sends people to the README for what is in docs/", () => {
  const code = files.filter((file) =>
    /^(cli|components|config|host|policy|providers|pulumi|assets\/host)\//.test(file),
  );

  expect(code.filter((file) => /(?<!\/)README\.md[,"]/.test(read(file)))).toEqual([]);
});

describe("commands", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };

  test.each(pages)("%s: every command that it names exists", (page) => {
    const named = [...read(page).matchAll(/npm run ([\w:]+)/g)].map(([, name = ""]) => name);

    // COMMAND stands for any of them.
    expect(named.filter((name) => !(name in scripts) && name !== "COMMAND")).toEqual([]);
  });

  test("every command is in a table of README.md or docs/development.md", () => {
    const rows = `${read("README.md")}\n${read("docs/development.md")}`.match(
      /^\| `npm (run )?[\w:]+/gm,
    );
    const listed = new Set(rows?.map((row) => row.replace(/^\| `npm (run )?/, "")));

    // npm runs it, and people do not.
    const { prepack: _, ...commands } = scripts;
    expect([...listed].sort()).toEqual(Object.keys(commands).sort());
  });
});

describe("docs/troubleshooting.md", () => {
  const sources = files
    .filter((file) =>
      /^(assets\/(host|base-image|offsite-image)|cli|components|config|host|providers|pulumi)\//.test(
        file,
      ),
    )
    .map(read);
  /** The engine's own words, which are in no file of this project. */
  const others = ["the stack is currently locked", "You must run with the --run-program flag"];
  const [table = ""] = /^\| message \|.*\n(\|.*\n)*/m.exec(read("docs/troubleshooting.md")) ?? [];
  /** The messages in the first column; `…` stands for a part that differs each time. */
  const messages = (table.match(/^\| .*?(?= \| )/gm) ?? []).flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, message = ""]) => message),
  );

  test("has messages", () => {
    expect(messages.length).toBeGreaterThan(10);
  });

  test.each(messages.filter((message) => !others.includes(message)))(
    "%j is a message of the program",
    (message) => {
      // Some are put together from parts, at a comma.
      const parts = message.split(/…|,/).map((part) => part.trim());

      expect(sources.filter((source) => parts.every((part) => source.includes(part)))).not.toEqual(
        [],
      );
    },
  );
});

/** Files with words that the project did not choose: licence, lockfiles, Debian's lists of packages; and binary files. */
const foreign =
  /^LICENSE$|(^|\/)(package-lock\.json|go\.sum)$|\.(png|gz)$|^tests\/scripts\/desktopPackages\/[^.]+$/;
/** Words of the dialect that this project was first written in. A loop `of before` is code. */
const banned =
  /\b(nobody|somebody|anybody|whose|of before(?!\))|of now|in vain|looked at|taken away|for ever)\b/gi;

describe("banned words", () => {
  const written = files.filter((file) => !foreign.test(file) && join(root, file) !== __filename);

  test.each([
    "README.md",
    "docs/decisions/0001-own-gateway-image.md",
    "tests/unit/settings.test.ts",
    "tests/image/gateway-image.sh",
    "assets/gateway-image/Dockerfile",
    "assets/kasm-image/rootfs/etc/chromium.d/openclaw-kasm",
    "dev/rig/kasm-agent/agent.mjs",
    ".github/workflows/up.yml",
    "toolchain/go/ours/internal/child/child.go",
  ])("are searched for in %s", (file) => {
    expect(written).toContain(file);
  });

  test("are in no file", () => {
    const found = written.flatMap((file) =>
      read(file)
        .split("\n")
        .flatMap((line, index) =>
          [...line.matchAll(banned)].map(([word]) => `${file}:${(index + 1).toString()}: ${word}`),
        ),
    );

    expect(found).toEqual([]);
  });
});

test("the defaults in doc comments are those in components/defaults.ts", () => {
  // Where a default depends on the other arguments, the comment has words.
  const { directory: _, baseImage: __, browser: ___, ...plain } = defaults;
  const known = { ...plain, nodeImage: defaults.baseImage };
  // `port` of the host is SSH's.
  const [, page = ""] = read("docs/components.md").split("\n## BuiltImage");
  const rows = [...page.matchAll(/^\| `(\w+)` \| (["[\d].*?) \|/gm)];
  const stated = rows.filter(([, name = ""]) => name in known && !/^(cpus|memoryMb)$/.test(name));

  expect(stated.length).toBeGreaterThan(8);
  for (const [, name = "", text = ""] of stated) {
    const value = JSON.stringify(known[name as keyof typeof known]).replaceAll(",", ", ");
    expect([name, text.startsWith(value)]).toEqual([name, true]);
  }
});

test("docs/components.md has the present doc comments of the library", () => {
  expect(read("docs/components.md")).toContain(componentsText());
});
