import { printable } from "../host/printable";
import Table from "cli-table3";
import { chalk } from "zx";
import { z } from "zod";
import { dayMilliseconds } from "../components/days";
import { reachable } from "../components/gateway/container";
import { routeOf } from "../config/route";
import { marker } from "../providers/kasm/marker";
import { routeServes, routeVariables } from "../components/nginxRouteFile";
import { buildsImage, namespace, type Settings } from "../config";
import { browserName, offsiteName } from "../components/gateway/container";
import { peopleText } from "../config/people";
import { type Instance, instancesOf } from "../config/instances";
import {
  accessProblem,
  type Deployment,
  type HostDeployment,
  ofDeployed,
  onHosts,
  readSettings,
  withAccess,
} from "../pulumi/deployment";
import { hostNames, hostOf, hostSetting, kasmHost, kasmServers } from "../config/host";
import { openEngine } from "../pulumi/engine";
import { first, type HostFacts, parseFacts } from "./preflight/host";
import { imageChecks, imagesLook, newerOpenclaw } from "./preflight/imageChecks";
import { dataUser, pluginCheck } from "./preflight/plugins";
import { outputsOf } from "./instance";
import { placedLook } from "./placement/placed";
import { strayable, strayChecks } from "./placement/strays";
import { browserCheck, seeByBrowser, type SeenByBrowser } from "./reach/browser";
import { type Login, ownCertificate, sessionCheck, withSessionLooks } from "./reach/session";
import { type Look, lookOnHost, patient } from "../host/run";
import { lostConnection } from "../host/sshProblem";
import { checkStackFile } from "../pulumi/stackFile";
import { type DeclaredContainer, readState, type StackState } from "../pulumi/stackState";

/** One line of the report: `bad` makes the command end with status 1, `info` never does. */
export interface Check {
  /** Which gateway it is about, where the stack has several. */
  readonly instance?: string;
  /** Which host it is about, where the stack has several. */
  readonly host?: string;
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

/** What was seen of one gateway. */
export interface SeenGateway {
  readonly instance: Pick<Instance, "name" | "settings">;
  /** What assets/host/status.sh and gateway-data.sh printed. */
  readonly facts: HostFacts;
  /** What assets/host/nginx-route.sh printed, where there is a route. */
  readonly route: string | undefined;
  /** The same on KASM's other web servers, by their hosts. */
  readonly otherRoutes?: readonly { readonly host: string; readonly route: string }[];
  /** What assets/host/reach.sh printed. */
  readonly session: HostFacts;
  /** What a browser on this machine found at its address behind KASM, if it has one. */
  readonly browser: SeenByBrowser | undefined;
  /** Seconds that each question might take. */
  readonly seconds: number;
}

/**
 * Seconds that each question may take: of one gateway, with the start of this command, all of it is to be done in three. Those
 * of several share the host's processors.
 */
function patienceFor(gateways: number): number {
  return Math.min(6, 1 + Math.floor(gateways / 8));
}

/** Seconds after the last question's time in which what a host said has to be here. */
const graceSeconds = 1;

/** Seconds that a host may take to let ssh in while others wait for it. */
const loginSeconds = 2.5;

interface ShowOptions {
  readonly json: boolean;
  readonly watch: boolean;
  /** Whether the users of KASM's sessions are shown. */
  readonly sessions: boolean;
}

/** `npm run status`: how the stack's gateways are, at once or again and again. */
export async function status({
  stack,
  ...options
}: ShowOptions & { stack: string }): Promise<void> {
  checkStackFile(stack);
  const engine = await openEngine();
  // Side by side: half a second counts here.
  const asked = Promise.all([readSettings(engine, stack), readState(engine, stack)]);
  const [settings, first] = await ofDeployed(stack, asked);
  // Asked once, however often the rest is checked.
  const newer = newerOpenclaw(settings, patienceFor(1) + graceSeconds);
  const work = async (deployment: Deployment) => {
    // A deployment may happen between two checks.
    const states = [first];
    const logins = [deployment.problemOf];
    const nextState = async () => states.pop() ?? (await readState(engine, stack));
    const problemOf = () => logins.pop() ?? (() => Promise.resolve(undefined));
    const next = () => ({ ...deployment, problemOf: problemOf() });
    await show(async () => await look(next(), await nextState(), await newer), options);
  };
  const logins =
    hostNames(settings).length > 1 ? { seconds: loginSeconds, isAwaited: false } : undefined;
  await withAccess(engine, stack, settings, work, logins);
}

/**
 * Shows what a look comes to, and with `watch` looks again every five seconds. Ctrl-C ends that in good order: keys that
 * are there for the time of a command go with it.
 */
export async function show(
  look: () => Promise<Report>,
  { json, watch, sessions }: ShowOptions,
): Promise<void> {
  const interrupt = new AbortController();
  const stop = () => {
    interrupt.abort();
  };
  if (watch) {
    process.once("SIGINT", stop);
  }
  do {
    const seen = await look();
    const report = sessions ? seen : withoutPeople(seen);
    if (watch && !json) {
      console.clear();
    }
    console.log(json ? printable(JSON.stringify(report)) : rendered(report));
    process.exitCode = report.ok ? 0 : 1;
  } while (watch && (await fiveSeconds(interrupt.signal)) === "over");
  process.off("SIGINT", stop);
}

/** Returns a report for public logs, without the names of people. */
function withoutPeople(report: Report): Report {
  return { ...report, checks: report.checks.filter(({ name }) => name !== "people"), sessions: [] };
}

async function fiveSeconds(interrupted: AbortSignal): Promise<"over" | "interrupted"> {
  if (!interrupted.aborted) {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        interrupted.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, 5000);
      interrupted.addEventListener("abort", done);
    });
  }
  return interrupted.aborted ? "interrupted" : "over";
}

/** A gateway that is in the settings only has no password yet. */
const gatewayOutputs = z.object({
  username: z.string().default(""),
  password: z.string().catch(""),
  people: z.record(z.string(), z.string()).catch({}),
});
const stackOutputs = z.object({
  providerKeys: z.array(z.string()).default([]),
  workspaces: z.record(z.string(), z.object({ workspaceId: z.string() })).default({}),
});

/** Returns what was seen of a stack: all hosts side by side, of which one that does not answer costs its own rows only. */
async function look(deployment: Deployment, state: StackState, newer: Check): Promise<Report> {
  const { stack, settings } = deployment;
  const { webServers } = settings.nginxRoute;
  const hosts = onHosts(deployment);
  const labelled = (host: string, check: Check) =>
    hosts.length === 1 ? check : { host, ...check };
  const instances = instancesOf(settings);
  const placeOf = ({ name }: Instance) => hostOf(settings, name);
  const secondsOf = (host: string) => {
    // KASM's web servers answer for the routes of all.
    const isServer = kasmServers(settings).includes(host);
    const own = instances.filter((instance) => isServer || placeOf(instance) === host);
    return patienceFor(own.length);
  };
  const seconds = secondsOf(kasmHost);
  const reached = instances.map((instance) => ({
    instance,
    settings: instance.settings,
    login: loginOf(instance, state),
    host: placeOf(instance),
    gateway: gatewayLook(instance, state),
    data: dataLook(instance),
    route: routeLook(instance.settings, stack, kasmHost),
    otherRoutes: webServers.flatMap((server) => {
      const look = routeLook(instance.settings, stack, server);
      return look ? [{ server, look }] : [];
    }),
  }));
  const gateways = withSessionLooks(reached, { seconds, socketSeconds: Math.ceil(seconds / 2) });
  const kasm = { script: "kasm-status.sh", variables: { MARKER: marker(stack, "") } };
  const looking = new Map(
    hosts.map((there) => {
      const { host } = there;
      const own = imagesOn(state, host);
      const images = imagesLook(own);
      const ofKasms = gateways.flatMap(({ session, route }) => [
        session,
        ...(route ? [route] : []),
      ]);
      const strays = placedLook(stack, strayable(deployment, host), host);
      const looks = [
        images,
        ...(hosts.length > 1 ? [strays] : []),
        ...gateways.flatMap(({ host: place, gateway, data }) =>
          place === host ? [gateway, data] : [],
        ),
        ...gateways.flatMap(({ otherRoutes }) =>
          otherRoutes.flatMap(({ server, look }) => (server === host ? [look] : [])),
        ),
        ...(host === kasmHost ? [kasm, ...ofKasms] : []),
      ];
      return [host, { own, images, strays, answer: ask(there, looks, secondsOf(host)) }] as const;
    }),
  );
  const said = async (host: string, each: Look) =>
    (await looking.get(host)?.answer)?.said.get(each) ?? "";
  const factsOf = async (host: string, each: Look) => parseFacts(await said(host, each));
  const seen = gateways.map(async ({ instance, login, host, ...looks }) => ({
    host,
    instance,
    browser: await seeByBrowser(instance.settings, {
      login,
      seconds,
      ownCertificate: factsOf(kasmHost, looks.certificate).then(ownCertificate),
    }),
    facts: new Map([...(await factsOf(host, looks.gateway)), ...(await factsOf(host, looks.data))]),
    session: await factsOf(kasmHost, looks.session),
    route: looks.route && (await said(kasmHost, looks.route)),
    otherRoutes: await Promise.all(
      looks.otherRoutes.map(async ({ server, look }) => ({
        host: server,
        route: await said(server, look),
      })),
    ),
    seconds: secondsOf(host),
  }));
  const [seenGateways, ...ofHosts] = await Promise.all([
    Promise.all(seen),
    ...hosts.map(async ({ host }) => {
      const { own, images, strays, answer } = looking.get(host) ?? {};
      const problem = (await answer)?.problem;
      const checks =
        own && images && strays
          ? [
              ...imageChecks(own, await factsOf(host, images), settings.maxImageDays),
              ...strayChecks(deployment, host, await factsOf(host, strays)),
            ]
          : [];
      return { host, problem, checks: checks.map((check) => labelled(host, check)) };
    }),
  ]);
  const lost = ofHosts.flatMap(({ host, problem }) =>
    problem === undefined
      ? []
      : [{ host, check: labelled(host, { name: "server", value: problem, state: "bad" }) }],
  );
  const lostHosts = lost.map(({ host }) => host);
  const problems = lost.map(({ check }) => check);
  if (lostHosts.length === hosts.length) {
    return { ok: false, stack, checks: problems, sessions: [] };
  }
  return reportOf(stack, state, {
    gateways: seenGateways
      .filter(({ host }) => !lostHosts.includes(host))
      .map(({ otherRoutes, ...gateway }) => ({
        ...gateway,
        otherRoutes: otherRoutes.filter(({ host }) => !lostHosts.includes(host)),
      })),
    stackChecks: [
      ...problems,
      ...ofHosts.flatMap(({ host, checks }) => (lostHosts.includes(host) ? [] : checks)),
      newer,
    ],
    kasm: await factsOf(kasmHost, kasm),
  });
}

/** The images of a stack on one of its hosts. */
function imagesOn({ images }: StackState, host: string): Pick<StackState, "images"> {
  return { images: images.filter((image) => image.host === host) };
}

/** What a host said to each question, or why it said nothing. */
interface Answer {
  readonly said: ReadonlyMap<Look, string>;
  readonly problem: string | undefined;
}

async function ask(
  there: HostDeployment,
  looks: readonly Look[],
  seconds: number,
): Promise<Answer> {
  const { host, target } = there;
  const unreachable = await accessProblem(there);
  if (unreachable !== undefined) {
    return { said: new Map(), problem: unreachable };
  }
  const patientLooks = looks.map((each) => patient(each, seconds));
  const { said, exitCode, stderr } = await lookOnHost(target, patientLooks, seconds + graceSeconds);
  return {
    said: new Map(looks.map((each, index) => [each, said[index] ?? ""])),
    problem: lostConnection(there.settings.host, host, exitCode, stderr),
  };
}

function loginOf(instance: Instance, { outputs }: StackState): Login {
  return gatewayOutputs.parse(outputsOf(outputs, instance));
}

/** What assets/host/status.sh is asked about a gateway. */
export function gatewayLook(instance: Instance, state: StackState): Look {
  const { settings } = instance;
  const login = loginOf(instance, state);
  const isBuilt = buildsImage(settings);
  const address = reachable(settings.publishAddresses[0] ?? "127.0.0.1");
  const environment = state.containers.get(settings.containerName)?.environment ?? [];
  const browser = settings.browser === "sidecar" ? browserName(settings.containerName) : "";
  const offsite = settings.offsite === undefined ? "" : offsiteName(settings.containerName);
  return {
    script: "status.sh",
    containers: [settings.containerName, browser, offsite].filter((name) => name !== ""),
    variables: {
      CONTAINER: settings.containerName,
      DATA_USER: dataUser(settings),
      ORIGIN: `http://${address}:${settings.port.toString()}`,
      BASE_PATH: settings.basePath,
      HEALTH: isBuilt ? "json" : "page",
      USERNAME: login.username,
      PASSWORD: login.password,
      ENVIRONMENT: environment.map((entry) => JSON.stringify(entry)).join("\n"),
      BROWSER: browser,
      SIGN_ON: settings.oidc?.issuer ?? "",
      OFFSITE: offsite,
    },
  };
}

/** What assets/host/gateway-data.sh is asked about a gateway. */
function dataLook({ settings }: Instance): Look {
  return {
    script: "gateway-data.sh",
    containers: [settings.containerName],
    variables: { CONTAINER: settings.containerName, DATA_USER: dataUser(settings) },
    // To see the container's files.
    asRoot: true,
  };
}

function routeLook(settings: Settings, stack: string, server: string): Look | undefined {
  const route = routeOf(settings, server);
  if (route === undefined) {
    return undefined;
  }
  return {
    script: "nginx-route.sh",
    variables: routeVariables(route, stack),
    asRoot: true,
  };
}

/** What was seen of a stack. */
export interface SeenStack {
  readonly gateways: readonly SeenGateway[];
  /** What is judged of the stack as a whole already. */
  readonly stackChecks: readonly Check[];
  /** What assets/host/kasm-status.sh printed. */
  readonly kasm: HostFacts;
}

/** What was seen of a stack, judged. */
export function reportOf(
  stack: string,
  state: StackState,
  { gateways, stackChecks, kasm }: SeenStack,
): Report {
  const { providerKeys, workspaces } = stackOutputs.parse(state.outputs);
  const checks = [
    ...gateways.flatMap((gateway) => {
      const { name } = gateway.instance;
      const { people } = gatewayOutputs.parse(outputsOf(state.outputs, gateway.instance));
      const own = [
        ...gatewayChecks(gateway, state.containers, providerKeys),
        ...(Object.keys(people).length === 0 ? [] : [told("people", peopleText(people))]),
      ];
      return name === "" ? own : own.map((check) => ({ instance: name, ...check }));
    }),
    ...stackChecks,
    ...tileChecks(workspaces, kasm),
  ];
  const sessions = (kasm.get("session") ?? []).map((line): Session => {
    const [workspace = "", user = "", status = "", age = "0"] = line.split("\t");
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

type Declared = StackState["containers"];

function gatewayChecks(
  gateway: SeenGateway,
  declared: Declared,
  providerKeys: readonly string[],
): Check[] {
  const { instance, facts } = gateway;
  const { settings } = instance;
  const answers = gatewayAnswers(gateway);
  const [release = ""] = /20\d\d\.\d+\.\S+$/.exec(answers.version ?? "") ?? [];
  const ofPlugins = pluginCheck(settings, facts, release);
  const ofSessions = sessionCheck(settings, gateway.session, gateway.seconds);
  const size = Number(first(facts, "dataKb") ?? NaN);
  return [
    ...containerChecks(declared.get(settings.containerName), facts, answers),
    judged("gateway", answers.isReady, answers.value),
    dashboardCheck(gateway),
    ...signOnChecks(gateway),
    ...(answers.version === undefined ? [] : [told("version", answers.version)]),
    ...(ofPlugins === undefined ? [] : [ofPlugins]),
    told("provider keys", providerKeys.join(", ") || "none"),
    told("data", Number.isNaN(size) ? "not known" : mebibytes(size * 1024)),
    ...distrustCheck(settings, first(facts, "distrust")),
    ...browserChecks(declared.get(browserName(settings.containerName)), facts),
    ...offsiteChecks(gateway, declared.get(offsiteName(settings.containerName))),
    ...driftChecks(settings, facts),
    ...(ofSessions === undefined ? [] : [ofSessions]),
    ...routeChecks(settings, gateway),
  ];
}

const noAnswer = ({ seconds }: SeenGateway) => `no answer within ${seconds.toString()} s`;

/** What a gateway says of itself. */
interface Answers {
  readonly isReady: boolean;
  readonly value: string;
  readonly version: string | undefined;
}

/**
 * How the gateway is. `/healthz` of an image that was not built here is no proof: it stays good over a dead gateway.
 * There the container's health is, which asks the gateway itself, and before its first check the dashboard's page.
 */
function gatewayAnswers(gateway: SeenGateway): Answers {
  const { facts } = gateway;
  const { settings } = gateway.instance;
  if (buildsImage(settings)) {
    const answer = first(facts, "healthz") ?? "";
    const isReady = answer.includes('"ok":true') && answer.endsWith(" 200");
    const isSilent = answer.trim() === "" || answer.endsWith(" 000");
    return {
      isReady,
      value: isReady ? "ready" : isSilent ? noAnswer(gateway) : answer.trim(),
      version: /"version":"([^"]+)"/.exec(answer)?.[1],
    };
  }
  const health = first(facts, "health");
  const isReady = health === "healthy" || (health === "starting" && opens(facts));
  return {
    isReady,
    value: isReady ? "ready" : `not known to be ready: its health is ${health ?? "not known"}`,
    version: settings.gatewayImage,
  };
}

const opens = (facts: HostFacts) => first(facts, "page") === "opens";

/** The dashboard as people find it: shut without the login and open with it. */
function dashboardCheck(gateway: SeenGateway): Check {
  const { facts } = gateway;
  const stranger = first(facts, "stranger") ?? "";
  const page = first(facts, "page");
  if (Number(stranger) === 0) {
    return judged("dashboard", false, noAnswer(gateway));
  }
  if (stranger !== "401") {
    return judged("dashboard", false, `answers ${stranger} without a login, expected 401`);
  }
  if (page === undefined) {
    return judged("dashboard", false, "asks for a login that the stack does not know");
  }
  const refusal = Number(page) === 0 ? noAnswer(gateway) : `answers ${page}`;
  return judged(
    "dashboard",
    opens(facts),
    opens(facts) ? "opens with its login" : `with its login: ${refusal}`,
  );
}

/** The organisation's login, to which a browser is sent. */
function signOnChecks(gateway: SeenGateway): Check[] {
  const { oidc } = gateway.instance.settings;
  if (oidc === undefined) {
    return [];
  }
  const roles = oidc.groups.map(({ group, role }) => `${group} (${role})`).join(", ");
  const code = first(gateway.facts, "signOn") ?? "";
  const problem = Number(code) === 0 ? noAnswer(gateway) : `answers ${code}; see npm run logs`;
  return [
    judged(
      "sign-on",
      code === "302",
      code === "302" ? `${oidc.issuer}: ${roles}` : `does not lead to ${oidc.issuer}: ${problem}`,
    ),
  ];
}

/** A network that re-signs TLS keeps the gateway from its providers. */
function distrustCheck({ extraCaFile }: Settings, distrust: string | undefined): Check[] {
  const todo =
    extraCaFile === ""
      ? `set ${namespace}:extraCaFile to a PEM file of the authority that signs here`
      : `${namespace}:extraCaFile lacks the authority that signs here`;
  return distrust === undefined
    ? []
    : [judged("certificates", false, `the gateway's log has "${distrust}": ${todo}`)];
}

function containerChecks(
  declared: DeclaredContainer | undefined,
  facts: HostFacts,
  { isReady }: Answers,
): Check[] {
  const number = (name: string) => Number(first(facts, name) ?? NaN);
  const state = first(facts, "state");
  if (state !== "running") {
    return [judged("container", false, state ?? "unknown: Docker does not answer")];
  }
  const isOurs = declared?.id === first(facts, "containerId");
  const health = first(facts, "health") ?? "";
  // Docker asks ten seconds after a start for the first time.
  const isWell = ["", "healthy"].includes(health) || (health === "starting" && isReady);
  const limit = number("memoryLimit");
  const memory = number("memoryUsed") - (number("memoryInactive") || 0);
  const cores = coresUsed(first(facts, "firstCpu"), first(facts, "secondCpu"));
  return [
    judged(
      "container",
      isOurs && isWell,
      isOurs
        ? `running${health && `, ${health}`}`
        : "running, and not the one that this stack made",
    ),
    told(
      "since",
      `${first(facts, "startedAt") ?? ""}, restarted ${first(facts, "restarts") ?? "0"} times`,
    ),
    judged(
      "memory",
      memory <= 0.95 * limit,
      Number.isNaN(memory) ? "not known" : `${mebibytes(memory)} of ${mebibytes(limit)}`,
    ),
    // Two looks take longer than one at the memory, too long on a busy host; that Docker does not answer shows there.
    told(
      "processor",
      Number.isNaN(cores)
        ? "not known"
        : `${cores.toFixed(2)} of ${(number("cpuLimit") / 1e9).toFixed(0)} cores`,
    ),
  ];
}

/** Of two looks, each `NANOSECONDS SECONDS`: the time that processors have worked for it, and the time that has passed. */
function coresUsed(before = "", after = ""): number {
  const [workedThen = NaN, passedThen = NaN] = before.split(" ").map(Number);
  const [worked = NaN, passed = NaN] = after.split(" ").map(Number);
  return (worked - workedThen) / 1e9 / (passed - passedThen);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20).toString()} MiB`;
}

/** Nothing where there is no browser, or where Docker does not tell. */
function browserChecks(declared: DeclaredContainer | undefined, facts: HostFacts): Check[] {
  const state = first(facts, "browser");
  if (state === undefined) {
    return [];
  }
  const isOurs = state === "missing" || declared?.id === first(facts, "browserId");
  return [
    judged(
      "browser",
      isOurs && state === "running, healthy",
      isOurs ? state : `${state}, and not the one that this stack made`,
    ),
  ];
}

/** How old the last backup off the machine is, and what went wrong with the next one. */
function offsiteChecks(gateway: SeenGateway, declared: DeclaredContainer | undefined): Check[] {
  const { facts } = gateway;
  const { offsite } = gateway.instance.settings;
  const name = "off-site backup";
  const state = first(facts, "offsite");
  if (offsite === undefined || state === undefined) {
    return offsite === undefined ? [] : [told(name, noAnswer(gateway))];
  }
  if (state !== "running") {
    return [judged(name, false, `its container is ${state}`)];
  }
  if (declared?.id !== first(facts, "offsiteId")) {
    return [judged(name, false, "its container is not the one that this stack made")];
  }
  const time = (fact: string) => Date.parse(first(facts, fact) ?? "");
  const hours = (since: number) => (time("offsiteNow") - since) / hourMilliseconds;
  const good = time("offsiteGood");
  const problem = first(facts, "offsiteProblem");
  const isMissing = Number.isNaN(good);
  const age = hours(isMissing ? time("offsiteSince") : good);
  if (Number.isNaN(age)) {
    return [told(name, noAnswer(gateway))];
  }
  const isOld = age > offsite.maxAgeHours;
  const last = isMissing
    ? `none yet, the first is due at ${offsite.time} UTC`
    : `the last one is ${age < 48 ? `${Math.floor(age).toString()} hours` : `${Math.floor(age / 24).toString()} days`} old`;
  const limit = isOld ? `; more than ${offsite.maxAgeHours.toString()} hours are too many` : "";
  const failure = problem === undefined ? "" : `; the last attempt failed: ${problem}`;
  return [judged(name, !isOld && problem === undefined, `${last}${limit}${failure}`)];
}

/** What `refresh` does not see: a container may have been made anew by hand, or moved it to other networks. */
function driftChecks({ networkName }: Settings, facts: HostFacts): Check[] {
  if (first(facts, "state") !== "running") {
    return [];
  }
  const networks = (name: string) => {
    const found = (facts.get(name) ?? []).filter((network) => network !== "");
    return [
      ...found.filter((network) => network !== networkName).map((other) => `on network ${other}`),
      ...(found.includes(networkName) ? [] : [`not on network ${networkName}`]),
    ];
  };
  const compared = (name: string) =>
    (facts.get(name) ?? ["environment and labels not known"]).filter((found) => found !== "none");
  const hasBrowser = first(facts, "browserId") !== undefined;
  const differences = [
    ...compared("difference"),
    ...networks("network"),
    ...(hasBrowser
      ? [...compared("browserDifference"), ...networks("browserNetwork")].map(
          (difference) => `browser: ${difference}`,
        )
      : []),
  ];
  return [judged("drift", differences.length === 0, differences.join(", ") || "none")];
}

const hourMilliseconds = dayMilliseconds / 24;

/** Days before its end from which a certificate is a problem. */
const certificateDays = 14;

function nginxCheck(said: string): Check {
  return judged("KASM's nginx", said === routeServes, said || "no answer");
}

function routeChecks(
  settings: Settings,
  { route, otherRoutes = [], browser }: SeenGateway,
): Check[] {
  if (route === undefined || browser === undefined) {
    return [];
  }
  const { certificateEnd } = browser;
  const days = certificateEnd && (certificateEnd.getTime() - Date.now()) / dayMilliseconds;
  return [
    nginxCheck(route),
    ...otherRoutes.map(({ host, route: said }) => ({ host, ...nginxCheck(said) })),
    browserCheck(settings, browser),
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

function tileChecks(
  workspaces: z.output<typeof stackOutputs>["workspaces"],
  facts: HostFacts,
): Check[] {
  const registered = Object.entries(workspaces);
  if (registered.length === 0) {
    return [];
  }
  if (!facts.has("docker")) {
    return [told("tiles", "not known: Docker does not answer")];
  }
  const database = first(facts, "kasmDb");
  if (database === "elsewhere") {
    return [told("tiles", "not known: KASM's database is on another host")];
  }
  if (!facts.has("tiles")) {
    const state = database ?? "not known";
    return [judged("tiles", false, `not known: kasm_db is ${state} and does not answer`)];
  }
  const rows = (facts.get("tile") ?? []).map((line) => line.split("\t"));
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

/** The report as people read it. */
function rendered({ stack, ok, checks, sessions }: Report): string {
  const colour = { ok: chalk.green, bad: chalk.red, info: (text: string) => text };
  const style = { head: [], border: [], compact: true };
  const table = new Table({ style, wordWrap: true });
  table.push(
    ...checks.map(({ instance, host, name, value, state }) => [
      [instance, host === undefined ? undefined : hostSetting(host), name]
        .filter((part) => part !== undefined)
        .join(": "),
      colour[state](printable(value)),
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
        ...[workspace, user, status].map(printable),
        `${Math.floor(age / 60).toString()} min`,
      ]),
    );
    lines.push(running.toString());
  }
  return lines.join("\n");
}
