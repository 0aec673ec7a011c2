import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseFacts } from "../../cli/preflight/host";
import { scriptWith } from "../../host/shell";

const token = "SWMTKN-1-secret";

let folder: string;
let engine: Server;
let managing: ReturnType<typeof createTcpServer>;
/** ADDRESS:PORT of a swarm's manager. */
let manager: string;
/** What Docker's socket was asked, and what it answers. */
let asked: { path: string | undefined; body: unknown }[];
let answer: { status: number; message: string };

/** Puts a command on the host. */
function has(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** Docker with its state in files: `state` of the swarm, `bridge` if that exists, `calls` with all arguments. */
const docker = `cd \${0%/*} && echo "$*" >>calls
case "$*" in
  *docker=*) printf 'docker=26.1.5\\nliveRestore=true\\nstate=%s\\nmanager=true\\nnode=n1\\nnodeAddress=10.0.0.1\\nerror=\\n' "$(cat state)" ;;
  *LocalNodeState*) cat state ;;
  *Endpoints*) echo "unix://$PWD/docker.sock" ;;
  'swarm init'*) echo active >state; : >bridge; echo "docker swarm join --token ${token}" ;;
  'swarm leave'*) echo inactive >state ;;
  *NodeID*) echo node=n2 ;;
  'network inspect'*) [ -e bridge ] ;;
  'network rm'*) rm bridge ;;
  'network ls'*) printf 'network=ingress\\nnetwork=other\\n' ;;
  ps*) cat networks ;;
  'node ls'*) printf 'n1\\nn2\\n' ;;
  'node inspect'*) printf 'member=n1 ready 10.0.0.1:2377 kasm/host made\\nmember=n2 down - \\n' ;;
  *) exit 1 ;;
esac`;

const file = (name: string) => readFileSync(join(folder, name), "utf8").trim();

async function swarm(action: string, variables: Record<string, string> = {}) {
  const input = scriptWith("swarm.sh", {
    ...{ ENCRYPTED: "", PEERS: "", BRIDGE: "" },
    ...{ ADDRESS: "10.0.0.2", POOL: "10.200.0.0/16", MANAGER: "", TOKEN: "", ...variables },
  });
  const child = spawn("/bin/sh", ["-s", "--", action], {
    env: { PATH: `${folder}:${String(process.env.PATH)}` },
  });
  const [stdout, stderr]: Buffer[][] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => stdout?.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr?.push(chunk));
  child.stdin.end(input);
  const [exitCode] = (await once(child, "close")) as [number | null];
  const text = (chunks: Buffer[] | undefined) => Buffer.concat(chunks ?? []).toString();
  return { exitCode, stdout: text(stdout), stderr: text(stderr) };
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "swarm-"));
  [asked, answer] = [[], { status: 200, message: "" }];
  has("docker", docker);
  writeFileSync(join(folder, "state"), "inactive\n");
  writeFileSync(join(folder, "calls"), "");
  writeFileSync(join(folder, "networks"), "bridge\nhost\n");
  engine = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      asked.push({ path: request.url, body: JSON.parse(Buffer.concat(chunks).toString()) });
      writeFileSync(join(folder, "state"), answer.status === 200 ? "active\n" : "pending\n");
      writeFileSync(join(folder, "bridge"), "");
      response.writeHead(answer.status).end(answer.message);
    });
  }).listen(join(folder, "docker.sock"));
  await once(engine, "listening");
  // It closes each connection at once, or the script would wait.
  managing = createTcpServer((socket) => socket.end()).listen(0, "127.0.0.1");
  await once(managing, "listening");
  manager = `127.0.0.1:${(managing.address() as AddressInfo).port.toString()}`;
});
afterEach(() => {
  engine.close();
  managing.close();
  rmSync(folder, { recursive: true });
});

describe("apply", () => {
  test("joins a swarm by Docker's socket, with the token in no argument", async () => {
    has("curl", `echo "$*" >>${folder}/calls; exec /usr/bin/env -i PATH=/usr/bin:/bin curl "$@"`);
    const variables = { MANAGER: manager, TOKEN: token };
    const { exitCode, stdout, stderr } = await swarm("apply", variables);

    expect([exitCode, stdout, stderr]).toEqual([0, "node=n2\nbridge=made\n", ""]);
    expect(asked).toEqual([
      {
        path: "/swarm/join",
        body: {
          ListenAddr: "10.0.0.2:2377",
          AdvertiseAddr: "10.0.0.2",
          DataPathAddr: "10.0.0.2",
          RemoteAddrs: [manager],
          JoinToken: token,
        },
      },
    ]);
    expect(file("calls")).not.toContain(token);
  });

  test("makes a swarm that listens at its address for the others, and does not show its token", async () => {
    const { stdout } = await swarm("apply");

    expect(stdout).toBe("node=n2\nbridge=made\n");
    expect(file("calls")).toMatch(
      /^swarm init --advertise-addr 10\.0\.0\.2 --data-path-addr 10\.0\.0\.2 --listen-addr 10\.0\.0\.2:2377 --default-addr-pool 10\.200\.0\.0\/16 /m,
    );
  });

  test("leaves nothing of a join that fails", async () => {
    answer = { status: 503, message: '{"message":"Timeout was reached before node joined"}' };
    const variables = { MANAGER: manager, TOKEN: token };
    const { exitCode, stderr } = await swarm("apply", variables);

    expect([exitCode, file("state"), existsSync(join(folder, "bridge"))]).toEqual([
      ...[1, "inactive", false],
    ]);
    expect(stderr).toContain("Timeout was reached");
  });

  test("does not begin to join a swarm if it does not reach its manager", async () => {
    managing.close();
    const { exitCode, stderr } = await swarm("apply", { MANAGER: manager, TOKEN: token });

    expect([exitCode, stderr]).toEqual([1, `it does not reach ${manager} of openclaw:host\n`]);
    expect(asked).toEqual([]);
  });

  test("keeps a bridge for swarms that was there before", async () => {
    answer = { status: 503, message: "" };
    writeFileSync(join(folder, "bridge"), "");
    await swarm("apply", { MANAGER: manager, TOKEN: token });

    expect(existsSync(join(folder, "bridge"))).toBe(true);
  });

  test("does nothing on a host that is in a swarm", async () => {
    writeFileSync(join(folder, "state"), "active\n");
    const { exitCode, stderr } = await swarm("apply");

    expect([exitCode, stderr]).toEqual([1, "it is in a swarm already (active)\n"]);
    expect(file("state")).toBe("active");
  });
});

test("remove leaves the swarm, and again does nothing", async () => {
  await swarm("apply");
  const first = await swarm("remove", { BRIDGE: "made" });
  const second = await swarm("remove", { BRIDGE: "made" });

  expect([first.exitCode, second.exitCode]).toEqual([0, 0]);
  expect([file("state"), existsSync(join(folder, "bridge"))]).toEqual(["inactive", false]);
  expect(file("calls").match(/^swarm leave/gm)).toHaveLength(1);
});

test("remove stays in the swarm while containers run on networks of their own", async () => {
  writeFileSync(join(folder, "state"), "active\n");
  writeFileSync(join(folder, "networks"), "kasm_default_network,bridge\nopenclaw-net\n");
  const { exitCode, stderr } = await swarm("remove", { BRIDGE: "made" });

  expect([exitCode, file("state")]).toEqual([1, "active"]);
  expect(stderr).toContain("containers that run on kasm_default_network openclaw-net: stop them");
});

describe("look", () => {
  test("reports the host's part in a swarm", async () => {
    has(
      "ip",
      `case "$*" in *addr*) echo '2: eth0    inet 10.0.0.2/24 brd 10.0.0.255 scope global eth0' ;; *route*) printf 'default via 10.0.0.1\\n10.0.0.0/24 dev eth0\\n' ;; esac`,
    );
    has("unshare", 'shift; exec "$@"');
    const { stdout } = await swarm("look");

    expect(Object.fromEntries(parseFacts(stdout))).toMatchObject({
      docker: ["26.1.5"],
      liveRestore: ["true"],
      state: ["inactive"],
      node: ["n1"],
      address: [expect.stringMatching(/^eth0 10\.0\.0\.2\/24/) as string],
      route: ["10.0.0.0/24"],
      network: ["ingress", "other"],
      member: ["n1 ready 10.0.0.1:2377 kasm/host made", "n2 down - "],
    });
    expect(stdout).not.toMatch(/^(lacks|missing)=/m);
  });

  test.each([
    ["", ["vxlan"]],
    ["yes", ["vxlan", "esp"]],
  ])("with ENCRYPTED=%j reports what the kernel lacks for it", async (encrypted, lacks) => {
    has("ip", `case "$*" in link) ;; *) exit 2 ;; esac`);
    has("unshare", 'shift; exec "$@"');
    const { stdout } = await swarm("look", { ENCRYPTED: encrypted });

    expect(parseFacts(stdout).get("lacks")).toEqual(lacks);
  });

  test("says nothing of the kernel if it may not try", async () => {
    has("unshare", "exit 1");
    const { stdout } = await swarm("look", { ENCRYPTED: "yes" });

    expect(parseFacts(stdout).has("lacks")).toBe(false);
  });
});

test("check names the peers that it does not reach", async () => {
  // As a port of a swarm, it says nothing of itself.
  const open = createTcpServer().listen(0, "127.0.0.1");
  await once(open, "listening");
  const port = (server: { address(): unknown }) =>
    `127.0.0.1:${(server.address() as AddressInfo).port.toString()}`;
  const closed = createTcpServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const peers = [port(open), port(closed)];
  closed.close();
  const { stdout } = await swarm("check", { PEERS: peers.join(" ") });

  open.close();

  expect(stdout).toBe(`${peers[1] ?? ""}\n`);
});
