import { show } from "../../cli/status";
import { runPrintably } from "../../cli/logs";
import { waiting } from "../../cli/approve";
import { WorkspaceError } from "../../providers/kasm/errors";
import { run } from "../../providers/observedStateProvider";
import { printable } from "../../host/printable";
import { progress } from "../../host/terminal";

/** Clears a screen, in two ways, and turns the direction of writing. */
const evil = "\u001b[2J \u009b2J \u202e";
const harmless = "\\u001b[2J \\u009b2J \\u202e";

let printed: string;
beforeEach(() => {
  printed = "";
  const print = (text: unknown) => {
    printed += `${String(text)}\n`;
  };
  jest.spyOn(console, "log").mockImplementation(print);
  jest.spyOn(console, "error").mockImplementation(print);
});
afterEach(() => {
  jest.restoreAllMocks();
});

test.each([
  [evil, harmless],
  ["two\nlines\tand a tab", "two\nlines\tand a tab"],
  ["ü€ 漢字 👍", "ü€ 漢字 👍"],
  ["a\rb\0\u007f", "a\\u000db\\u0000\\u007f"],
])("%j is shown as %j", (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test("JSON stays the same JSON", () => {
  const json = JSON.stringify({ name: evil });

  expect(JSON.parse(printable(json))).toEqual({ name: evil });
});

test.each([true, false])(
  "escapes control characters in names from KASM in a status (as JSON: %s)",
  async (json) => {
    const check = { name: "tile", value: evil, state: "info" } as const;
    const session = { workspace: evil, user: evil, status: evil, age: 1 };
    const report = { ok: true, stack: "dev", checks: [check], sessions: [session] };
    await show(() => Promise.resolve(report), { json, watch: false, sessions: true });

    expect(printed.split(harmless)).toHaveLength(5);
  },
);

test("escapes them in progress, browser requests and errors of KASM", () => {
  progress(evil);
  const request = { requestId: "1", displayName: evil };

  expect(printed).toContain(harmless);
  expect(waiting("dev", JSON.stringify({ pending: [request] }))).toContain(harmless);
  expect(new WorkspaceError(evil).message).toBe(harmless);
});

test("escapes them in a log, even if a character is split between chunks", async () => {
  const written: string[] = [];
  for (const stream of [process.stdout, process.stderr]) {
    jest.spyOn(stream, "write").mockImplementation((text) => written.push(String(text)) > 0);
  }
  const script = String.raw`printf 'a\033[2J\303'; sleep 0.2; printf '\274\302\2332J'; exit 3`;
  const status = await runPrintably(["sh", "-c", script]);

  expect(status).toBe(3);
  expect(written.join("")).toBe("a\\u001b[2Jü\\u009b2J");
});

test("shows a host script's output without control characters", async () => {
  const script = String.raw`printf 'a\033[2J' >&2; exit 1`;

  await expect(run(["sh", "-c", script], { stdin: "" })).rejects.toThrow(/^a\\u001b\[2J$/);
});
