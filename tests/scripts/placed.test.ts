import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptWith } from "../../host/shell";
import { eventually } from "../support/docker";

let folder: string;
const at = (name: string) => join(folder, name);
const asked = () =>
  existsSync(at("asked")) ? readFileSync(at("asked"), "utf8").trim().split("\n") : [];

/** Puts a stand-in for Docker in place, which writes down what it is asked to change. */
function docker(answers: Readonly<Record<string, string>>): void {
  const cases = Object.entries(answers).map(
    ([question, answer]) => `"${question}") cat <<'END'\n${answer}\nEND\n;;`,
  );
  const script = `#!/bin/sh\ncase "$1 $2" in\n${cases.join("\n")}\n"volume ls" | "network ls" | "ps --all") ;;\n*) echo "$*" >>${at("asked")} ;;\nesac`;
  writeFileSync(at("docker"), script, { mode: 0o755 });
}

const env = () => ({ ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "placed-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe("placed.sh", () => {
  const run = (action: "look" | "remove", more: Record<string, string> = {}) =>
    spawnSync("sh", ["-s", "--", action], {
      input: scriptWith("placed.sh", {
        STACK: "dev",
        CONTAINERS: "openclaw-bob openclaw-bob-door",
        NETWORKS: "openclaw-net-bob",
        DIRECTORIES: "",
        VOLUMES: "",
        STOPPED: "",
        LOCK: "",
        ...more,
      }),
      encoding: "utf8",
      env: env(),
    });
  const containers = [
    "openclaw-bob c1 running  openclaw-net-bob",
    "openclaw-bob-door c2 exited dev/openclaw-bob-door openclaw-net-bob",
    "openclaw-other c3 running  openclaw-net-bob",
  ];

  test("finds containers by their label, and a gateway's by its network's", () => {
    docker({
      "network ls": "openclaw-net-bob dev/openclaw-net-bob",
      "ps --all": containers.join("\n"),
    });

    expect(run("look").stdout).toBe(
      "container=openclaw-bob c1 running\ncontainer=openclaw-bob-door c2 exited\n",
    );
  });

  test("leaves alone what is of another stack or of none", () => {
    docker({
      "network ls": "openclaw-net-bob prod/openclaw-net-bob",
      "ps --all": [containers[0], "openclaw-bob-door c2 running prod/openclaw-bob-door x"].join(
        "\n",
      ),
      "volume ls": "openclaw-bob-pause prod/openclaw-bob-pause",
    });

    expect(run("look").stdout).toBe("");
    expect(run("remove", { VOLUMES: "openclaw-bob-pause" }).status).toBe(0);
    expect(asked()).toEqual([]);
  });

  test("tells directories of the stack with data from empty ones", () => {
    docker({});
    for (const [name, stack] of [
      ["full", "dev"],
      ["empty", "dev"],
      ["other", "prod"],
    ] as const) {
      mkdirSync(at(`${name}/data`), { recursive: true });
      writeFileSync(at(`${name}/.data.openclaw-kasm`), `stack=${stack}\nmade=1\n`);
    }
    writeFileSync(at("full/data/file"), "");
    writeFileSync(at("other/data/file"), "");
    const directories = ["full", "empty", "other", "missing"].map((name) => at(`${name}/data`));

    expect(run("look", { DIRECTORIES: directories.join(" ") }).stdout).toBe(
      `data=${at("full/data")}\nempty=${at("empty/data")}\n`,
    );
  });

  test("removes containers, then networks and volumes, and no data", () => {
    docker({
      "network ls":
        "openclaw-net-bob dev/openclaw-net-bob\nopenclaw-net-alice dev/openclaw-net-alice",
      "ps --all": containers.join("\n"),
      "volume ls":
        "openclaw-bob-pause dev/openclaw-bob-pause\nopenclaw-data-bob dev/openclaw-data-bob",
    });

    expect(run("remove", { VOLUMES: "openclaw-bob-pause" }).status).toBe(0);
    expect(asked()).toEqual([
      "stop c1",
      "rm --force --volumes c1",
      "rm --force --volumes c2",
      "network rm openclaw-net-bob",
      "volume rm openclaw-bob-pause",
    ]);
  });
});

describe("a gateway that has to be stopped already", () => {
  const remove = (rm: string) => {
    writeFileSync(
      at("docker"),
      `#!/bin/sh
case "$1 $2" in
  "network ls") echo openclaw-net-bob dev/openclaw-net-bob ;;
  "ps --all") echo 'openclaw-bob-door c2 running dev/openclaw-bob-door openclaw-net-bob'
    [ -e ${at("gone")} ] || echo 'openclaw-bob c1 exited  openclaw-net-bob' ;;
  "volume ls") ;;
  "rm --volumes") ${rm} ;;
  *) echo "$*" >>${at("asked")} ;;
esac`,
      { mode: 0o755 },
    );
    const variables = {
      STACK: "dev",
      CONTAINERS: "openclaw-bob openclaw-bob-door",
      ...{ NETWORKS: "openclaw-net-bob", DIRECTORIES: "", VOLUMES: "", STOPPED: "openclaw-bob" },
      LOCK: "",
    };
    const input = scriptWith("placed.sh", variables);
    return spawnSync("sh", ["-s", "--", "remove"], { input, encoding: "utf8", env: env() });
  };

  test("is removed before all else", () => {
    expect(remove(`touch ${at("gone")}`).status).toBe(0);
    expect(asked()).toEqual(["stop c2", "rm --force --volumes c2", "network rm openclaw-net-bob"]);
  });

  test("keeps everything if it was started again meanwhile", () => {
    expect(remove("echo 'container is running' >&2; exit 1")).toMatchObject({
      status: 1,
      stderr: "container is running\n",
    });
    expect(asked()).toEqual([]);
  });
});

describe("what a host gets while placed.sh holds it", () => {
  const removed = ["stop c1", "rm --force --volumes c1"];
  const hold = async () => {
    docker({
      "network ls": "openclaw-net-bob dev/openclaw-net-bob",
      "ps --all": "openclaw-bob c1 running  openclaw-net-bob",
    });
    const variables = {
      STACK: "dev",
      CONTAINERS: "openclaw-bob",
      ...{ NETWORKS: "", DIRECTORIES: "", VOLUMES: "", STOPPED: "", LOCK: "openclaw" },
      RUN_DIRECTORY: folder,
    };
    const child = spawn("sh", ["-s", "--", "hold"], { stdio: "pipe", env: env() });
    child.stdin.write(`${scriptWith("placed.sh", variables)}\n`);
    expect(String(await once(child.stdout, "data"))).toBe("held\n");
    return child;
  };

  test("stays by the word that it is given", async () => {
    const child = await hold();
    child.stdin.write("stopped\n");
    expect(String(await once(child.stdout, "data"))).toBe("stopped\n");
    child.stdin.write("given\n");
    expect(String(await once(child.stdout, "data"))).toBe("given\n");
    child.stdin.end();

    expect(await once(child, "close")).toEqual([0, null]);
    expect(asked()).toEqual([]);
  });

  test.each([
    ["the command on the other end is gone", ""],
    ["the old host starts its own again", "back\n"],
  ])("is removed once %s, until another command works", async (_, word) => {
    const child = await hold();
    if (word === "") child.stdin.end();
    else child.stdin.write(word);
    await eventually(
      "it is removed again",
      () => Promise.resolve(asked()),
      (lines) => lines.length >= 2 * removed.length,
    );
    writeFileSync(at("openclaw-kasm-openclaw.lock"), "");
    await once(child, "close");

    expect(asked().slice(0, 4)).toEqual([...removed, ...removed]);
  });
});

describe("keep-stopped.sh", () => {
  const hold = () => {
    const child = spawn("sh", ["-s", "--", "hold"], { stdio: "pipe", env: env() });
    child.stdin.write(`${scriptWith("keep-stopped.sh", { CONTAINER: "c1" })}\n`);
    return child;
  };

  test("stops the gateway, and starts it again once the command on the other end is gone", async () => {
    docker({ "inspect --format": "false" });
    const child = hold();
    await once(child.stdout, "data");
    expect(asked()).toEqual(["stop c1"]);

    child.stdin.end();
    await once(child, "close");
    expect(asked()).toEqual(["stop c1", "start c1"]);
  });

  test("starts it again if it is ended itself", async () => {
    docker({ "inspect --format": "false" });
    const child = hold();
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    child.stdin.end();
    await once(child, "close");

    expect(asked()).toEqual(["stop c1", "start c1"]);
  });

  test("removes it by the word that it is given away, and never starts it again", async () => {
    docker({ "inspect --format": "false" });
    const child = hold();
    await once(child.stdout, "data");
    child.stdin.write("given\n");
    expect(String(await once(child.stdout, "data"))).toBe("given\n");
    child.stdin.end();
    await once(child, "close");

    expect(asked()).toEqual(["stop c1", "rm --volumes c1"]);
  });

  test("gives nothing away that runs again, or by another word", async () => {
    docker({ "inspect --format": "false" });
    const child = hold();
    await once(child.stdout, "data");
    child.stdin.write("\nother\n");
    docker({ "inspect --format": "true" });
    child.stdin.write("given\n");
    const [status] = (await once(child, "close")) as [number];

    expect(status).toBe(1);
    expect(asked()).toEqual(["stop c1", "start c1"]);
  });

  test("fails if the gateway goes on running", async () => {
    docker({ "inspect --format": "true" });
    const child = hold();
    const [status] = (await once(child, "close")) as [number];

    expect(status).toBe(1);
  });
});
