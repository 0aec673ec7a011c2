import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sshProblem } from "../../host/sshProblem";
import { hasPassphrase, hostTarget, sshFolder } from "../../host/sshConfig";
import type { Server } from "../../host/server";

const folderOfStack = sshFolder("kasm");

const host: Server = {
  address: "kasm.example.com",
  port: 2222,
  user: "kasm-admin",
  hostKey: "ssh-ed25519 AAAAtarget",
};

describe("the ssh configuration", () => {
  const home = process.cwd();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "openclaw-ssh-"));
    process.chdir(folder);
  });
  afterEach(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });
  const written = (name: string) => readFileSync(join(".build/ssh/kasm", name), "utf8");

  test("is empty for this machine", () => {
    expect(hostTarget(undefined, folderOfStack)).toEqual({});
  });

  test("has the connection, with paths relative to the project", () => {
    expect(hostTarget(host, folderOfStack).ssh).toEqual({
      configFile: ".build/ssh/kasm/config",
      alias: "openclaw-server",
      needsSudo: true,
    });
    expect(hostTarget({ ...host, user: "root" }, folderOfStack).ssh?.needsSudo).toBe(false);
    expect(written("config")).not.toContain(folder);
  });

  test("requires the configured host key", () => {
    hostTarget(host, folderOfStack);

    expect(written("known_hosts")).toBe("openclaw-server ssh-ed25519 AAAAtarget\n");
    expect(written("config")).toContain("StrictHostKeyChecking yes");
    expect(written("config")).toContain("UserKnownHostsFile .build/ssh/kasm/known_hosts");
    expect(written("config")).toContain("GlobalKnownHostsFile none");
  });

  /** A new private key without a passphrase, and its fingerprint. */
  const newKey = () => {
    const file = join(folder, "new");
    rmSync(file, { force: true });
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    const { stdout } = spawnSync("ssh-keygen", ["-lf", file], { encoding: "utf8" });
    return { text: readFileSync(file, "utf8"), fingerprint: stdout.split(" ")[1] ?? "" };
  };
  const inAgent = () => {
    const env = { ...process.env, SSH_AUTH_SOCK: ".build/ssh/kasm/agent" };
    return spawnSync("ssh-add", ["-l"], { encoding: "utf8", env }).stdout;
  };

  test("has an agent for a private key from the settings, which is in no file", () => {
    const { text, fingerprint } = newKey();
    hostTarget({ ...host, privateKey: text }, folderOfStack);

    expect(inAgent()).toContain(fingerprint);
    expect(written("config")).toContain("IdentityAgent .build/ssh/kasm/agent");
    // Of all the user's keys none is offered.
    expect(resolved()).toMatchObject({ identityfile: "none" });
    expect(readdirSync(".build/ssh/kasm").sort()).toEqual([
      "agent",
      "config",
      "holders",
      "known_hosts",
    ]);
  });

  test("drops sockets of killed agents and ids of ended processes", () => {
    const sockets = ["agent", "agent-999999"];
    mkdirSync(".build/ssh/kasm/holders", { recursive: true });
    for (const socket of sockets) {
      const path = join(".build/ssh/kasm", socket);
      const { stdout } = spawnSync("ssh-agent", ["-s", "-a", path], { encoding: "utf8" });
      process.kill(Number(/SSH_AGENT_PID=(\d+)/.exec(stdout)?.[1]), "SIGKILL");
    }
    writeFileSync(".build/ssh/kasm/holders/999999", "");
    writeFileSync(`.build/ssh/kasm/holders/${process.pid.toString()}`, "");
    hostTarget(undefined, folderOfStack);

    expect(readdirSync(".build/ssh/kasm")).toEqual(["holders"]);
    expect(readdirSync(".build/ssh/kasm/holders")).toEqual([process.pid.toString()]);
  });

  test("keeps the agent of another running command", () => {
    const { text, fingerprint } = newKey();
    hostTarget({ ...host, privateKey: text }, folderOfStack);
    hostTarget(host, folderOfStack);

    expect(inAgent()).toContain(fingerprint);
  });

  test("uses the new key after it was replaced", () => {
    hostTarget({ ...host, privateKey: newKey().text }, folderOfStack);
    const { text, fingerprint } = newKey();
    hostTarget({ ...host, privateKey: text }, folderOfStack);

    expect(inAgent().trim().split("\n")).toEqual([expect.stringContaining(fingerprint)]);
  });

  test("uses a key from the settings for a jump host too", () => {
    const jump = { address: "bastion", port: 22, user: "hop", hostKey: "ssh-ed25519 AAAAjump" };
    hostTarget({ ...host, jump, privateKey: newKey().text }, folderOfStack);

    expect(resolved("openclaw-jump-host")).toMatchObject({
      identityagent: ".build/ssh/kasm/agent",
      identityfile: "none",
    });
  });

  test("refuses an invalid key, without showing it in the error", () => {
    const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nhidden\n";

    expect(() => hostTarget({ ...host, privateKey }, folderOfStack)).toThrow(
      /ssh can't use the host's privateKey: (?!.*hidden).+/,
    );
  });

  /** What ssh itself makes of the configuration, by the names of options. */
  const resolved = (server = "openclaw-server") => {
    const args = ["-F", ".build/ssh/kasm/config", "-G", server];
    const { stdout } = spawnSync("ssh", args, { encoding: "utf8" });
    const lines = stdout.split("\n").map((line) => line.split(/ (.*)/));
    return Object.fromEntries(lines.map(([name = "", value = ""]) => [name, value]));
  };

  test.each(["fd00::1", "fe80::1%eth0", "10.1.2.3"])(
    "keeps the address %s unchanged",
    (address) => {
      hostTarget({ ...host, address }, folderOfStack);

      expect(resolved()).toMatchObject({ hostname: address, port: "2222" });
    },
  );

  test.each(["jane@corp.example.com", "CORP\\jane", "jane"])(
    "keeps the user %s unchanged",
    (user) => {
      hostTarget({ ...host, user }, folderOfStack);

      expect(resolved().user).toBe(user);
    },
  );

  test("accepts a key with Windows line endings in the settings or in a file", () => {
    for (const place of ["privateKey", "privateKeyFile"]) {
      const { text, fingerprint } = newKey();
      const windows = text.trimEnd().replaceAll("\n", "\r\n");
      writeFileSync("id", windows);
      const key = { [place]: place === "privateKey" ? windows : "id" };
      hostTarget({ ...host, ...key }, folderOfStack);

      expect(inAgent()).toContain(fingerprint);
    }
  });

  test("uses only the key in its file, which an agent may hold", () => {
    writeFileSync("id", "-----BEGIN KEY-----\n");
    hostTarget({ ...host, privateKeyFile: "id" }, folderOfStack);

    expect(resolved()).toMatchObject({ identityfile: "id", identitiesonly: "yes" });
    expect(resolved()).not.toHaveProperty("identityagent");
  });

  test("accepts all host keys of a file, in the format of a server or of ssh-keyscan", () => {
    writeFileSync(
      "keys",
      "# kasm:22\r\nkasm ssh-ed25519 AAAAone\r\n[kasm]:22 sk-ssh-ed25519@openssh.com AAAAtwo\r\nssh-rsa AAAAthree root@kasm\r\n@revoked kasm ssh-ed25519 AAAAbad\r\n",
    );
    const { hostKey, ...rest } = host;
    hostTarget({ ...rest, hostKeyFile: "keys" }, folderOfStack);

    expect(hostKey).toBeDefined();
    expect(written("known_hosts")).toBe(
      [
        "openclaw-server ssh-ed25519 AAAAone",
        "openclaw-server sk-ssh-ed25519@openssh.com AAAAtwo",
        "openclaw-server ssh-rsa AAAAthree",
        "",
      ].join("\n"),
    );
  });

  describe("an alias of the user's own configuration", () => {
    beforeEach(() => {
      writeFileSync(
        "my config",
        `Host kasm
  HostName 10.9.8.7
  Port 2022
  User CORP\\jane
  IdentityFile "~/my keys/id"
  ProxyJump hop1,hop2
Host via-command
  User root
  ProxyCommand connect --via %n %h %p
Host hop2
  HostName 10.0.0.2
  User hop
Host *
  StrictHostKeyChecking no
  ServerAliveInterval 7
`,
      );
    });
    const alias = (address: string, more: Partial<Server> = {}) =>
      hostTarget({ address, sshConfigFile: "my config", ...more }, folderOfStack);

    test("connects to its server with its jump hosts and its key", () => {
      expect(alias("kasm").ssh).toEqual({
        configFile: ".build/ssh/kasm/config",
        alias: "openclaw-server",
        needsSudo: true,
      });
      expect(resolved()).toMatchObject({
        hostname: "10.9.8.7",
        port: "2022",
        user: "CORP\\jane",
        identityfile: "~/my keys/id",
        proxyjump: "hop1,hop2",
        stricthostkeychecking: "true",
        batchmode: "yes",
        controlpath: ".build/ssh/kasm/master",
      });
    });

    test("uses its jump hosts", () => {
      alias("kasm");

      expect(resolved("hop2")).toMatchObject({ hostname: "10.0.0.2", user: "hop" });
    });

    test("runs its ProxyCommand with the alias", () => {
      expect(alias("via-command").ssh?.needsSudo).toBe(false);
      expect(resolved().proxycommand).toBe("connect --via via-command %h %p");
    });

    test("checks the host key with the user's known hosts, or with a key of the settings", () => {
      alias("kasm");
      expect(resolved().userknownhostsfile).toContain("/.ssh/known_hosts");
      // Written down, the defaults would lose their order by known keys.
      expect(written("config")).not.toContain("HostKeyAlgorithms");

      alias("kasm", { hostKey: "ssh-ed25519 AAAAtarget" });
      expect(resolved()).toMatchObject({
        userknownhostsfile: ".build/ssh/kasm/known_hosts",
        hostkeyalias: "openclaw-server",
      });
    });

    test("of an invalid file is refused with ssh's error", () => {
      writeFileSync("my config", "NoSuchOption yes\n");

      expect(() => alias("kasm")).toThrow(
        /ssh can't use the host's sshConfigFile: .*[Bb]ad configuration option: nosuchoption/s,
      );
    });
  });

  test("uses the user's agent if no key is configured", () => {
    hostTarget(host, folderOfStack);

    expect(written("config")).not.toMatch(/Identit(y|ies)/);
  });

  test("checks a jump host's own host key, even at the same address", () => {
    writeFileSync("jump.pub", "ssh-ed25519 AAAAjump\n");
    const jump = { address: host.address, port: 22, user: "hop", hostKeyFile: "jump.pub" };
    hostTarget({ ...host, jump }, folderOfStack);

    expect(written("known_hosts")).toBe(
      "openclaw-server ssh-ed25519 AAAAtarget\nopenclaw-jump-host ssh-ed25519 AAAAjump\n",
    );
    expect(written("config")).toContain("ProxyJump openclaw-jump-host");
    expect(written("config")).toMatch(
      /Host openclaw-jump-host\n {2}HostName kasm\.example\.com\n {2}Port 22\n {2}User hop\n/,
    );
  });
});

describe("the error of a failed connection", () => {
  const server = "kasm-admin@kasm.example.com:2222";

  test.each<[said: string, problem: string]>([
    ["Host key verification failed.", `the host key of ${server} is not the one in openclaw:host`],
    [
      `${server}: Permission denied (publickey).`,
      `${server} does not let kasm-admin in with a key of the SSH agent`,
    ],
    [
      "ssh: connect to host kasm.example.com port 2222: Connection refused",
      `${server} can't be reached: ssh: connect to host kasm.example.com port 2222: Connection refused`,
    ],
    [
      "ssh: Could not resolve hostname kasm.example.com: Name or service not known",
      `${server} can't be reached: ssh: Could not resolve hostname`,
    ],
    [`Load key "k": error in libcrypto`, `the private key for ${server} can't be used: Load key`],
    ["", `${server} can't be reached: no answer`],
  ])("%s", (said, problem) => {
    expect(sshProblem(said, host)).toContain(problem);
  });

  test.each<[said: string, more: Partial<Server>, problem: string]>([
    [
      `Load key "id": bad permissions\n${server}: Permission denied (publickey).`,
      {},
      `the private key for ${server} can't be used: Load key "id": bad permissions`,
    ],
    [
      `sign_and_send_pubkey: signing failed for ED25519 "id" from agent: agent refused operation\n${server}: Permission denied (publickey).`,
      {},
      `the SSH agent does not sign for ${server}: sign_and_send_pubkey: signing failed`,
    ],
    [
      "Received disconnect from 10.1.2.3 port 22:2: Too many authentication failures",
      {},
      "too many keys that the SSH agent offers: expected openclaw:host.privateKeyFile",
    ],
    [
      "Host key for openclaw-jump-host has changed and you have requested strict checking.\nHost key verification failed.",
      { jump: { address: "bastion", port: 22, user: "hop" } },
      "the host key of hop@bastion is not the one in openclaw:host",
    ],
    [
      "No ED25519 host key is known for 10.9.8.7 and you have requested strict checking.\nHost key verification failed.",
      { address: "kasm", sshConfigFile: "~/.ssh/config" },
      'the host key of kasm is not known: compare it in one "ssh kasm"',
    ],
    [
      "jane@10.9.8.7: Permission denied (publickey).",
      { address: "kasm", sshConfigFile: "~/.ssh/config" },
      "kasm does not let this user in with the keys that ~/.ssh/config names",
    ],
    ["", { address: "fd00::1" }, "kasm-admin@[fd00::1]:2222 can't be reached: no answer"],
  ])("%s", (said, more, problem) => {
    const { port, user, hostKey, ...rest } = host;
    const direct = more.sshConfigFile === undefined ? { port, user, hostKey } : {};

    expect(sshProblem(said, { ...rest, ...direct, ...more })).toContain(problem);
  });

  describe("of a key with a passphrase", () => {
    let folder: string;
    let file: string;
    const { SSH_AUTH_SOCK } = process.env;
    const run = (program: string, ...args: string[]) => {
      const { status, stdout } = spawnSync(program, args, {
        encoding: "utf8",
        // ssh-add asks this program for the passphrase.
        env: { ...process.env, SSH_ASKPASS: join(folder, "ask"), SSH_ASKPASS_REQUIRE: "force" },
      });
      expect(status).toBe(0);
      return stdout;
    };
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "openclaw-key-"));
      file = join(folder, "id");
      writeFileSync(join(folder, "ask"), "#!/bin/sh\necho passphrase\n", { mode: 0o700 });
      run("ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", file);
      delete process.env.SSH_AUTH_SOCK;
    });
    afterEach(() => {
      Object.assign(process.env, SSH_AUTH_SOCK === undefined ? {} : { SSH_AUTH_SOCK });
      rmSync(folder, { recursive: true });
    });
    const denied = "Permission denied (publickey)";

    test("names the passphrase if no agent has the key", () => {
      expect(sshProblem(denied, { ...host, privateKeyFile: file })).toBe(
        `the key in ${file} has a passphrase, and no SSH agent holds it for ${server}: ssh-add ${file}, then try again`,
      );
      expect(sshProblem(denied, { ...host, privateKey: readFileSync(file, "utf8") })).toContain(
        "the key in openclaw:host.privateKey has a passphrase",
      );
    });

    test("names the server's refusal if an agent has the key", () => {
      const socket = join(folder, "agent");
      const pid = /SSH_AGENT_PID=(\d+)/.exec(run("ssh-agent", "-s", "-a", socket))?.[1];
      process.env.SSH_AUTH_SOCK = socket;
      try {
        run("ssh-add", "-q", file);

        expect(sshProblem(denied, { ...host, privateKeyFile: file })).toContain(
          `does not let kasm-admin in with the key in ${file}`,
        );
      } finally {
        process.kill(Number(pid));
        delete process.env.SSH_AUTH_SOCK;
      }
    });

    test.each([
      ["an encrypted key", "passphrase", [], true],
      ["a key in the clear", "", [], false],
      ["an encrypted PEM key", "passphrase", ["-m", "PEM"], true],
      ["an encrypted PKCS 8 key", "passphrase", ["-m", "PKCS8"], true],
      ["a PEM key in the clear", "", ["-m", "PEM"], false],
    ])("recognizes %s", (_, passphrase, form, expected) => {
      const other = join(folder, "other");
      run("ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", passphrase, "-f", other, ...form);

      expect(hasPassphrase(readFileSync(other, "utf8"))).toBe(expected);
    });
  });

  test("names the key and the jump host", () => {
    const jump = { address: "bastion", port: 22, user: "hop" };
    const said = "Permission denied (publickey)";

    expect(sshProblem(said, { ...host, jump, privateKeyFile: "~/.ssh/id" })).toContain(
      "(by way of hop@bastion) does not let kasm-admin in with the key in ~/.ssh/id",
    );
    const refusal =
      "hop@bastion: Permission denied (publickey).\nConnection closed by UNKNOWN port 65535";
    expect(sshProblem(refusal, { ...host, jump })).toContain(
      "the jump host hop@bastion does not let hop in with a key of the SSH agent",
    );
    expect(sshProblem(said, { ...host, privateKey: "-----BEGIN hidden" })).not.toContain("hidden");
  });
});
