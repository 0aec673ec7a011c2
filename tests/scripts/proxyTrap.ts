import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A proxy that only counts its connections, and an environment in which everything asks to use it. */
export class ProxyTrap {
  connections = 0;
  private readonly home = mkdtempSync(join(tmpdir(), "openclaw-proxied-"));
  private readonly server: Server = createServer((_, response) => {
    response.writeHead(502).end();
  }).on("connection", () => this.connections++);

  async start(): Promise<void> {
    await once(this.server.listen(0, "127.0.0.1"), "listening");
    writeFileSync(join(this.home, ".curlrc"), `proxy = "${this.url}"\n`);
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
    rmSync(this.home, { recursive: true });
  }

  get env(): NodeJS.ProcessEnv {
    const names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"];
    return {
      HOME: this.home,
      no_proxy: "",
      NO_PROXY: "",
      ...Object.fromEntries(names.map((name) => [name, this.url])),
    };
  }

  private get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port.toString()}`;
  }
}
