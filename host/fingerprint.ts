import type { TLSSocket } from "node:tls";

/** Returns the SHA-256 of the certificate that a server shows, 64 hexadecimal digits; `"none"` if it shows no certificate. */
export function fingerprintOf(socket: TLSSocket): string {
  const { fingerprint256 } = socket.getPeerCertificate() as { fingerprint256?: string };
  return (fingerprint256 ?? "none").replaceAll(":", "").toLowerCase();
}
