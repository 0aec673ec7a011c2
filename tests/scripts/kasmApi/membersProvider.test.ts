import {
  type MembersInputs,
  membersProvider,
  type MembersState,
} from "../../../providers/kasm/membersProvider";
import { makeCertificate, removeCertificates, shortPatience, StandIn } from "./standIn";

const certificate = makeCertificate("kasm");
const kasm = new StandIn(certificate);
const provider = membersProvider(shortPatience);
const administrators = "31aff3a1-a718-4bb2-b1f8-3e5b6a1f0a5c";

beforeAll(() => kasm.start());
beforeEach(() => kasm.reset());
afterAll(async () => {
  await kasm.stop();
  removeCertificates();
});

const groups = [
  { group: "Administrators", role: "admin" },
  { group: "All Users", role: "observer" },
];
const inputs = (changes: Partial<MembersInputs> = {}): MembersInputs => ({
  ...kasm.connection,
  groups,
  ...changes,
});

async function created(changes?: Partial<MembersInputs>): Promise<MembersState> {
  return (await provider.create(inputs(changes))).outs as MembersState;
}

async function refreshed(state: MembersState) {
  return ((await provider.read("members", state)).props as MembersState).people;
}

test("everyone in a group has its role, and of several groups that of the first", async () => {
  expect((await created()).people).toEqual({
    "admin@kasm.local": "admin",
    "user@kasm.local": "observer",
  });
  expect((await created({ groups: [...groups].reverse() })).people).toMatchObject({
    "admin@kasm.local": "observer",
  });
});

test("a refresh follows the groups: added, removed and disabled users", async () => {
  const state = await created();
  const { user_id } = await kasm.insert("users", { username: "ann@example.com" });
  await kasm.insert("user_groups", { user_id, group_id: administrators });

  expect(await refreshed(state)).toMatchObject({ "ann@example.com": "admin" });
  await kasm.update("users", { username: "ann@example.com" }, { disabled: true });
  expect(await refreshed(state)).not.toHaveProperty("ann@example.com");
  await kasm.update("users", { username: "ann@example.com" }, { disabled: false, locked: true });
  expect(await refreshed(state)).not.toHaveProperty("ann@example.com");
  await kasm.remove("user_groups", { group_id: administrators });
  expect((await refreshed(state))["admin@kasm.local"]).toBe("observer");
});

test("changes with other groups and another key, and with nothing else", async () => {
  const state = await created();
  const diff = async (changes: Partial<MembersInputs>) =>
    (await provider.diff("members", state, inputs(changes))).changes;

  expect(await diff({})).toBe(false);
  expect(await diff({ groups: groups.slice(1) })).toBe(true);
  expect(await diff({ apiSecret: "another-secret-0123456789" })).toBe(true);
});

test("a group that KASM does not have is refused", async () => {
  await expect(created({ groups: [{ group: "Sales", role: "member" }] })).rejects.toThrow(
    'KASM has no group named "Sales", which is to have the role member; it has "All Users", "Administrators"',
  );
});

test("a name that can't be one of a login is refused", async () => {
  const { user_id } = await kasm.insert("users", { username: "jane:doe" });
  await kasm.insert("user_groups", { user_id, group_id: administrators });

  await expect(created()).rejects.toThrow('by the names "jane:doe"');
});

test.each([
  [[400], "300 Users View"],
  [[300], "400 Groups View"],
])("a key with %j only is told what it lacks", async (permissions, missing) => {
  const connection = await kasm.addKey(`key ${missing}`, permissions);

  await expect(created(connection)).rejects.toThrow(missing);
});
