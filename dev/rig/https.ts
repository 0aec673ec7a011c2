import { request } from "node:https";

/** An answer of a rig's KASM. */
export interface Answer {
  /** HTTP status, 0 when there was no answer. */
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** Asks over TLS and trusts `ca` alone. */
export function httpsGet(
  url: string,
  ca: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    const none = () => {
      resolve({ status: 0, headers: {}, body: "" });
    };
    const asked = request(url, { ca, headers, agent: false, timeout: 5000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", none);
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", none);
    asked.end();
  });
}
