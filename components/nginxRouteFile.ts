import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import type { KasmNginxRouteArgs } from "./kasmNginxRoute";

/** What the host says where all is as declared. */
export const routeServes =
  "file: as declared; forwarder: serves; KASM's proxy needs: nothing of ours; nginx: serves the route; dashboard: asks for its login";

/** The account that the forwarder runs as, `uid:gid`, which owns nothing else: KASM's directories are open to every account. */
export const forwarderOwner = "65534:65534";

/**
 * Directory of the sockets, which KASM's proxy sees too. Not `containers.d` itself: KASM's upgrade takes the files there
 * along only if it finds one entry.
 */
export function socketsDirectory({
  route,
  directory,
}: Pick<KasmNginxRouteArgs, "route" | "directory">): string {
  return `${"path" in route ? dirname(directory) : directory}/.openclaw-kasm`;
}

/**
 * What assets/host/nginx-route.sh needs to know; the names are its own.
 * @param stack name of the stack, which stands in the file, and by which it is told from another stack's
 */
export function routeVariables(
  args: Omit<KasmNginxRouteArgs, "image">,
  stack: string,
): Record<string, pulumi.Input<string>> {
  const content = routeFile(args, stack);
  const mark = createHash("sha256").update(content).digest("hex").slice(0, 12);
  return {
    DIRECTORY: args.directory,
    FILE: args.fileName,
    STACK: stack,
    CONTENT: content.replaceAll("@MARK@", mark),
    MARK: mark,
    PROXY: args.proxyContainer,
    FORWARDER: args.forwarder.containerName,
    FORWARDER_OWNER: forwarderOwner,
    SOCKETS: socketsDirectory(args),
    NETWORK: args.networkName,
    PROBE_NAME: "serverName" in args.route ? args.route.serverName : "",
    PROBE_PATH: `${args.basePath}/`,
    TIMEOUT_SECONDS: args.readyTimeoutSeconds.toString(),
  };
}

const templates = join(__dirname, "../assets/nginx");

/**
 * The file for KASM's nginx. What only the host knows (`@PORT@`, `@CERTIFICATE@`, `@SOCKET@`) and the mark (`@MARK@`) are still to
 * be filled in.
 */
export function routeFile({ route }: Pick<KasmNginxRouteArgs, "route">, stack: string): string {
  const path = "path" in route ? route.path : undefined;
  const frame = template(path === undefined ? "server-name.conf" : "path.conf");
  const indent = path === undefined ? "    " : "";
  const proxy = template("proxy.conf")
    .replaceAll("@OWN_COOKIES@", ownCookies)
    .trimEnd()
    .replaceAll(/^(?=.)/gm, indent);
  return frame
    .replaceAll("@PROXY@", () => proxy)
    .replaceAll("@STACK@", stack)
    .replaceAll("@WITHIN_PATH@", () => template("within-path.conf").trimEnd())
    .replaceAll("@PATH_PATTERN@", () => (path ?? "").replaceAll(".", "\\."))
    .replaceAll("@PATH@", path ?? "")
    .replaceAll("@SERVER_NAME@", "serverName" in route ? route.serverName : "");
}

/**
 * Fills `$openclaw_cookies` with the cookies whose names start as OpenClaw's do: plugin tabs have one each. nginx takes
 * one at a time out of the request, and knows no loop. Captures have names, because nginx escapes numbered ones for
 * paths that have escapes of their own.
 */
function ownCookies(): string {
  const take = (kept: string) =>
    `    if ($openclaw_more ~ "(?:^|; )(?<openclaw_own>__openclaw_[^=; ]*=[^; ]*)(?<openclaw_more>.*)$") {\n` +
    `        set $openclaw_cookies "${kept}$openclaw_own";\n` +
    `    }`;
  return [
    '    set $openclaw_cookies "";',
    "    set $openclaw_more $http_cookie;",
    take(""),
    ...Array<string>(7).fill(take("$openclaw_cookies; ")),
  ].join("\n");
}

function template(file: string): string {
  return readFileSync(join(templates, file), "utf8");
}
