import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "zx";
import { ensureCoreImage } from "../../dev/rig/images";
import { docker, removeLeftovers } from "../support/docker";
import { localSettings } from "../support/localGateway";
import { outcome, Project } from "../support/project";
import { type Provider, startProvider } from "../support/provider";
import {
  makeHome,
  prepareConfig,
  restrictModes,
  Session,
  type SessionOptions,
} from "../support/session";

jest.setTimeout(20 * 60_000);

const proxy = (url: string) =>
  Object.fromEntries(
    ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].map((name) => [name, url]),
  );

/** Last lines of a person's .bashrc with which a session starts all the same. */
const lastLines = {
  failing: "[ -f ~/.openclaw/completions/gone ] && source ~/.openclaw/completions/gone",
  exiting: "exit 3",
  broken: "if then (((",
};

/** Where KASM saves a profile at the end of a session, and by which of its hooks; see dev/rig/core-image/README.md. */
const releases = [
  { release: "jammy", loader: "0", hooks: ["kasm_pre_shutdown_user.sh"] },
  {
    release: "noble",
    loader: "1",
    hooks: ["kasm_end_session_recoverable.sh", "kasm_pre_shutdown_user.sh"],
  },
] as const;

describe.each(releases)("on KASM's core image for $release", ({ release, loader, hooks }) => {
  const prefix = `openclaw-e2e-${release}`;
  const image = `openclaw-kasm-${release}`;
  const project = new Project();
  const homes = mkdtempSync(join(tmpdir(), "openclaw-homes-"));
  const profiles = join(homes, "profiles");
  const sessions: Session[] = [];
  let provider: Provider;
  let form: string;

  async function start(name: string, home: string, more: Partial<SessionOptions> = {}) {
    const options = { profile: home, launchSelections: form, ...more };
    const session = await Session.start(`${prefix}-${name}`, `${image}:latest`, options);
    sessions.push(session);
    return session;
  }

  /** @param lastLine of its .bashrc. Default: it has none, and the session makes one */
  function newHome(name: string, lastLine?: string, config = provider.openclawConfig): string {
    const home = makeHome(homes, name);
    prepareConfig(home, config);
    if (lastLine !== undefined) {
      endWith(home, lastLine);
    }
    return home;
  }

  /** Gives a home a .bashrc with this last line. */
  function endWith(home: string, lastLine: string): void {
    const lines = ["source $STARTUPDIR/generate_container_user", lastLine, ""];
    writeFileSync(join(home, ".bashrc"), lines.join("\n"));
  }

  /** Expects what the .bashrc's first line does. */
  const expectUser = async (session: Session) => {
    expect(await session.tell("tail -n 1 /tmp/passwd")).toContain("user_at_kasm.local");
  };

  beforeAll(async () => {
    await project.checkout("real");
    await restrictModes(project.folder);
    await removeLeftovers(prefix, release);
    provider = await startProvider();
    form = join(homes, "launch_selections.json");
    writeFileSync(form, JSON.stringify({ anthropic_api_key: "sk-desktop-key-0123456789" }));
    makeHome(homes, "profiles");
    project.settings(release, {
      ...localSettings(prefix, release === "jammy" ? 18185 : 18186),
      kasmImage: { build: true, name: image, baseImage: await ensureCoreImage(release) },
    });
    await project.pulumi("stack", "init", release);
  });

  afterAll(async () => {
    await Promise.all(sessions.map((session) => session.remove().catch(() => undefined)));
    await project.run("down", "--stack", release, "--delete-data");
    project.remove();
    provider.stop();
    rmSync(homes, { recursive: true });
  });

  test("builds the image without replacing, upgrading or removing KASM's packages", async () => {
    expect(outcome(await project.run("up", "--stack", release))).toBe("ok");
    const packages = async (of: string) =>
      (
        await docker(
          ...["run", "--rm", "--network", "none", "--entrypoint", "dpkg-query", of],
          ...["--show", "--showformat", "${Package}:${Architecture} ${Version}\\n"],
        )
      ).split("\n");
    const before = await packages(await ensureCoreImage(release));
    const after = new Set(await packages(`${image}:latest`));

    expect(before.filter((each) => !after.has(each))).toEqual([]);
    expect(before.filter((each) => each.includes(":i386")).length).toBeGreaterThan(40);
  });

  test("answers a chat, and keeps the conversation for the next session: nothing writes while KASM saves the home at its end, and a proxy that can't be reached keeps no one from the dashboard", async () => {
    const options = {
      environment: { KASM_PROFILE_LDR: loader },
      volumes: { "/profiles": profiles },
    };
    const session = await start("end", newHome("end"), options);
    await session.connected();
    await session.chat("what is to be kept");
    await session.screenshot(`test-results/desktop-${release}.png`);
    await session.say("answer slowly");
    await session.shows("stand-in heard: ans");

    for (const hook of hooks) {
      expect(await session.tell(`/dockerstartup/${hook} >/dev/null; echo $?`)).toBe("0");
      expect(await session.tell("pgrep 'chromium|openclaw-gatewa'")).toBe("");
    }
    await session.asRoot("/dockerstartup/kasm_pre_shutdown_root.sh");
    await session.remove();

    const saved = join(homes, "saved");
    mkdirSync(saved);
    await $({ quiet: true })`tar -xzf ${join(profiles, "profile.tar.gz")} -C ${saved}`;
    const databases = await $({ quiet: true })`find ${saved} -name *.sqlite`;
    expect(databases.stdout).not.toBe("");
    for (const database of databases.stdout.trim().split("\n")) {
      const check = `new (require("node:sqlite").DatabaseSync)(process.argv[1]).prepare("PRAGMA integrity_check").get().integrity_check`;
      const { stdout } = await $({
        quiet: true,
      })`docker run --rm --network none --volume ${saved}:${saved} --entrypoint node ${image}:latest -p ${check} ${database}`;
      expect([database, stdout.trim()]).toEqual([database, "ok"]);
    }

    const next = await start("next", makeHome(homes, "next"), {
      ...options,
      environment: { ...options.environment, ...proxy("http://127.0.0.1:9") },
    });
    await next.connected();
    await next.shows("stand-in heard: what is to be kept");
    await next.remove();
  });

  // What these are about is in files that are the same on both.
  if (release === "noble") {
    test("works after a stop and start of its container, and saves its home at its end, also if the last line of .bashrc fails or exits", async () => {
      const home = newHome("again", lastLines.failing);
      const session = await start("again", home);
      await session.connected();
      await expectUser(session);
      await session.tell("/dockerstartup/kasm_pre_shutdown_user.sh");
      await session.tell("rm /tmp/passwd");
      await docker("stop", "--time", "20", session.name);
      endWith(home, lastLines.exiting);
      await docker("start", session.name);
      await session.connected();
      await expectUser(session);
      await session.chat("here again");
      await session.tell("/dockerstartup/kasm_pre_shutdown_user.sh");

      expect(await session.tell("pgrep 'chromium|openclaw-gatewa'")).toBe("");
      await session.remove();
    });

    test("answers a chat behind KASM's web filter, which starts late and re-signs TLS, and if .bashrc is no script", async () => {
      const [upstream] = /[\d.]+:\d+/.exec(JSON.stringify(provider.openclawConfig)) ?? [""];
      const filtered = JSON.stringify(provider.openclawConfig).replace(
        `http://${upstream}`,
        "https://llm.example",
      );
      const home = newHome(
        "filter",
        lastLines.broken,
        JSON.parse(filtered) as Record<string, unknown>,
      );
      const session = await start("filter", home, { environment: proxy("http://127.0.0.1:3128") });
      await session.until("the startup script is there", "ls /tmp/openclaw-kasm-1000/supervisor");
      expect(await session.tell("pgrep openclaw-gatewa")).toBe("");
      await session.asRoot(`cd /tmp
      openssl req -x509 -nodes -newkey rsa:2048 -subj "/CN=KASM web filter" -keyout ca.key -out /usr/local/share/ca-certificates/filter.crt
      openssl req -nodes -newkey rsa:2048 -subj "/CN=llm.example" -keyout filter.key -out filter.csr
      echo subjectAltName=DNS:llm.example >san
      openssl x509 -req -in filter.csr -CA /usr/local/share/ca-certificates/filter.crt -CAkey ca.key -CAcreateserial -extfile san -out filter.crt
      update-ca-certificates`);
      await docker("cp", "tests/image/webFilter.mjs", `${session.name}:/tmp/filter.mjs`);
      await docker(
        ...["exec", "--detach", "--user", "0", session.name, "bash", "-c"],
        `node /tmp/filter.mjs /tmp/filter.crt /tmp/filter.key ${upstream} >/tmp/filter.log`,
      );
      await session.connected();

      await session.chat("hello through the filter");
      await expectUser(session);
      const asked = (await session.asRoot("cat /tmp/filter.log")).split("\n");
      expect(asked).toContain("CONNECT llm.example:443");
      expect(asked.filter((line) => /127\.0\.0\.1|localhost|::1/.test(line))).toEqual([]);
      await session.remove();
    });
  }
});
