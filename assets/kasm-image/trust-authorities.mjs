// trust-authorities.mjs DIRECTORY POLICY: writes the certificate authorities in $EXTRA_CA (PEM) as files of their own to
// DIRECTORY, from which update-ca-certificates takes them, and as Chromium's policy to POLICY: it has a store of its own.
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const [directory, policy] = process.argv.slice(2);
const blocks =
  process.env.EXTRA_CA.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
const authorities = blocks.map((block) => new X509Certificate(block));
for (const [index, authority] of authorities.entries()) {
  writeFileSync(join(directory, `openclaw-extra-${index + 1}.crt`), authority.toString());
}
const CACertificates = authorities.map(({ raw }) => raw.toString("base64"));
writeFileSync(policy, JSON.stringify({ CACertificates }));
