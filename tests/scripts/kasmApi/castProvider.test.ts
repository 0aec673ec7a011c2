import { type CastInputs, castProvider } from "../../../providers/kasm/castProvider";
import { workspaceProvider } from "../../../providers/kasm/workspaceProvider";
import { cast, image, link } from "./declared";
import { Engine } from "./engine";
import { makeCertificate, removeCertificates, type Row, shortPatience, StandIn } from "./standIn";
import { tell, untell } from "./tell";

const certificate = makeCertificate("kasm");
const kasm = new StandIn(certificate);
let engine: Engine<CastInputs>;
let workspaceId: string;

beforeAll(() => kasm.start());
beforeEach(async () => {
  await kasm.reset({ images: [image] });
  engine = new Engine<CastInputs>(castProvider(shortPatience));
  workspaceId = await newWorkspace("one");
});
afterAll(async () => {
  await kasm.stop();
  removeCertificates();
});

async function newWorkspace(name: string): Promise<string> {
  const workspaces = new Engine(workspaceProvider(shortPatience));
  await workspaces.up(link(kasm.connection, { marker: `managed by openclaw-kasm: test/${name}` }));
  return workspaces.kept?.id ?? "";
}

const declared = (changes: Partial<CastInputs> = {}) => cast(kasm.connection, workspaceId, changes);

async function onlyCast(): Promise<Row> {
  const casts = await kasm.find("cast_configs");
  expect(casts).toHaveLength(1);
  return casts[0] ?? {};
}

test("creates and deletes a link, and changes nothing the second time", async () => {
  expect(await engine.up(declared())).toBe("created");
  expect(await onlyCast()).toMatchObject({
    casting_config_name: "openclaw-kasm: test/openclaw-desktop",
    key: "openclaw",
    allowed_referrers: ["portal.example.com"],
    allow_anonymous: true,
    group_id: "68d557ac-4cac-42cc-a9f3-1c7c853de0f3",
    kasm_url: "http://host.docker.internal:8180/",
    dynamic_kasm_url: false,
    limit_sessions: false,
  });

  expect(await engine.refresh()).toEqual([]);
  expect(await engine.up(declared())).toBe("same");
  expect(await engine.destroy()).toBe("deleted");
  expect(await kasm.find("cast_configs")).toEqual([]);
});

test.each<[property: string, row: Row]>([
  ["configName", { casting_config_name: "Renamed" }],
  ["key", { key: "other" }],
  ["group", { group_id: null }],
  ["allowedReferrers", { allowed_referrers: [] }],
  ["allowAnonymous", { allow_anonymous: false }],
  ["requireRecaptcha", { require_recaptcha: true }],
  ["allowResume", { allow_resume: false }],
  ["enableSharing", { enable_sharing: true }],
  ["disableControlPanel", { disable_control_panel: false }],
  ["disableTips", { disable_tips: false }],
  ["disableFixedResolution", { disable_fixed_res: true }],
  ["opens", { kasm_url: "https://evil.example.com/" }],
  ["linkMayNameUrl", { dynamic_kasm_url: true }],
  ["errorUrl", { error_url: "" }],
  ["limitSessions", { limit_sessions: true }],
  ["limitIps", { limit_ips: true }],
  ["linkMayNameNetwork", { dynamic_docker_network: true }],
  ["enforceClientSettings", { enforce_client_settings: true }],
])(
  "refresh detects a manual change of %s, preview shows it and up repairs it",
  async (property, row) => {
    await engine.up(declared());
    const before = await onlyCast();
    await kasm.update("cast_configs", { cast_config_id: before.cast_config_id }, row);

    expect(await engine.refresh()).toEqual([property]);
    expect(await engine.preview(declared())).toEqual([property]);
    expect(await engine.up(declared())).toBe("updated");
    expect(await onlyCast()).toEqual(before);
  },
);

test("another workspace gets a new link after the old one is deleted", async () => {
  await engine.up(declared());
  const other = await newWorkspace("two");

  expect(await engine.up(declared({ workspaceId: other }))).toBe("replaced");
  expect(String((await onlyCast()).image_id).replaceAll("-", "")).toBe(other);
});

describe("another address", () => {
  const renamed = () => ({
    kasmUrl: kasm.connection.kasmUrl.replace("127.0.0.1", "localhost"),
    caPem: "",
    fingerprint: certificate.fingerprint,
  });
  afterEach(() => {
    untell();
  });

  test("of the same KASM keeps the link", async () => {
    await engine.up(declared());
    const { id } = engine.kept ?? {};

    expect(await engine.up(declared(renamed()))).toBe("updated");
    expect(engine.kept).toMatchObject({ id, outputs: renamed() });
    await onlyCast();
  });

  test("of the same KASM replaces an address that no longer answers", async () => {
    await engine.up(declared());
    const { kept } = engine;
    const outputs = { ...kept?.outputs, kasmUrl: "https://127.0.0.1:1" };
    engine.kept = kept && { ...kept, outputs };
    await tell(kasm.connection);

    expect(await engine.refresh()).toEqual([]);
    expect(await engine.destroy()).toBe("deleted");
    expect(await kasm.find("cast_configs")).toEqual([]);
  });

  test("of another KASM creates a link there and deletes the old one", async () => {
    const second = new StandIn(makeCertificate("second"));
    await second.start({ images: [image] });
    try {
      await engine.up(declared());
      const [tile] = await kasm.find("images");
      await second.insert("images", tile ?? {});

      expect(await engine.up(cast(second.connection, workspaceId))).toBe("replaced");
      expect(await kasm.find("cast_configs")).toEqual([]);
      expect(await second.find("cast_configs")).toHaveLength(1);
    } finally {
      await second.stop();
    }
  });
});

test("after a lost answer the next run finds the link, without a duplicate", async () => {
  await kasm.faults({ call: "create_cast_config", kind: "cut" });
  await expect(engine.up(declared())).rejects.toThrow("create_cast_config: the connection");
  await onlyCast();

  expect(await engine.up(declared())).toBe("created");
  await onlyCast();
});

test("a link that was deleted by hand is recreated", async () => {
  await engine.up(declared());
  await kasm.remove("cast_configs");

  expect(await engine.refresh()).toEqual(["id"]);
  expect(await engine.up(declared())).toBe("created");
});

test("refuses a key that another cast config uses, which stays as it is", async () => {
  const theirs = { casting_config_name: "Portal", key: "openclaw", image_id: workspaceId };
  await kasm.insert("cast_configs", theirs);

  await expect(engine.up(declared())).rejects.toThrow(
    'the cast link "openclaw" is in use in KASM by "Portal"; expected another key',
  );
  expect(await onlyCast()).toMatchObject({ casting_config_name: "Portal" });
});

test("an unknown group is reported before anything is created", async () => {
  await expect(engine.up(declared({ group: "Guests" }))).rejects.toThrow(
    'KASM has no group named "Guests" for the people who use the cast link "openclaw"; it has "All Users", "Administrators"',
  );
  expect(await kasm.find("cast_configs")).toEqual([]);
});

test("missing permissions are reported before anything is created", async () => {
  const connection = await kasm.addKey("no-casts", [400, 900, 700]);

  await expect(engine.up(cast(connection, workspaceId))).rejects.toThrow(
    "the API key lacks 703 Casting Delete (",
  );
  expect(await kasm.find("cast_configs")).toEqual([]);
});

test.each([false, true])(
  "create reports a missing permission to create, with KASM unchanged on a tolerant server: %s",
  async (tolerant) => {
    await kasm.options({ tolerant });
    const connection = await kasm.addKey("no-create", [400, 900, 700, 701, 703]);

    await expect(engine.up(cast(connection, workspaceId))).rejects.toThrow(
      /create_cast_config: KASM does not let this API key do it .* needs 702 Casting Create:/,
    );
    expect(await kasm.find("cast_configs")).toEqual([]);
  },
);
