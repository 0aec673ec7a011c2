import { checkKasm } from "../../../cli/preflight/kasm";
import { parseSettings, type Settings } from "../../../config";
import { makeCertificate, removeCertificates, StandIn } from "./standIn";

const certificate = makeCertificate("kasm");
const kasm = new StandIn(certificate);

beforeAll(() => kasm.start());
beforeEach(async () => {
  jest.spyOn(console, "error").mockReturnValue();
  await kasm.reset();
});
afterAll(async () => {
  await kasm.stop();
  removeCertificates();
});

function settings(workspaces: object): Settings {
  const values = {
    kasmUrl: kasm.connection.kasmUrl,
    kasmApiKey: kasm.apiKey,
    kasmApiSecret: kasm.apiSecret,
    kasmCaFile: certificate.certificateFile,
    workspaces: JSON.stringify(workspaces),
  };
  return parseSettings({ values, encrypted: ["kasmApiKey", "kasmApiSecret"] });
}

const check = (workspaces: object) => checkKasm({ settings: settings(workspaces), stack: "kasm" });

test("passes each time it is repeated", async () => {
  await kasm.insert("images", { friendly_name: "x", image_id: "5f1d0c3964d24a338d442f2b5a0a00ff" });
  await kasm.insert("cast_configs", {
    key: "claw",
    casting_config_name: "openclaw-kasm: kasm/openclaw-browser",
    image_id: "5f1d0c3964d24a338d442f2b5a0a00ff",
  });

  await expect(check({ browser: { cast: { key: "claw" } } })).resolves.toBeUndefined();
  await expect(check({})).resolves.toBeUndefined();
});

test("reports unknown groups before anything changes", async () => {
  const browser = { groups: ["Sales"], cast: { key: "claw", group: "Guests" } };

  await expect(check({ browser })).rejects.toThrow(
    'KASM has no group named "Guests", "Sales", which openclaw:workspaces names; it has "All Users", "Administrators"',
  );
});

test("refuses a cast key that another cast config uses before anything changes", async () => {
  const { image_id } = await kasm.insert("images", { friendly_name: "x" });
  await kasm.insert("cast_configs", { key: "claw", casting_config_name: "Portal", image_id });

  await expect(check({ browser: { cast: { key: "claw" } } })).rejects.toThrow(
    'the cast link "claw" is in use in KASM by "Portal"; expected another key',
  );
});

test("of people by groups reports unknown groups and a missing permission before anything changes", async () => {
  const group = (name: string) =>
    checkKasm({
      settings: { ...settings({}), kasmGroups: [{ group: name, role: "member" }] },
      stack: "kasm",
    });

  await expect(group("All Users")).resolves.toBeUndefined();
  await expect(group("Sales")).rejects.toThrow(
    'KASM has no group named "Sales", which openclaw:kasmGroups names',
  );
});

test("leaves no record on a tolerant server", async () => {
  await kasm.options({ tolerant: true });
  await check({ browser: { cast: { key: "claw" } }, desktop: {} });

  expect(await kasm.find("images")).toEqual([]);
  expect(await kasm.find("group_images")).toEqual([]);
  expect(await kasm.find("cast_configs")).toEqual([]);
});
