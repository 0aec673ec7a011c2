import { existsSync, statSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import { text as readStream } from "node:stream/consumers";
import { handOver } from "../../../providers/kasm/currentConnection";
import { normaliseId } from "../../../providers/kasm/schemas";
import { type WorkspaceInputs, workspaceProvider } from "../../../providers/kasm/workspaceProvider";
import { desktop, image, link } from "./declared";
import { Engine } from "./engine";
import { makeCertificate, removeCertificates, type Row, shortPatience, StandIn } from "./standIn";
import { tell, untell } from "./tell";

const certificate = makeCertificate("kasm");
const kasm = new StandIn(certificate);
let engine: Engine<WorkspaceInputs>;

beforeAll(() => kasm.start());
beforeEach(async () => {
  await kasm.reset({ images: [image] });
  engine = newEngine();
});
afterAll(async () => {
  await kasm.stop();
  removeCertificates();
});

function newEngine(patience = shortPatience): Engine<WorkspaceInputs> {
  return new Engine<WorkspaceInputs>(workspaceProvider(patience));
}

const declared = (changes: Partial<WorkspaceInputs> = {}) => desktop(kasm.connection, changes);

async function onlyImage(): Promise<Row> {
  const images = await kasm.find("images");
  expect(images).toHaveLength(1);
  return images[0] ?? {};
}

/** Returns the calls since the last one of this function that changed KASM, without those that only check permissions. */
async function changes(): Promise<string[]> {
  const zero = "00000000-0000-0000-0000-000000000000";
  return (await kasm.log())
    .filter(({ call }) => !call.startsWith("get_"))
    .filter(({ body }) => !JSON.stringify(body).includes(zero))
    .map(({ call }) => call);
}

describe("create, update and destroy", () => {
  test("every field as KASM keeps it", async () => {
    expect(await engine.up(declared())).toBe("created");

    const row = await onlyImage();
    expect(row).toMatchObject({
      image_type: "Container",
      name: image,
      friendly_name: "OpenClaw Desktop",
      image_src: "img/thumbnails/ubuntu.png",
      cores: 2,
      memory: 4_096_000_000,
      docker_registry: null,
      persistent_profile_path: "/opt/kasm/profiles/openclaw/{username}",
      run_config: { hostname: "kasm", environment: { LAUNCH_URL: "http://127.0.0.1:18789/" } },
      exec_config: { go: { cmd: "bash -c 'true'" } },
      volume_mappings: {
        "/opt/openclaw/shared": {
          bind: "/mnt/openclaw-shared",
          mode: "rw",
          uid: 1000,
          gid: 1000,
        },
      },
      categories: ["AI", "Development"],
      session_time_limit: 3600,
      restrict_to_zone: false,
      zone_id: null,
      notes: "managed by openclaw-kasm: test/openclaw-desktop",
      available: true,
    });
    expect(engine.kept?.id).toBe(normaliseId(String(row.image_id)));
    expect(await kasm.groupsOf(row.image_id)).toEqual(["All Users"]);
    expect(engine.kept?.outputs.available).toBe(true);
  });

  test("is sent in the forms that the server takes", async () => {
    await engine.up(declared());
    const created = (await kasm.log()).filter(
      ({ call, body }) => call === "create_image" && "target_image" in body,
    );

    expect(created).toHaveLength(1);
    const sent = created[0]?.body.target_image as Row;
    for (const text of ["run_config", "exec_config", "volume_mappings", "launch_config"]) {
      expect(typeof sent[text]).toBe("string");
    }
    expect(sent.categories).toBe("AI\nDevelopment");
    expect(Object.keys(sent)).not.toContain("available");
    expect(Object.keys(sent)).not.toContain("image_name");
  });

  test("a second up changes nothing in the state or in KASM", async () => {
    await engine.up(declared());
    await kasm.log();

    expect(await engine.refresh()).toEqual([]);
    expect(await engine.up(declared())).toBe("same");
    expect(await changes()).toEqual([]);
  });

  test("destroy deletes it, and a second destroy does nothing", async () => {
    await engine.up(declared());
    const kept = engine.kept;
    expect(await engine.destroy()).toBe("deleted");
    expect(await kasm.find("images")).toEqual([]);
    expect(await kasm.find("group_images")).toEqual([]);

    engine.kept = kept;
    await engine.destroy();
    expect(await changes()).toEqual(["create_image", "delete_image"]);
  });

  test("a link has only the fields of links, and does not wait for an agent", async () => {
    await kasm.options({ images: undefined });
    const connection = await kasm.addKey("no-resources", [400, 401, 441, 900, 901, 902, 903]);
    expect(await engine.up(link(connection))).toBe("created");

    expect(await onlyImage()).toMatchObject({
      image_type: "Link",
      link_url: "https://kasm.example.com/openclaw/",
      available: false,
    });
    expect(await engine.refresh()).toEqual([]);
    expect(await engine.up(link(connection))).toBe("same");
  });

  test("JSON that KASM returns as text, with its keys in another order, is no difference", async () => {
    await kasm.options({ jsonAsText: true });
    const runConfig = { environment: { B: "2", A: "1" }, hostname: "kasm" };
    await engine.up(declared({ runConfig }));
    const reordered = { hostname: "kasm", environment: { A: "1", B: "2" } };

    expect(await engine.refresh()).toEqual([]);
    expect(await engine.up(declared({ runConfig: reordered }))).toBe("same");
  });
});

describe("changes in the program", () => {
  test("are sent alone", async () => {
    await engine.up(declared());
    await kasm.log();
    expect(await engine.preview(declared({ cores: 4, memoryMb: 8192 }))).toEqual([
      "cores",
      "memoryMb",
    ]);
    expect(await engine.up(declared({ cores: 4, memoryMb: 8192 }))).toBe("updated");

    const updates = (await kasm.log()).filter(({ call }) => call === "update_image");
    expect(updates.at(-1)?.body).toEqual({
      target_image: { image_id: engine.kept?.id, cores: 4, memory: 8_192_000_000 },
    });
    expect(await onlyImage()).toMatchObject({ cores: 4, memory: 8_192_000_000 });
  });

  test("of the zone, and back to any zone", async () => {
    const [zone] = await kasm.find("zones");
    const zoneId = normaliseId(String(zone?.zone_id));
    await engine.up(declared({ zoneId }));
    expect(await onlyImage()).toMatchObject({ restrict_to_zone: true, zone_id: zone?.zone_id });

    expect(await engine.up(declared())).toBe("updated");
    expect(await onlyImage()).toMatchObject({ restrict_to_zone: false, zone_id: null });
    expect(await engine.up(declared())).toBe("same");
  });

  test("of the kind replace the tile after the old one is deleted", async () => {
    await engine.up(declared());
    const before = engine.kept?.id;

    expect(await engine.up(link(kasm.connection, { marker: declared().marker }))).toBe("replaced");
    expect(engine.kept?.id).not.toBe(before);
    expect(await onlyImage()).toMatchObject({ image_type: "Link" });
  });

  test("of the key update the state and change nothing in KASM", async () => {
    await engine.up(declared());
    const all = [400, 401, 441, 900, 901, 902, 903, 904];
    const rotated = await kasm.addKey("rotated", all);
    await kasm.log();

    expect(await engine.up(desktop(rotated))).toBe("updated");
    expect(engine.kept?.outputs.apiKey).toBe(rotated.apiKey);
    expect(await changes()).toEqual([]);
  });

  test("of the address to another name of the same KASM keep the tile", async () => {
    await engine.up(declared());
    const { id } = engine.kept ?? {};
    const kasmUrl = kasm.connection.kasmUrl.replace("127.0.0.1", "localhost");
    const renamed = { kasmUrl, caPem: "", fingerprint: certificate.fingerprint };

    expect(await engine.up(declared(renamed))).toBe("updated");
    expect(engine.kept?.id).toBe(id);
    await onlyImage();
  });

  test("of the address to another KASM create the tile there and delete the old one", async () => {
    const second = new StandIn(makeCertificate("second"));
    await second.start({ images: [image] });
    await engine.up(declared());

    expect(await engine.up(desktop(second.connection))).toBe("replaced");
    expect(await kasm.find("images")).toEqual([]);
    expect(await second.find("images")).toHaveLength(1);
    await second.stop();
  });
});

test("of a registry's token are sent, and the token is in no error", async () => {
  const registry = { dockerRegistry: "https://registry.example.com", dockerUser: "puller" };
  const sent = async () =>
    (await kasm.log()).map(({ body }) => (body.target_image as Row | undefined)?.docker_token);
  await engine.up(declared({ ...registry, dockerToken: "token-one" }));
  expect(await onlyImage()).toMatchObject({ docker_user: "puller", docker_token: "token-one" });
  await kasm.log();

  expect(await engine.refresh()).toEqual([]);
  expect(await engine.up(declared({ ...registry, dockerToken: "token-one" }))).toBe("same");
  expect(await engine.up(declared({ ...registry, dockerToken: "token-two" }))).toBe("updated");
  expect(await sent()).toContain("token-two");
  expect(await engine.up(declared({ ...registry, dockerToken: "token-two", cores: 3 }))).toBe(
    "updated",
  );
  expect(await sent()).not.toContain("token-two");
  await kasm.faults({
    call: "update_image",
    kind: "answer",
    body: { error_message: "bad token-three" },
  });
  await expect(engine.up(declared({ ...registry, dockerToken: "token-three" }))).rejects.toThrow(
    /bad \[secret\]$/,
  );
});

describe("the current connection", () => {
  const all = [400, 401, 441, 900, 901, 902, 903, 904];
  afterEach(() => {
    untell();
  });

  test("is in no file or environment, inaccessible for other users, and available until the command ends", async () => {
    const { env, end } = await handOver(kasm.connection);
    const [socket = ""] = Object.values(env);
    const asked = () => readStream(createConnection(socket));

    expect(JSON.stringify(env)).not.toContain(kasm.connection.apiSecret);
    expect(statSync(socket).isSocket()).toBe(true);
    expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
    expect(await asked()).toContain(kasm.connection.apiSecret);
    end();
    expect(existsSync(dirname(socket))).toBe(false);
    await expect(asked()).rejects.toThrow("ENOENT");
  });

  test("replaces a key that was deleted in KASM", async () => {
    const gone = await kasm.addKey("gone", all);
    await engine.up(desktop(gone));
    await kasm.update("api_configs", { name: "gone" }, { enabled: false });
    await expect(engine.refresh()).rejects.toThrow("Access Denied");
    await expect(engine.destroy()).rejects.toThrow("Access Denied");

    await tell(kasm.connection);
    expect(await engine.refresh()).toEqual([]);
    expect(engine.kept?.outputs.apiKey).toBe(gone.apiKey);
    expect(await engine.up(declared())).toBe("updated");
    expect(await engine.destroy()).toBe("deleted");
  });

  test("is not sent to another server", async () => {
    await engine.up(declared());
    await tell({ ...kasm.connection, kasmUrl: "https://kasm.example.com", apiKey: "other" });

    expect(await engine.refresh()).toEqual([]);
  });
});

describe("an address in the state that no longer answers", () => {
  const gone = async () => {
    const kasmUrl = kasm.connection.kasmUrl.replace("127.0.0.1", "localhost");
    await engine.up(declared({ kasmUrl, caPem: "", fingerprint: certificate.fingerprint }));
    const { kept } = engine;
    // As after a change of KASM's name: the previous address refuses connections.
    const old = { kasmUrl: "https://127.0.0.1:1" };
    engine.kept = kept && {
      ...kept,
      inputs: { ...kept.inputs, ...old },
      outputs: { ...kept.outputs, ...old },
    };
  };
  afterEach(() => {
    untell();
  });

  test("keeps the tile if another address of the same KASM is configured", async () => {
    await gone();
    const { id } = engine.kept ?? {};
    await tell(kasm.connection);

    expect(await engine.refresh()).toEqual([]);
    expect(await engine.up(declared())).toBe("updated");
    expect(engine.kept).toMatchObject({ id, outputs: { kasmUrl: kasm.connection.kasmUrl } });
    await onlyImage();
  });

  test("deletes the tile over the configured address of the same KASM", async () => {
    await gone();
    await tell(kasm.connection);

    expect(await engine.refresh()).toEqual([]);
    expect(await engine.destroy()).toBe("deleted");
    expect(await kasm.find("images")).toEqual([]);
  });

  test("keeps the state if another KASM is configured, with a message that says what to do", async () => {
    await gone();
    await kasm.remove("images");
    const { kept } = engine;
    await tell(kasm.connection);

    await expect(engine.refresh()).rejects.toThrow(
      /^get_images: KASM at https:\/\/127\.0\.0\.1:1 can't be reached .*\. Nor is it in KASM at https:\/\/127\.0\.0\.1:\d+, which openclaw:kasmUrl names now; if the old one is gone for good, see docs\/operations\.md#runbook$/,
    );
    expect(engine.kept).toBe(kept);
  });
});

describe("changes by hand", () => {
  const byHand: [property: string, row: Row][] = [
    ["friendlyName", { friendly_name: "Renamed" }],
    ["description", { description: null }],
    ["thumbnail", { image_src: "https://example.com/other.png" }],
    ["enabled", { enabled: false }],
    ["hidden", { hidden: true }],
    ["categories", { categories: ["Games"] }],
    ["notes", { notes: "mine now" }],
    ["image", { name: "kasmweb/chrome:1.17.0" }],
    ["cores", { cores: 8 }],
    ["memoryMb", { memory: 2_768_000_000 }],
    ["cpuAllocation", { cpu_allocation_method: "Shares" }],
    ["dockerRegistry", { docker_registry: "https://index.docker.io/v1/" }],
    ["dockerUser", { docker_user: "someone" }],
    ["persistentProfilePath", { persistent_profile_path: "" }],
    ["runConfig", { run_config: { hostname: "other" } }],
    ["execConfig", { exec_config: {} }],
    ["volumeMappings", { volume_mappings: {} }],
    ["launchConfig", { launch_config: {} }],
    ["sessionTimeLimitSeconds", { session_time_limit: null }],
    ["zoneId", { restrict_to_zone: true }],
    ["gpuCount", { gpu_count: 1 }],
    ["requireGpu", { require_gpu: true }],
    ["restrictToNetwork", { restrict_to_network: true }],
    ["allowNetworkSelection", { allow_network_selection: true }],
    ["serverId", { restrict_to_server: true, server_id: "5f1d0c39-64d2-4a33-8d44-2f2b5a0a0002" }],
  ];

  test.each(byHand)(
    "of %s are detected by refresh, shown by preview and repaired by up",
    async (property, row) => {
      await engine.up(declared());
      const before = await onlyImage();
      await kasm.update("images", { image_id: before.image_id }, row);

      expect(await engine.refresh()).toContain(property);
      expect(await engine.preview(declared())).toContain(property);
      expect(await engine.up(declared())).toBe("updated");
      expect(await onlyImage()).toEqual(before);
      expect(await engine.refresh()).toEqual([]);
    },
  );

  test("of a link's address", async () => {
    await engine.up(link(kasm.connection));
    const { image_id } = await onlyImage();
    await kasm.update("images", { image_id }, { link_url: "https://evil.example.com/" });

    expect(await engine.refresh()).toEqual(["linkUrl"]);
    await engine.up(link(kasm.connection));
    expect(await onlyImage()).toMatchObject({ link_url: "https://kasm.example.com/openclaw/" });
  });

  test("of fields that this program does not manage stay", async () => {
    await engine.up(declared());
    const { image_id } = await onlyImage();
    await kasm.update("images", { image_id }, { hash: "x", x_res: 1024 });

    expect(await engine.refresh()).toEqual([]);
    expect(await engine.up(declared({ cores: 3 }))).toBe("updated");
    expect(await onlyImage()).toMatchObject({ hash: "x", x_res: 1024 });
  });

  test("of the kind are shown, and replace the tile", async () => {
    await engine.up(declared());
    const { image_id } = await onlyImage();
    await kasm.update("images", { image_id }, { image_type: "Server" });

    expect(await engine.refresh()).toContain("imageType");
    expect(await engine.preview(declared())).toContain("imageType");
    expect(await engine.up(declared())).toBe("replaced");
    expect(await onlyImage()).toMatchObject({ image_type: "Container" });
  });

  test("recreates a deleted record", async () => {
    await engine.up(declared());
    await kasm.remove("images");

    expect(await engine.refresh()).toEqual(["id"]);
    expect(await engine.up(declared())).toBe("created");
    await onlyImage();
  });

  test("without a refresh, reports a deleted record", async () => {
    await engine.up(declared());
    await kasm.remove("images");

    await expect(engine.up(declared({ cores: 3 }))).rejects.toThrow(
      /the workspace "OpenClaw Desktop" \([0-9a-f]{32}\) is no longer in KASM; "npm run up"/,
    );
  });

  test("after the refresh are repaired too", async () => {
    await engine.up(declared());
    const { image_id } = await onlyImage();
    await kasm.update("images", { image_id }, { cores: 8, hidden: true });
    await engine.up(declared({ memoryMb: 2048 }));

    expect(await onlyImage()).toMatchObject({ cores: 2, hidden: false, memory: 2_048_000_000 });
  });
});

describe("groups", () => {
  beforeAll(async () => {
    await kasm.insert("groups", { name: "Engineering", priority: 10, is_system: false });
    await kasm.insert("groups", { name: "Sales", priority: 11, is_system: false });
  });

  test("see it by name, and other groups do not", async () => {
    await engine.up(declared({ groups: ["Engineering"] }));
    const { image_id } = await onlyImage();

    expect(await kasm.groupsOf(image_id)).toEqual(["Engineering"]);
    expect(await engine.up(declared({ groups: ["All Users", "Sales"] }))).toBe("updated");
    expect(await kasm.groupsOf(image_id)).toEqual(["All Users", "Sales"]);
  });

  test("may be empty", async () => {
    await engine.up(declared({ groups: [] }));

    expect(await kasm.groupsOf((await onlyImage()).image_id)).toEqual([]);
  });

  test("changed by hand, with duplicates, are detected and repaired", async () => {
    await engine.up(declared());
    const { image_id } = await onlyImage();
    const [sales] = await kasm.find("groups", { name: "Sales" });
    await kasm.insert("group_images", { image_id, group_id: sales?.group_id });
    await kasm.insert("group_images", { image_id, group_id: sales?.group_id });

    expect(await engine.refresh()).toEqual(["groups"]);
    expect(engine.kept?.inputs.groups).toEqual(["All Users", "Sales", "Sales"]);
    await engine.up(declared());
    expect(await kasm.groupsOf(image_id)).toEqual(["All Users"]);
  });

  test("joined twice by hand are joined once", async () => {
    await engine.up(declared());
    const { image_id } = await onlyImage();
    const [all] = await kasm.find("groups", { name: "All Users" });
    await kasm.insert("group_images", { image_id, group_id: all?.group_id });

    expect(await engine.refresh()).toEqual(["groups"]);
    await engine.up(declared());
    expect(await kasm.groupsOf(image_id)).toEqual(["All Users"]);
  });

  test("that KASM does not have are reported before anything is created", async () => {
    await expect(engine.up(declared({ groups: ["All Users", "Unknown"] }))).rejects.toThrow(
      'KASM has no group named "Unknown" that should see the workspace "OpenClaw Desktop"; it has "All Users", "Administrators", "Engineering", "Sales"',
    );
    expect(await kasm.find("images")).toEqual([]);
  });

  test("are not added if KASM adds new workspaces to its default group", async () => {
    await engine.up(declared());

    expect(await changes()).toEqual(["create_image"]);
  });
});

describe("a lost answer", () => {
  test.each(["create_image", "update_image", "add_images_group", "delete_image"])(
    "to %s: the next run finds the change, without a duplicate tile",
    async (call) => {
      await kasm.addToDefaultGroup(false);
      if (call !== "create_image" && call !== "add_images_group") {
        await engine.up(declared());
      }
      await kasm.faults({ call, kind: "cut" });

      const work = call === "delete_image" ? engine.destroy() : engine.up(declared({ cores: 4 }));
      await expect(work).rejects.toThrow(`${call}: the connection to KASM at https://127.0.0.1`);

      await (call === "delete_image" ? engine.destroy() : engine.up(declared({ cores: 4 })));
      const images = await kasm.find("images");
      expect(images).toHaveLength(call === "delete_image" ? 0 : 1);
    },
  );

  test("to create_image after the timeout: waits for the tile, and does not create a second one", async () => {
    const late = newEngine({ ...shortPatience, answer: 1000, late: 5000 });
    await kasm.faults({ call: "create_image", kind: "slow", ms: 2500 });

    expect(await late.up(declared())).toBe("created");
    expect(await late.up(declared())).toBe("same");
    await onlyImage();
  });

  test("reports a duplicate tile as a difference and in an error that names both", async () => {
    await engine.up(declared());
    const { image_id: _, ...twin } = await onlyImage();
    await kasm.insert("images", { ...twin, cores: 1 });

    expect(await engine.refresh()).toEqual(["copies"]);
    expect(await engine.preview(declared())).toEqual(["copies"]);
    await expect(engine.up(declared())).rejects.toThrow(
      /KASM has 2 workspaces for "OpenClaw Desktop" where this stack can have one/,
    );
    await kasm.remove("images", { cores: 1 });
    expect(await engine.refresh()).toEqual(["copies"]);
    expect(await engine.up(declared())).toBe("same");
  });

  test("finds an earlier record although an admin added text below the marker", async () => {
    await kasm.faults({ call: "create_image", kind: "cut" });
    await expect(engine.up(declared())).rejects.toThrow("create_image");
    const { image_id, notes } = await onlyImage();
    await kasm.update("images", { image_id }, { notes: `${String(notes)}\r\nasked for by Ann` });

    expect(await engine.up(declared())).toBe("created");
    expect(await onlyImage()).toMatchObject({ image_id, notes });
  });

  test("reports two records with the marker, and changes neither", async () => {
    await engine.up(declared());
    const { image_id: _, ...copy } = await onlyImage();
    await kasm.insert("images", copy);
    engine.kept = undefined;
    const before = await kasm.find("images");

    await expect(engine.up(declared())).rejects.toThrow(
      /KASM has 2 workspaces for "OpenClaw Desktop" where this stack can have one: [0-9a-f]{32}, [0-9a-f]{32}\. Delete all but one/,
    );
    expect(await kasm.find("images")).toEqual(before);
  });

  test("does not take over another stack's workspace", async () => {
    await engine.up(declared());
    await newEngine().up(declared({ marker: "managed by openclaw-kasm: test2/openclaw-desktop" }));

    expect(await kasm.find("images")).toHaveLength(2);
  });
});

describe("failures", () => {
  const page = "<html><H1>Internal Error</H1></html>";
  const faults: [name: string, fault: object, message: string][] = [
    ["no answer", { kind: "drop", times: 3 }, "ended before the answer"],
    ["a slow one", { kind: "slow", ms: 1200 }, "gave no answer within 1 s"],
    ["HTML", { kind: "answer", body: page }, "did not answer as KASM's API does"],
    [
      "401",
      { kind: "answer", status: 401, body: { error_message: "Unauthorized" } },
      "900 Images View",
    ],
    [
      "403",
      { kind: "answer", status: 403, body: { error_message: "Access Denied" } },
      "900 Images View",
    ],
    ["500", { kind: "answer", status: 500, body: page }, "an error page (status 500)"],
    ["error_message", { kind: "answer", body: { error_message: "No." } }, "KASM refuses it: No."],
  ];

  test.each(faults)(
    "%s: state and KASM are unchanged, and the next run continues",
    async (_name, fault, message) => {
      const patience = { ...shortPatience, answer: 1000 };
      const { provider } = { provider: newEngine(patience) };
      await provider.up(declared());
      const kept = provider.kept;
      const before = await kasm.find("images");
      await kasm.faults({ call: "get_images", ...fault } as Parameters<typeof kasm.faults>[0]);

      await expect(provider.refresh()).rejects.toThrow(message);
      expect(provider.kept).toBe(kept);
      expect(await kasm.find("images")).toEqual(before);
      await kasm.faults();
      expect(await provider.refresh()).toEqual([]);
      expect(await provider.up(declared({ cores: 4 }))).toBe("updated");
    },
  );

  test("a server that is down and restarts", async () => {
    await engine.up(declared());
    const { kept } = engine;
    const work = async () => {
      await expect(engine.refresh()).rejects.toThrow("can't be reached (connect ECONNREFUSED");
      await expect(engine.up(declared({ cores: 4 }))).rejects.toThrow("can't be reached");
      await expect(engine.destroy()).rejects.toThrow("can't be reached");
    };
    await kasm.outage(work, { images: [image] });

    expect(engine.kept).toBe(kept);
    expect(await engine.refresh()).toEqual([]);
    expect(await engine.up(declared({ cores: 4 }))).toBe("updated");
    await onlyImage();
  });

  test("sends nothing while KASM shows a certificate with another fingerprint", async () => {
    const pinned = { caPem: "", fingerprint: certificate.fingerprint };
    await engine.up(declared(pinned));
    const { kept } = engine;
    const renewed = makeCertificate("renewed");
    const wrong = "shows another certificate";
    const work = async () => {
      await expect(engine.refresh()).rejects.toThrow(wrong);
      await expect(engine.up(declared({ ...pinned, cores: 4 }))).rejects.toThrow(wrong);
      await expect(engine.destroy()).rejects.toThrow(wrong);
      expect(await kasm.log()).toEqual([]);
    };
    await kasm.outage(work, { images: [image] }, renewed);

    expect(engine.kept).toBe(kept);
    expect(await engine.refresh()).toEqual([]);
    expect(await engine.up(declared({ ...pinned, cores: 4 }))).toBe("updated");
    expect(await onlyImage()).toMatchObject({ cores: 4 });
  });

  test("keeps the tile if it can't be added to a group, and the next run continues", async () => {
    await kasm.addToDefaultGroup(false);
    await kasm.faults({
      call: "add_images_group",
      kind: "answer",
      body: { error_message: "Not today." },
    });
    await expect(engine.up(declared())).rejects.toThrow(
      "add_images_group: KASM refuses it: Not today.",
    );
    expect(engine.kept).toMatchObject({ unfinished: true, outputs: { available: false } });

    expect(await engine.up(declared())).toBe("updated");
    expect(await kasm.groupsOf((await onlyImage()).image_id)).toEqual(["All Users"]);
  });

  test("reports missing permissions before anything is created", async () => {
    const connection = await kasm.addKey("little", [900, 400]);

    await expect(engine.up(desktop(connection))).rejects.toThrow(
      "the API key lacks 903 Images Delete, 401 Groups Modify, 441 Groups Modify System (",
    );
    expect(await kasm.find("images")).toEqual([]);
    expect(engine.kept).toBeUndefined();
  });

  test.each([false, true])(
    "create reports a missing permission to create, with KASM unchanged on a tolerant server: %s",
    async (tolerant) => {
      await kasm.options({ tolerant });
      const connection = await kasm.addKey("no-create", [400, 401, 441, 900, 901, 903, 904]);
      await kasm.log();

      await expect(engine.up(desktop(connection))).rejects.toThrow(
        /create_image: KASM does not let this API key do it .* needs 902 Images Create, 904 Images Modify Resources/,
      );
      expect(await changes()).toEqual(["create_image"]);
      expect(await kasm.find("images")).toEqual([]);
      expect(await kasm.find("group_images")).toEqual([]);
      expect(engine.kept).toBeUndefined();
    },
  );

  test("the first update reports a missing permission to modify, and the tile is unchanged", async () => {
    await engine.up(declared());
    const before = await kasm.find("images");
    const connection = await kasm.addKey("no-modify", [400, 401, 441, 900, 902, 903, 904]);

    await expect(engine.up(desktop(connection, { description: "x" }))).rejects.toThrow(
      /update_image: KASM does not let this API key do it .* needs 901 Images Modify:/,
    );
    expect(await kasm.find("images")).toEqual(before);
    expect(await engine.up(declared({ description: "x" }))).toBe("updated");
  });

  test("leaves only the declared tile on a tolerant server", async () => {
    await kasm.options({ tolerant: true });
    expect(await engine.up(declared())).toBe("created");
    expect(await engine.up(declared({ cores: 4 }))).toBe("updated");

    expect(await onlyImage()).toMatchObject({ notes: declared().marker, cores: 4 });
  });

  test("reports a field that the server drops silently", async () => {
    await engine.up(declared());
    await kasm.faults({ call: "update_image", kind: "answer", body: { image: {} } });

    await expect(engine.up(declared({ sessionTimeLimitSeconds: 60 }))).rejects.toThrow(
      /KASM took the workspace "OpenClaw Desktop" \([0-9a-f]{32}\), but what it keeps as sessionTimeLimitSeconds is not what it was sent/,
    );
  });

  test("keeps categories after a temporary exception", async () => {
    await engine.up(declared());
    const body = "<H1>Internal Error</H1>";
    const fault = { call: "update_image", containing: "categories" } as const;
    await kasm.faults({ ...fault, kind: "answer", status: 500, body });

    expect(await engine.up(declared({ categories: ["Games"], cores: 4 }))).toBe("updated");
    expect(await onlyImage()).toMatchObject({ categories: ["Games"], cores: 4 });
    expect(engine.kept?.outputs.refusedCategories).toEqual([]);
  });

  test("tolerates malformed records of other owners, and reports its own", async () => {
    await engine.up(declared());
    await kasm.insert("images", { friendly_name: 7, cores: {}, notes: ["a", "b"] });
    expect(await engine.refresh()).toEqual([]);
    expect(await engine.up(declared({ cores: 4 }))).toBe("updated");

    const image_id = engine.kept?.id;
    await kasm.update("images", { image_id }, { friendly_name: 7 });
    await expect(engine.refresh()).rejects.toThrow(
      "another form than this program knows (at friendly_name: ",
    );
  });

  test("omits categories permanently for a server that can't store them", async () => {
    await kasm.options({ refuseCategories: true });
    expect(await engine.up(declared())).toBe("created");
    await kasm.log();

    expect(await engine.refresh()).toEqual([]);
    expect(await engine.up(declared())).toBe("same");
    expect(await changes()).toEqual([]);
    expect(await engine.up(declared({ cores: 4 }))).toBe("updated");
    expect(await onlyImage()).toMatchObject({ cores: 4 });
    expect(engine.kept?.outputs.refusedCategories).toEqual(["AI", "Development"]);
  });
});

describe("waiting for the agent", () => {
  test("lasts until it has the image", async () => {
    await kasm.options({ availableAfterMs: 300 });
    await engine.up(declared());

    expect(await onlyImage()).toMatchObject({ available: true });
  });

  test("ends with a timeout and a message; each later run waits again until the image is available", async () => {
    await kasm.options({ images: [] });
    const message =
      /the workspace "OpenClaw Desktop" \([0-9a-f]{32}\) is registered, but KASM does not call it available after 1 s.*no dockerRegistry is set.*docker image inspect openclaw-kasm:latest.*docker logs kasm_agent/;
    await expect(engine.up(declared())).rejects.toThrow(message);
    expect(engine.kept?.unfinished).toBe(true);

    expect(await engine.refresh()).toEqual([]);
    expect(await engine.preview(declared())).toEqual(["available"]);
    await expect(engine.up(declared())).rejects.toThrow(message);

    await kasm.options({ images: [image] });
    expect(await engine.up(declared())).toBe("updated");
    expect(await engine.up(declared())).toBe("same");
    await onlyImage();
  });

  test("names the registry that the agent has to pull from", async () => {
    await kasm.options({ images: [] });
    const dockerRegistry = "https://index.docker.io/v1/";

    await expect(engine.up(declared({ dockerRegistry }))).rejects.toThrow(
      'the agent has to pull it from https://index.docker.io/v1/: try "docker pull openclaw-kasm:latest"',
    );
  });

  test("lasts until its next report after the image changed", async () => {
    const patient = newEngine({ ...shortPatience, agent: 600 });
    await patient.up(declared());
    await kasm.options({ looksEveryMs: 300 });
    await expect(patient.up(declared({ image: "missing:1" }))).rejects.toThrow(
      "does not call it available",
    );

    await kasm.options({ images: [image, "missing:1"] });
    expect(await patient.up(declared({ image: "missing:1" }))).toBe("updated");
  });

  test("is skipped for a disabled workspace", async () => {
    await kasm.options({ images: [] });

    expect(await engine.up(declared({ enabled: false }))).toBe("created");
    expect(await engine.up(declared({ enabled: false }))).toBe("same");
  });

  test("reports an image that was removed later as a difference", async () => {
    await engine.up(declared());
    await kasm.options({ images: [] });

    expect(await engine.refresh()).toEqual(["available"]);
    await expect(engine.up(declared())).rejects.toThrow("does not call it available");
  });
});

describe("import", () => {
  test("takes over a workspace that was created in KASM, and updates it to the declared fields", async () => {
    const [all] = await kasm.find("groups", { name: "All Users" });
    const made = await kasm.insert("images", {
      friendly_name: "by hand",
      image_type: "Container",
      name: "old:1",
      enabled: true,
      cores: 1,
    });
    const importId = String(made.image_id);

    expect(await engine.up(declared({ importId }))).toBe("created");
    expect(engine.kept?.id).toBe(normaliseId(importId));
    expect(await onlyImage()).toMatchObject({ friendly_name: "OpenClaw Desktop", name: image });
    expect(await kasm.find("group_images", { group_id: all?.group_id })).toHaveLength(1);
    expect(await engine.up(declared())).toBe("same");
    expect(await changes()).not.toContain("create_image");
  });

  test("of a workspace that does not exist", async () => {
    const importId = "5f1d0c39-64d2-4a33-8d44-2f2b5a0a00ff";

    await expect(engine.up(declared({ importId }))).rejects.toThrow(
      'KASM has no workspace 5f1d0c3964d24a338d442f2b5a0a00ff that could be imported for "OpenClaw Desktop"; take importId out of the settings to have one made',
    );
    expect(await engine.up(declared())).toBe("created");
  });

  test("of a workspace of another stack or of another kind", async () => {
    await newEngine().up(declared({ marker: "managed by openclaw-kasm: other/openclaw-desktop" }));
    const { image_id } = await onlyImage();
    const importId = String(image_id);

    await expect(engine.up(declared({ importId }))).rejects.toThrow("belongs to another stack");
    await expect(engine.up(link(kasm.connection, { importId }))).rejects.toThrow(
      "is a Container; expected a Link",
    );
  });

  test("while this stack already has one", async () => {
    await engine.up(declared());
    engine.kept = undefined;
    const other = await kasm.insert("images", { friendly_name: "x", image_type: "Container" });

    await expect(engine.up(declared({ importId: String(other.image_id) }))).rejects.toThrow(
      "KASM has 2 workspaces for",
    );
  });
});

describe("the check refuses", () => {
  test("secrets in the run config without allowSecretsInRunConfig", async () => {
    const runConfig = { environment: { ANTHROPIC_API_KEY: "sk-hidden-value", LANG: "C" } };

    // The whole message: the engine adds the value of a property that a failure is tied to.
    await expect(engine.up(declared({ runConfig }))).rejects.toThrow(
      /^runConfig: found ANTHROPIC_API_KEY in the environment, which everybody who may see workspaces in KASM can read there; expected none, unless allowSecretsInRunConfig is set$/,
    );
    expect(await engine.up(declared({ runConfig, allowSecretsInRunConfig: true }))).toBe("created");
  });

  test("secrets in the run config, without showing them in the error", async () => {
    const runConfig = { environment: { ANTHROPIC_API_KEY: "sk-hidden-value" } };
    await kasm.faults({
      call: "create_image",
      kind: "answer",
      body: { error_message: "bad sk-hidden-value" },
    });

    await expect(engine.up(declared({ runConfig, allowSecretsInRunConfig: true }))).rejects.toThrow(
      /^create_image: KASM refuses it: bad \[secret\]$/,
    );
  });

  test("a profile that all users would share", async () => {
    await expect(
      engine.up(declared({ persistentProfilePath: "/opt/kasm/profiles/openclaw" })),
    ).rejects.toThrow(
      'persistentProfilePath: found "/opt/kasm/profiles/openclaw"; expected {username} or {user_id} in it',
    );
  });

  test("a volume mapping in a form that the server refuses", async () => {
    const volumeMappings = { volume_mappings: { "/srv": { bind: "/mnt" } } };

    await expect(engine.up(declared({ volumeMappings }))).rejects.toThrow("volumeMappings: found");
  });
});
