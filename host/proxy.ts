import { request } from "node:http";
import { BlockList, isIP, isIPv6, type Socket } from "node:net";

/**
 * Returns the HTTP proxy by which this machine's environment has an address asked, as curl reads it: `https_proxy`, `all_proxy`,
 * `no_proxy`, in small letters or capitals. Undefined if there is none; this machine itself is never asked through one.
 */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv = process.env): URL | undefined {
  const value = (name: string) => env[name] || env[name.toUpperCase()] || undefined;
  const given = value(`${url.protocol.slice(0, -1)}_proxy`) ?? value("all_proxy");
  if (given === undefined || isDirect(url, value("no_proxy") ?? "")) {
    return undefined;
  }
  const text = given.includes("://") ? given : `http://${given}`;
  return URL.canParse(text) && text.startsWith("http://") ? new URL(text) : undefined;
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8);
loopback.addAddress("::1", "ipv6");

function isDirect(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const family = isIPv6(host) ? "ipv6" : "ipv4";
  if (host === "localhost" || (isIP(host) !== 0 && loopback.check(host, family))) {
    return true;
  }
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      const name = entry.replace(/^\*?\./, "").replace(/:\d+$/, "");
      return (
        entry === "*" || host === name || host.endsWith(`.${name}`) || isIn(host, family, entry)
      );
    });
}

function isIn(host: string, family: "ipv4" | "ipv6", entry: string): boolean {
  const [address = "", bits = ""] = entry.split("/");
  if (isIP(host) === 0 || isIP(address) !== isIP(host) || !/^\d+$/.test(bits)) {
    return false;
  }
  const subnet = new BlockList();
  subnet.addSubnet(address, Number(bits), family);
  return subnet.check(host, family);
}

/**
 * Has a proxy open a connection.
 * @throws Error that names the proxy, without its login, and what it answers
 */
export async function tunnel(
  proxy: URL,
  { hostname, port, protocol }: Pick<URL, "hostname" | "port" | "protocol">,
  timeoutMs: number,
): Promise<Socket> {
  const target = `${hostname}:${port || (protocol === "https:" ? "443" : "80")}`;
  const login = [proxy.username, proxy.password].map(decodeURIComponent).join(":");
  const asked = request({
    host: proxy.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: proxy.port || "80",
    method: "CONNECT",
    path: target,
    headers: {
      host: target,
      ...(login === ":"
        ? {}
        : { "proxy-authorization": `Basic ${Buffer.from(login).toString("base64")}` }),
    },
    timeout: timeoutMs,
  });
  return await new Promise((resolve, reject) => {
    const fail = (what: string) => {
      asked.destroy();
      reject(new Error(`the proxy ${proxy.host} ${what}`));
    };
    asked.once("connect", ({ statusCode }, socket: Socket) => {
      if (statusCode === 200) {
        socket.setTimeout(0);
        resolve(socket);
      } else {
        socket.destroy();
        fail(`answers ${String(statusCode)} for ${target}`);
      }
    });
    asked.once("response", ({ statusCode }) => {
      fail(`answers ${String(statusCode)} for ${target}`);
    });
    asked.once("timeout", () => {
      fail(`does not answer`);
    });
    asked.once("error", ({ message }) => {
      fail(`can't be reached (${message})`);
    });
    asked.end();
  });
}
