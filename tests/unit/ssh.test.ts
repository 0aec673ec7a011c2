import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sshProblem } from "../../commands/ssh";
import { forgetKey, hostTarget } from "../../settings/host";
import type { SshHost } from "../../settings/schema";

const host: SshHost = {
  address: "kasm.example.com",
  port: 2222,
  user: "kasm-admin",
  hostKey: "ssh-ed25519 AAAAtarget",
};

describe("what ssh is given", () => {
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

  test("nothing for this machine", () => {
    expect(hostTarget({ host: undefined }, "kasm")).toEqual({});
  });

  test("the connection, by paths that name no machine's own", () => {
    expect(hostTarget({ host }, "kasm").ssh).toEqual({
      configFile: ".build/ssh/kasm/config",
      alias: "openclaw-server",
      needsSudo: true,
    });
    expect(hostTarget({ host: { ...host, user: "root" } }, "kasm").ssh?.needsSudo).toBe(false);
    expect(written("config")).not.toContain(folder);
  });

  test("a host key that has to fit", () => {
    hostTarget({ host }, "kasm");

    expect(written("known_hosts")).toBe("openclaw-server ssh-ed25519 AAAAtarget\n");
    expect(written("config")).toContain("StrictHostKeyChecking yes");
    expect(written("config")).toContain("UserKnownHostsFile .build/ssh/kasm/known_hosts");
    expect(written("config")).toContain("GlobalKnownHostsFile none");
  });

  test("a private key from the settings, readable by its user only and forgotten afterwards", () => {
    hostTarget({ host: { ...host, privateKey: "-----BEGIN KEY-----\nx" } }, "kasm");

    expect(written("key")).toBe("-----BEGIN KEY-----\nx\n");
    expect(statSync(".build/ssh/kasm/key").mode & 0o777).toBe(0o600);
    expect(written("config")).toContain('IdentityFile ".build/ssh/kasm/key"');
    expect(written("config")).toContain("IdentitiesOnly yes");
    forgetKey("kasm");
    expect(() => written("key")).toThrow("ENOENT");
  });

  test("the agent where no key is named", () => {
    hostTarget({ host }, "kasm");

    expect(written("config")).not.toMatch(/Identit(y|ies)/);
  });

  test("a jump host with a host key of its own, even at the same address", () => {
    writeFileSync("jump.pub", "ssh-ed25519 AAAAjump\n");
    const jump = { address: host.address, port: 22, user: "hop", hostKeyFile: "jump.pub" };
    hostTarget({ host: { ...host, jump } }, "kasm");

    expect(written("known_hosts")).toBe(
      "openclaw-server ssh-ed25519 AAAAtarget\nopenclaw-jump-host ssh-ed25519 AAAAjump\n",
    );
    expect(written("config")).toContain("ProxyJump openclaw-jump-host");
    expect(written("config")).toMatch(
      /Host openclaw-jump-host\n {2}HostName kasm\.example\.com\n {2}Port 22\n {2}User hop\n/,
    );
  });
});

describe("what a failed connection means", () => {
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
