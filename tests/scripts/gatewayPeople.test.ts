import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { builtInRoles } from "../../components/gateway/people";

const program = resolve("assets/gateway-image/rootfs/usr/local/lib/gateway-image/live.mjs");

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
