import { connect } from "node:tls";
import Table from "cli-table3";
import { chalk, sleep } from "zx";
import { z } from "zod";
import { routeArgs, routeUrl } from "../settings/route";
import { marker } from "../components/kasmApi/marker";
import { routeVariables } from "../components/nginxRouteFile";
import type { Settings } from "../settings";
import { browserName } from "../settings/browser";
import { type Instance, instancesOf } from "../settings/instances";
import { type Deployment, lookAtDeployment } from "./deployment";
import { pulumiJson } from "./engine";
import { type HostFacts, parseFacts } from "./host";
import { outputsOf } from "./instance";
import { runHostScript } from "./onHost";
import { sshProblem } from "./ssh";

/** One line of the report: `bad` makes the command end with status 1, `info` never does. */
export interface Check {
  /** Which gateway it is about, where the stack has several. */
  readonly instance?: string;
  readonly name: string;
  readonly value: string;
  readonly state: "ok" | "bad" | "info";
}

/** A session that runs on one of the stack's tiles. */
export interface Session {
  readonly workspace: string;
  readonly user: string;
  readonly status: string;
  /** Seconds since its start. */
  readonly age: number;
}

/** Everything that `npm run status` tells; `--json` prints it as it is. */
export interface Report {
  readonly ok: boolean;
  readonly stack: string;
  readonly checks: readonly Check[];
  readonly sessions: readonly Session[];
}

/** What was seen through KASM's own address from this machine. */
export interface SeenFromHere {
  /** HTTP status of the dashboard without a login, nothing where there was no answer. */
  readonly status: number | undefined;
  /** When the certificate ends. */
  readonly certificateEnd: Date | undefined;
}

/** `npm run status`: how the stack's gateway is, at once or again and again. */
export async function status({
  stack,
  json,
  watch,
}: {
  stack: string;
  json: boolean;
  watch: boolean;
}): Promise<void> {
  await lookAtDeployment(stack, async (deployment) => {
    // Asked for while the host is looked at: a second counts here.
    const outputs = stackOutputs(deployment);
    const instances = instancesOf(deployment.settings);
    do {
      const reports = await Promise.all(
        instances.map(async (instance) => ({
          instance: instance.name,
          ...(await look(deployment, instance, outputs)),
        })),
      );
      const report = together(stack, reports);
      if (watch && !json) {
        console.clear();
      }
      console.log(json ? JSON.stringify(report) : rendered(report));
      process.exitCode = report.ok ? 0 : 1;
      if (watch) {
        await sleep("5s");
      }
    } while (watch);
  });
}

async function stackOutputs({ engine, stack }: Deployment): Promise<Record<string, unknown>> {
  const outputs = await pulumiJson(engine, ["stack", "output", "--json", "--stack", stack]);
  return z.record(z.string(), z.unknown()).parse(outputs);
}

const outputsSchema = z.object({
  containerId: z.string().optional(),
  providerKeys: z.array(z.string()).default([]),
  workspaces: z.record(z.string(), z.object({ workspaceId: z.string() })).default({}),
});
type Outputs = z.output<typeof outputsSchema>;

/** The reports on a stack's gateways as one; tiles and sessions are in each of them. */
export function together(
  stack: string,
  reports: readonly (Report & { readonly instance: string })[],
): Report {
  const isTile = ({ name }: Check) => name === "tile";
  const [first] = reports;
  return {
    ok: reports.every(({ ok }) => ok),
    stack,
    checks: [
      ...reports.flatMap(({ instance, checks }) =>
        checks
          .filter((check) => !isTile(check))
          .map((check) => (instance === "" ? check : { instance, ...check })),
      ),
      ...(first?.checks.filter(isTile) ?? []),
    ],
    sessions: first?.sessions ?? [],
  };
}

async function look(
  { target, stack }: Deployment,
  instance: Instance,
  outputs: Promise<Record<string, unknown>>,
): Promise<Report> {
  const { settings } = instance;
  const route = routeArgs(settings);
  const [host, routeState, seen, known] = await Promise.all([
    runHostScript(target, {
      script: "status.sh",
      action: "look",
      variables: {
        CONTAINER: settings.containerName,
        PORT: settings.port.toString(),
        BROWSER: settings.browser === "sidecar" ? browserName(settings) : "",
        MARKER: marker(stack, ""),
      },
      seconds: 8,
    }),
    route &&
      runHostScript(target, {
        script: "nginx-route.sh",
        action: "look",
        variables: routeVariables({
          ...route,
          target,
          networkName: settings.networkName,
        }) as Record<string, string>,
        asRoot: true,
        seconds: 8,
      }),
    seeFromHere(settings),
    outputs,
  ]);
  if (settings.host && host.exitCode === 255) {
    const unreachable = { name: "server", value: sshProblem(host.stderr, settings.host) };
    return { ok: false, stack, checks: [{ ...unreachable, state: "bad" }], sessions: [] };
  }
  return reportOf(
    stack,
    settings,
    outputsSchema.parse(outputsOf(known, instance)),
    parseFacts(host.stdout),
    routeState?.stdout.trim(),
    seen,
  );
}

/** Asks as a browser does, without a login; the certificate is looked at, not judged. */
function seeFromHere(settings: Settings): Promise<SeenFromHere> {
  const address = routeUrl(settings);
  if (address === undefined) {
    return Promise.resolve({ status: undefined, certificateEnd: undefined });
  }
  const url = new URL(address);
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect({
      host: url.hostname,
      port: Number(url.port || 443),
      ...(/^[\d.]+$/.test(url.hostname) ? {} : { servername: url.hostname }),
      rejectUnauthorized: false,
      timeout: 1500,
    });
    let certificateEnd: Date | undefined;
    const done = () => {
      const [, status] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? [];
      resolve({ status: status === undefined ? undefined : Number(status), certificateEnd });
      socket.destroy();
    };
    socket.on("secureConnect", () => {
      certificateEnd = new Date(socket.getPeerCertificate().valid_to);
      socket.write(
        `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: close\r\n\r\n`,
      );
    });
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString();
      done();
    });
    socket.on("timeout", done);
    socket.on("error", done);
    socket.on("end", done);
  });
}

/** What the facts come to. */
export function reportOf(
  stack: string,
  settings: Settings,
  outputs: Outputs,
  facts: HostFacts,
  routeState: string | undefined,
  seen: SeenFromHere,
): Report {
  const checks = [
    ...containerChecks(outputs, facts),
    ...gatewayChecks(outputs, facts),
    ...browserChecks(facts),
    ...driftChecks(settings, facts),
    ...routeChecks(settings, routeState, seen),
    ...tileChecks(outputs, facts),
  ];
  const sessions = (facts.get("session") ?? []).map((line): Session => {
    const [workspace = "", user = "", status = "", age = "0"] = line.split("|");
    return { workspace, user, status, age: Number(age) };
  });
  return { ok: checks.every(({ state }) => state !== "bad"), stack, checks, sessions };
}

const judged = (name: string, isGood: boolean, value: string): Check => ({
  name,
  value,
  state: isGood ? "ok" : "bad",
});
const told = (name: string, value: string): Check => ({ name, value, state: "info" });

function containerChecks(outputs: Outputs, facts: HostFacts): Check[] {
  const first = (name: string) => facts.get(name)?.[0];
  const number = (name: string) => Number(first(name) ?? NaN);
  const state = first("state") ?? "unknown: Docker does not answer";
  if (state !== "running") {
    return [judged("container", false, state)];
  }
  const isOurs = outputs.containerId === undefined || outputs.containerId === first("containerId");
  const health = first("health") ?? "";
  const limit = number("memoryLimit");
  const memory = number("second.usage") - (number("second.inactive_file") || 0);
  const cores =
    ((number("second.total_usage") - number("first.total_usage")) /
      (number("second.system_cpu_usage") - number("first.system_cpu_usage"))) *
    number("second.online_cpus");
  return [
    judged(
      "container",
      isOurs && (health === "" || health === "healthy"),
      isOurs
        ? `running${health && `, ${health}`}`
        : "running, and not the one that this stack made",
    ),
    told("since", `${first("startedAt") ?? ""}, restarted ${first("restarts") ?? "0"} times`),
    judged(
      "memory",
      !(memory > 0.95 * limit),
      Number.isNaN(memory) ? "not known" : `${mebibytes(memory)} of ${mebibytes(limit)}`,
    ),
    told(
      "processor",
      Number.isNaN(cores)
        ? "not known"
        : `${cores.toFixed(2)} of ${(number("cpuLimit") / 1e9).toFixed(0)} cores`,
    ),
  ];
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20).toString()} MiB`;
}

function gatewayChecks(outputs: Outputs, facts: HostFacts): Check[] {
  const answer = facts.get("healthz")?.[0] ?? "";
  const isReady = answer.includes('"ok":true') && answer.endsWith(" 200");
  const version = /"version":"([^"]+)"/.exec(answer)?.[1];
  const size = Number(facts.get("dataKb")?.[0] ?? NaN);
  return [
    judged("gateway", isReady, isReady ? "ready" : answer.trim() || "no answer within 1.5 s"),
    ...(version === undefined ? [] : [told("version", version)]),
    told("provider keys", outputs.providerKeys.join(", ") || "none"),
    told("data", Number.isNaN(size) || size === 0 ? "not known" : mebibytes(size * 1024)),
  ];
}

function browserChecks(facts: HostFacts): Check[] {
  return (facts.get("browser") ?? []).map((state) =>
    judged("browser", state === "running, healthy", state),
  );
}

/** What `refresh` does not see: somebody may have made the container anew by hand, with more in it. */
function driftChecks(settings: Settings, facts: HostFacts): Check[] {
  if (facts.get("state")?.[0] !== "running") {
    return [];
  }
  const beyond = (name: string, known: readonly string[]) =>
    (facts.get(name) ?? []).filter((entry) => entry !== "" && !known.includes(entry));
  const isBuilt = settings.gatewayImage === "build";
  const env = isBuilt ? beyond("env", facts.get("imageEnv") ?? []) : [];
  const labels = beyond("label", facts.get("imageLabel") ?? []);
  const networks = beyond("network", [settings.networkName]);
  const isJoined = facts.get("network")?.includes(settings.networkName) === true;
  const differences = [
    ...env.map((name) => `environment ${name}`),
    ...labels.map((name) => `label ${name}`),
    ...networks.map((name) => `on network ${name}`),
    ...(isJoined ? [] : [`not on network ${settings.networkName}`]),
  ];
  return [judged("drift", differences.length === 0, differences.join(", ") || "none")];
}

/** Days before its end from which a certificate is a problem. */
const certificateDays = 14;

function routeChecks(
  settings: Settings,
  routeState: string | undefined,
  seen: SeenFromHere,
): Check[] {
  if (routeState === undefined) {
    return [];
  }
  const days = seen.certificateEnd && (seen.certificateEnd.getTime() - Date.now()) / 86_400_000;
  const address = routeUrl(settings) ?? "";
  return [
    judged(
      "KASM's nginx",
      routeState ===
        "file: as declared; proxy: joined; nginx: serves the route; dashboard: asks for its login",
      routeState || "no answer",
    ),
    judged(
      "address",
      seen.status === 401,
      seen.status === undefined
        ? `${address} does not answer from here`
        : `${address} answers ${seen.status.toString()}`,
    ),
    ...(days === undefined
      ? []
      : [
          judged(
            "certificate",
            days > certificateDays,
            days > 0 ? `ends in ${Math.floor(days).toString()} days` : "has ended",
          ),
        ]),
  ];
}

function tileChecks({ workspaces }: Outputs, facts: HostFacts): Check[] {
  const registered = Object.entries(workspaces);
  if (registered.length > 0 && !facts.has("tiles")) {
    const database = facts.get("kasmDb")?.[0];
    return [
      database === undefined
        ? told("tiles", "not known: KASM's database is on another host")
        : judged("tiles", false, `not known: kasm_db is ${database} and does not answer`),
    ];
  }
  const rows = (facts.get("tile") ?? []).map((line) => line.split("|"));
  return registered.map(([kind, { workspaceId }]) => {
    const row = rows.find(([id]) => id === workspaceId);
    if (row === undefined) {
      return judged(`${kind} tile`, false, "not in KASM any more");
    }
    const [, title = "", image = "", enabled, available] = row;
    const isEnabled = enabled === "t";
    // No agent has to have anything for a link.
    const isAvailable = available === "t" || image === "";
    const state = [
      isEnabled ? "enabled" : "disabled",
      ...(image === "" ? [] : [isAvailable ? "available" : "not available"]),
    ];
    return judged(`${kind} tile`, isEnabled && isAvailable, `${title}: ${state.join(", ")}`);
  });
}

function rendered({ stack, ok, checks, sessions }: Report): string {
  const colour = { ok: chalk.green, bad: chalk.red, info: (text: string) => text };
  const style = { head: [], border: [], compact: true };
  const table = new Table({ style, wordWrap: true });
  table.push(
    ...checks.map(({ instance, name, value, state }) => [
      instance === undefined ? name : `${instance}: ${name}`,
      colour[state](value),
    ]),
  );
  const lines = [
    `Stack ${stack}: ${ok ? chalk.green("all is well") : chalk.red("not well")}`,
    table.toString(),
  ];
  if (sessions.length > 0) {
    const running = new Table({
      head: ["session", "user", "status", "age"],
      style,
    });
    running.push(
      ...sessions.map(({ workspace, user, status, age }) => [
        workspace,
        user,
        status,
        `${Math.floor(age / 60).toString()} min`,
      ]),
    );
    lines.push(running.toString());
  }
  return lines.join("\n");
}
