import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Agent, request } from "undici";
import type { ApiKey } from "../../dev/rig/keys";
import type { Rig } from "../../dev/rig/rig";
import { connectBrowser } from "../support/browser";
import { eventually } from "../support/docker";
import { kasmUrl, kasmVersion, removeWorkerRig, startWorkerRig } from "../support/workerRig";

jest.setTimeout(10 * 60_000);

const sessionImage = "kasmweb/session-like:1.17.0";
let rig: Rig;
let dispatcher: Agent;

/** An answer of the API; `body` is a text if it is no JSON. */
interface Answered {
  readonly status: number;
  readonly body: unknown;
}

async function call(
  name: string,
  fields: object = {},
  key: ApiKey = rig.apiKey,
): Promise<Answered> {
  const url = `${kasmUrl}/api/public/${name}`;
  const answer = await request(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...key, ...fields }),
    dispatcher,
  });
  const text = await answer.body.text();
  try {
    return { status: answer.statusCode, body: JSON.parse(text) as unknown };
  } catch {
    return { status: answer.statusCode, body: text };
  }
}

async function register(fields: object): Promise<string> {
  const target_image = { image_type: "Container", cores: 1, memory: 500_000_000, ...fields };
  const { body } = await call("create_image", { target_image });
  return (body as { image: { image_id: string } }).image.image_id;
}

const available = (id: string) => rig.sql(`SELECT available FROM images WHERE image_id = '${id}'`);
const isAvailable = (id: string) =>
  eventually(
    "available",
    () => available(id),
    (answer) => answer === "t",
    20,
  );

beforeAll(async () => {
  rig = await startWorkerRig({ openclaw: "light" });
  dispatcher = new Agent({ connect: { ca: readFileSync(join(rig.folder, "ca.pem")) } });
});

afterAll(async () => {
  await dispatcher.close();
  await removeWorkerRig();
});

describe("KASM's API", () => {
  test("accepts the rig's key, which only its owner can read on this machine", async () => {
    const file = statSync(join(rig.folder, "api_key.json"));

    expect((file.mode & 0o777).toString(8)).toBe("600");
    expect(await call("get_images")).toEqual({ status: 200, body: { images: [] } });
    expect(await call("get_images", {}, { api_key: "x", api_key_secret: "y" })).toEqual({
      status: 403,
      body: { error_message: "Access Denied" },
    });
  });

  test("limits a key to its permissions", async () => {
    const viewer = await rig.addApiKey([900]);
    const reader = await rig.addApiKey([900, 902, 904], { readOnly: true });
    const create = { target_image: { friendly_name: "Refused" } };

    expect((await call("get_images", {}, viewer)).status).toBe(200);
    expect((await call("create_image", create, viewer)).status).toBe(403);
    expect((await call("create_image", create, reader)).status).toBe(403);
    expect(await rig.sql("SELECT count(*) FROM images")).toBe("0");
  });

  test("answers an exception with kasm_proxy's page", async () => {
    const target_image = { friendly_name: "Falls over", available: true };

    expect(await call("create_image", { target_image })).toEqual({
      status: 500,
      body: "<H1>Internal Error</H1>",
    });
  });

  test("drops the answer of a completed call if a test asks for that fault", async () => {
    await rig.disturbApi([{ call: "create_image", kind: "cut" }]);
    const target_image = { image_type: "Link", friendly_name: "Lost", link_url: "https://x/" };

    expect((await call("create_image", { target_image })).status).toBe(502);
    expect(await rig.sql("SELECT friendly_name FROM images")).toBe("Lost");
    await rig.sql("DELETE FROM images");
  });

  test("does not expose the test controls outside of the rig", async () => {
    const url = `${kasmUrl}/api/stand-in/log`;

    expect((await request(url, { method: "POST", body: "{}", dispatcher })).statusCode).toBe(404);
  });
});

describe("the agent", () => {
  test("reports which workspaces can be started", async () => {
    const there = await register({ name: sessionImage, friendly_name: "There" });
    const missing = await register({ name: "missing/image:1", friendly_name: "Missing" });

    await isAvailable(there);
    expect(await available(missing)).toBe("f");
    await expect(rig.startWorkspace("Missing")).rejects.toThrow(
      "No resources are available to create the requested Kasm",
    );
    await rig.exec(`docker tag ${sessionImage} missing/image:1`);
    await isAvailable(missing);
    await rig.exec("docker image rm missing/image:1");
    await eventually(
      "no longer available",
      () => available(missing),
      (answer) => answer === "f",
    );
    await rig.sql("DELETE FROM images");
  });

  test("starts a session with every registered field, and ends it", async () => {
    const before = await rig.inventory();
    const tables = await rig.tables();
    await isAvailable(
      await register({
        name: sessionImage,
        friendly_name: "Everything",
        cpu_allocation_method: "Quotas",
        persistent_profile_path: "/srv/profiles/{username}",
        volume_mappings: JSON.stringify({
          "/srv/openclaw/{user_id}": { bind: "/mnt/openclaw", mode: "rw", uid: 1234, gid: 0 },
        }),
        run_config: JSON.stringify({
          hostname: "desk",
          environment: { LAUNCH_URL: "http://here/" },
          extra_hosts: { "host.docker.internal": "host-gateway" },
        }),
        exec_config: JSON.stringify({
          first_launch: { user: "root", cmd: `bash -c 'echo "as $(id -un)" >/mnt/openclaw/first'` },
          go: { cmd: `bash -c 'echo "$KASM_URL" >/tmp/went'` },
        }),
        launch_config: JSON.stringify({ file_mapping: { destination: "/tmp/selections.json" } }),
      }),
    );
    const { containerId, kasmId } = await rig.startWorkspace("Everything", {
      kasmUrl: "http://there/?a=b c",
      selections: { api_key: "it's mine" },
    });
    const inside = (command: string) => rig.exec(`docker exec ${containerId} ${command}`);

    expect(await inside("hostname")).toBe("desk");
    expect(await inside("printenv LAUNCH_URL KASM_URL KASM_USER")).toBe(
      "http://here/\nhttp://there/?a=b c\nuser@kasm.local",
    );
    expect(await inside("getent hosts host.docker.internal")).toMatch(/^172\.17\.0\.1\s/);
    expect(await inside("stat -c '%u:%g' /mnt/openclaw /home/kasm-user")).toBe("1234:0\n1000:1000");
    expect(await inside("cat /tmp/went /tmp/selections.json")).toBe(
      'http://there/?a=b c\n{"api_key":"it\'s mine"}',
    );
    expect(await rig.exec("cat /srv/openclaw/5f1d0c3964d24a338d442f2b5a0a0004/first")).toBe(
      "as root",
    );
    expect(await rig.exec("stat -c %u /srv/profiles/user@kasm.local")).toBe("1000");
    expect(
      await rig.exec(
        `docker inspect --format '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}' ${containerId}`,
      ),
    ).toBe("500000000 1000000000");
    expect(
      await rig.sql(
        `SELECT operational_status, hostname FROM kasms WHERE kasm_id = '${kasmId}' AND container_id = '${containerId}'`,
      ),
    ).toBe("running|desk");
    await rig.stopSession(containerId);
    await rig.sql("DELETE FROM images");
    await rig.exec("rm -r /srv/openclaw /srv/profiles");
    expect(await rig.inventory()).toEqual(before);
    expect(await rig.tables()).toEqual(tables);
  });

  test("starts a session by a cast, with the cast's address", async () => {
    const image_id = await register({ name: sessionImage, friendly_name: "Cast" });
    await isAvailable(image_id);
    await call("create_cast_config", {
      target_cast_config: {
        casting_config_name: "cast",
        key: "to-openclaw",
        image_id,
        kasm_url: "http://cast/",
      },
    });
    const { containerId } = await rig.startCast("to-openclaw");

    expect(await rig.exec(`docker exec ${containerId} printenv KASM_URL`)).toBe("http://cast/");
    await rig.stopSession(containerId);
    await rig.sql("DELETE FROM cast_configs; DELETE FROM images");
  });

  test("refuses arguments that docker-py refuses, and users without a group for the workspace", async () => {
    const id = await register({
      name: sessionImage,
      friendly_name: "Wrong",
      run_config: JSON.stringify({ ports: {}, enviroment: {} }),
    });
    await isAvailable(id);

    await expect(rig.startWorkspace("Wrong")).rejects.toThrow(
      "run() got an unexpected keyword argument 'ports'",
    );
    await rig.sql("DELETE FROM group_images");
    await expect(rig.startWorkspace("Wrong")).rejects.toThrow(
      "user@kasm.local does not see the workspace Wrong",
    );
    await rig.sql("DELETE FROM images");
  });
});

test("Chrome's stand-in opens the registered address, and a test can read the page", async () => {
  await rig.addChrome();
  const url = `http://kasm_api:8080/`;
  await isAvailable(
    await register({
      name: `kasmweb/chrome:${kasmVersion}`,
      friendly_name: "Browser",
      memory: 2_000_000_000,
      run_config: JSON.stringify({ environment: { LAUNCH_URL: url } }),
    }),
  );
  const { containerId, address } = await rig.startWorkspace("Browser");
  const devTools = await rig.forward(address, 9222);
  const browser = await eventually(
    "the browser's DevTools",
    () => connectBrowser(devTools.port).catch(() => undefined),
    (connected) => connected !== undefined,
  );
  const page = browser?.contexts()[0]?.pages()[0];

  await page?.getByText("A stand-in for tests").waitFor();
  expect(page?.url()).toBe(url);
  await browser?.close();
  devTools.close();
  await rig.stopSession(containerId);
  await rig.sql("DELETE FROM images");
});
