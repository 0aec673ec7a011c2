import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder: string;
const at = (...path: string[]) => join(folder, ...path);
const program = (file: string, content: string) => {
  writeFileSync(at(file), content, { mode: 0o755 });
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "desktop-image-"));
  for (const each of ["startup", "home"]) {
    mkdirSync(at(each));
  }
  cpSync("assets/kasm-image/rootfs/opt/openclaw-kasm", at("tools"), { recursive: true });
  const guard = at("tools/home-bashrc.sh");
  writeFileSync(
    guard,
    readFileSync(guard, "utf8").replace("--kill-after 1 10", "--kill-after 1 1"),
  );
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Adapts the scripts in `startup` as the image's build does. */
const adapt = () =>
  spawnSync("assets/kasm-image/adapt-startup.sh", [at("startup"), at("tools")], {
    encoding: "utf8",
  });

describe("a start-up script of KASM", () => {
  /** Its output and exit status, with that .bashrc in the home. */
  function start(source: string, bashrc: string) {
    const home = at("home");
    program(
      "startup/vnc_startup.sh",
      `#!/bin/bash\nset -e\ntrap 'echo trapped; exit 0' ERR\n${source}\nls /nothing* >/dev/null 2>&1 || true\nuname >/dev/null\necho "goes on as $name"; false\necho lost\n`,
    );
    program("startup/generate_container_user", "name=generated\n");
    writeFileSync(join(home, ".bashrc"), bashrc);
    expect(adapt()).toMatchObject({ status: 0, stderr: "" });
    const { stdout, stderr } = spawnSync(at("startup/vnc_startup.sh"), {
      env: { PATH: process.env.PATH, HOME: home, STARTUPDIR: at("startup") },
      encoding: "utf8",
    });
    return { stdout, stderr };
  }

  const plain = 'if [ -f "$HOME"/.bashrc ]; then source "$HOME"/.bashrc; fi';
  const leftOut = "openclaw: ~/.bashrc does not come to its end and is left out\n";

  test.each([
    ["what KASM's own has", "source $STARTUPDIR/generate_container_user", "generated", ""],
    ["a failing last line", "name=user\n[ -f /gone ] && source /gone", "user", ""],
    ["a failing line in the middle", "false\nname=user", "user", ""],
    [
      "a return for shells that are not interactive",
      "name=user\ncase $- in *i*) ;; *) return 1 ;; esac",
      "user",
      "",
    ],
    ["options of its own", "set -u +e\nname=user", "user", ""],
    ["a PATH without the system's programs", "PATH=$HOME/bin\nname=user", "user", ""],
    ["traps of its own", "trap 'exit 1' EXIT ERR\nname=user", "user", ""],
    ["other words for commands", "echo() { exit 1; }\nfalse() { :; }\nname=user", "user", ""],
    ["other separators", "IFS=e\nname=user", "user", ""],
    ["globs that fail", "shopt -s failglob\nname=user", "user", ""],
    ["a file for each script to read", "BASH_ENV=$HOME/.bashrc\nname=user", "user", ""],
    ["no output", "exec >/dev/null 2>&1\nname=user", "user", ""],
    ["another folder", "cd /\nname=user", "user", ""],
    ["a second run that fails", "[ -e ~/ran ] && exit 1\ntouch ~/ran\nname=user", "user", ""],
    ["a program that stays", "sleep 30 &\nname=user", "user", ""],
    ["an error under set -e", "set -e\nfalse\nname=user", "generated", leftOut],
    ["an exit", "exit 3", "generated", leftOut],
    ["an exec of another program", "exec true", "generated", leftOut],
  ])("continues with a .bashrc that has %s", (_, bashrc, name, stderr) => {
    expect(start(plain, bashrc)).toEqual({ stdout: `goes on as ${name}\ntrapped\n`, stderr });
  });

  test("continues with a .bashrc that is no script", () => {
    expect(start(plain, "if then (((").stdout).toBe("goes on as generated\ntrapped\n");
  });

  test("continues with a .bashrc that hangs", () => {
    expect(start(plain, "sleep 60").stdout).toBe("goes on as generated\ntrapped\n");
  });

  test.each([
    "source $HOME/.bashrc",
    ". ~/.bashrc",
    'if true; then . "${HOME}/.bashrc"; fi',
    "test -f ~/.bashrc && source '$HOME/.bashrc'",
    "if false; then . ~/.bashrc; else . ~/.bashrc; fi",
  ])("may read it by %s", (source) => {
    expect(start(source, "name=user\nfalse").stdout).toBe("goes on as user\ntrapped\n");
  });

  test("that reads it in an unknown way fails the build", () => {
    program("startup/vnc_startup.sh", "source /home/kasm-user/.bashrc\n");

    expect(adapt()).toMatchObject({
      status: 1,
      stderr: `${at("startup")}/vnc_startup.sh reads .bashrc in a way that is not known here\n`,
    });
  });
});

describe("KASM's hooks", () => {
  const names = () => readdirSync(at("startup")).sort();

  test.each([
    ["1.16", ["kasm_pre_shutdown_user.sh", "kasm_pre_shutdown_root.sh"]],
    [
      "1.18",
      ["kasm_pre_shutdown_user.sh", "kasm_pre_shutdown_root.sh", "kasm_end_session_recoverable.sh"],
    ],
  ])("of %s run OpenClaw's first, and no other script does", (_, hooks) => {
    for (const name of [...hooks, "kasm_post_run_user.sh"]) {
      writeFileSync(at("startup", name), `# ${name}`, { mode: 0o644 });
    }
    expect(adapt().status).toBe(0);

    const own = readFileSync(at("tools/hook.sh"), "utf8");
    const read = (name: string) => readFileSync(at("startup", name), "utf8");
    expect(names()).toEqual(
      [
        ...hooks,
        ...hooks.map((name) => name.replace(".sh", ".kasm.sh")),
        "kasm_post_run_user.sh",
      ].sort(),
    );
    for (const name of hooks) {
      expect([read(name), read(name.replace(".sh", ".kasm.sh"))]).toEqual([own, `# ${name}`]);
    }
    expect(read("kasm_post_run_user.sh")).toBe("# kasm_post_run_user.sh");
  });

  test("of every release include the one that is used if a release has no other", () => {
    expect(adapt().status).toBe(0);

    expect(names()).toEqual(["kasm_pre_shutdown_user.kasm.sh", "kasm_pre_shutdown_user.sh"]);
  });
});
