import { X509Certificate } from "node:crypto";
import { isDue, issue, provider } from "../../providers/tls/certificateProvider";

const day = 86_400_000;
const serverName = "openclaw-bob-door";
const issued = issue(serverName);

describe("a pair of certificates", () => {
  test("is signed by an authority of its own, each for its purpose", () => {
    const authority = new X509Certificate(issued.authority);
    const server = new X509Certificate(issued.serverCertificate);
    const client = new X509Certificate(issued.clientCertificate);

    expect(authority.ca).toBe(true);
    for (const certificate of [server, client]) {
      expect(certificate.ca).toBe(false);
      expect(certificate.verify(authority.publicKey)).toBe(true);
    }
    expect(server.checkHost(serverName)).toBe(serverName);
    expect([server, client].map(({ keyUsage }) => keyUsage)).toEqual([
      ["1.3.6.1.5.5.7.3.1"],
      ["1.3.6.1.5.5.7.3.2"],
    ]);
  });

  test("has nothing in common with another pair of the same name", () => {
    const other = issue(serverName);

    expect(
      new X509Certificate(issued.clientCertificate).verify(
        new X509Certificate(other.authority).publicKey,
      ),
    ).toBe(false);
  });

  test("keeps no key of the authority", () => {
    const keys = Object.entries({ ...issued } as Record<string, string>).filter(([, text]) =>
      text.includes("PRIVATE KEY"),
    );

    expect(keys.map(([name]) => name)).toEqual(["serverKey", "clientKey"]);
  });
});

describe("renewal", () => {
  test("is due a year before the end", () => {
    const now = Date.now();
    const left = (days: number) => new Date(now + days * day).toISOString();

    expect([isDue(left(364), now), isDue(left(366), now)]).toEqual([true, false]);
    expect(isDue(issued.expires)).toBe(false);
  });

  test("comes with an up, and gives other certificates and keys", async () => {
    const { id, outs } = await provider.create({ serverName });
    const old = { ...outs, expires: new Date(Date.now() + day).toISOString() };

    expect(await provider.diff(id, outs, { serverName })).toMatchObject({ changes: false });
    expect(await provider.diff(id, old, { serverName })).toMatchObject({
      changes: true,
      replaces: [],
    });
    const renewed = (await provider.update(id, old, { serverName })).outs;
    expect(renewed.clientKey).not.toBe(outs.clientKey);
    expect(isDue(renewed.expires)).toBe(false);
  });

  test("comes with another name of the server", async () => {
    const { id, outs } = await provider.create({ serverName });

    expect(await provider.diff(id, outs, { serverName: "other" })).toMatchObject({ changes: true });
  });
});
