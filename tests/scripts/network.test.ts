import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptWith } from "../../host/shell";

const owner = "dev/openclaw-net";
let folder: string;
const at = (name: string) => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "openclaw-network-"));
  // A stand-in for Docker with one network or none: the file says what it is.
  writeFileSync(
    at("docker"),
    `#!/bin/sh
case $* in
  "network ls --filter name=^openclaw-net$ "*) cat ${at("network")} 2>/dev/null || true ;;
  "network create --driver bridge --label openclaw-kasm.stack=${owner} openclaw-net")
    echo "bridge network of ${owner}" >${at("network")}; echo 0123 ;;
  "ps --all --quiet --filter network=openclaw-net") cat ${at("stopped")} 2>/dev/null || true ;;
  "network connect openclaw-net "*) echo "$4" >>${at("connected")} ;;
  "network rm openclaw-net") rm ${at("network")}; echo openclaw-net ;;
  *) echo "what is $*?" >&2; exit 1 ;;
esac
`,
    { mode: 0o755 },
  );
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function run(action: string, network = "openclaw-net") {
  const { status, stdout, stderr } = spawnSync("sh", ["-s", "--", action], {
    input: scriptWith("network.sh", { NETWORK: network, OWNER: owner }),
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` },
  });
  return [status, stdout, stderr];
}

const well = [0, `bridge network of ${owner}\n`, ""];

test("is created once, found by look, and removed once", () => {
  expect(run("look")).toEqual([0, "missing\n", ""]);
  expect(run("apply")).toEqual(well);
  expect(run("apply")).toEqual(well);
  expect(run("look")).toEqual(well);
  expect(run("remove")).toEqual([0, "", ""]);
  expect(run("remove")).toEqual([0, "", ""]);
  expect(existsSync(at("network"))).toBe(false);
});

test("connects containers of a deleted network to the new one, once", () => {
  writeFileSync(at("stopped"), "c1\nc2\n");
  expect(run("apply")).toEqual(well);
  expect(run("apply")).toEqual(well);

  expect(readFileSync(at("connected"), "utf8")).toBe("c1\nc2\n");
});

test("a name with a dot matches no other name", () => {
  // As Docker takes it: a regular expression.
  writeFileSync(
    at("docker"),
    `#!/bin/sh\necho a-b.net | grep -q "\${4#name=}" && echo "bridge network of ${owner}"\ntrue\n`,
    { mode: 0o755 },
  );

  expect(run("look", "a-b.net")).toEqual(well);
  expect(run("look", "a.b.net")).toEqual([0, "missing\n", ""]);
});

test.each([
  "bridge network of ",
  "bridge network of main/openclaw-net",
  `macvlan network of ${owner}`,
])("refuses %p under its name and leaves it unchanged", (other) => {
  writeFileSync(at("network"), `${other}\n`);

  expect(run("apply")).toEqual([
    1,
    "",
    `there is a network named openclaw-net that is not ${owner}'s: remove it, or choose another name\n`,
  ]);
  expect(run("remove")).toEqual([0, "", ""]);
  expect(readFileSync(at("network"), "utf8")).toBe(`${other}\n`);
});

test.each(["apply", "look", "remove"])("reports a Docker that does not answer on %s", (action) => {
  writeFileSync(at("docker"), "#!/bin/sh\necho 'no answer' >&2; exit 1\n", { mode: 0o755 });

  const [status, , stderr] = run(action);
  expect(status).not.toBe(0);
  expect(stderr).toContain("no answer");
});
