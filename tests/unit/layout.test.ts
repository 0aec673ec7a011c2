import { readdirSync, readFileSync } from "node:fs";
import { join, normalize, resolve } from "node:path";

const root = resolve(__dirname, "../..");

/** What each folder of product code may use, besides itself. */
const uses: Readonly<Record<string, readonly string[]>> = {
  host: [],
  providers: ["host"],
  components: ["host", "providers"],
  config: ["components", "host", "providers"],
  toolchain: ["host"],
  pulumi: ["config", "components", "host", "providers", "toolchain"],
  cli: ["config", "components", "host", "providers", "pulumi"],
};

const imports = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const text = readFileSync(join(root, folder, file), "utf8");
      const found = [...text.matchAll(/(?:from |import\()"(\.[^"]+)"/g)];
      return found.map(([, target = ""]) => {
        const room = normalize(join(folder, file, "..", target)).split("/")[0] ?? "";
        return `${folder}/${file} uses ${room}`;
      });
    });

test.each(Object.entries(uses))("%s imports only folders below it", (folder, allowed) => {
  const isAllowed = (line: string) =>
    [folder, ...allowed].some((room) => line.endsWith(` uses ${room}`));

  expect(imports(folder).filter((line) => !isAllowed(line))).toEqual([]);
});

test("no two test files that run side by side use the same port of this machine", () => {
  const users = new Map<string, string[]>();
  for (const folder of ["tests/integration", "tests/e2e"]) {
    const files = readdirSync(join(root, folder), { recursive: true }).map(String);
    for (const file of files.filter((name) => name.endsWith(".test.ts"))) {
      const text = readFileSync(join(root, folder, file), "utf8");
      // 18789 is OpenClaw's own, in its container.
      const ports = new Set(text.match(/\b(12[2-5]|15[0-9]|18[0-6]|19[0-9])\d\d\b/g));
      ports.forEach((port) => users.set(port, [...(users.get(port) ?? []), join(folder, file)]));
    }
  }

  expect(users.size).toBeGreaterThan(15);
  expect([...users].filter(([, files]) => files.length > 1)).toEqual([]);
});

test("modules that the engine loads have the names by which the packed library finds them", () => {
  const library = readFileSync(join(root, "tsconfig.library.json"), "utf8");
  const loaded = readdirSync(join(root, "providers"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => [
      ...readFileSync(join(root, "providers", file), "utf8").matchAll(
        /fromProject\(join\(__dirname, "(\w+)"/g,
      ),
    ])
    .map(([, name]) => name);

  expect(library).toContain('"providers/**/*Provider.ts"');
  expect(loaded.length).toBeGreaterThan(4);
  expect(loaded.filter((name) => !name?.endsWith("Provider"))).toEqual([]);
});
