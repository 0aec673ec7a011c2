import { fromHome } from "../host/files";
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { z } from "zod";
import { defaults } from "../components/defaults";
import { overlap, profilesDirectory } from "../components/hostDirectory";
import { leavesOf, secretLeaves, valueLooksSecret } from "../components/secretTexts";
import { browserKeys } from "../components/gateway/browserConfig";
import { builtInRoles } from "../components/gateway/people";
import { profilePath } from "../components/tileDefaults";
import { gatewayHosts, serversOf } from "./host";
import { asksForBrowser, withPlans } from "./plans";
import { coollabsioKeyNames } from "./providerKeys";
import { apiKeyFileSchema, isPrivate, shape, toldBy } from "./schema";
import { parseSubnet, subnetBehind } from "./subnet";
import { publicKeysIn } from "../host/publicKeys";

/** The program's settings after every check, secrets as plain text: see {@link parseSettings}. */
export type Settings = { readonly [Key in keyof typeof shape]: (typeof shape)[Key]["fallback"] } & {
  /** The host that they are narrowed to (see config/instances.ts); all of them unless given. */
  readonly onHost?: string;
};

/** Settings with values that may only be stored encrypted (`pulumi config set --secret`). */
export const secretKeys = [
  "password",
  "oidcClientSecret",
  "gatewayToken",
  "providerKeys",
  "offsiteAccessKey",
  "offsiteSecretKey",
  "offsitePassword",
  "kasmRegistryPassword",
  "kasmApiKey",
  "kasmApiSecret",
] as const satisfies readonly (keyof Settings)[];

/** Settings of which a part may be secret. Their values are encrypted in the state too, and never quoted. */
const partlySecretKeys: readonly (keyof Settings)[] = ["host", "hosts", "openclawConfig", "people"];

/** Settings as Pulumi hands them over. */
export interface RawSettings {
  /** Texts by key. */
  readonly values: Readonly<Record<string, string>>;
  /** The keys of settings that are stored encrypted, wholly or in part. */
  readonly encrypted: readonly string[];
  /**
   * Settings as the stack's file has them, without the parts that are encrypted there. Pulumi tells of whole settings
   * only. Those that are not encrypted at all unless given.
   */
  readonly inClear?: Readonly<Record<string, string>> | undefined;
}

/** Everything wrong with the settings, in one message for a person; printed without a stack. */
export class SettingsError extends Error {
  constructor(readonly problems: readonly string[]) {
    const count =
      problems.length === 1 ? "1 setting is" : `${problems.length.toString()} settings are`;
    super([`${count} not usable:`, ...problems.map((problem) => `  - ${problem}`)].join("\n"));
    this.name = "SettingsError";
  }
}

/** The `namespace:` of all keys, which is the project's name in Pulumi.yaml. */
export const namespace = "openclaw";

/** Whether the gateway's image is built here rather than the published one of coollabsio. */
export function buildsImage(settings: Pick<Settings, "gatewayImage">): boolean {
  return settings.gatewayImage === "build";
}

/** Which of the two images that the program knows is the gateway's. */
export function imageKind(settings: Pick<Settings, "gatewayImage">): "built" | "coollabsio" {
  return buildsImage(settings) ? "built" : "coollabsio";
}

/**
 * Checks and converts the settings; keys come without their namespace.
 * @throws SettingsError that lists every problem, each with its key, what was found and what was expected.
 * Values of secret settings are never quoted.
 */
export function parseSettings(raw: RawSettings): Settings {
  const { values } = raw;
  const { parsed, problems } = parseEach(raw);
  problems.push(
    ...readApiKey(parsed),
    ...contradictions(parsed, values),
    ...routeContradictions(parsed),
    ...offsiteContradictions(parsed),
    ...kasmImageContradictions(parsed),
    ...workspaceContradictions(parsed),
    ...planContradictions(parsed),
    ...instanceContradictions(parsed),
    ...hostContradictions(parsed),
    ...agentContradictions(parsed),
    ...networkContradictions(parsed),
    ...peopleContradictions(parsed, values),
    ...oidcContradictions(parsed),
    ...kasmGroupContradictions(parsed),
    ...kasmDirectoryContradictions(parsed),
  );
  if (problems.length > 0) {
    throw new SettingsError(problems);
  }
  return withPlans(withRoute(parsed as Settings));
}

/**
 * Checks settings one by one, of which some may be missing.
 * @throws SettingsError like {@link parseSettings}
 */
export function checkEach(settings: RawSettings): void {
  const { problems } = parseEach(settings);
  if (problems.length > 0) {
    throw new SettingsError(problems);
  }
}

function parseEach({ values, encrypted, inClear }: RawSettings): {
  parsed: Partial<Settings>;
  problems: string[];
} {
  const isEncrypted = (key: string) => encrypted.includes(key);
  const open = Object.entries(values).filter(([key]) => !isEncrypted(key));
  const problems = [
    ...unknownKeys(values),
    ...clearSecrets({ ...Object.fromEntries(open), ...inClear }),
    ...lostSecrets(encrypted),
  ];
  const parsed: Partial<Settings> = {};
  for (const [key, { expected, schema, fallback }] of Object.entries(shape)) {
    const value = values[key];
    if (isEncrypted(key) && !mayBeSecret(key)) {
      // Its value must not get into the words of another problem.
      continue;
    }
    const result = value === undefined ? undefined : schema.safeParse(value);
    if (value !== undefined && result?.success === false) {
      const isSecret = isEncrypted(key) || mayBeSecret(key);
      problems.push(...explain({ key, value, isSecret, expected }, result.error));
    } else {
      Object.assign(parsed, { [key]: result ? result.data : fallback });
      problems.push(...(value === undefined || mayBeSecret(key) ? [] : shownSecrets(key, value)));
    }
  }
  return { parsed, problems };
}

/** Path under which KASM's nginx leads to the dashboard unless `basePath` says otherwise. */
const defaultRoutePath = "/openclaw";

/** What follows from the route: a path of KASM's address is OpenClaw's own base path, because the prefix is kept. */
function withRoute(settings: Settings): Settings {
  const isPath = settings.nginxRoute.mode === "path" && settings.basePath === "";
  return isPath ? { ...settings, basePath: defaultRoutePath } : settings;
}

function unknownKeys(values: RawSettings["values"]): string[] {
  return Object.keys(values)
    .filter((key) => !(key in shape))
    .map(
      (key) =>
        `${namespace}:${withoutSecret(key)}: there is no such setting; expected one of ${Object.keys(shape).join(", ")}`,
    );
}

/** Returns a problem for each secret in clear, with its place and without its value. */
function clearSecrets(inClear: Readonly<Record<string, string>>): string[] {
  const places = Object.entries(inClear).flatMap(([key, text]) => {
    const value = parsedJson(text);
    if ((secretKeys as readonly string[]).includes(key)) {
      return isGiven(text) ? leavesOf(key === "providerKeys" ? value : text, key) : [];
    }
    switch (key) {
      case "host":
      case "hosts":
        return leavesOf(value, key).filter(({ name }) => name === "privateKey");
      case "people":
        return leavesOf(value, key).filter(({ name }) => name === "password");
      case "openclawConfig":
        return secretLeaves(value, key);
      default:
        return [];
    }
  });
  return places.map(
    ({ place }) =>
      `${namespace}:${place}: found in clear in the stack's file; expected a secret: npm run pulumi -- config set --secret --path '${namespace}:${place}' --stack STACK`,
  );
}

/** Returns a problem for each text with the form of a secret in a setting that Docker, KASM or the state shows. */
function shownSecrets(key: string, text: string): string[] {
  return leavesOf(parsedJson(text), key)
    .filter((leaf) => valueLooksSecret(leaf.text))
    .map(
      ({ place }) =>
        `${namespace}:${withoutSecret(place)}: found what looks like a secret; expected none, because Docker, KASM or the state shows it`,
    );
}

/** A name for a message; people mix up names and values. */
function withoutSecret(name: string): string {
  return valueLooksSecret(name) ? `(a name of ${name.length.toString()} characters)` : name;
}

/** Whether a value that is in clear may be quoted: what is no JSON for all its brackets can't be looked through. */
function isQuotable(key: string, text: string): boolean {
  const value = parsedJson(text);
  return !(value === text && /^\s*[{[]/.test(text)) && secretLeaves(value, key).length === 0;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Returns a problem for each encrypted setting that Docker, KASM or the state would show in clear. */
function lostSecrets(encrypted: readonly string[]): string[] {
  return encrypted
    .filter((key) => key in shape && !mayBeSecret(key))
    .map(
      (key) =>
        `${namespace}:${key}: found encrypted; expected in clear, because Docker, KASM or the state shows it: npm run pulumi -- config rm ${namespace}:${key} --stack STACK, then config set without --secret`,
    );
}

function mayBeSecret(key: string): boolean {
  return [...secretKeys, ...partlySecretKeys].includes(key as keyof Settings);
}

/** A setting that is set to nothing counts as one that is not given: so it can be unset where only values are set. */
function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== "" && value !== "{}";
}

interface Given {
  readonly key: string;
  readonly value: string;
  readonly isSecret: boolean;
  readonly expected: string;
}

/** What is wrong with a setting: in a line of its own where the schema has words for it, else all in one. */
function explain({ key, value, isSecret, expected }: Given, error: z.ZodError): string[] {
  const told = error.issues.flatMap((issue) => {
    const words = toldBy(issue);
    const place = [key, ...issue.path.map(String)].map(withoutSecret).join(".");
    return words ? [`${namespace}:${place}: found ${words.found}; expected ${words.expected}`] : [];
  });
  const others = error.issues.filter((issue) => !toldBy(issue));
  if (others.length === 0) {
    return told;
  }
  const places = [...new Set(others.map(placeOf))].filter((place) => place !== "");
  const where = places.length > 0 ? ` (${places.join(", ")})` : "";
  // What the schema has words for may be a secret in a place where none belongs.
  const found =
    isSecret || told.length > 0 || !isQuotable(key, value)
      ? `${isSecret ? "a secret" : "a value"} of ${value.length.toString()} characters`
      : JSON.stringify(value);
  return [...told, `${namespace}:${key}: found ${found}${where}; expected ${expected}`];
}

/** Where in a setting something is wrong, and the rule where the schema names it. Never what is there: it may be secret. */
function placeOf(issue: z.core.$ZodIssue): string {
  const names = issue.code === "unrecognized_keys" ? issue.keys : issue.path.map(String);
  const place = names.length > 0 ? `at ${names.map(withoutSecret).join(", ")}` : "";
  const rule = issue.code === "custom" && issue.message !== unnamedRule ? issue.message : "";
  return [place, rule].filter((part) => part !== "").join(": ");
}

/** What zod says of a rule without words of its own. */
const unnamedRule = "Invalid input";

/** Keys of openclaw.json that this program sets itself. */
const managedKeys = [
  "gateway.mode",
  "gateway.bind",
  "gateway.port",
  "gateway.auth",
  "gateway.roles",
  "gateway.trustedProxies",
  "gateway.controlUi.basePath",
  "gateway.controlUi.allowedOrigins",
];

function contradictions(settings: Partial<Settings>, values: RawSettings["values"]): string[] {
  const problems: string[] = [];
  const { gatewayImage, providerKeys, openclawConfig, extraCaFile, publishAddresses } = settings;
  if (
    settings.dataVolume &&
    values.directory !== undefined &&
    values.directory !== defaults.directory
  ) {
    problems.push(
      `${namespace}:dataVolume: found together with ${namespace}:directory; expected only one place for the data`,
    );
  }
  if (gatewayImage !== undefined && gatewayImage !== "build" && providerKeys !== undefined) {
    if (!coollabsioKeyNames.some((name) => name in providerKeys)) {
      problems.push(
        `${namespace}:providerKeys: found no key that ${gatewayImage} starts with; expected at least one of ${coollabsioKeyNames.join(", ")}`,
      );
    }
  }
  if (
    gatewayImage !== undefined &&
    gatewayImage !== "build" &&
    (publishAddresses?.length ?? 1) > 1
  ) {
    problems.push(
      `${namespace}:publishAddresses: found ${(publishAddresses?.length ?? 0).toString()} addresses with ${gatewayImage}; expected one, because that image listens on one port only`,
    );
  }
  if (gatewayImage !== undefined && gatewayImage !== "build" && settings.packages?.length) {
    problems.push(
      `${namespace}:packages: found some with ${gatewayImage}; expected none, because that image is not built here`,
    );
  }
  if (gatewayImage !== undefined && gatewayImage !== "build" && opensPaths(settings)) {
    problems.push(
      `${namespace}:openPaths: found some with ${gatewayImage}; expected none, because that image opens paths by its own variables`,
    );
  }
  for (const key of [...managedKeys, ...(asksForBrowser(settings) ? browserKeys : [])]) {
    if (openclawConfig !== undefined && has(openclawConfig, key.split("."))) {
      problems.push(
        `${namespace}:openclawConfig: found ${key}; expected none of the keys that this program sets itself`,
      );
    }
  }
  const noExtra = extraCaFile && whyNoAuthority(extraCaFile);
  if (noExtra) {
    problems.push(
      `${namespace}:extraCaFile: found ${JSON.stringify(extraCaFile)}, ${noExtra}; expected the path of a PEM file`,
    );
  }
  for (const [key, file] of serversOf(settings).flatMap(([place, server]) => [
    [`${place}.hostKeyFile`, server.hostKeyFile] as const,
    [`${place}.privateKeyFile`, server.privateKeyFile] as const,
    [`${place}.sshConfigFile`, server.sshConfigFile] as const,
    [`${place}.jump.hostKeyFile`, server.jump?.hostKeyFile] as const,
  ])) {
    if (file !== undefined && !existsSync(fromHome(file))) {
      problems.push(
        `${namespace}:${key}: found ${JSON.stringify(file)}, where there is no file; expected the path of ${key.endsWith("ConfigFile") ? "a configuration of ssh's" : "a key's file"}`,
      );
    } else if (
      file !== undefined &&
      key.endsWith("hostKeyFile") &&
      publicKeysIn(readFileSync(fromHome(file), "utf8")).length === 0
    ) {
      problems.push(
        `${namespace}:${key}: found ${JSON.stringify(file)}, which holds no public host key; expected one as in /etc/ssh/ssh_host_ed25519_key.pub`,
      );
    }
  }
  if (publishAddresses?.includes("0.0.0.0") && publishAddresses.length > 1) {
    problems.push(
      `${namespace}:publishAddresses: found 0.0.0.0 beside other addresses; expected it alone, because it means all of them`,
    );
  }
  return problems;
}

function opensPaths({ openPaths }: Partial<Settings>): boolean {
  return [openPaths?.webhooks, openPaths?.api].some(
    (paths) => paths !== undefined && paths.length > 0,
  );
}

/** First parts of the paths that KASM's own nginx serves (orchestrator.conf and services.d of 1.16). */
const kasmPaths = [
  "_options_response",
  "agent",
  "api",
  "desktop",
  "guac",
  "guac_connect",
  "guac_login",
  "kasm_connect",
  "manager_api",
  "rdp-gateway",
  "rdp-https-gateway",
  "remoteDesktopGateway",
  "remote_desktop_lookup",
  "rpc",
  "vm_connect",
  "workspace",
];

/** Returns what adds a problem to a list, in the form that all have. */
function addingTo(problems: string[]) {
  return (key: string, found: string, expected: string) => {
    problems.push(`${namespace}:${key}: found ${found}; expected ${expected}`);
  };
}

function routeContradictions({ nginxRoute, basePath, kasmUrl }: Partial<Settings>): string[] {
  const problems: string[] = [];
  if (nginxRoute?.mode === "path") {
    if (kasmUrl === "") {
      problems.push(
        `${namespace}:kasmUrl: found nothing; expected the address at which people open KASM, which the route by path needs`,
      );
    }
    if (kasmPaths.includes(basePath?.split("/")[1] ?? "")) {
      problems.push(
        `${namespace}:basePath: found ${JSON.stringify(basePath)}, which KASM serves itself; expected another path for the route`,
      );
    }
  }
  if (nginxRoute?.mode === "serverName" && nginxRoute.serverName === undefined) {
    problems.push(
      `${namespace}:nginxRoute: found mode serverName without serverName; expected a name such as openclaw.example.com`,
    );
  }
  return problems;
}

/** Backups off the machine need both keys, and an image that can stop its gateway. */
function offsiteContradictions(settings: Partial<Settings>): string[] {
  const { offsite, gatewayImage } = settings;
  if (offsite === undefined) {
    return [];
  }
  const keys = ["offsiteAccessKey", "offsiteSecretKey"] as const;
  return [
    ...(gatewayImage === undefined || gatewayImage === "build"
      ? []
      : [
          `${namespace}:offsite: found it with ${gatewayImage}; expected nothing, because that image can't stop its gateway for a backup`,
        ]),
    ...keys
      .filter((key) => settings[key] === "")
      .map((key) => `${namespace}:${key}: found nothing; expected that of ${offsite.endpoint}`),
  ];
}

function kasmImageContradictions({ kasmImage, kasmRegistryPassword }: Partial<Settings>): string[] {
  const problems: string[] = [];
  const { build, push } = kasmImage ?? {};
  if (push !== undefined && build === false) {
    problems.push(
      `${namespace}:kasmImage: found push without build; expected "build": true, because only an image that is built can be pushed`,
    );
  }
  if (push?.username !== undefined && kasmRegistryPassword === "") {
    problems.push(
      `${namespace}:kasmRegistryPassword: found nothing; expected the password of ${push.username} at ${push.registry}`,
    );
  }
  return problems;
}

/** Takes KASM's API key from its file where the settings name one; gives what is wrong with that. */
function readApiKey(settings: Partial<Settings>): string[] {
  const { kasmApiKeyFile: file, kasmApiKey, kasmApiSecret } = settings;
  if (!file) {
    return [];
  }
  const where = `${namespace}:kasmApiKeyFile: found`;
  if (kasmApiKey || kasmApiSecret) {
    return [
      `${where} it together with ${namespace}:kasmApiKey or kasmApiSecret; expected only one place for the key`,
    ];
  }
  if (!existsSync(fromHome(file))) {
    return [
      `${where} ${JSON.stringify(file)}, where there is no file; expected the path of a key's file`,
    ];
  }
  const key = apiKeyFileSchema.safeParse(readFileSync(fromHome(file), "utf8"));
  if (!key.success) {
    return [
      `${where} ${JSON.stringify(file)}, which holds something else; expected a JSON object with api_key and api_key_secret`,
    ];
  }
  Object.assign(settings, {
    kasmApiKey: key.data.api_key,
    kasmApiSecret: key.data.api_key_secret,
  });
  return [];
}

function workspaceContradictions(settings: Partial<Settings>): string[] {
  const {
    workspaces = {},
    kasmUrl,
    kasmApiKey,
    kasmApiSecret,
    kasmCaFile,
    kasmFingerprint,
  } = settings;
  const { browser, desktop, link } = workspaces;
  const problems: string[] = [];
  const problem = addingTo(problems);
  if (kasmCaFile && kasmFingerprint) {
    problem("kasmFingerprint", `it together with ${namespace}:kasmCaFile`, "only one of them");
  }
  const noAuthority = kasmCaFile && whyNoAuthority(fromHome(kasmCaFile));
  if (noAuthority) {
    problem(
      "kasmCaFile",
      `${JSON.stringify(kasmCaFile)}, ${noAuthority}`,
      "the path of a PEM file",
    );
  }
  if (!browser && !desktop && !link) {
    return problems;
  }
  if (kasmUrl !== undefined && !kasmUrl.startsWith("https://")) {
    problem(
      "kasmUrl",
      kasmUrl === "" ? "nothing" : JSON.stringify(kasmUrl),
      "KASM's address with https, where tiles are registered with the API key",
    );
  }
  for (const [key, value] of Object.entries({ kasmApiKey, kasmApiSecret })) {
    if (value === "" && settings.kasmApiKeyFile === "") {
      problem(key, "nothing", "that of an API key in KASM (Settings → Developers), for the tiles");
    }
  }
  if (link && link.address === undefined && settings.nginxRoute?.mode === "none") {
    problem("workspaces.link.address", "nothing, and no nginxRoute", "the address to open");
  }
  const isPrivate = settings.publishAddresses?.every((address) => address.startsWith("127."));
  const opensRoute = settings.kasmAgents?.length !== 0 && settings.nginxRoute?.mode !== "none";
  if (browser && browser.address === undefined && isPrivate && !opensRoute) {
    problem(
      "publishAddresses",
      "loopback addresses only",
      "one that KASM's sessions reach, such as 172.17.0.1, or workspaces.browser.address",
    );
  }
  for (const [key, path] of sessionDirectories(desktop)) {
    const data = dataDirectories(settings).find((each) => path !== "" && overlap(path, each));
    if (data !== undefined) {
      problem(
        `workspaces.desktop.${key}`,
        `${path}, which holds or is in ${data}, the data of a gateway`,
        "another path, because every session can read and write there",
      );
    }
  }
  const keys = [browser, desktop, link].flatMap((each) => each?.cast?.key ?? []);
  if (new Set(keys).size < keys.length) {
    problem(
      "workspaces",
      `the same cast key twice in ${keys.join(", ")}`,
      "one of its own for each",
    );
  }
  return problems;
}

/** Directories that sessions of the desktop see, by their settings. */
function sessionDirectories(
  desktop: Settings["workspaces"]["desktop"] | undefined,
): [key: string, path: string][] {
  return [
    ["sharedDirectory", desktop?.sharedDirectory ?? ""],
    ["persistentProfilePath", profilesDirectory(desktop?.persistentProfilePath ?? "")],
  ];
}

/** What is to be made for an account in KASM's own directory; there is a place for profiles, and no other. */
function kasmDirectoryContradictions(settings: Partial<Settings>): string[] {
  const { kasmDirectory = defaults.kasmDirectory, workspaces } = settings;
  const made = [
    ...dataDirectories(settings).map((path) => ["directory", path] as const),
    ...sessionDirectories(workspaces?.desktop).map(
      ([key, path]) => [`workspaces.desktop.${key}`, path] as const,
    ),
  ];
  return made
    .filter(
      ([, path]) =>
        path !== "" &&
        overlap(path, kasmDirectory) &&
        !`${path}/`.startsWith(`${kasmDirectory}/profiles/`),
    )
    .map(
      ([key, path]) =>
        `${namespace}:${key}: found ${path}, which holds or is in KASM's own directory ${kasmDirectory}; expected another path`,
    );
}

/** Directories that gateways mount as their data. */
function dataDirectories({ directory, dataVolume, instances = [] }: Partial<Settings>): string[] {
  if (directory === undefined || dataVolume) {
    return [];
  }
  return instances.length === 0
    ? [`${directory}/data`]
    : instances.map(({ name }) => `${directory}-${name}/data`);
}

/** What keeps a file from being one of certificate authorities; undefined where nothing does. */
function whyNoAuthority(file: string): string | undefined {
  if (!existsSync(file)) {
    return "where there is no file";
  }
  try {
    new X509Certificate(readFileSync(file));
    return undefined;
  } catch {
    return "which holds no certificate";
  }
}

function instanceContradictions({ instances = [], port = 0, workspaces = {} }: Partial<Settings>) {
  const problems: string[] = [];
  if (port + instances.length > 65_536) {
    problems.push(
      `${namespace}:port: found ${port.toString()}; expected one that ${instances.length.toString()} instances can count up from`,
    );
  }
  for (const kind of ["browser", "link"] as const) {
    const { address, importId } = workspaces[kind] ?? {};
    if (instances.length > 0 && (address !== undefined || importId !== undefined)) {
      problems.push(
        `${namespace}:workspaces.${kind}: found an address or importId together with ${namespace}:instances; expected neither, because each instance has a tile of its own`,
      );
    }
  }
  return problems;
}

/** What is wrong with the servers beside that of KASM, and with what is placed on them. */
function hostContradictions(settings: Partial<Settings>): string[] {
  const { hosts = {}, instances = [], kasmAgents = [], overlay, workspaces } = settings;
  const { publishAddresses = [], nginxRoute = shape.nginxRoute.fallback } = settings;
  const names = Object.keys(hosts);
  const forGateways = gatewayHosts({ hosts, instances, kasmAgents, nginxRoute }).slice(1);
  const problems: string[] = [];
  const problem = addingTo(problems);
  const isRouted = nginxRoute.mode !== "none";
  const { webServers, privateAddress: kasmsAddress } = nginxRoute;
  const unknown = webServers.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    problem("nginxRoute.webServers", unknown.join(", "), hostsAmong(names));
  }
  if (!isRouted && webServers.length > 0) {
    problem("nginxRoute", "webServers without a route", "mode path or serverName, or neither");
  }
  const isKasmsDoored =
    webServers.length > 0 &&
    (instances.length === 0 || instances.some(({ host }) => host === undefined));
  if (isRouted && isKasmsDoored && kasmsAddress === undefined && overlay === undefined) {
    problem(
      "nginxRoute.privateAddress",
      "nothing",
      `the address at which the web servers ${webServers.join(", ")} reach the KASM server, where gateways are, or ${namespace}:overlay`,
    );
  }
  if (kasmsAddress !== undefined && webServers.length === 0) {
    problem("nginxRoute.privateAddress", "it without webServers", "both, or nothing");
  }
  const opensSession = workspaces?.browser !== undefined;
  const places = new Map<string, string>();
  for (const [place, { address, port = 22 }] of serversOf(settings)) {
    const socket = `${address.toLowerCase()} ${port.toString()}`;
    const other = places.get(socket);
    if (other !== undefined) {
      problem(
        `${place}.address`,
        `${address}, which is the address of ${namespace}:${other} too`,
        "each server once",
      );
    }
    places.set(socket, place);
  }
  for (const { name, host } of instances) {
    if (host !== undefined && !names.includes(host)) {
      problem("instances", `${name} on ${host}`, hostsAmong(names));
    }
  }
  for (const name of forGateways) {
    const privateAddress = hosts[name]?.privateAddress;
    const key = `hosts.${name}`;
    // With instances, one without any is a host to move them to.
    if (instances.length === 0) {
      problem(
        key,
        "no instance on it",
        `${namespace}:instances, which can be on it, or its name in ${namespace}:kasmAgents or nginxRoute.webServers`,
      );
    }
    if (isRouted && privateAddress === undefined && overlay === undefined) {
      problem(
        `${key}.privateAddress`,
        "nothing",
        `the address at which the KASM server reaches this host, for the route, or ${namespace}:overlay`,
      );
    }
  }
  const doors = [
    ["nginxRoute.privateAddress", kasmsAddress] as const,
    ...forGateways.map(
      (name) => [`hosts.${name}.privateAddress`, hosts[name]?.privateAddress] as const,
    ),
  ];
  for (const [key, address] of isRouted ? doors : []) {
    const taken = publishAddresses.find((each) => [address, "0.0.0.0"].includes(each));
    if (address !== undefined && taken !== undefined) {
      problem(
        "publishAddresses",
        `${taken}, which takes the port of ${key}`,
        "other addresses, because there the route asks for a certificate",
      );
    }
  }
  const isOverlayUsed =
    isRouted &&
    ((isKasmsDoored && kasmsAddress === undefined) ||
      forGateways.some((name) => hosts[name]?.privateAddress === undefined));
  if (overlay !== undefined && !isOverlayUsed) {
    problem(
      "overlay",
      isRouted ? "it and no host that needs it" : "it without nginxRoute",
      `a route to a host of ${namespace}:hosts without privateAddress, or nothing`,
    );
  }
  if (forGateways.length > 0 && opensSession && !isRouted) {
    problem(
      "workspaces.browser",
      `it with gateways on other hosts than KASM (${forGateways.join(", ")}) and no nginxRoute`,
      "a route, by which KASM's sessions reach those",
    );
  }
  return problems;
}

/** What a setting that names hosts expects. */
function hostsAmong(names: readonly string[]): string {
  return names.length === 0
    ? `hosts of ${namespace}:hosts, which has none`
    : `hosts of ${namespace}:hosts: ${names.join(", ")}`;
}

/** What would not be on each of KASM's agents. */
function agentContradictions(settings: Partial<Settings>): string[] {
  const { hosts = {}, kasmAgents = [], nginxRoute, workspaces = {} } = settings;
  const { kasmDirectory = defaults.kasmDirectory } = settings;
  const { browser, desktop } = workspaces;
  const problems: string[] = [];
  const problem = addingTo(problems);
  const unknown = kasmAgents.filter((name) => !(name in hosts));
  if (unknown.length > 0) {
    problem("kasmAgents", unknown.join(", "), hostsAmong(Object.keys(hosts)));
  }
  if (kasmAgents.length === 0) {
    return problems;
  }
  const agents = `several agents (${namespace}:kasmAgents ${kasmAgents.join(", ")})`;
  const isAnywhere = desktop?.serverId === undefined && desktop?.zoneId === undefined;
  const homes = desktop ? profilePath({ ...desktop, host: { kasmDirectory } }) : "";
  if (isAnywhere && profilesDirectory(homes) !== "") {
    problem(
      "workspaces.desktop.persistentProfilePath",
      `${homes} with ${agents}`,
      'an address in a bucket, "" for no homes, or serverId or zoneId, because on another agent a user would find an empty OpenClaw',
    );
  }
  const isRouted = nginxRoute !== undefined && nginxRoute.mode !== "none";
  if (browser && browser.address === undefined && browser.serverId === undefined && !isRouted) {
    problem(
      "workspaces.browser",
      `no address and no nginxRoute with ${agents}`,
      "one of them, because on another agent the session's own host has no gateway",
    );
  }
  return problems;
}

/** How many networks a host gets from Docker's own choice: by default it has 31, of which KASM and others have some too. */
const chosenNetworks = 20;

/** Whether there are addresses for each gateway's network. */
function networkContradictions(settings: Partial<Settings>): string[] {
  const { hosts = {}, instances = [], networkSubnet = "", nginxRoute } = settings;
  const problems: string[] = [];
  const problem = addingTo(problems);
  if (networkSubnet !== "") {
    const last = subnetBehind(networkSubnet, Math.max(0, instances.length - 1));
    if (!isPrivate(parseSubnet(last))) {
      const count = instances.length.toString();
      problem(
        "networkSubnet",
        networkSubnet,
        `one that ${count} private subnets can count up from`,
      );
    }
    return problems;
  }
  // Each route has one on each web server, wherever its gateway is.
  const isRouted = nginxRoute !== undefined && nginxRoute.mode !== "none";
  const onKasms = instances.filter(({ host }) => isRouted || host === undefined).length;
  const elsewhere = Object.keys(hosts).map((name) =>
    nginxRoute?.webServers.includes(name)
      ? instances.length
      : instances.filter(({ host }) => host === name).length,
  );
  const most = Math.max(onKasms, ...elsewhere);
  if (most > chosenNetworks) {
    problem(
      "networkSubnet",
      `nothing with ${most.toString()} networks on a host`,
      `a private subnet such as 10.99.0.0/24 to count up from, because Docker chooses no more than ${chosenNetworks.toString()}`,
    );
  }
  return problems;
}

function peopleContradictions(
  { people = {}, roles = {}, gatewayImage, instances = [] }: Partial<Settings>,
  values: RawSettings["values"],
): string[] {
  const problems: string[] = [];
  const problem = addingTo(problems);
  const names = Object.keys(people);
  for (const [key, given] of Object.entries({ people, roles })) {
    if (gatewayImage !== undefined && gatewayImage !== "build" && Object.keys(given).length > 0) {
      problem(key, `some with ${gatewayImage}`, "none, because that image has one user");
    }
  }
  if (names.length > 0 && isGiven(values.username)) {
    problem("username", `it together with ${namespace}:people`, "only one of them");
  }
  if (names.length > 0 && isGiven(values.password)) {
    problem("password", `it together with ${namespace}:people`, "only one of them");
  }
  const known = Object.keys({ ...builtInRoles, ...roles });
  for (const [name, { role, instances: own = [] }] of Object.entries(people)) {
    const where = `people.${withoutSecret(name)}`;
    const same = names.find((other) => other.toLowerCase() === name.toLowerCase());
    if (same !== undefined && same !== name) {
      problem(where, `${same} too`, "names that differ in more than capital letters");
    }
    if (!known.includes(role)) {
      problem(`${where}.role`, "another one", known.join(", "));
    }
    if (!own.every((each) => instances.some((known) => known.name === each))) {
      problem(`${where}.instances`, own.join(", "), `names of ${namespace}:instances`);
    }
  }
  for (const { name: instance } of names.length > 0 ? instances : []) {
    const has = Object.values(people).some(({ instances: own }) => own?.includes(instance) ?? true);
    if (!has) {
      problem("people", `no person for instance ${instance}`, "one or more");
    }
  }
  return problems;
}

function oidcContradictions(settings: Partial<Settings>): string[] {
  const { oidc, oidcClientSecret, gatewayImage } = settings;
  const problems: string[] = [];
  const problem = addingTo(problems);
  if (oidc === undefined) {
    return problems;
  }
  if (gatewayImage !== undefined && gatewayImage !== "build") {
    problem("oidc", `it with ${gatewayImage}`, "nothing, because that image has one user");
  }
  if (oidcClientSecret === "") {
    problem("oidcClientSecret", "nothing", `that of ${oidc.clientId} at ${oidc.issuer}`);
  }
  if (oidcClientSecret?.startsWith("exec:")) {
    problem("oidcClientSecret", "one that begins with exec:", "another one");
  }
  return [...problems, ...unknownRoles("oidc.groups", oidc.groups, settings)];
}

function unknownRoles(
  place: string,
  groups: Settings["kasmGroups"],
  { roles = {} }: Partial<Settings>,
): string[] {
  const problems: string[] = [];
  const problem = addingTo(problems);
  const known = Object.keys({ ...builtInRoles, ...roles });
  groups.forEach(({ role }, index) => {
    if (!known.includes(role)) {
      problem(`${place}[${index.toString()}].role`, "another one", known.join(", "));
    }
  });
  return problems;
}

function kasmGroupContradictions(settings: Partial<Settings>): string[] {
  const { kasmGroups = [], gatewayImage, kasmUrl, kasmApiKeyFile } = settings;
  const problems: string[] = [];
  const problem = addingTo(problems);
  if (kasmGroups.length === 0) {
    return problems;
  }
  if (gatewayImage !== undefined && gatewayImage !== "build") {
    problem("kasmGroups", `some with ${gatewayImage}`, "none, because that image has one user");
  }
  if (kasmUrl !== undefined && !kasmUrl.startsWith("https://")) {
    const found = kasmUrl === "" ? "nothing" : JSON.stringify(kasmUrl);
    problem("kasmUrl", found, "KASM's address with https, where it is asked who is in kasmGroups");
  }
  for (const key of ["kasmApiKey", "kasmApiSecret"] as const) {
    if (settings[key] === "" && kasmApiKeyFile === "") {
      problem(key, "nothing", "that of an API key in KASM (Settings → Developers), for kasmGroups");
    }
  }
  return [...problems, ...unknownRoles("kasmGroups", kasmGroups, settings)];
}

function planContradictions({ desktopPlan, workspaces }: Partial<Settings>): string[] {
  return desktopPlan !== undefined && desktopPlan !== "none" && workspaces?.desktop === undefined
    ? [
        `${namespace}:desktopPlan: found ${desktopPlan} and no tile for desktops; expected ${namespace}:workspaces with desktop`,
      ]
    : [];
}

function has(value: unknown, [first, ...rest]: readonly string[]): boolean {
  if (first === undefined) {
    return true;
  }
  return typeof value === "object" && value !== null && first in value
    ? has((value as Record<string, unknown>)[first], rest)
    : false;
}
