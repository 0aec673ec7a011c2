import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "authorities-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("each authority gets a file of its own, and Chromium a policy with all of them", () => {
  const pems = ["first.example.com", "second.example.com"].map(certificate);
  execFileSync(
    process.execPath,
    ["assets/kasm-image/trust-authorities.mjs", folder, join(folder, "policy.json")],
    { env: { ...process.env, EXTRA_CA: `# two of them\n${pems.join("\n")}` } },
  );
  const fingerprint = (content: string | Buffer) => new X509Certificate(content).fingerprint256;
  const files = readdirSync(folder).filter((name) => name.endsWith(".crt"));
  const { CACertificates } = JSON.parse(readFileSync(join(folder, "policy.json"), "utf8")) as {
    CACertificates: string[];
  };

  expect(files).toEqual(["openclaw-extra-1.crt", "openclaw-extra-2.crt"]);
  const expected = pems.map(fingerprint);
  expect(files.map((file) => fingerprint(readFileSync(join(folder, file))))).toEqual(expected);
  expect(CACertificates.map((text) => fingerprint(Buffer.from(text, "base64")))).toEqual(expected);
});

/** A certificate for a name. */
function certificate(name: string): string {
  execFileSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...[
      "-keyout",
      join(folder, "key.pem"),
      "-out",
      join(folder, "cert.pem"),
      "-subj",
      `/CN=${name}`,
    ],
  ]);
  return readFileSync(join(folder, "cert.pem"), "utf8");
}
