import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

interface Entry {
  readonly id: number;
  readonly number: number;
  readonly title: string;
  readonly user: { readonly login: string };
  body: string;
  /** Of a comment: the number of the pull request or issue that it is on. */
  readonly on?: number;
}

/** The part of GitHub's API by which a workflow comments on pull requests and opens issues. */
export class GithubStandIn {
  readonly comments: Entry[] = [];
  readonly issues: Entry[] = [];
  private readonly server = createServer((request, response) => {
    void this.answer(request).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    });
  });

  constructor(private readonly token: string) {}

  /** Starts to listen and gives the address for GITHUB_API_URL. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port.toString()}`;
  }

  stop(): void {
    this.server.close();
  }

  add(list: Entry[], login: string, body: string, more: Partial<Entry> = {}): void {
    const id = 1000 + list.length;
    list.push({ id, number: id, title: "", user: { login }, body, ...more });
  }

  private async answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const url = new URL(request.url ?? "", "http://github");
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      return { status: 401, body: { message: "Bad credentials" } };
    }
    const path = url.pathname.replace("/repos/me/mine/", "");
    const list = path.includes("comments") ? this.comments : this.issues;
    const [, commentedOn] = /^issues\/(\d+)\/comments$/.exec(path) ?? [];
    const on = commentedOn === undefined ? undefined : Number(commentedOn);
    if (!/^issues(\/\d+\/comments|\/comments\/\d+|\/\d+)?$/.test(path)) {
      return { status: 404, body: { message: "Not Found" } };
    }
    if (request.method === "GET") {
      const [size, page] = ["per_page", "page"].map((name) => Number(url.searchParams.get(name)));
      const start = ((page ?? 1) - 1) * (size ?? 30);
      const all = list.filter((entry) => entry.on === on);
      return { status: 200, body: all.slice(start, start + (size ?? 30)) };
    }
    const { body, title } = JSON.parse(Buffer.concat(chunks).toString()) as Entry;
    if (request.method === "POST") {
      this.add(list, "github-actions[bot]", body, { title, on });
      return { status: 201, body: list.at(-1) };
    }
    const entry = list.find(({ id }) => path.endsWith(`/${id.toString()}`));
    if (entry) {
      entry.body = body;
    }
    return { status: entry ? 200 : 404, body: entry ?? { message: "Not Found" } };
  }
}
