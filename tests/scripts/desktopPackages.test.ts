import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

jest.setTimeout(120_000);

/** What Chromium does not find in KASM's core image in the version that it asks for. */
const missing = {
  jammy: [
    "libdav1d6",
    "libflac12",
    "libharfbuzz-subset0",
    "libharfbuzz0b",
    "libjpeg62-turbo",
    "libopenh264-7",
    "libopenjp2-7",
    "libzstd1",
  ],
  noble: ["libdav1d6", "libjpeg62-turbo"],
};

const data = join(__dirname, "desktopPackages");
const dockerfile = readFileSync("assets/kasm-image/Dockerfile", "utf8").replaceAll("\\\n", "");

describe.each(Object.entries(missing))("KASM's core image on %s", (release, own) => {
  let folder: string;
  const at = (name: string) => join(folder, name);

  function run(command: string, ...args: string[]) {
    const env = { PATH: process.env.PATH, LANG: "C.UTF-8", APT_CONFIG: at("apt.conf") };
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", env });
    return { status, text: stdout + stderr };
  }

  /** Debian's packages by their control files, each with one library in it. */
  function makeDebianPackages(): void {
    for (const stanza of readFileSync(join(data, "debian"), "utf8").trim().split("\n\n")) {
      const [, name = ""] = /^Package: (.*)$/m.exec(stanza) ?? [];
      const tree = at(`tree-${name}`);
      mkdirSync(join(tree, "DEBIAN"), { recursive: true });
      mkdirSync(join(tree, "usr/lib/x86_64-linux-gnu"), { recursive: true });
      writeFileSync(join(tree, "usr/lib/x86_64-linux-gnu", `${name}.so.1`), "");
      const rest = "Maintainer: test <test@example.com>\nDescription: recorded";
      writeFileSync(join(tree, "DEBIAN/control"), `${stanza}\n${rest}\n`);
      run("dpkg-deb", "--build", tree, at(`debian/${name}_1_amd64.deb`));
    }
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "openclaw-packages-"));
    for (const each of ["lists/partial", "archives/partial", "debian"]) {
      mkdirSync(at(each), { recursive: true });
    }
    writeFileSync(at("status"), gunzipSync(readFileSync(join(data, `${release}-installed.gz`))));
    copyFileSync(join(data, `${release}-available`), at("Packages"));
    writeFileSync(at("sources.list"), `deb [trusted=yes] file:${folder} ./\n`);
    const places = {
      "Dir::State": folder,
      "Dir::State::status": at("status"),
      "Dir::Cache": folder,
      "Dir::Etc": folder,
      "Dir::Etc::parts": "/dev/null",
      "Dir::Etc::sourceparts": "/dev/null",
      "Dir::Etc::preferencesparts": "/dev/null",
      "Dir::Log": folder,
      "APT::Architecture": "amd64",
      "APT::Sandbox::User": "root",
    };
    writeFileSync(
      at("apt.conf"),
      `${Object.entries(places)
        .map(([name, value]) => `${name} "${value}";\n`)
        .join("")}APT::Architectures { "amd64"; "i386"; };\n`,
    );
    expect(run("apt-get", "update")).toMatchObject({ status: 0 });
    makeDebianPackages();
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const simulate = (...args: string[]) => run("apt-get", "install", "--simulate", ...args);

  test("can't install Debian's Chromium package unchanged", () => {
    const options = ["--no-install-recommends", "--no-remove"];
    const packages = ["chromium", "chromium-common"].map((name) =>
      at(`debian/${name}_1_amd64.deb`),
    );

    expect(simulate(...options, ...packages)).toMatchObject({
      status: 100,
      text: expect.stringMatching(/ chromium : Depends: .* but /) as string,
    });
  });

  test("installs the Dockerfile's packages without replacing, upgrading or removing its own", () => {
    const made = run(
      "assets/kasm-image/chromium-package.sh",
      ...[at("debian"), at("chromium.deb")],
    );
    expect(made).toEqual({
      status: 0,
      text: own.map((name) => `Chromium gets its own ${name}\n`).join(""),
    });

    const installations = [...dockerfile.matchAll(/apt-get install ([^&]*)/g)];
    expect(installations).toHaveLength(2);
    for (const [, args = ""] of installations) {
      const words = args.replace("/tmp/chromium.deb", at("chromium.deb")).trim().split(/\s+/);
      const { status, text } = simulate(...words);
      expect([status, text]).toEqual([0, expect.stringMatching(/^0 upgraded, .* 0 to remove/m)]);
      expect(text).not.toMatch(/^(Remv|Inst \S+ \[)/m);
    }
    const listed = run("dpkg-deb", "--contents", at("chromium.deb")).text;
    for (const name of own) {
      expect(listed).toContain(`./usr/lib/chromium/lib/${name}.so.1\n`);
    }
  });

  test("with an older C library fails with the name of the missing dependency", () => {
    const chromium = at("tree-chromium/DEBIAN/control");
    writeFileSync(
      chromium,
      readFileSync(chromium, "utf8").replace("libc6 (>= 2.35)", "libc6 (>= 9.9)"),
    );
    run("dpkg-deb", "--build", at("tree-chromium"), at("debian/chromium_1_amd64.deb"));

    expect(
      run("assets/kasm-image/chromium-package.sh", at("debian"), at("none.deb")),
    ).toMatchObject({
      status: 1,
      text: expect.stringContaining(
        "Chromium can't be installed on this image: chromium needs libc6 (>= 9.9)",
      ) as string,
    });
  });
});
