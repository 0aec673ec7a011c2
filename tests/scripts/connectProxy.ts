import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";

/** An HTTP proxy that leads each connection to one port of this machine, whatever it is asked for. */
export class ConnectProxy {
  /** What it was asked for, with the login if one was shown. */
  readonly asked: string[] = [];
  private readonly server: Server;

  /** @param status what it answers; it opens a connection with 200 only */
  constructor(
    private readonly port: number,
    private readonly status = 200,
  ) {
    this.server = createServer();
    this.server.on("connect", ({ url, headers }, client) => {
      const login = Buffer.from(headers["proxy-authorization"]?.split(" ")[1] ?? "", "base64");
      this.asked.push([url ?? "", ...(login.length > 0 ? [login.toString()] : [])].join(" "));
      client.on("error", () => client.destroy());
      client.write(`HTTP/1.1 ${this.status.toString()} X\r\n\r\n`);
      if (this.status !== 200) {
        client.end();
        return;
      }
      const target = connect(this.port, "127.0.0.1");
      target.on("error", () => client.destroy());
      target.pipe(client).pipe(target);
    });
  }

  /** Starts it, and returns its address. */
  async start(): Promise<string> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return `127.0.0.1:${(this.server.address() as AddressInfo).port.toString()}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
