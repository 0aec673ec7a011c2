import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder: string;
const at = (...path: string[]) => join(folder, ...path);

/** The tools as they are in the image, with what they look for on a session's disk in a folder of the test. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "desktop-tools-"));
  for (const each of ["tools", "site", "home"]) {
    mkdirSync(at(each));
  }
  cpSync("assets/kasm-image/rootfs/opt/openclaw-kasm", at("tools"), { recursive: true });
  for (const file of readdirSync(at("tools"))) {
    const text = readFileSync(at("tools", file), "utf8");
    writeFileSync(
      at("tools", file),
      text
        .replaceAll("/etc/openclaw-kasm", at("site"))
        .replaceAll("/tmp/launch_selections.json", at("form.json"))
        .replaceAll("/usr/local/bin/openclaw", at("package/openclaw.mjs")),
    );
  }
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function run(program: string, args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    env: { PATH: `${at("bin")}:${process.env.PATH ?? ""}`, HOME: at("home"), ...env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}
const tool = (name: string, ...args: string[]) => run("node", [at("tools", name), ...args]);
const put = (file: string, content: unknown) => {
  writeFileSync(at(file), typeof content === "string" ? content : JSON.stringify(content));
};

describe("the gateway's environment", () => {
  /** What the gateway is started with: a stand-in for it prints that. */
  function environment(env: Record<string, string> = {}) {
    mkdirSync(at("bin"));
    writeFileSync(at("bin/openclaw"), '#!/bin/sh\necho "started: $*"\nenv\n', { mode: 0o755 });
    chmodSync(at("tools/run-gateway"), 0o755);
    const { status, stdout, stderr } = run(at("tools/run-gateway"), [], env);
    expect(status).toBe(0);
    expect(stdout).toContain("started: gateway run --port 18789 --bind loopback\n");
    const keys = stdout
      .split("\n")
      .filter((line) => /^\w*(KEY|TOKEN|PATH_TO|lower)\w*=/.test(line));
    return { keys: keys.sort(), stderr };
  }

  test("has the keys of the container's environment, the mounted file and the launch form", () => {
    put("site/provider-keys.json", { OPENAI_API_KEY: "of-the-file" });
    put("form.json", { github_token: "of-the-form", anthropic_api_key: "" });

    expect(environment({ GEMINI_API_KEY: "of-the-environment" })).toEqual({
      keys: [
        "GEMINI_API_KEY=of-the-environment",
        "GITHUB_TOKEN=of-the-form",
        "OPENAI_API_KEY=of-the-file",
      ],
      stderr: "",
    });
  });

  test("prefers the key's value that is closest to the user", () => {
    put("site/provider-keys.json", { A_API_KEY: "file", B_API_KEY: "file" });
    put("form.json", { b_api_key: "form" });

    expect(environment({ A_API_KEY: "environment", B_API_KEY: "environment" }).keys).toEqual([
      "A_API_KEY=file",
      "B_API_KEY=form",
    ]);
  });

  test("reads the mounted file at the workspace's path", () => {
    put("keys.json", { A_API_KEY: "elsewhere" });
    put("site/provider-keys.json", { A_API_KEY: "not this one" });

    expect(environment({ OPENCLAW_PROVIDER_KEYS_FILE: at("keys.json") }).keys).toContain(
      "A_API_KEY=elsewhere",
    );
  });

  test.each([
    ["a setting of OpenClaw itself", { OPENCLAW_GATEWAY_TOKEN: "chosen" }],
    ["another variable", { PATH: "/tmp", NODE_OPTIONS: "--require=/tmp/x" }],
    ["a value with white space", { A_API_KEY: "two\nlines" }],
    ["what is no text", { A_API_KEY: { file: "/etc/passwd" } }],
    ["a name that is none", { "A_API_KEY=x; B_TOKEN": "value" }],
  ])("ignores %s in a form", (_what, form) => {
    put("form.json", form);

    expect(environment().keys).toEqual([]);
  });

  test("reports a file that is no JSON by its name, without its content", () => {
    put("form.json", '{"anthropic_api_key": sk-secret}');

    expect(environment()).toEqual({
      keys: [],
      stderr: `${at("form.json")} can't be used (not JSON)\n`,
    });
  });
});

describe("the user's configuration", () => {
  const file = () => at("home/.openclaw/openclaw.json");
  const config = () => JSON.parse(readFileSync(file(), "utf8")) as Config;
  interface Config {
    gateway: { auth: { token: unknown }; [key: string]: unknown };
    update?: object;
    agents?: object;
  }
  function have(content: unknown): void {
    mkdirSync(at("home/.openclaw"), { recursive: true });
    put("home/.openclaw/openclaw.json", content);
  }
  const configure = () => tool("configure.mjs");

  test("is created if it does not exist, readable for its user only", () => {
    expect(configure()).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(config()).toEqual({
      gateway: {
        mode: "local",
        bind: "loopback",
        port: 18789,
        auth: { mode: "token", token: expect.stringMatching(/^[\w-]{43}$/) as string },
      },
      update: { checkOnStart: false },
      browser: { noSandbox: true },
    });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  test("is unchanged to the last byte if it is complete", () => {
    configure();
    const before = { text: readFileSync(file(), "utf8"), written: statSync(file()).mtimeMs };
    configure();

    expect({ text: readFileSync(file(), "utf8"), written: statSync(file()).mtimeMs }).toEqual(
      before,
    );
  });

  test("gets the settings that a session needs, and keeps all others", () => {
    have({
      gateway: { bind: "lan", port: 1, auth: { mode: "none", token: "short" }, custom: 1 },
      update: { checkOnStart: true },
      agents: { a: 1 },
    });
    configure();
    const { gateway, update, agents } = config();

    expect(gateway).toMatchObject({ bind: "loopback", port: 18789, custom: 1 });
    expect(gateway.auth).toMatchObject({ mode: "token" });
    expect(gateway.auth.token).not.toBe("short");
    expect({ update, agents }).toEqual({ update: { checkOnStart: true }, agents: { a: 1 } });
  });

  test.each([["0123456789abcdef"], [{ source: "env", id: "TOKEN" }]])(
    "keeps the user's own token %j",
    (token) => {
      have({ gateway: { auth: { token } } });
      configure();

      expect(config().gateway.auth.token).toEqual(token);
    },
  );

  test("follows a site's default until the user changes it, and removes it with the file", () => {
    put("site/openclaw.json", { agents: { one: 1, two: 1 } });
    configure();
    expect(config().agents).toEqual({ one: 1, two: 1 });

    have({ ...config(), agents: { one: 1, two: "the user's" } });
    put("site/openclaw.json", { agents: { one: 2, two: 2 } });
    configure();
    expect(config().agents).toEqual({ one: 2, two: "the user's" });

    rmSync(at("site/openclaw.json"));
    configure();
    expect(config().agents).toEqual({ two: "the user's" });
  });

  test("may be JSON5, which OpenClaw's own parser reads", () => {
    mkdirSync(at("package/node_modules/json5"), { recursive: true });
    put("package/openclaw.mjs", "");
    put(
      "package/node_modules/json5/index.js",
      'exports.parse = (text) => Function("return " + text)();',
    );
    have("{agents: {a: 1,},}");

    expect(configure()).toMatchObject({ status: 0 });
    expect(config()).toMatchObject({ agents: { a: 1 }, gateway: { mode: "local" } });
  });

  test.each([
    ["a user's file that holds no object", "home/.openclaw/openclaw.json", "[]"],
    ["a site's file that holds no object", "site/openclaw.json", "1"],
    ["a site's key with a dot", "site/openclaw.json", '{"a.b":1}'],
    ["a site's key that is none", "site/openclaw.json", '{"a":{"__proto__":{"x":1}}}'],
  ])("refuses %s with the gateway's exit status, and changes nothing", (_what, name, content) => {
    have({ agents: {} });
    put(name, content);
    const before = readFileSync(file(), "utf8");
    const { status, stderr } = configure();

    expect(status).toBe(78);
    expect(stderr).toMatch(/must hold an object|is no key for/);
    expect(readFileSync(file(), "utf8")).toBe(before);
  });
});

describe("a message", () => {
  const page = (...args: string[]) => {
    expect(tool("message-page.mjs", at("page.html"), ...args)).toMatchObject({ status: 0 });
    return readFileSync(at("page.html"), "utf8");
  };

  test("shows its title and text unchanged, readable for its user only", () => {
    const text = page("It's <b>off</b>", "a & b");

    expect(text).toContain("<h1>It's &#60;b&#62;off&#60;/b&#62;</h1><p>a &#38; b</p><pre></pre>");
    expect(statSync(at("page.html")).mode & 0o777).toBe(0o600);
  });

  test("shows the end of a log, without its colours", () => {
    const lines = Array.from(
      { length: 40 },
      (_, index) => `\u001b[31mline ${index.toString()}\u001b[0m`,
    );
    put("gateway.log", lines.join("\n") + "\n");
    const text = page("title", "text", at("gateway.log"));

    expect(text).toContain("<pre>line 10\n");
    expect(text).toContain("line 39</pre>");
    expect(text).not.toContain("\u001b");
  });
});
