/**
 * What OpenClaw takes in while it runs, by the page "Config hot reload" of 2026.9.6's documentation. The
 * longest part that fits decides, and what is not named needs a restart.
 */
const hot = [
  ..."accessGroups acp agents approvals.exec approvals.plugin attachments.ttlHours audio".split(
    " ",
  ),
  ..."auth.order auth.profiles bindings broadcast channels cloudWorkers commands cron".split(" "),
  ..."desktop.host diagnostics.cacheTrace.enabled diagnostics.flags discovery.mdns.mode".split(" "),
  ..."hooks identity logging mcp mcp.apps.sandboxOrigin memory.citations messages models".split(
    " ",
  ),
  ..."plugins security.audit.suppressions security.installPolicy session skills surfaces".split(
    " ",
  ),
  ..."talk telemetry.enabled tools transcripts tts ui update.auto.enabled update.channel".split(
    " ",
  ),
  ..."update.checkOnStart worktreeAcceleration worktreeRoot".split(" "),
  ...below("browser", "allowSystemProfileImport attachOnly cdpUrl defaultProfile enabled"),
  ...below("browser", "evaluateEnabled executablePath extraArgs headless noSandbox profiles"),
  ...below("browser", "snapshotDefaults ssrfPolicy tabCleanup"),
  ...below("gateway", "cliAgents http.endpoints http.securityHeaders.strictTransportSecurity"),
  ...below("gateway", "publicOrigin push.apns.relay terminal tools"),
  ...below("gateway.nodes", "allowSkills browser commands pairing pluginTools.enabled"),
  ...below("gateway.controlUi", "allowExternalEmbedUrls automaticallyFetchFavicons"),
  ...below("gateway.controlUi", "communityInvite embedSandbox environment github sessionObserver"),
];
const cold = ["mcp.apps"];

function below(place: string, keys: string): string[] {
  return keys.split(" ").map((key) => `${place}.${key}`);
}

type Config = Readonly<Record<string, unknown>>;

/** Returns a configuration in two parts: what a running gateway takes in, and what needs a new start of it. */
export function splitConfig(config: Config): { hot: Config; cold: Config } {
  const { gateway } = config as { gateway?: { reload?: { mode?: unknown } } };
  if (gateway?.reload?.mode === "off") {
    return { hot: {}, cold: config };
  }
  return { hot: part(config, "", true) ?? {}, cold: part(config, "", false) ?? {} };
}

/** The part of a configuration that is hot, or the part that is not; nothing if there is none. */
function part(value: Config, place: string, wanted: boolean): Config | undefined {
  const kept = Object.entries(value).flatMap(([key, child]): [string, unknown][] => {
    const path = place === "" ? key : `${place}.${key}`;
    if (isConfig(child) && Object.keys(child).length > 0) {
      const own = part(child, path, wanted);
      return own === undefined ? [] : [[key, own]];
    }
    return isHot(path) === wanted ? [[key, child]] : [];
  });
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

function isHot(path: string): boolean {
  const longest = (rules: readonly string[]) =>
    Math.max(
      0,
      ...rules.filter((rule) => `${path}.`.startsWith(`${rule}.`)).map((rule) => rule.length),
    );
  return longest(hot) > longest(cold);
}

function isConfig(value: unknown): value is Config {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
