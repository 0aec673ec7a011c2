import { secretsNamed } from "../../cli/rotate";
import { parseSettings, secretKeys } from "../../config";

const settings = parseSettings({
  values: {
    gatewayToken: "given-token-0123456789abcdef",
    providerKeys: '{"ANTHROPIC_API_KEY":"sk-0123456789","OPENAI_API_KEY":"sk-9876543210"}',
    kasmUrl: "https://kasm.example.com",
    kasmApiKey: "bMjMwTT0JKUQ",
    kasmApiSecret: "KUNAvRw4KLHGmldBxhRUD5sAhWkvJVzS",
  },
  encrypted: secretKeys,
});

test("finds generated secrets by their resource and given ones by their setting", () => {
  const names = ["password", "token", "OPENAI_API_KEY", "kasmApiKey", "kasmApiSecret"];

  expect(secretsNamed(settings, names)).toEqual([
    { name: "password", generated: "password" },
    { name: "token", given: "gatewayToken" },
    { name: "OPENAI_API_KEY", given: "providerKeys.OPENAI_API_KEY" },
    { name: "kasmApiKey", given: "kasmApiKey" },
    { name: "kasmApiSecret", given: "kasmApiSecret" },
  ]);
});

test("names all unknown secrets, and those that the stack has", () => {
  expect(() => secretsNamed(settings, ["password", "GEMINI_API_KEY", "host.privateKey"])).toThrow(
    "This stack has no secret GEMINI_API_KEY, host.privateKey: expected password, token, ANTHROPIC_API_KEY, OPENAI_API_KEY, kasmApiKey, kasmApiSecret",
  );
});

test("finds the keys of off-site backups, and not their password, with which earlier ones are encrypted", () => {
  const keys = { offsiteAccessKey: "access", offsiteSecretKey: "secret-key" };
  const offsitePassword = "a-password-of-backups";
  const ofBackups = parseSettings({ values: { ...keys, offsitePassword }, encrypted: secretKeys });

  expect(secretsNamed(ofBackups, Object.keys(keys)).map(({ name }) => name)).toEqual(
    Object.keys(keys),
  );
  expect(() => secretsNamed(ofBackups, ["offsitePassword"])).toThrow("no secret offsitePassword");
});

test("finds the private keys of all hosts", () => {
  const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc";
  const hostKey = `ssh-ed25519 ${Buffer.from("key").toString("base64")}`;
  const server = (address: string) => ({ address, hostKey, privateKey });
  const several = parseSettings({
    values: {
      host: JSON.stringify(server("one")),
      hosts: JSON.stringify({ two: server("two") }),
      instances: '["alice",{"name":"bob","host":"two"}]',
    },
    encrypted: ["host", "hosts"],
  });
  const names = ["host.privateKey", "hosts.two.privateKey"];

  expect(secretsNamed(several, names)).toEqual(names.map((name) => ({ name, given: name })));
});

test("finds the password of a person by name, given or generated", () => {
  const people = {
    "ann@example.com": { role: "admin" },
    bob: { role: "member", password: "a".repeat(12) },
  };
  const ofPeople = parseSettings({
    values: { people: JSON.stringify(people) },
    encrypted: ["people"],
  });

  expect(secretsNamed(ofPeople, ["person:ann@example.com", "person:bob"])).toEqual([
    { name: "person:ann@example.com", generated: "password-ann@example.com" },
    { name: "person:bob", given: 'people["bob"].password' },
  ]);
  expect(() => secretsNamed(ofPeople, ["password"])).toThrow("no secret password");
});
