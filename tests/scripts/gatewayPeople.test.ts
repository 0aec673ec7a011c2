import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { builtInRoles } from "../../components/gateway/people";
import { describeAsRoot } from "../support/asRoot";

const folder = resolve("assets/gateway-image/rootfs/usr/local/lib/gateway-image");
const program = join(folder, "live.mjs");

/** Runs an expression that uses what the image's program exports, and returns its value. */
function evaluate(expression: string): unknown {
  const script = `import * as live from ${JSON.stringify(program)};
const { checkPeople, passwordHash } = live;
console.log(JSON.stringify(${expression}));`;
  const { stdout, stderr } = spawnSync("node", ["--input-type=module"], {
    input: script,
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

test("the hash of an unchanged password stays, that of another one is new", () => {
  const [first, same, other] = evaluate(`(() => {
    const first = passwordHash("a-password-0123");
    return [first, passwordHash("a-password-0123", first), passwordHash("b-password-0123", first)];
  })()`) as string[];

  expect(first).toMatch(/^\$6\$/);
  expect(same).toBe(first);
  expect(other).not.toBe(first);
});

test("all problems of people are listed, without their passwords", () => {
  const people = {
    Ann: { role: "admin", password: "a-password-0123" },
    ann: { role: "boss", password: "hunter2" },
    "a:b": { role: "member", password: "a-password-0123" },
  };
  const check = `checkPeople(${JSON.stringify(people)}, ${JSON.stringify(builtInRoles)})`;
  const problems = (evaluate(check) as string[]).join("\n");

  for (const place of [
    '"Ann"',
    '"ann"',
    "people.ann.password",
    "people.ann.role",
    "names of 1 to 64",
  ]) {
    expect(problems).toContain(place);
  }
  expect(problems).not.toMatch(/hunter2|a-password/);
});

describeAsRoot("a container that is told of people", () => {
  let root: string;
  const read = (name: string) => readFileSync(join(root, name), "utf8");

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "openclaw-people-"));
    for (const name of ["people.mjs", "roles.mjs", "live.mjs"]) {
      const text = readFileSync(join(folder, name), "utf8");
      const moved = text.replaceAll(
        /(?<=["`])\/(run|etc)\/(gateway-image|nginx|openclaw-gateway)/g,
        `${root}/$1/$2`,
      );
      writeFileSync(join(root, name), moved);
    }
    mkdirSync(join(root, "etc/openclaw-gateway"), { recursive: true });
    writeFileSync(join(root, "s6-svc"), `#!/bin/sh\necho "$*" >${root}/started\n`, { mode: 0o755 });
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  /** What the container has when it has prepared itself. */
  function prepared(status: string): void {
    mkdirSync(join(root, "run/gateway-image/public"), { recursive: true });
    mkdirSync(join(root, "run/nginx"), { recursive: true });
    writeFileSync(join(root, "run/gateway-image/settings.json"), "{}");
    writeFileSync(join(root, "run/gateway-image/public/down.json"), JSON.stringify({ status }));
  }

  /** Tells it of one person; returns the exit status and what was printed. */
  function tell(): Promise<[unknown[], string]> {
    const env = { ...process.env, PATH: `${root}:${process.env.PATH ?? ""}` };
    const told = spawn("node", [join(root, "people.mjs"), "apply"], {
      stdio: ["pipe", "ignore", "pipe"],
      env,
    });
    const people = { ann: { role: "admin", password: "a-password-0123" } };
    told.stdin.end(JSON.stringify({ people, roles: builtInRoles, config: {} }));
    let said = "";
    told.stderr.on("data", (text: Buffer) => (said += text.toString()));
    return once(told, "close").then((ended) => [ended, said]);
  }

  test("takes them also before it has prepared itself", async () => {
    const ended = tell();
    await sleep(500);
    prepared("unreachable");

    expect(await ended).toEqual([[0, null], ""]);
    expect(read("run/gateway-image/live")).toBe("");
    expect(read("etc/openclaw-gateway/live.json")).toContain('"ann"');
    expect(existsSync(join(root, "started"))).toBe(false);
  });

  test("starts a gateway that refused its configuration, which is not refused any more from then on", async () => {
    prepared("refused");

    expect(await tell()).toEqual([[0, null], ""]);
    expect(read("started")).toBe("-u /run/service/gateway\n");
    expect(read("run/gateway-image/public/down.json")).toContain('"unreachable"');
  });
});
