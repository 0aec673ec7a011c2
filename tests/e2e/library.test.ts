import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { $ } from "zx";
import { ensureToolchain, toolchainEnv } from "../../toolchain";
import { dockerInventory, get, removeLeftovers } from "../support/docker";
import { Project } from "../support/project";

jest.setTimeout(5 * 60_000);

const packages = resolve(__dirname, "../../node_modules");
const checkout = new Project();
/** A folder elsewhere, in which other people's programs are. */
const elsewhere = mkdtempSync(join(tmpdir(), "openclaw-e2e-library-"));
const names = "openclaw-e2e-library";
let pulumi: (
  folder: string,
  ...args: string[]
) => Promise<{ exitCode: number | null; text: string }>;

/** Links the packages that a package manager would install. */
function linkPackages(target: string): void {
  mkdirSync(join(target, "@pulumi"), { recursive: true });
  const inScope = readdirSync(join(packages, "@pulumi")).map((name) => `@pulumi/${name}`);
  const others = readdirSync(packages).filter((name) => !/^(\.|@pulumi$)/.test(name));
  for (const name of [...inScope, ...others]) {
    symlinkSync(join(packages, name), join(target, name));
  }
}

beforeAll(async () => {
  await checkout.checkout("light");
  const toolchain = await ensureToolchain(() => undefined);
  const env = {
    ...process.env,
    ...toolchainEnv(toolchain),
    PULUMI_BACKEND_URL: `file://${elsewhere}`,
    PULUMI_CONFIG_PASSPHRASE: "passphrase",
    NO_COLOR: "1",
  };
  pulumi = async (folder, ...args) => {
    const run = $({ cwd: join(elsewhere, folder), env, quiet: true, nothrow: true });
    const { exitCode, stdout, stderr } = await run`${toolchain.pulumi} ${args}`;
    return { exitCode, text: `${stdout}${stderr}` };
  };
  const pack = $({ cwd: checkout.folder, quiet: true });
  const { stdout } = await pack`npm pack --silent --pack-destination ${elsewhere}`;
  const modules = join(elsewhere, "node_modules");
  linkPackages(modules);
  mkdirSync(join(modules, "openclaw-kasm"));
  const tarball = join(elsewhere, stdout.trim());
  await $`tar -xzf ${tarball} --strip-components 1 --directory ${join(modules, "openclaw-kasm")}`;
  await removeLeftovers(names, "library");
});

afterAll(async () => {
  await removeLeftovers(names, "library");
  checkout.remove();
  rmSync(elsewhere, { recursive: true, force: true });
});

describe("the packed library", () => {
  test("contains code, types and assets, and nothing else of the repository", () => {
    const package_ = join(elsewhere, "node_modules/openclaw-kasm");

    expect(readdirSync(package_).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"]);
    expect(readdirSync(join(package_, "dist")).sort()).toEqual([
      "assets",
      "components",
      "host",
      "providers",
    ]);
    expect(readFileSync(join(package_, "dist/components/index.d.ts"), "utf8")).toContain(
      "OpenClawStandalone",
    );
  });

  test("deploys a gateway in another program and destroys it", async () => {
    const folder = join(elsewhere, "program");
    mkdirSync(folder);
    writeFileSync(
      join(folder, "Pulumi.yaml"),
      "name: other\nruntime: { name: nodejs, options: { typescript: false } }\nmain: index.mjs\n",
    );
    writeFileSync(join(folder, "package.json"), '{"name":"other","type":"module"}');
    writeFileSync(
      join(folder, "index.mjs"),
      `import { OpenClawStandalone } from "openclaw-kasm";
       const gateway = new OpenClawStandalone("${names}", { port: 18290, memoryMb: 2048, removeData: true });
       export const urls = gateway.urls;`,
    );
    await pulumi("program", "stack", "init", "library");
    const up = await pulumi("program", "up", "--yes", "--skip-preview");
    expect(up).toMatchObject({ exitCode: 0 });
    expect((await get("http://127.0.0.1:18290/")).status).toBe(401);
    const state = await pulumi("program", "stack", "export");
    expect(state.text).not.toContain(elsewhere);

    const again = await pulumi("program", "preview", "--expect-no-changes", "--refresh");
    expect(again).toMatchObject({ exitCode: 0 });
    const down = await pulumi("program", "destroy", "--yes", "--skip-preview");
    expect(down).toMatchObject({ exitCode: 0 });
    expect(await dockerInventory(names, "library")).toEqual([]);
  });

  test.each(["local", "kasm-server", "team", "desktop"])(
    "example %s passes a preview",
    async (name) => {
      cpSync(join(checkout.folder, "examples", name), join(elsewhere, name), { recursive: true });
      await pulumi(name, "stack", "init", `example-${name}`);
      const settings = {
        address: "kasm.example.com",
        hostKey: "ssh-ed25519 AAAAtarget",
        registry: "registry.example.com/team",
        "people[0]": "ann",
        "people[1]": "bob",
      };
      const secrets = [
        "anthropicKey",
        "privateKey",
        "kasmApiKey",
        "kasmApiSecret",
        "registryPassword",
      ];
      const { stdout } = await $({
        quiet: true,
      })`sh -c ${'f=$(mktemp -u) && ssh-keygen -q -t ed25519 -N "" -f "$f" && cat "$f" && rm "$f" "$f.pub"'}`;
      for (const [key, value] of Object.entries(settings)) {
        await pulumi(name, "config", "set", "--path", key, value);
      }
      for (const key of secrets) {
        const value = key === "privateKey" ? stdout : "secret-0123456789";
        await pulumi(name, "config", "set", "--secret", key, "--", value);
      }
      const preview = await pulumi(name, "preview");

      expect(preview).toMatchObject({ exitCode: 0 });
      expect(preview.text).toContain("create");
      expect(preview.text).not.toContain("secret-0123456789");
    },
  );
});
