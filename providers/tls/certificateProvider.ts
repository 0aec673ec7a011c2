import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { md, pki } from "node-forge";

/** What a pair of certificates is made for. */
export interface Inputs {
  /** Name of the server, which its client expects. */
  readonly serverName: string;
}

/** A pair of certificates with their keys, each one PEM text. */
interface Issued {
  /** The authority of both; its key was not kept. */
  readonly authority: string;
  readonly serverCertificate: string;
  readonly serverKey: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
  /** When they end, in UTC. */
  readonly expires: string;
}

type State = Inputs & Issued;

const day = 86_400_000;
/** How long certificates are valid. */
const validDays = 730;
/** From how many days before the end `up` replaces them: a stack that is deployed once a year never has one that ended. */
const renewDays = 365;

/** The dynamic provider of certificates; see lateResource.ts. */
export const provider = {
  check(_olds: Inputs, news: Inputs) {
    return Promise.resolve({ inputs: news });
  },
  create(inputs: Inputs) {
    return Promise.resolve({ id: randomUUID(), outs: { ...inputs, ...issue(inputs.serverName) } });
  },
  read(id: string, props: State) {
    return Promise.resolve({ id, props });
  },
  diff(_id: string, olds: State, news: Inputs) {
    const changes = olds.serverName !== news.serverName || isDue(olds.expires);
    return Promise.resolve({ changes, replaces: [], deleteBeforeReplace: false });
  },
  update(_id: string, _olds: State, news: Inputs) {
    return Promise.resolve({ outs: { ...news, ...issue(news.serverName) } });
  },
  delete() {
    return Promise.resolve();
  },
};

/** Whether certificates have to be replaced. */
export function isDue(expires: string, now = Date.now()): boolean {
  return Date.parse(expires) - now < renewDays * day;
}

/** Issues a server's and a client's certificate by an authority of their own; its key is not kept. */
export function issue(serverName: string, now = Date.now()): Issued {
  const period = [new Date(now - day), new Date(now + validDays * day)] as const;
  const authority = newKey();
  const authorityName = `Authority of ${serverName}`;
  const sign = (commonName: string, extensions: object[], key: Key = newKey()) => {
    const certificate = pki.createCertificate();
    certificate.publicKey = pki.publicKeyFromPem(key.publicKey);
    // The first bit is clear, because a serial number is no negative number.
    certificate.serialNumber = `7f${randomBytes(15).toString("hex")}`;
    [certificate.validity.notBefore, certificate.validity.notAfter] = period;
    certificate.setSubject([{ name: "commonName", value: commonName }]);
    certificate.setIssuer([{ name: "commonName", value: authorityName }]);
    certificate.setExtensions(extensions);
    certificate.sign(pki.privateKeyFromPem(authority.privateKey), md.sha256.create());
    return { certificate: pki.certificateToPem(certificate), key: key.privateKey };
  };
  const leaf = { name: "basicConstraints", critical: true, cA: false };
  const ca = sign(
    authorityName,
    [
      { name: "basicConstraints", critical: true, cA: true, pathLenConstraint: 0 },
      { name: "keyUsage", critical: true, keyCertSign: true },
    ],
    authority,
  );
  const server = sign(serverName, [
    leaf,
    { name: "extKeyUsage", serverAuth: true },
    { name: "subjectAltName", altNames: [{ type: 2, value: serverName }] },
  ]);
  const client = sign(`Client of ${serverName}`, [leaf, { name: "extKeyUsage", clientAuth: true }]);
  return {
    authority: ca.certificate,
    serverCertificate: server.certificate,
    serverKey: server.key,
    clientCertificate: client.certificate,
    clientKey: client.key,
    expires: period[1].toISOString(),
  };
}

interface Key {
  readonly publicKey: string;
  readonly privateKey: string;
}

function newKey(): Key {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}
