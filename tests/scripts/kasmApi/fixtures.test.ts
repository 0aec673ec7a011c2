import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { KasmClient } from "../../../providers/kasm/client";
import { castConfig, castFields } from "../../../providers/kasm/castFields";
import { KasmError } from "../../../providers/kasm/errors";
import { keysOf, toSend } from "../../../providers/kasm/fields";
import {
  image,
  newContainer,
  propertiesOf,
  workspaceFields,
} from "../../../providers/kasm/workspaceFields";
import { cast, desktop, link } from "./declared";
import { makeCertificate, removeCertificates, type Row, shortPatience, StandIn } from "./standIn";

/** A form of a call and its answer that KASM's reference describes. */
interface Form {
  readonly form: string;
  readonly call: string;
  readonly request: Row;
  /** The state in which the stand-in gives this answer; absent if it never answers in this form. */
  readonly server?: {
    readonly options?: object;
    readonly permissions?: number[];
    readonly readOnly?: boolean;
    readonly wrongKey?: boolean;
    readonly rows?: { readonly table: string; readonly row: Row }[];
    readonly before?: { readonly call: string; readonly request: Row }[];
  };
  readonly answer: { readonly status: number; readonly type: string; readonly body: unknown };
  /** Whether the reference gives the text of the answer, and not only its form. */
  readonly exact?: boolean;
  /** What the client makes of it: a failure with a text, or a result. */
  readonly client: {
    readonly failure?: string;
    readonly says?: string;
    readonly result?: unknown;
  };
}

const id = "50faa5439c574b518cd868dac9256e4b";
const nowhere = { kasmUrl: "", apiKey: "", apiSecret: "", caPem: "", fingerprint: "" };

const folder = join(__dirname, "../../kasmApi/fixtures");
const fixtures = readdirSync(folder).map((file) => ({
  file,
  ...(JSON.parse(readFileSync(join(folder, file), "utf8")) as { source: string; forms: Form[] }),
}));
const forms = fixtures.flatMap((fixture) => fixture.forms);
/** Fields that hold an object with keys of the user's choice. */
const dictionaries = ["run_config", "exec_config", "volume_mappings", "launch_config"];
const titled = (list: readonly Form[]) =>
  list.map((form) => [`${form.call}: ${form.form}`, form] as const);

test.each(fixtures)("$file names its source", ({ source }) => {
  expect(source).toMatch(/^KASM reference, section \d/);
});

describe("the client", () => {
  const requests: { url: string | undefined; method: string | undefined; body: Row }[] = [];
  let answer: Form["answer"];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { url, method } = request;
      requests.push({ url, method, body: JSON.parse(Buffer.concat(chunks).toString()) as Row });
      response.writeHead(answer.status, { "content-type": answer.type });
      response.end(answer.type === "text/html" ? answer.body : JSON.stringify(answer.body));
    });
  });
  let client: KasmClient;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const kasmUrl = `http://127.0.0.1:${port.toString()}`;
    client = new KasmClient(
      { kasmUrl, apiKey: "key", apiSecret: "secret", caPem: "", fingerprint: "" },
      { ...shortPatience, readAgain: [] },
    );
  });
  afterAll(async () => {
    await client.close();
    server.close();
  });

  test.each(titled(forms))("sends and understands %s", async (_, form) => {
    requests.length = 0;
    answer = form.answer;
    const { failure, says, result } = form.client;
    const outcome = await clientCalls[form.call]?.(client, form.request as never).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );

    if (failure === undefined) {
      expect(outcome).toMatchObject({ value: result });
    } else {
      expect(outcome).toEqual({ error: expect.any(KasmError) as unknown });
      expect(outcome).toMatchObject({ error: { failure } });
      expect(String((outcome as { error: Error }).error)).toContain(says);
    }
    expect(requests[0]).toEqual({
      url: `/api/public/${form.call}`,
      method: "POST",
      body: { api_key: "key", api_key_secret: "secret", ...form.request },
    });
  });
});

describe("the stand-in", () => {
  const kasm = new StandIn(makeCertificate("kasm"));
  beforeAll(() => kasm.start());
  afterAll(async () => {
    await kasm.stop();
    removeCertificates();
  });

  test.each(titled(forms.filter(({ server }) => server)))("answers %s", async (_, form) => {
    const { options, permissions, readOnly, wrongKey, rows = [], before = [] } = form.server ?? {};
    await kasm.reset(options);
    await kasm.addToDefaultGroup(false);
    for (const { table, row } of rows) {
      await kasm.insert(table, row);
    }
    for (const { call, request } of before) {
      expect((await kasm.call(call, request)).body).not.toHaveProperty("error_message");
    }
    const keys = wrongKey
      ? { apiKey: "unknown", apiSecret: "unknown" }
      : permissions && (await kasm.addKey(form.form, permissions, readOnly));
    const found = await kasm.call(form.call, form.request, keys);

    if (form.exact) {
      expect(found).toEqual(form.answer);
    } else {
      const { body, ...rest } = form.answer;
      expect({ ...found, body: shapeOf(found.body) }).toEqual({ ...rest, body: shapeOf(body) });
    }
  });
});

describe("the fields of the reference", () => {
  /** All fields that the successful forms of a call have, each as the first of them has it. */
  const fieldsOf = (call: string, record: (form: Form) => unknown) =>
    Object.assign(
      {},
      ...forms
        .filter((form) => form.call === call && form.client.failure === undefined)
        .map(record)
        .reverse(),
    ) as Row;
  const answered = (call: string, name: string) =>
    fieldsOf(call, ({ answer }) => (answer.body as Row)[name]);
  const requested = (call: string, name: string) => fieldsOf(call, ({ request }) => request[name]);

  test.each<[record: string, shape: object, described: Row]>([
    ["a workspace", image.shape, answered("create_image", "image")],
    ["a cast config", castConfig.shape, answered("create_cast_config", "cast_config")],
  ])("include all that the client reads of %s", (_, shape, described) => {
    expect(Object.keys(described)).toEqual(expect.arrayContaining(Object.keys(shape)));
  });

  const ownZone = { zoneId: id, serverId: id };
  const { group: _, ...castProps } = cast(nowhere, id);
  test.each<[record: string, sent: object, described: Row]>([
    [
      "a container workspace",
      {
        ...newContainer,
        ...toSend(workspaceFields, desktop(nowhere, ownZone), propertiesOf("Container")),
      },
      requested("create_image", "target_image"),
    ],
    [
      "a link",
      toSend(workspaceFields, link(nowhere), propertiesOf("Link")),
      requested("create_image", "target_image"),
    ],
    [
      "a cast config",
      toSend(castFields, { ...castProps, groupId: id }, keysOf(castFields)),
      requested("create_cast_config", "target_cast_config"),
    ],
  ])("include all that the client sends of %s, in the same form", (_record, sent, described) => {
    expect(Object.keys(described)).toEqual(expect.arrayContaining(Object.keys(sent)));
    expect(shapeOf(described)).toMatchObject(shapeOf(sent) as object);
  });
});

interface Target {
  readonly target_image: { readonly image_id: string } & Row;
  readonly target_group: { readonly group_id: string };
  readonly target_cast_config: { readonly cast_config_id: string } & Row;
}

/** The client's method for each call, with what it takes from the request. */
const clientCalls: Record<string, (client: KasmClient, request: Target) => Promise<unknown>> = {
  get_images: async (client) => (await client.images()).map((each) => client.wholeImage(each)),
  create_image: (client, { target_image }) => client.createImage(target_image),
  update_image: (client, { target_image: { image_id, ...fields } }) =>
    client.updateImage(image_id, fields),
  delete_image: (client, { target_image }) => client.deleteImage(target_image.image_id),
  get_users: (client) => client.users(),
  get_groups: (client) => client.groups(),
  get_images_group: (client, { target_group }) => client.timesInGroup(target_group.group_id, id),
  add_images_group: (client, { target_group, target_image }) =>
    client.addToGroup(target_group.group_id, target_image.image_id),
  remove_images_group: (client, { target_group, target_image }) =>
    client.removeFromGroup(target_group.group_id, target_image.image_id, 1),
  get_cast_configs: async (client) =>
    (await client.castConfigs()).map((each) => client.wholeCastConfig(each)),
  create_cast_config: (client, { target_cast_config }) =>
    client.createCastConfig(target_cast_config),
  update_cast_config: (client, { target_cast_config: { cast_config_id, ...fields } }) =>
    client.updateCastConfig(cast_config_id, fields),
  delete_cast_config: (client, { target_cast_config }) =>
    client.deleteCastConfig(target_cast_config.cast_config_id),
};

/** The types of an answer's fields. Null is the same as absent: KASM answers in both ways. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(shapeOf);
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
      .filter(([, field]) => field !== null)
      .map(([name, field]) => [
        name,
        dictionaries.includes(name) ? typeof field : shapeOf(field as unknown),
      ]);
    return Object.fromEntries(entries) as Row;
  }
  if (typeof value !== "string") {
    return typeof value;
  }
  if (/^\s*</.test(value)) {
    return "page";
  }
  return /^[0-9a-f]{32}$/.test(value) ? "id" : "text";
}
