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
  const isPath = "path" in route;
  const frame = template(isPath ? "path.conf" : "server-name.conf");
  const indent = isPath ? "" : "    ";
  const proxy = template("proxy.conf")
    .trimEnd()
    .replaceAll(/^(?=.)/gm, indent);
  return frame
    .replaceAll("@PROXY@", () => proxy)
    .replaceAll("@STACK@", stack)
    .replaceAll("@UPSTREAM@", upstream)
    .replaceAll("@PATH@", isPath ? route.path : "")
    .replaceAll("@SERVER_NAME@", isPath ? "" : route.serverName);
}

function template(file: string): string {
  return readFileSync(join(templates, file), "utf8");
}
