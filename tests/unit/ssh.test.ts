import { spawnSync } from "node:child_process";
import {
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
import { sshProblem } from "../../host/sshProblem";
import { hasPassphrase, hostTarget } from "../../host/sshOptions";
import { kasmHost, type Server } from "../../host/server";

const place = { stack: "kasm", name: "host" };
const socket = ".build/ssh/kasm-host/agent";

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

  test("nothing for this machine", () => {
    expect(hostTarget(undefined, place)).toEqual({});
  });

  test("everything on its command line, and no file", () => {
    expect(hostTarget(host, place).ssh).toMatchObject({
      alias: "openclaw-server",
      needsSudo: true,
    });
    expect(hostTarget({ ...host, user: "root" }, place).ssh?.needsSudo).toBe(false);
    expect(optionsOf(host).join(" ")).not.toContain(folder);
    expect(readdirSync(".")).toEqual([]);
  });

  test("nothing of the user's own configuration", () => {
    expect(optionsOf(host).slice(0, 2)).toEqual(["-F", "none"]);
  });

  test("a socket of the connection in a folder that exists, with a name that a file can have", () => {
    expect(resolved(host).controlpath).toBe(".openclaw-ssh-kasm-host");
    const { ssh } = hostTarget(host, { stack: "kasm", name: "team a/one" });
    expect(ssh?.options).toContain("ControlPath=.openclaw-ssh-kasm-team_a_one");
  });

  test("a host key that has to fit", () => {
    expect(knownHosts(host)).toBe("openclaw-server ssh-ed25519 AAAAtarget\n");
    expect(resolved(host)).toMatchObject({
      stricthostkeychecking: "true",
      hostkeyalias: "openclaw-server",
      userknownhostsfile: "none",
      globalknownhostsfile: "none",
    });
  });

  test("no word of a host key's comment for a shell", () => {
    const hostKey = "ssh-ed25519 AAAAtarget root@$(touch ran)";

    expect(knownHosts({ ...host, hostKey })).toBe("openclaw-server ssh-ed25519 AAAAtarget\n");
    expect(readdirSync(".")).toEqual([]);
  });

  const optionsOf = (server: Server) => hostTarget(server, place).ssh?.options ?? [];

  /** What ssh itself makes of its arguments, by the names of options. */
  const resolvedBy = (args: readonly string[]) => {
    const { stdout } = spawnSync("ssh", ["-G", ...args], { encoding: "utf8" });
    const lines = stdout.split("\n").map((line) => line.split(/ (.*)/));
    return Object.fromEntries(lines.map(([name = "", value = ""]) => [name, value]));
  };
  const resolved = (server: Server) => {
    const { ssh } = hostTarget(server, place);
    return resolvedBy([...(ssh?.options ?? []), ssh?.alias ?? ""]);
  };
  /** What ssh makes of the arguments of the client of the server in between. */
  const resolvedJump = (server: Server) => {
    const tokens: Record<string, string> = { "%%": "%", "%h": "target", "%p": "22" };
    const { proxycommand = "" } = resolved(server);
    const command = proxycommand.replaceAll(/%./g, (token) => tokens[token] ?? token);
    const { stdout } = spawnSync("sh", ["-c", command.replace(/^ssh /, "ssh -G ")], {
      encoding: "utf8",
    });
    const lines = stdout.split("\n").map((line) => line.split(/ (.*)/));
    return Object.fromEntries(lines.map(([name = "", value = ""]) => [name, value]));
  };
  /** What the command for known hosts prints, and its words for people. */
  const runKnownHosts = ({ knownhostscommand = "" }: Record<string, string>) =>
    spawnSync("sh", ["-c", knownhostscommand.replace("%I", "HOSTNAME")], { encoding: "utf8" });
  const knownHosts = (server: Server) => runKnownHosts(resolved(server)).stdout;

  /** A new private key without a passphrase, and its fingerprint. */
  const newKey = () => {
    const file = join(folder, "new");
    rmSync(file, { force: true });
    spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    const { stdout } = spawnSync("ssh-keygen", ["-lf", file], { encoding: "utf8" });
    return { text: readFileSync(file, "utf8"), fingerprint: stdout.split(" ")[1] ?? "" };
  };
  const inAgent = () => {
    const env = { ...process.env, SSH_AUTH_SOCK: socket };
    return spawnSync("ssh-add", ["-l"], { encoding: "utf8", env }).stdout;
  };

  test("has an agent for a private key from the settings, which is in no file", () => {
    const { text, fingerprint } = newKey();
    const found = resolved({ ...host, privateKey: text });

    expect(inAgent()).toContain(fingerprint);
    // Of all the user's keys none is offered.
    expect(found).toMatchObject({ identityagent: socket, identityfile: "none" });
    expect(readdirSync(".build/ssh/kasm-host").sort()).toEqual(["agent", "holders"]);
    expect(statSync(".build/ssh/kasm-host").mode & 0o777).toBe(0o700);
  });

  test("drops sockets of killed agents and ids of ended processes", () => {
    const sockets = ["agent", "agent-999999"];
    mkdirSync(".build/ssh/kasm-host/holders", { recursive: true });
    for (const name of sockets) {
      const path = join(".build/ssh/kasm-host", name);
      const { stdout } = spawnSync("ssh-agent", ["-s", "-a", path], { encoding: "utf8" });
      process.kill(Number(/SSH_AGENT_PID=(\d+)/.exec(stdout)?.[1]), "SIGKILL");
    }
    writeFileSync(".build/ssh/kasm-host/holders/999999", "");
    writeFileSync(`.build/ssh/kasm-host/holders/${process.pid.toString()}`, "");
    hostTarget(undefined, place);

    expect(readdirSync(".build/ssh/kasm-host")).toEqual(["holders"]);
    expect(readdirSync(".build/ssh/kasm-host/holders")).toEqual([process.pid.toString()]);
  });

  test("keeps the agent of another running command", () => {
    const { text, fingerprint } = newKey();
    hostTarget({ ...host, privateKey: text }, place);
    hostTarget(host, place);

    expect(inAgent()).toContain(fingerprint);
  });

  test("uses the new key after it was replaced", () => {
    hostTarget({ ...host, privateKey: newKey().text }, place);
    const { text, fingerprint } = newKey();
    hostTarget({ ...host, privateKey: text }, place);

    expect(inAgent().trim().split("\n")).toEqual([expect.stringContaining(fingerprint)]);
  });

  test("uses a key from the settings for a jump host too", () => {
    const jump = { address: "bastion", port: 22, user: "hop", hostKey: "ssh-ed25519 AAAAjump" };

    expect(resolvedJump({ ...host, jump, privateKey: newKey().text })).toMatchObject({
      identityagent: socket,
      identityfile: "none",
    });
  });

  test("the way out if no program has brought the key", () => {
    const jump = { address: "bastion", port: 22, user: "hop", hostKey: "ssh-ed25519 AAAAjump" };
    const server = { ...host, jump, privateKey: newKey().text };
    const options = [resolved(server), resolvedJump(server)];
    expect(options.map((each) => runKnownHosts(each).stderr)).toEqual(["", ""]);
    rmSync(socket);

    for (const { stdout, stderr } of options.map(runKnownHosts)) {
      expect(stderr).toContain("use --run-program");
      expect(stdout).toContain("ssh-ed25519 AAAA");
    }
  });

  test("refuses an invalid key, without showing it in the error", () => {
    const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nhidden\n";

    expect(() => hostTarget({ ...host, privateKey }, place)).toThrow(
      /ssh can't use the host's privateKey: (?!.*hidden).+/,
    );
  });

  test.each(["fd00::1", "fe80::1%eth0", "10.1.2.3"])("an address as it is: %s", (address) => {
    const jump = { address, port: 22, user: "hop", hostKey: "ssh-ed25519 AAAAjump" };

    expect(resolved({ ...host, address })).toMatchObject({ hostname: address, port: "2222" });
    expect(resolvedJump({ ...host, jump })).toMatchObject({ hostname: address, port: "22" });
  });

  test.each(["jane@corp.example.com", "CORP\\jane", "jane"])("a user as it is: %s", (user) => {
    const jump = { address: "bastion", port: 22, user, hostKey: "ssh-ed25519 AAAAjump" };

    expect(resolved({ ...host, user }).user).toBe(user);
    expect(resolvedJump({ ...host, jump }).user).toBe(user);
  });

  test("a key with Windows' line ends, in the settings or in a file, by an agent", () => {
    for (const form of ["privateKey", "privateKeyFile"]) {
      const { text, fingerprint } = newKey();
      const windows = text.trimEnd().replaceAll("\n", "\r\n");
      writeFileSync("id", windows);
      const key = { [form]: form === "privateKey" ? windows : "id" };
      hostTarget({ ...host, ...key }, place);

      expect(inAgent()).toContain(fingerprint);
    }
  });

  test("a key's own file, for which an agent may sign, and no other key", () => {
    writeFileSync("my id", "-----BEGIN KEY-----\n");
    const found = resolved({ ...host, privateKeyFile: "my id" });

    expect(found).toMatchObject({ identityfile: "my id", identitiesonly: "yes" });
    expect(found).not.toHaveProperty("identityagent");
  });

  test("accepts all host keys of a file, in the format of a server or of ssh-keyscan", () => {
    writeFileSync(
      "keys",
      "# kasm:22\r\nkasm ssh-ed25519 AAAAone\r\n[kasm]:22 sk-ssh-ed25519@openssh.com AAAAtwo\r\nssh-rsa AAAAthree root@kasm\r\n@revoked kasm ssh-ed25519 AAAAbad\r\n",
    );
    const { hostKey, ...rest } = host;

    expect(hostKey).toBeDefined();
    expect(knownHosts({ ...rest, hostKeyFile: "keys" })).toBe(
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
    const alias = (address: string, more: Partial<Server> = {}) => ({
      address,
      sshConfigFile: "my config",
      ...more,
    });

    test("leads to its server, with its jumps and its key", () => {
      expect(hostTarget(alias("kasm"), place).ssh).toMatchObject({
        alias: "kasm",
        needsSudo: true,
      });
      expect(resolved(alias("kasm"))).toMatchObject({
        hostname: "10.9.8.7",
        port: "2022",
        user: "CORP\\jane",
        identityfile: "~/my keys/id",
        proxyjump: "hop1,hop2",
        stricthostkeychecking: "true",
        batchmode: "yes",
        controlpath: ".openclaw-ssh-kasm-host",
      });
    });

    test("has its command, which is called with the alias", () => {
      expect(hostTarget(alias("via-command"), place).ssh?.needsSudo).toBe(false);
      expect(resolved(alias("via-command")).proxycommand).toBe("connect --via %n %h %p");
    });

    test("is checked by the user's known hosts, or by a key of the settings", () => {
      expect(resolved(alias("kasm")).userknownhostsfile).toContain("/.ssh/known_hosts");

      const found = resolved(alias("kasm", { hostKey: "ssh-ed25519 AAAAtarget" }));
      expect(found).toMatchObject({ userknownhostsfile: "none", hostkeyalias: "kasm" });
      expect(runKnownHosts(found).stdout).toBe("kasm ssh-ed25519 AAAAtarget\n");
    });

    test("of the user's usual file names no home, and has the system's configuration too", () => {
      jest.replaceProperty(process, "env", { ...process.env, HOME: folder });
      mkdirSync(".ssh");
      writeFileSync(".ssh/config", "Host kasm\n  User jane\n");

      expect(optionsOf(alias("kasm", { sshConfigFile: "~/.ssh/config" }))).not.toContain("-F");
      jest.restoreAllMocks();
    });

    test("of an invalid file is refused with ssh's error", () => {
      writeFileSync("my config", "NoSuchOption yes\n");

      expect(() => hostTarget(alias("kasm"), place)).toThrow(
        /ssh can't use the host's sshConfigFile: .*[Bb]ad configuration option: nosuchoption/s,
      );
    });
  });

  test("the agent where no key is named", () => {
    expect(optionsOf(host).join(" ")).not.toMatch(/Identit(y|ies)/);
  });

  test("checks a jump host's own host key, even at the same address", () => {
    writeFileSync("jump.pub", "ssh-ed25519 AAAAjump\n");
    const jump = { address: host.address, port: 22, user: "hop", hostKeyFile: "jump.pub" };
    const found = resolvedJump({ ...host, jump });

    expect(found).toMatchObject({
      hostname: host.address,
      port: "22",
      user: "hop",
      hostkeyalias: "openclaw-jump-host",
      stricthostkeychecking: "true",
    });
    expect(runKnownHosts(found).stdout).toBe("openclaw-jump-host ssh-ed25519 AAAAjump\n");
    expect(resolved({ ...host, jump }).proxycommand).toMatch(/ -W \[%h\]:%p openclaw-jump-host$/);
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
    [
      "command-line: line 0: Bad configuration option: knownhostscommand",
      "the SSH client of this machine is too old: expected OpenSSH 8.5 or newer",
    ],
    [`Load key "k": error in libcrypto`, `the private key for ${server} can't be used: Load key`],
    ["", `${server} can't be reached: no answer`],
  ])("%s", (said, problem) => {
    expect(sshProblem(said, host, kasmHost)).toContain(problem);
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

    expect(sshProblem(said, { ...rest, ...direct, ...more }, kasmHost)).toContain(problem);
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
      expect(sshProblem(denied, { ...host, privateKeyFile: file }, kasmHost)).toBe(
        `the key in ${file} has a passphrase, and no SSH agent holds it for ${server}: ssh-add ${file}, then try again`,
      );
      expect(
        sshProblem(denied, { ...host, privateKey: readFileSync(file, "utf8") }, kasmHost),
      ).toContain("the key in openclaw:host.privateKey has a passphrase");
    });

    test("names the server's refusal if an agent has the key", () => {
      const socket = join(folder, "agent");
      const pid = /SSH_AGENT_PID=(\d+)/.exec(run("ssh-agent", "-s", "-a", socket))?.[1];
      process.env.SSH_AUTH_SOCK = socket;
      try {
        run("ssh-add", "-q", file);

        expect(sshProblem(denied, { ...host, privateKeyFile: file }, kasmHost)).toContain(
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

    expect(sshProblem(said, { ...host, jump, privateKeyFile: "~/.ssh/id" }, kasmHost)).toContain(
      "(by way of hop@bastion) does not let kasm-admin in with the key in ~/.ssh/id",
    );
    const refusal =
      "hop@bastion: Permission denied (publickey).\nConnection closed by UNKNOWN port 65535";
    expect(sshProblem(refusal, { ...host, jump }, kasmHost)).toContain(
      "the jump host hop@bastion does not let hop in with a key of the SSH agent",
    );
    expect(sshProblem(said, { ...host, privateKey: "-----BEGIN hidden" }, kasmHost)).not.toContain(
      "hidden",
    );
  });
});
