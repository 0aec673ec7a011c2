import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import type { KasmNginxRouteArgs } from "./kasmNginxRoute";

/**
 * What assets/host/nginx-route.sh needs to know; the names are its own.
 * @param stack name of the stack, which stands in the file, and by which it is told from another stack's
 */
export function routeVariables(
  args: KasmNginxRouteArgs,
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
    NETWORK: args.networkName,
    PROBE_NAME: "serverName" in args.route ? args.route.serverName : "",
    PROBE_PATH: `${args.basePath}/`,
    TIMEOUT_SECONDS: args.readyTimeoutSeconds.toString(),
  };
}

const templates = join(__dirname, "../assets/nginx");

/**
 * The file for KASM's nginx. What only the host knows (`@PORT@`, `@CERTIFICATE@`) and the mark (`@MARK@`) are still to
 * be filled in.
 */
export function routeFile(
  { route, upstream }: Pick<KasmNginxRouteArgs, "route" | "upstream">,
  stack: string,
): string {
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
    .replaceAll("@UPSTREAM@", upstream)
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
