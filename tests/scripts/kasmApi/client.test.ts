import { createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { KasmClient, type Patience } from "../../../providers/kasm/client";
import { KasmError } from "../../../providers/kasm/errors";
import { absentId, normaliseId } from "../../../providers/kasm/schemas";
import type { Connection } from "../../../providers/kasm/transport";
import { ConnectProxy } from "../connectProxy";
import { makeCertificate, removeCertificates, type Row, shortPatience, StandIn } from "./standIn";

const certificate = makeCertificate("kasm");
const kasm = new StandIn(certificate);
const clients: KasmClient[] = [];

beforeAll(() => kasm.start());
beforeEach(() => kasm.reset());
afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())));
afterAll(async () => {
  await kasm.stop();
  removeCertificates();
});

function clientOf(
  connection: Partial<Connection> = {},
  patience: Partial<Patience> = {},
): KasmClient {
  const client = new KasmClient(
    { ...kasm.connection, ...connection },
    { ...shortPatience, ...patience },
    ["sk-in-run-config"],
  );
  clients.push(client);
  return client;
}

async function failureOf(work: Promise<unknown>): Promise<KasmError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KasmError);
  const failure = error as KasmError;
  for (const secret of [kasm.apiKey, kasm.apiSecret, "sk-in-run-config"]) {
    expect(`${String(failure)} ${failure.stack ?? ""} ${JSON.stringify(failure)}`).not.toContain(
      secret,
    );
  }
  return failure;
}

const link = {
  image_type: "Link",
  friendly_name: "OpenClaw",
  link_url: "https://openclaw.example.com/",
  notes: "managed by a test",
};

describe("behind a proxy of the environment", () => {
  const { https_proxy } = process.env;
  const kasmUrl = "https://kasm.invalid";
  let proxy: ConnectProxy;
  beforeEach(async () => {
    proxy = new ConnectProxy(Number(new URL(kasm.connection.kasmUrl).port));
    process.env.https_proxy = await proxy.start();
  });
  afterEach(() => {
    proxy.stop();
    Reflect.deleteProperty(process.env, "https_proxy");
    Object.assign(process.env, https_proxy === undefined ? {} : { https_proxy });
  });

  test("KASM is asked through it, and its certificate checked as without", async () => {
    const { fingerprint } = certificate;

    expect(await clientOf({ kasmUrl, caPem: "", fingerprint }).images()).toEqual([]);
    // It is for another name.
    expect((await failureOf(clientOf({ kasmUrl }).images())).failure).toBe("certificate");
    expect(new Set(proxy.asked)).toEqual(new Set(["kasm.invalid:443"]));
  });

  test("a proxy that is not there is named", async () => {
    process.env.https_proxy = "127.0.0.1:1";
    const { failure, message } = await failureOf(clientOf({ kasmUrl }).images());

    expect(failure).toBe("unreachable");
    expect(message).toContain("the proxy 127.0.0.1:1 can't be reached");
  });
});

describe("an error message", () => {
  test("when the connection is refused", async () => {
    const port = await freePort();
    const client = clientOf({ kasmUrl: `https://127.0.0.1:${port.toString()}` });
    const { failure, message } = await failureOf(client.images());

    expect(failure).toBe("unreachable");
    expect(message).toMatch(
      /^get_images: KASM at https:\/\/127\.0\.0\.1:\d+ can't be reached \(connect ECONNREFUSED 127\.0\.0\.1:\d+\); check that it runs and that openclaw:kasmUrl is its address$/,
    );
  });

  test("when the host name is unknown", async () => {
    const client = clientOf({ kasmUrl: "https://kasm.invalid" });

    expect((await failureOf(client.images())).failure).toBe("unreachable");
  });

  test("when the connection ends before the answer", async () => {
    await kasm.faults({ call: "create_image", kind: "drop" });
    const { failure, message } = await failureOf(clientOf().createImage(link));

    expect(failure).toBe("lost");
    expect(message).toContain("create_image: the connection to KASM at https://127.0.0.1");
    expect(message).toContain("it may have been carried out, and the next run looks");
  });

  test("after a timeout", async () => {
    await kasm.faults({ call: "create_image", kind: "silence" });
    const { failure, message } = await failureOf(clientOf({}, { answer: 200 }).createImage(link));

    expect(failure).toBe("late");
    expect(message).toContain("gave no answer within 0.2 s; it may still carry it out");
  });

  test("when none of several addresses answers", async () => {
    const failures = ["10.0.0.1", "10.0.0.2"].map((address) =>
      Object.assign(new Error(`connect ETIMEDOUT ${address}:443`), { syscall: "connect" }),
    );
    const all = Object.assign(new AggregateError(failures), { code: "ETIMEDOUT" });
    const connect = jest.spyOn(tls, "connect").mockImplementationOnce(() => {
      throw all;
    });
    const { failure, message } = await failureOf(
      clientOf({}, { readAgain: [] }).deleteImage(absentId),
    );
    connect.mockRestore();

    expect(failure).toBe("unreachable");
    expect(message).toContain("can't be reached (connect ETIMEDOUT 10.0.0.1:443)");
  });

  test("when the server does not use TLS", async () => {
    const plain = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const port = await listen(plain);
    const client = clientOf({ kasmUrl: `https://127.0.0.1:${port.toString()}` });
    const { failure, message } = await failureOf(client.createImage(link));
    plain.close();

    expect(failure).toBe("unreachable");
    expect(message).toContain("is no TLS server");
  });

  test("when the connection ends during the TLS handshake", async () => {
    const rude = createServer((socket) => socket.destroy());
    const port = await listen(rude);
    const client = clientOf({ kasmUrl: `https://127.0.0.1:${port.toString()}` });
    const { failure } = await failureOf(client.createImage(link));
    rude.close();

    expect(failure).toBe("unreachable");
  });

  test("when the certificate authority is no certificate", async () => {
    const { failure } = await failureOf(clientOf({ caPem: "no PEM" }).createImage(link));

    expect(["certificate", "unreachable"]).toContain(failure);
  });

  test("when a server accepts and never sends anything", async () => {
    const silent = createServer(() => undefined);
    const port = await listen(silent);
    const client = clientOf({ kasmUrl: `https://127.0.0.1:${port.toString()}` }, { answer: 200 });
    const { failure, message } = await failureOf(client.images());
    silent.close();

    expect(failure).toBe("unreachable");
    expect(message).toContain("can't be reached (Connect Timeout Error");
  });

  test("when the answer is a page instead of JSON", async () => {
    await kasm.faults({ call: "get_images", kind: "answer", body: "<html>Sign in</html>" });
    const { failure, message } = await failureOf(clientOf().images());

    expect(failure).toBe("notKasm");
    expect(message).toContain(
      "did not answer as KASM's API does (status 200, text/html); check that openclaw:kasmUrl is KASM's own address",
    );
  });

  test.each([401, 403])("when the status is %d", async (status) => {
    await kasm.options({ deniedStatus: status });
    const connection = await kasm.addKey(`viewer-${status.toString()}`, [900]);
    const { failure, message } = await failureOf(clientOf(connection).createImage(link));

    expect(failure).toBe("denied");
    expect(message).toContain(
      `create_image: KASM does not let this API key do it (status ${status.toString()}: Unauthorized). It needs 902 Images Create: grant it in KASM under Settings → Developers`,
    );
  });

  test("when the server has an exception", async () => {
    await kasm.faults({
      call: "delete_image",
      kind: "answer",
      status: 500,
      body: "<H1>Internal Error</H1>",
    });
    const { failure, message } = await failureOf(clientOf().deleteImage(absentId));

    expect(failure).toBe("crashed");
    expect(message).toBe(
      'delete_image: KASM answered with an error page (status 500); "docker logs kasm_api" on its server names the cause',
    );
  });

  test("when KASM reports a reason with status 200", async () => {
    const { failure, message, status } = await failureOf(clientOf().deleteImage(absentId));

    expect([failure, status]).toEqual(["refused", 200]);
    expect(message).toBe("delete_image: KASM refuses it: Could not find image_id in images.");
  });

  test("when KASM's reason contains secrets", async () => {
    const error_message = `bad: ${kasm.apiKey} ${kasm.apiSecret} {"ANTHROPIC_API_KEY":"sk-in-run-config"}`;
    await kasm.faults({ call: "get_images", kind: "answer", body: { error_message } });

    expect((await failureOf(clientOf().images())).message).toBe(
      'get_images: KASM refuses it: bad: [secret] [secret] {"ANTHROPIC_API_KEY":"[secret]"}',
    );
  });

  test("when KASM's reason contains a secret escaped as JSON, or at the place where the message is cut", async () => {
    const secret = 'a "quoted" \\ secret';
    const client = new KasmClient(kasm.connection, shortPatience, [secret]);
    clients.push(client);
    const error_message = `bad: ${JSON.stringify({ A: secret })} ${"x".repeat(250)} ${secret}`;
    await kasm.faults({ call: "get_images", kind: "answer", body: { error_message } });
    const { message } = await failureOf(client.images());

    expect(message).toContain('{"A":"[secret]"}');
    expect(message).not.toContain("quoted");
    await kasm.faults({
      call: "get_images",
      kind: "answer",
      body: { error_message: `${"x".repeat(290)}${kasm.apiSecret}` },
    });
    const { message: cut } = await failureOf(client.images());
    expect(cut).not.toContain(kasm.apiSecret.slice(0, 8));
    expect(cut.length).toBeLessThan(400);
  });

  test("when the answer has another form", async () => {
    await kasm.faults({ call: "get_images", kind: "answer", body: { images: [{ image_id: 7 }] } });
    const { failure, message } = await failureOf(clientOf().images());

    expect(failure).toBe("notKasm");
    expect(message).toContain("another form than this program knows (at images.0.image_id: ");
  });

  test("when there is only a status", async () => {
    await kasm.faults({ call: "get_images", kind: "answer", status: 418, body: {} });

    expect((await failureOf(clientOf().images())).message).toBe(
      "get_images: KASM answered with status 418",
    );
  });
});

describe("the server's certificate", () => {
  const pinned = { caPem: "", fingerprint: certificate.fingerprint };

  test("is trusted by its authority or by its fingerprint", async () => {
    await expect(clientOf().images()).resolves.toEqual([]);
    await expect(clientOf(pinned).images()).resolves.toEqual([]);
    // A second connection resumes no session of the first, and shows its certificate again.
    await expect(clientOf(pinned).images()).resolves.toEqual([]);
  });

  test("without a trusted authority is refused, with the setting to use", async () => {
    const { failure, message } = await failureOf(clientOf({ caPem: "" }).images());

    expect(failure).toBe("certificate");
    expect(message).toContain("is not trusted (self-signed certificate)");
    expect(message).toContain("openclaw:kasmCaFile");
    expect(message).toContain("openclaw:kasmFingerprint");
  });

  test("for another name is refused", async () => {
    const url = kasm.connection.kasmUrl.replace("127.0.0.1", "localhost");

    expect((await failureOf(clientOf({ kasmUrl: url }).images())).failure).toBe("certificate");
  });

  test("with another fingerprint is refused before anything is sent", async () => {
    const other = makeCertificate("other");
    const { failure, message } = await failureOf(
      clientOf({ caPem: "", fingerprint: other.fingerprint }).images(),
    );

    expect(failure).toBe("certificate");
    expect(message).toContain(
      `shows another certificate than openclaw:kasmFingerprint names (found ${certificate.fingerprint}, expected ${other.fingerprint})`,
    );
    expect(await kasm.log()).toEqual([]);
  });
});

describe("retries", () => {
  test("reads, when the connection was lost or kasm_proxy has no upstream", async () => {
    await kasm.faults(
      { call: "get_images", kind: "drop" },
      { call: "get_images", kind: "answer", status: 502, body: "<h1>502 Bad Gateway</h1>" },
    );

    await expect(clientOf().images()).resolves.toEqual([]);
    expect(await kasm.log()).toHaveLength(3);
  });

  test("no calls that change something", async () => {
    await kasm.faults({ call: "create_image", kind: "drop" });
    await failureOf(clientOf().createImage(link));

    expect((await kasm.log()).map(({ call }) => call)).toEqual(["create_image"]);
  });

  test("a refused permission, for as long as KASM may cache it", async () => {
    await kasm.options({ keyCacheMs: 300 });
    const connection = await kasm.addKey("growing", [900]);
    const client = clientOf(connection, { permission: 2000, look: 50 });
    await client.images();
    const [{ api_id } = {}] = await kasm.find("api_configs", { name: "growing" });
    await kasm.insert("group_permissions", { api_id, permission_id: 902 });

    await expect(client.createImage(link)).resolves.toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("quirks", () => {
  test("ids are compared without dashes and in lower case", () => {
    expect(normaliseId("50FAA543-9C57-4B51-8CD8-68DAC9256E4B")).toBe(
      "50faa5439c574b518cd868dac9256e4b",
    );
  });

  test.each([false, true])("a record is read as it was sent, JSON as text: %s", async (text) => {
    await kasm.options({ jsonAsText: text });
    await clientOf().createImage({
      ...link,
      run_config: '{"hostname":"kasm"}',
      categories: "AI\nTools",
      memory: 4_096_000_000,
    });
    const [listed] = await clientOf().images();

    expect(listed && clientOf().wholeImage(listed)).toMatchObject({
      run_config: { hostname: "kasm" },
      exec_config: {},
      categories: ["AI", "Tools"],
      memory: 4_096_000_000,
      restrict_to_zone: false,
      zone_id: "",
    });
  });

  test("categories are omitted for a server that fails on them, and one workspace is created", async () => {
    await kasm.options({ refuseCategories: true });
    const id = await clientOf().createImage({ ...link, categories: "AI" });
    const took = await clientOf().updateImage(id, { description: "x", categories: "AI" });

    expect(took).toEqual({ tookCategories: false });
    expect(await kasm.find("images")).toMatchObject([
      { description: "x", friendly_name: "OpenClaw" },
    ]);
  });

  test.each<[how: string, fields: Row]>([
    ["alone", { categories: "AI" }],
    ["among others", { description: "x", categories: "AI" }],
  ])("categories, sent %s, are kept for a server that fails once", async (_how, fields) => {
    const page = "<H1>Internal Error</H1>";
    const id = await clientOf().createImage(link);
    await kasm.faults({ call: "update_image", kind: "answer", status: 500, body: page });

    expect(await clientOf().updateImage(id, fields)).toEqual({ tookCategories: true });
    expect(await kasm.find("images")).toMatchObject([{ ...fields, categories: ["AI"] }]);
  });

  test("tolerates malformed records of other owners", async () => {
    const odd = { image_id: absentId, cores: "many", run_config: 7, notes: 9, categories: {} };
    const groups = [{ group_id: absentId, name: null, is_system: "no" }];
    const cast_configs = [{ cast_config_id: absentId, key: null, allowed_referrers: 1 }];
    await kasm.faults(
      { call: "get_images", kind: "answer", body: { images: [odd] } },
      { call: "get_groups", kind: "answer", body: { groups } },
      { call: "get_cast_configs", kind: "answer", body: { cast_configs } },
    );

    expect(await clientOf().images()).toMatchObject([
      { image_id: normaliseId(absentId), notes: "" },
    ]);
    expect(await clientOf().groups()).toMatchObject([{ name: "", is_system: false }]);
    expect(await clientOf().castConfigs()).toMatchObject([{ key: "", casting_config_name: "" }]);
  });

  test("create is not repeated if the server fails after it created the workspace", async () => {
    const page = "<H1>Internal Error</H1>";
    const row = await kasm.insert("images", { friendly_name: "OpenClaw", notes: link.notes });
    await kasm.faults({ call: "create_image", kind: "answer", status: 500, body: page });

    expect(await clientOf().createImage({ ...link, categories: "AI" })).toBe(
      normaliseId(String(row.image_id)),
    );
    expect(await kasm.find("images")).toHaveLength(1);
  });

  test.each([false, true])(
    "a workspace that is in a group three times is removed from it one at a time: %s",
    async (once) => {
      await kasm.options({ removeOnce: once });
      const client = clientOf();
      const id = await client.createImage(link);
      const [all] = (await client.groups()).filter(({ name }) => name === "All Users");
      const groupId = all?.group_id ?? "";
      await client.addToGroup(groupId, id);
      await client.addToGroup(groupId, id);
      const times = await client.timesInGroup(groupId, id);
      await client.removeFromGroup(groupId, id, times);

      expect(times).toBe(3);
      expect(await client.timesInGroup(groupId, id)).toBe(0);
    },
  );
});

describe("the check of permissions", () => {
  const all = [400, 401, 441, 700, 701, 702, 703, 900, 901, 902, 903, 904] as const;

  test.each([false, true])(
    "accepts a key that has them, and changes nothing on a tolerant server: %s",
    async (tolerant) => {
      await kasm.options({ tolerant });
      const before = await everything();
      await clientOf().requirePermissions(all);

      expect(await everything()).toEqual(before);
    },
  );

  test("creates nothing on a tolerant server, whatever the key's permissions", async () => {
    await kasm.options({ tolerant: true });
    const before = await everything();
    for (const only of all) {
      const connection = await kasm.addKey(`only-${only.toString()}`, [only]);
      await failureOf(clientOf(connection).requirePermissions(all));
    }

    expect(await everything()).toEqual(before);
  });

  test.each([400, 700, 703, 900, 903])("names %d if it alone is missing", async (missing) => {
    const name = `without-${missing.toString()}`;
    const connection = await kasm.addKey(
      name,
      all.filter((permission) => permission !== missing),
    );
    const { failure, message } = await failureOf(clientOf(connection).requirePermissions(all));

    expect(failure).toBe("denied");
    expect(message).toMatch(new RegExp(`the API key lacks ${missing.toString()} [A-Za-z ]+ \\(`));
  });

  test.each([701, 702, 901, 902, 904])("leaves %d to the call that needs it", async (missing) => {
    const connection = await kasm.addKey(
      `untested-${missing.toString()}`,
      all.filter((permission) => permission !== missing),
    );

    await expect(clientOf(connection).requirePermissions(all)).resolves.toBeUndefined();
  });

  test("names both permissions for groups if the key has neither", async () => {
    const neither = await kasm.addKey("no-groups", [400]);
    const { message } = await failureOf(clientOf(neither).requirePermissions([400, 401, 441]));

    expect(message).toContain("lacks 401 Groups Modify, 441 Groups Modify System (");
    const one = await kasm.addKey("system-only", [400, 441]);
    await expect(clientOf(one).requirePermissions([400, 401, 441])).resolves.toBeUndefined();
  });

  test("names all missing permissions at once, and the needed ones that it can't check", async () => {
    const connection = await kasm.addKey("two", [900, 902, 904, 401, 441]);
    const { message } = await failureOf(
      clientOf(connection).requirePermissions([900, 901, 902, 903, 904, 400, 401, 441]),
    );

    expect(message).toContain(
      "permissions: the API key lacks 903 Images Delete, 400 Groups View (",
    );
    expect(message).toContain(
      "It also needs 901 Images Modify, 902 Images Create, 904 Images Modify Resources, which can't be checked without changing something. Grant them",
    );
  });

  test("names the cause for a read-only key and for a wrong one", async () => {
    const readOnly = await kasm.addKey("read-only", [...all], true);
    const { message } = await failureOf(clientOf(readOnly).requirePermissions([900, 902, 903]));
    expect(message).toContain("lacks 903 Images Delete (a Read Only key");

    const wrong = await failureOf(
      clientOf({ apiSecret: "not-this-one" }).requirePermissions([900, 901]),
    );
    expect(wrong.message).toContain(
      "it has none of those that are needed, or the key or its secret is wrong, disabled or expired; KASM says: Access Denied",
    );
  });

  test("shows KASM's message if casting is not licensed", async () => {
    await kasm.options({ licensedForCasting: false });
    const { message } = await failureOf(clientOf().requirePermissions([700, 701, 900]));

    expect(message).toContain("KASM says: This feature is not licensed");
  });
});

describe("a permission that only the call itself can check", () => {
  const all = [400, 401, 441, 700, 701, 702, 703, 900, 901, 902, 903, 904];
  const without = (missing: number) =>
    kasm.addKey(
      `lacking-${missing.toString()}`,
      all.filter((permission) => permission !== missing),
    );
  const cast = { casting_config_name: "OpenClaw", key: "openclaw" };

  test.each<[missing: number, named: string, work: (client: KasmClient) => Promise<unknown>]>([
    [902, "902 Images Create: grant", (client) => client.createImage(link)],
    [
      902,
      "902 Images Create, 904 Images Modify Resources: grant",
      (client) => client.createImage({ ...link, cores: 2 }),
    ],
    [
      904,
      "902 Images Create, 904 Images Modify Resources: grant",
      (client) => client.createImage({ ...link, cores: 2 }),
    ],
    [
      901,
      "901 Images Modify: grant",
      (client) => client.updateImage(absentId, { description: "x" }),
    ],
    [702, "702 Casting Create: grant", (client) => client.createCastConfig(cast)],
    [701, "701 Casting Modify: grant", (client) => client.updateCastConfig(absentId, cast)],
  ])("names %d as missing (%s), and nothing is changed", async (missing, named, work) => {
    const client = clientOf(await without(missing));
    const before = await everything();
    const { failure, message } = await failureOf(work(client));

    expect(failure).toBe("denied");
    expect(message).toContain("KASM does not let this API key do it (status 403: Unauthorized)");
    expect(message).toContain(`It needs ${named}`);
    expect(await everything()).toEqual(before);
  });
});

describe("a key that may change only one kind of group", () => {
  beforeAll(() => kasm.insert("groups", { name: "Sales", priority: 11, is_system: false }));
  afterAll(() => kasm.remove("groups", { name: "Sales" }));

  test.each<[kind: string, isSystem: boolean, missing: number]>([
    ["a system group", true, 441],
    ["another group", false, 401],
  ])("may not add a workspace to %s (%s) without %d", async (_, isSystem, missing) => {
    const [group] = await kasm.find("groups", { is_system: isSystem });
    const imageId = await clientOf().createImage(link);
    const lacking = [400, 401, 441, 900].filter((permission) => permission !== missing);
    const client = clientOf(await kasm.addKey(`lacking-${missing.toString()}`, lacking));
    const before = await everything();
    const { failure, message } = await failureOf(
      client.addToGroup(String(group?.group_id), imageId),
    );

    expect(failure).toBe("denied");
    expect(message).toContain("401 Groups Modify, 441 Groups Modify System");
    expect(await everything()).toEqual(before);
  });
});

async function everything(): Promise<unknown> {
  const tables = ["images", "groups", "group_images", "cast_configs"];
  return await Promise.all(tables.map((table) => kasm.find(table)));
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}
