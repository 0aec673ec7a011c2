import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DockerStandIn } from "../dockerStandIn";
import { describeAsRoot } from "../support/asRoot";
import { typingMachinePath } from "../support/typingMachine";

const upstream = "node:26-bookworm-slim";
const tag = "0123456789ab";
const own = `openclaw-kasm/base-kasm:${tag}`;

let folder: string;
let path: string;
let docker: DockerStandIn;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "typing-machine-"));
  path = typingMachinePath();
  docker = new DockerStandIn(folder);
  // The server has all that a Linux has, and takes a line for its shell.
  writeFileSync(
    join(path, "ssh"),
    `#!/bin/sh\n[ "$1 $2 $3" = '-o KnownHostsCommand=echo a key openclaw-server' ] || exit 255\nshift 3\nPATH='${folder}:${process.env.PATH ?? ""}' exec sh -c "$*"\n`,
    { mode: 0o755 },
  );
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  rmSync(path, { recursive: true });
});

/** Runs a command with nothing but a typing machine's tools, in front of which may stand what takes its /proc away. */
function run(command: readonly string[], { input = "", prefix = [] as readonly string[] } = {}) {
  const [program = "", ...args] = [...prefix, ...command];
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    input,
    env: {
      PATH: path,
      HOME: folder,
      TMPDIR: folder,
      DOCKER_COMMAND: "ssh -o 'KnownHostsCommand=echo a key' openclaw-server docker",
    },
  });
  return { status, stdout, stderr };
}

const baseImage = (script: string, ...args: string[]) => [`assets/base-image/${script}`, ...args];

function deploymentWorks(prefix: readonly string[] = []): void {
  const asked = (...command: string[]) => run(command, { prefix });

  test("checks, names and removes a base image on the server", () => {
    docker.have({ [`openclaw-kasm/node-prod:${tag}`]: "same" });

    expect(asked(...baseImage("look.sh", own))).toEqual({
      status: 0,
      stdout: "missing\n",
      stderr: "",
    });
    expect(asked(...baseImage("ensure.sh", own, upstream)).stdout).toBe(`${own}\n`);
    expect(asked(...baseImage("look.sh", own)).stdout).toBe(`${own}\n`);
    expect(asked(...baseImage("remove.sh", own)).status).toBe(0);
    expect(docker.has()).toEqual({ [`openclaw-kasm/node-prod:${tag}`]: "same" });
  });

  test("has the server pull a base image", () => {
    docker.offer(upstream);

    expect(asked(...baseImage("ensure.sh", own, upstream)).status).toBe(0);
    expect(docker.has()).toEqual({ [own]: "pulled" });
  });

  test("names what it can't do: a base image from Debian's packages", () => {
    const { status, stderr } = asked(...baseImage("ensure.sh", own, upstream));

    expect(status).toBe(1);
    expect(stderr).toContain(`can't pull ${upstream}`);
    expect(stderr).toContain("this machine (Darwin) can't build it from Debian's packages");
    expect(stderr).toContain("openclaw:baseImage");
  });

  test("keeps a key in an agent, which ends with the command", () => {
    const key = join(folder, "id");
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const holder = 'sh assets/ssh/key-agent.sh "$0" $$ && SSH_AUTH_SOCK="$0/agent" ssh-add -l';
    const agent = join(folder, "ssh");
    const { status, stdout, stderr } = run(["/bin/sh", "-c", holder, agent], {
      prefix,
      input: readFileSync(key, "utf8"),
    });

    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/ED25519/);
    spawnSync("sleep", ["2.5"]);
    expect(readdirSync(agent).filter((file) => file !== "holders")).toEqual([]);
  });

  test("runs commands without bash, whatever is in their words", () => {
    const word = `it's "$(id)" \`id\` \\ ü * $HOME`;
    const program = `import { $ } from "${process.cwd()}/host/shellCommand.ts";
      const { stdout } = await $({ quiet: true })\`printf %s:%s \${[${JSON.stringify(word)}, ""]}\`;
      process.stdout.write(stdout);`;
    const file = join(folder, "program.mts");
    writeFileSync(file, program);

    expect(run(["node", "--import", "tsx", file], { prefix })).toEqual({
      status: 0,
      stdout: `${word}:`,
      stderr: "",
    });
  });
}

describe("a machine with the tools of a Mac and without bash", () => {
  deploymentWorks();
});

describeAsRoot("a machine without /proc", () => {
  const noProc = '/usr/bin/mount -t tmpfs none /proc && exec "$@"';

  deploymentWorks(["/usr/bin/unshare", "--mount", "/bin/sh", "-c", noProc, "sh"]);
});

test("no file of the program takes zx's own shell", () => {
  const files = ["cli", "host", "pulumi", "toolchain"].flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => join(room, file)),
  );
  const usesIt = (file: string) => /\{[^}]*\$[^}]*\} from "zx"/.test(readFileSync(file, "utf8"));

  expect(files.filter(usesIt)).toEqual(["host/shellCommand.ts"]);
});
