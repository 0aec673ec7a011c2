import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "zx";
import { type Answer, httpsGet } from "../../dev/rig/https";
import { removeRig, type Rig, startRig } from "../../dev/rig/rig";
import { docker, eventually } from "../support/docker";
import { kasmDirectory, kasmVersion, workerPlace } from "../support/workerRig";

jest.setTimeout(10 * 60_000);

const identifier = `openclaw-kasm-rig-${workerPlace.name}`;
const containersFolder = `${kasmDirectory}/current/conf/nginx/containers.d`;

let rig: Rig;

/** What there is of the rig on the machine's own Docker; other rigs may come and go meanwhile. */
async function onTheMachine(): Promise<string[]> {
  const lists = await Promise.all([
    docker("ps", "--all", "--format", "{{.Names}}"),
    docker("network", "ls", "--format", "{{.Name}}"),
    docker("volume", "ls", "--format", "{{.Name}}"),
  ]);
  return lists.flatMap((list) => list.split("\n")).filter((name) => name.includes(identifier));
}

const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  httpsGet(
    `https://127.0.0.1:${workerPlace.httpsPort}${path}`,
    readFileSync(join(rig.folder, "ca.pem")),
    headers,
  );

/** The cookies that a browser has after it has opened KASM's page. */
async function cookies(): Promise<string> {
  const set = (await get("/")).headers["set-cookie"] ?? [];
  return [set]
    .flat()
    .map((cookie) => cookie.replace(/;.*/, ""))
    .join("; ");
}

async function ssh(user: string, command: string) {
  const { exitCode, stdout, stderr } = await $({
    quiet: true,
    nothrow: true,
    cwd: rig.folder,
  })`ssh -F none -i id_ed25519 -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p ${workerPlace.sshPort} ${user}@127.0.0.1 ${command}`;
  return { exitCode, stdout: stdout.trim(), stderr };
}

const listContainersFolder = async () => (await rig.exec(`ls -A ${containersFolder}`)).split("\n");

beforeAll(async () => {
  await removeRig(workerPlace.name);
  rig = await startRig(workerPlace);
});

afterAll(async () => {
  await removeRig(workerPlace.name);
});

describe("KASM", () => {
  test("shows its page through the proxy, with its cookies", async () => {
    const { status, body } = await get("/");

    expect(status).toBe(200);
    expect(body).toContain("<h1>Kasm Workspaces</h1>");
    expect(body).toContain("localStorage.user_info");
    expect(await cookies()).toMatch(/^username=[^;]+; session_token=[^;]+$/);
    expect((await get("/api/__healthcheck")).body).toBe('{"ok":true}');
  });

  test("shows a page of its own in place of an application's status 500", async () => {
    expect(await get("/api/boom")).toMatchObject({
      status: 500,
      body: expect.stringContaining("<H1>Internal Error</H1>") as string,
    });
  });

  test("is installed in the same paths as a released KASM", async () => {
    expect(await rig.exec(`readlink ${kasmDirectory}/current ${kasmDirectory}/bin`)).toBe(
      `${kasmDirectory}/${kasmVersion}\n${kasmDirectory}/current/bin`,
    );
    expect(
      await rig.exec("docker inspect --format '{{.Config.Image}}' kasm_proxy kasm_agent kasm_api"),
    ).toBe(
      `kasmweb/proxy:${kasmVersion}\nkasmweb/agent:${kasmVersion}\nkasmweb/api:${kasmVersion}`,
    );
    expect(
      await rig.exec(
        "docker exec kasm_db psql -U kasmapp -d kasm -X -A -t -c 'SELECT username FROM users ORDER BY 1'",
      ),
    ).toBe("admin@kasm.local\nuser@kasm.local");
  });

  test("a second start leaves it running", async () => {
    const container = await rig.exec(
      "docker inspect --format '{{.Id}} {{.State.StartedAt}}' kasm_proxy",
    );
    await startRig(workerPlace);

    expect(
      await rig.exec("docker inspect --format '{{.Id}} {{.State.StartedAt}}' kasm_proxy"),
    ).toBe(container);
  });
});

describe("SSH", () => {
  test("gives each account the rights that its name says", async () => {
    const commands =
      "sudo -n true 2>/dev/null && echo sudo; docker version >/dev/null 2>&1 && echo docker";
    const earlier = await rig.sshConnections();
    const rights = async (user: string) => (await ssh(user, `${commands}; true`)).stdout;

    expect(await rights("kasm-admin")).toBe("sudo\ndocker");
    expect(await rights("plain")).toBe("");
    expect(await rights("docker-only")).toBe("docker");
    expect((await ssh("root", "true")).stderr).toContain("Permission denied (publickey)");
    expect(await rig.sshConnections()).toBe(earlier + 3);
  });

  test("shows the host key that is in the rig's folder", async () => {
    const { stdout } = await $({
      quiet: true,
    })`ssh-keyscan -t ed25519 -p ${workerPlace.sshPort} 127.0.0.1`;
    const [type, key] = readFileSync(join(rig.folder, "host_key.pub"), "utf8").split(" ");

    expect(stdout).toContain(`${type ?? ""} ${key ?? ""}`);
  });
});

describe("a session", () => {
  test("is served below its path, and leaves nothing when it ends", async () => {
    const inventory = await rig.inventory();
    const id = await rig.startSession({ extraHosts: ["host.docker.internal:host-gateway"] });
    const path = `/desktop/${id}/vnc.html`;

    expect(await listContainersFolder()).toEqual([`${id}.conf`]);
    expect((await get(path)).status).toBe(401);
    expect(JSON.parse((await get(path, { cookie: await cookies() })).body)).toEqual({
      session: id.slice(0, 12),
      path: "/vnc.html",
    });
    expect(await rig.exec(`docker exec ${id} getent hosts host.docker.internal`)).toMatch(
      /^172\.17\.0\.1\s/,
    );
    await rig.stopSession(id);
    expect(await rig.inventory()).toEqual(inventory);
  });

  test("can't be started while a file in containers.d is invalid", async () => {
    const inventory = await rig.inventory();
    const bad = `${containersFolder}/openclaw.conf`;
    await rig.exec(`echo 'location /x/ { proxy_pass http://unknown-host; }' >${bad}`);

    await expect(rig.startSession()).rejects.toThrow(
      /Nginx failed to reload after generating config for container .*host not found in upstream/s,
    );
    await expect(rig.churn(1)).rejects.toThrow("Nginx failed to reload");
    await rig.exec(`rm ${bad}`);
    expect(await rig.inventory()).toEqual(inventory);
    await rig.stopSession(await rig.startSession());
    await rig.churn(3);
    expect(await rig.inventory()).toEqual(inventory);
  });
});

describe("kasm_proxy", () => {
  test("has its own loopback interface", async () => {
    await rig.exec(
      "docker run --detach --name on-loopback --publish 127.0.0.1:8180:6901 kasmweb/session-like:1.17.0",
    );
    const ask = "curl --silent --retry 5 --retry-all-errors --max-time 5 http://127.0.0.1:8180/";

    expect(await rig.exec(ask)).toContain('"path":"/"');
    // 7: connection refused.
    expect(
      (await rig.tryExec(`docker exec kasm_proxy curl --silent http://127.0.0.1:8180/`)).exitCode,
    ).toBe(7);
    await rig.exec("docker rm --force on-loopback");
  });

  test("does not start while a file in containers.d is invalid", async () => {
    const bad = `${containersFolder}/openclaw.conf`;
    await rig.exec(`echo 'no directive;' >${bad}; docker restart kasm_proxy`);
    const restarts = () => rig.exec("docker inspect --format '{{.RestartCount}}' kasm_proxy");
    await eventually("kasm_proxy fails", restarts, (count) => Number(count) >= 2);

    expect((await get("/")).status).toBe(0);
    await rig.exec(`rm ${bad}; docker restart kasm_proxy`);
    await eventually(
      "KASM answers",
      () => get("/"),
      ({ status }) => status === 200,
    );
  });

  test("loses networks connected by hand when it is recreated", async () => {
    const networks =
      "docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' kasm_proxy";
    await rig.exec("docker network create by-hand && docker network connect by-hand kasm_proxy");
    expect(await rig.exec(networks)).toBe("by-hand kasm_default_network kasm_sidecar_network");

    await rig.recreateProxy();
    expect(await rig.exec(networks)).toBe("kasm_default_network kasm_sidecar_network");
    await rig.exec("docker network rm by-hand");
  });
});

describe("the Docker inside", () => {
  test("builds images with packages from Debian and npm", async () => {
    const dockerfile = [
      "FROM node:26-bookworm-slim",
      "RUN apt-get update -q",
      "RUN --mount=type=secret,id=extra_ca if [ -s /run/secrets/extra_ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/extra_ca; fi; npm view zx@8.8.5 version",
    ].join("\n");
    const { NODE_EXTRA_CA_CERTS } = process.env;
    const ca = NODE_EXTRA_CA_CERTS ? readFileSync(NODE_EXTRA_CA_CERTS, "utf8") : "";
    await $({
      quiet: true,
      input: ca,
    })`docker exec --interactive ${identifier} tee /tmp/ca.pem`;
    const { exitCode, stderr } = await rig.tryExec(
      `DOCKER_BUILDKIT=1 docker build --progress plain --secret id=extra_ca,src=/tmp/ca.pem --tag nested - <<'END'\n${dockerfile}\nEND\n`,
    );

    expect(stderr).toMatch(/ 8\.8\.5$/m);
    expect(exitCode).toBe(0);
    await rig.exec("rm /tmp/ca.pem; docker image rm nested");
  });
});

describe("a reboot", () => {
  test("restarts KASM and containers with a restart policy, and no sessions", async () => {
    const session = await rig.startSession();
    await rig.exec(`echo '# not a session' >${containersFolder}/foreign.conf`);
    const run = "docker run --detach kasmweb/session-like:1.17.0";
    await rig.exec(
      [
        run.replace("--detach", "--detach --name comes-back --restart unless-stopped"),
        run.replace("--detach", "--detach --name stopped --restart unless-stopped"),
        "docker stop --time 0 stopped",
      ].join(" && "),
    );
    await rig.reboot();
    await rig.stopSession(await rig.startSession());

    expect((await rig.exec("docker ps --format '{{.Names}}'")).split("\n").sort()).toEqual([
      "comes-back",
      "kasm_agent",
      "kasm_api",
      "kasm_db",
      "kasm_proxy",
    ]);
    expect((await rig.tryExec(`docker inspect ${session}`)).exitCode).toBe(1);
    expect(await listContainersFolder()).toEqual(["foreign.conf"]);
    await rig.exec(`docker rm --force comes-back stopped; rm ${containersFolder}/foreign.conf`);
  });
});

describe("an upgrade", () => {
  const nextRelease = kasmVersion.replace(/0$/, "1");
  const services = `${kasmDirectory}/current/conf/nginx/services.d`;

  test("keeps a single file of containers.d, and no other added file", async () => {
    await rig.exec(
      `touch ${containersFolder}/ours.conf ${services}/ours.conf ${kasmDirectory}/current/docker/ours.yaml`,
    );
    await rig.upgrade();

    expect(await rig.exec(`readlink ${kasmDirectory}/current`)).toBe(
      `${kasmDirectory}/${nextRelease}`,
    );
    expect(await rig.exec("docker inspect --format '{{.Config.Image}}' kasm_proxy")).toBe(
      `kasmweb/proxy:${nextRelease}`,
    );
    expect(await listContainersFolder()).toEqual(["ours.conf"]);
    expect(await rig.exec(`ls ${services} ${kasmDirectory}/current/docker`)).not.toContain("ours");
    expect(
      await rig.exec(
        "docker exec kasm_db psql -U kasmapp -d kasm -X -A -t -c 'SELECT count(*) FROM users'",
      ),
    ).toBe("2");
  });

  test("drops all files of containers.d if there are two", async () => {
    await rig.exec(`touch ${containersFolder}/theirs.conf`);
    await rig.upgrade();

    expect(await listContainersFolder()).toEqual([""]);
  });
});

test("removing a rig leaves nothing on the machine", async () => {
  expect(await onTheMachine()).toHaveLength(3);
  await removeRig(workerPlace.name);

  expect(await onTheMachine()).toEqual([]);
  expect(existsSync(rig.folder)).toBe(false);
  const { stdout } = await $({
    quiet: true,
  })`find /sys/fs/cgroup -type d -name ${identifier}`;
  expect(stdout).toBe("");
});
