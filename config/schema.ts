import { publicKeyPattern } from "../host/publicKeys";
import { isIPv6 } from "node:net";
import { isDeepStrictEqual } from "node:util";
import type { Server } from "../host/server";
import { z } from "zod";
import { dayMilliseconds } from "../components/days";
import { defaults } from "../components/defaults";
import { operatorScopes } from "../components/gateway/people";
import { isUsableDirectory, profilesDirectory } from "../components/hostDirectory";
import { looksSecret } from "../providers/kasm/secretNames";
import { parseSubnet, type Subnet } from "./subnet";
import { desktopPlanNames, gatewayPlanNames, leastMemoryMb } from "./plans";
import { providerKeyNames } from "./providerKeys";

/** What a setting accepts: in words that end the sentence "expected …", and as a check that converts it. */
interface Setting<T> {
  readonly expected: string;
  readonly schema: z.ZodType<T>;
  /** The value of a setting that is not given. */
  readonly fallback: T;
}

/** What is wrong with a value in words of its own: it may hold what no error shows, or what is expected is not its form. */
const told = z.object({ found: z.string(), expected: z.string() });

/** The words of a check that is made with {@link told}, if it is. */
export function toldBy(issue: z.core.$ZodIssue): z.output<typeof told> | undefined {
  return issue.code === "custom" ? told.safeParse(issue.params).data : undefined;
}

function tellAs(found: string, expected: string): { params: z.output<typeof told> } {
  return { params: { found, expected } };
}

function setting<T>(expected: string, schema: z.ZodType<T>, fallback: NoInfer<T>): Setting<T> {
  return { expected, schema, fallback };
}

const text = (expected: string, pattern: RegExp, fallback: string) =>
  setting(expected, z.string().regex(pattern), fallback);

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.number().min(least).max(most));

/** Pulumi hands structured settings over as JSON text. */
const json = z.string().transform((value, context): unknown => {
  try {
    return JSON.parse(value);
  } catch {
    context.addIssue({ code: "custom", message: "not JSON" });
    return z.NEVER;
  }
});

/**
 * Reads a day or a time in UTC; the day that has begun somewhere on earth counts as past. YAML makes times of both unless
 * they are in quotes, which the engine then writes in a form of Go's.
 */
const pastTime = z
  .string()
  .transform((value) =>
    value
      .replace(/^(\S+) (\S+) \+0000 UTC$/, "$1T$2Z")
      .replace(/^\d{4}-\d\d-\d\d$/, "$&T00:00:00Z"),
  )
  .refine((value) => {
    const time = Date.parse(value);
    return (
      time < Date.now() + dayMilliseconds &&
      new Date(time).toISOString().replace(".000Z", "Z") === value
    );
  });

const ipv4 = z.ipv4();

/** Networks on which the gateway takes a proxy's word for TLS. */
const privateNetworks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];

/** Whether a subnet is part of a private network. */
export function isPrivate({ first, size }: Subnet): boolean {
  return privateNetworks.map(parseSubnet).some((other) => {
    const end = other.first + other.size;
    return first >= other.first && first + size <= end;
  });
}

const privateSubnet = z.cidrv4().refine((value) => {
  const subnet = parseSubnet(value);
  const { first, bits, size } = subnet;
  return first % size === 0 && bits >= 8 && bits <= 29 && isPrivate(subnet);
});

/** A directory of a host, without a link to a parent. */
const hostPath = z.string().regex(/^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/);

/** An image with a tag or digest. */
const imageReference =
  /^[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$/;

const dockerName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;

/** An origin as browsers send it: scheme, host and, unless it is the scheme's own, the port. */
const origin = z.string().refine((value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return (url?.protocol === "http:" || url?.protocol === "https:") && url.origin === value;
});

const usableDirectory =
  "an absolute path of letters, digits and . _ - that is not one of the system's own directories";

const directory = z.string().refine(isUsableDirectory);

const relativeOrAbsolutePath = z.string().regex(/^[^\0\n"]+$/);
/** A public host key as in /etc/ssh/ssh_host_ed25519_key.pub. */
const publicKey = z
  .string()
  .trim()
  .regex(new RegExp(`^${publicKeyPattern.source}( .*)?$`));
/** A host name or an alias of ssh's; an IPv6 address with or without brackets. */
const sshAddress = z
  .string()
  .transform((address) => address.replace(/^\[(.*)\]$/, "$1"))
  .refine(
    (address) =>
      /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(address) ||
      (isIPv6(address) && /^[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?$/.test(address)),
  );

/** A user of the server's own or of a domain: `jane`, `jane@corp.example.com`, `CORP\jane`. */
const sshUser = z
  .string()
  .max(256)
  .regex(
    /^([A-Za-z0-9][A-Za-z0-9.-]*\\)?[A-Za-z0-9_][A-Za-z0-9_.+-]*(@[A-Za-z0-9][A-Za-z0-9.-]*)?$/,
  );

const sshPort = z.number().int().min(1).max(65535);

const hostKeys = { hostKey: publicKey.optional(), hostKeyFile: relativeOrAbsolutePath.optional() };

const exactlyOneHostKey = (server: { hostKey?: unknown; hostKeyFile?: unknown }) =>
  (server.hostKey === undefined) !== (server.hostKeyFile === undefined);

const oneHostKey = "one of hostKey and hostKeyFile is needed, and not both";

const jump = z
  .strictObject({
    address: sshAddress,
    port: sshPort.default(22),
    user: sshUser.default("root"),
    ...hostKeys,
  })
  .refine(exactlyOneHostKey, oneHostKey);

const serverMembers = {
  address: sshAddress,
  port: sshPort.optional(),
  user: sshUser.optional(),
  ...hostKeys,
  privateKey: z
    .string()
    .regex(/^-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n/)
    .optional(),
  privateKeyFile: relativeOrAbsolutePath.optional(),
  jump: jump.optional(),
  sshConfigFile: relativeOrAbsolutePath.optional(),
};

/** Returns the schema of a server with members of its own beside those of every server. */
function serverWith<T extends z.ZodRawShape>(members: T) {
  return (
    z
      .strictObject({ ...serverMembers, ...members })
      .refine((given) => {
        const server = given as Server;
        return (
          exactlyOneHostKey(server) ||
          (server.sshConfigFile !== undefined &&
            (server.hostKey === undefined || server.hostKeyFile === undefined))
        );
      }, oneHostKey)
      .refine((given) => {
        const server = given as Server;
        return server.privateKey === undefined || server.privateKeyFile === undefined;
      }, "privateKey and privateKeyFile exclude each other")
      .refine((given) => {
        const { sshConfigFile, port, user, privateKey, privateKeyFile, jump } = given as Server;
        return (
          sshConfigFile === undefined ||
          [port, user, privateKey, privateKeyFile, jump].every((own) => own === undefined)
        );
      }, "port, user, privateKey, privateKeyFile and jump stand in sshConfigFile, for the alias in address")
      // Of an alias the file says these.
      .transform((given) => {
        const server = given as Server;
        return {
          ...given,
          ...(server.sshConfigFile === undefined && {
            port: server.port ?? 22,
            user: server.user ?? "root",
          }),
        };
      })
  );
}

const host = serverWith({});

const instanceName = z.string().regex(/^[a-z][a-z0-9]{0,19}$/);

/** Names of hosts. */
const hostList = z
  .array(instanceName)
  .refine((list) => new Set(list).size === list.length, "none twice");

const hosts = z.record(instanceName, serverWith({ privateAddress: z.ipv4().optional() }));

const overlay = z.strictObject({
  name: z.string().regex(dockerName),
  encrypted: z.boolean().default(false),
  hostSubnet: z
    .cidrv4()
    .refine((value) => parseSubnet(value).first % parseSubnet(value).size === 0)
    .optional(),
  // The least that IPv4 asks of every network, and the largest frames there are.
  mtu: z.number().int().min(576).max(9000).optional(),
});

/** The name of an instance, or with a host of {@link hosts} the place where it is. */
const instance = z.union([
  instanceName.transform((name): { name: string; host?: string | undefined } => ({ name })),
  z.strictObject({ name: instanceName, host: instanceName.optional() }),
]);

/** An empty object as nothing, as for the other settings. */
const jsonOrNothing = json.transform((value) => (isDeepStrictEqual(value, {}) ? undefined : value));

const nginxRoute = z.strictObject({
  mode: z.enum(["none", "path", "serverName"]).default("none"),
  serverName: z
    .string()
    .regex(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/)
    .optional(),
  directory: hostPath.optional(),
  fileName: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*\.conf$/)
    .optional(),
  proxyContainer: z.string().regex(dockerName).default(defaults.proxyContainer),
  webServers: hostList.default([]),
  privateAddress: z.ipv4().optional(),
});

/** A path of the gateway's own that is open without the login; /healthz is already. */
const openPath = z
  .string()
  .regex(/^(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/)
  .refine((path) => path !== "/healthz");

const openPaths = z
  .strictObject({
    webhooks: z.array(openPath).default([]),
    api: z.array(openPath).default([]),
  })
  .refine(
    ({ webhooks, api }) => new Set([...webhooks, ...api]).size === webhooks.length + api.length,
    "none twice",
  );

/** No colon, which ends a name in basic authentication. */
const loginName = /^[A-Za-z0-9._@+-]{1,64}$/;

const people = z.record(
  z.string().regex(loginName),
  z.strictObject({
    role: z.string(),
    password: z
      .string()
      .regex(/^[\x21-\x7e]{12,256}$/)
      .optional(),
    instances: z.array(instanceName).min(1).optional(),
  }),
);

const roles = z.record(
  z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    // The gateway's own role for people that the settings do not name.
    .refine((name) => name !== "unassigned"),
  z.strictObject({
    sessions: z.strictObject({ others: z.enum(["none", "view", "suggest", "write"]) }),
    agents: z.literal("*").or(z.array(z.string().min(1))),
    scopes: z.array(z.enum(operatorScopes)),
    sandbox: z.literal("required").optional(),
  }),
);

/** A text without spaces, as OpenID Connect has its names. */
const word = z.string().regex(/^[\x21-\x7e]{1,256}$/);

const issuer = z
  .url({ protocol: /^https$/ })
  .refine((value) => !holdsLogin(value) && !/[?#"\\]/.test(value) && value.length <= 256);

/** Groups with the role of their people. */
const groupRoles = z
  .array(z.strictObject({ group: z.string().regex(/^[^\p{Cc}]{1,256}$/u), role: z.string() }))
  .refine((list) => new Set(list.map(({ group }) => group)).size === list.length, "no group twice");

const oidc = z.strictObject({
  issuer,
  clientId: word,
  groups: groupRoles.refine((list) => list.length > 0),
  groupsClaim: word.default(defaults.oidc.groupsClaim),
  scopes: z
    .array(word)
    .refine((list) => list.includes("openid"), "openid is one of them")
    .default([...defaults.oidc.scopes]),
});

const kasmImage = z.strictObject({
  build: z.boolean().default(false),
  name: z
    .string()
    .regex(/^[a-z0-9]+([._/-][a-z0-9]+)*$/)
    .default(defaults.kasmImageName),
  baseImage: z.string().regex(imageReference).optional(),
  push: z
    .strictObject({
      registry: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?(\/[a-z0-9]+([._-][a-z0-9]+)*)*$/),
      username: z
        .string()
        .regex(/^[\x21-\x7e]+$/)
        .optional(),
    })
    .optional(),
});

const offsite = z.strictObject({
  endpoint: origin,
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*(\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/)
    .optional(),
  time: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/)
    .default(defaults.offsite.time),
  keep: z
    .strictObject({
      daily: z.number().int().min(1).max(1000).default(defaults.offsite.keep.daily),
      weekly: z.number().int().min(0).max(1000).default(defaults.offsite.keep.weekly),
      monthly: z.number().int().min(0).max(1000).default(defaults.offsite.keep.monthly),
    })
    .default({ ...defaults.offsite.keep }),
  // A day, and half of one for a failure that ends by itself.
  maxAgeHours: z.number().int().min(25).max(8760).default(36),
  proxy: origin.optional(),
});

/** A line that people read. */
const line = z.string().regex(/^[^\p{Cc}]+$/u);

const kasmId = z
  .string()
  .regex(/^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/)
  .optional();

const webUrl = z
  .url({ protocol: /^https?$/ })
  .refine(
    (value) => !holdsLogin(value),
    tellAs(
      "a login or a token in it",
      "an address without, because everybody who may see workspaces in KASM reads it there",
    ),
  );

/** Whether an address has a login in it, or something secret behind `?` or `#`. */
function holdsLogin(value: string): boolean {
  if (!URL.canParse(value)) {
    return false;
  }
  const { username, password, search, hash } = new URL(value);
  const names = [search, hash].flatMap((part) => [...new URLSearchParams(part.slice(1)).keys()]);
  return username !== "" || password !== "" || names.some(looksSecret);
}

const url = webUrl.optional();

const cast = z.strictObject({
  key: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  allowAnonymous: z.boolean().optional(),
  group: line.optional(),
  allowedReferrers: z.array(z.hostname()).optional(),
  requireRecaptcha: z.boolean().optional(),
  allowResume: z.boolean().optional(),
  enableSharing: z.boolean().optional(),
  disableControlPanel: z.boolean().optional(),
  disableTips: z.boolean().optional(),
  disableFixedResolution: z.boolean().optional(),
  errorUrl: url,
});

const tile = {
  friendlyName: line.optional(),
  description: line.optional(),
  thumbnail: line.optional(),
  categories: z.array(line).optional(),
  groups: z.array(line).optional(),
  enabled: z.boolean().optional(),
  hidden: z.boolean().optional(),
  importId: kasmId,
};

const session = {
  ...tile,
  cast: cast.optional(),
  image: z.string().regex(imageReference).optional(),
  dockerRegistry: webUrl.or(z.literal("")).optional(),
  cores: z.number().min(0.1).max(256).optional(),
  memoryMb: z.number().int().min(256).max(1048576).optional(),
  cpuAllocation: z.enum(["Inherit", "Quotas", "Shares"]).optional(),
  sessionTimeLimitSeconds: z.number().int().min(60).optional(),
  zoneId: kasmId,
  serverId: kasmId,
  environment: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string())
    .refine(
      (variables) => !Object.keys(variables).some(looksSecret),
      tellAs(
        "names that look like secrets",
        "none, because everybody who may see workspaces in KASM reads them there",
      ),
    )
    .optional(),
  availableWithinSeconds: z.number().int().min(5).max(3600).optional(),
};

/** Where KASM keeps the users' homes: a bucket, or a path of the host with a part for each user. */
const profilePath = z
  .string()
  .regex(/^$|^(?=.*\{(username|user_id)\})(s3:\/)?(\/[A-Za-z0-9_{][A-Za-z0-9._{}-]*)+$/)
  .refine(
    (path) => !path.startsWith("/") || isUsableDirectory(profilesDirectory(path)),
    tellAs(
      "a path in one of the system's own directories",
      `${usableDirectory} before the user's part`,
    ),
  );

const workspaces = z.strictObject({
  browser: z.strictObject({ ...session, address: url }).optional(),
  desktop: z
    .strictObject({
      ...session,
      persistentProfilePath: profilePath.optional(),
      sharedDirectory: z
        .string()
        .refine(
          (path) => path === "" || isUsableDirectory(path),
          tellAs("another path", usableDirectory),
        )
        .optional(),
      askForKeys: z.array(z.enum(providerKeyNames)).optional(),
      allowSecretsInRunConfig: z.boolean().optional(),
    })
    .optional(),
  link: z
    .strictObject({
      ...tile,
      address: url,
      cast: z
        .custom<undefined>(
          (value) => value === undefined,
          tellAs(
            "it",
            "it at browser or desktop, because a cast starts a session, and a link has none",
          ),
        )
        .optional(),
    })
    .optional(),
});

/** The tiles of KASM's dashboard that lead to OpenClaw, each with what differs from its defaults. */
export type Workspaces = z.output<typeof workspaces>;

/** How KASM's own nginx leads to the dashboard. */
export type NginxRoute = z.output<typeof nginxRoute>;

/** Secrets given by hand: printable, and not a template's placeholder that was never filled in. */
const secret = (least: number, most = 4096) =>
  setting(
    `a secret of ${least.toString()} to ${most.toString()} printable characters without spaces, and not a placeholder such as \${NAME}`,
    z
      .string()
      .regex(/^[\x21-\x7e]*$/)
      .refine(
        (value) =>
          (value === "" || (value.length >= least && value.length <= most)) &&
          !value.startsWith("${"),
      ),
    "",
  );

/** A file with an API key of KASM: the two members that each call to its API has. */
export const apiKeyFileSchema = json.pipe(
  z.object({
    api_key: z.string().regex(/^[\x21-\x7e]{8,}$/),
    api_key_secret: z.string().regex(/^[\x21-\x7e]{16,}$/),
  }),
);

/**
 * Every setting with the form it is given in (Pulumi's configuration is text) and what becomes of it.
 * What each is, for people, is in descriptions.ts.
 */
export const shape = {
  gatewayImage: text(
    `"build" or a pinned reference of coollabsio/openclaw such as coollabsio/openclaw:2026.9.6`,
    /^(build|(docker\.io\/|ghcr\.io\/)?coollabsio\/openclaw(:(?!latest$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64}))$/,
    "build",
  ),
  openclawVersion: text(
    "a version of the npm package openclaw such as 2026.9.6",
    /^20\d\d\.\d{1,2}\.\d{1,3}(-[0-9a-z.]+)?$/,
    defaults.openclawVersion,
  ),
  baseImage: text(
    "an image reference with a tag or digest such as node:26-bookworm-slim",
    imageReference,
    defaults.baseImage,
  ),
  imagesFrom: setting(
    "a day or a time in UTC that is not in the future, such as 2026-11-29 or 2026-11-29T03:10:00Z, or nothing",
    z.literal("").or(pastTime),
    "",
  ),
  maxImageDays: setting(
    "a whole number of days from 1 to 3650, or 0 for any age",
    wholeNumber(0, 3650),
    0,
  ),
  packages: setting(
    "a list of names of Debian packages such as git, none twice",
    json.pipe(
      z
        .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/))
        .refine((list) => new Set(list).size === list.length),
    ),
    [],
  ),
  extraCaFile: text("the path of a PEM file, or nothing", /^[^\0\n]*$/, ""),
  buildProxy: setting(
    "the address of an HTTP proxy such as http://proxy.example.com:3128, without a login and a path, or nothing",
    z.union([z.literal(""), origin]),
    "",
  ),
  username: text(
    "1 to 64 letters, digits or any of . _ @ + - (no colon, which ends a name in basic authentication)",
    loginName,
    defaults.username,
  ),
  // openssl, which makes the hash in the image, reads no more.
  password: secret(12, 256),
  people: setting(
    "an object of people by name (1 to 64 letters, digits or any of . _ @ + -), each with role, and where they differ from the defaults password (12 to 256 printable characters without spaces) and instances",
    json.pipe(people),
    {},
  ),
  roles: setting(
    "an object of roles by name (lower-case letters, digits and -, other than unassigned), each with sessions.others (none, view, suggest or write), agents (a list, or *), scopes such as operator.read, and sandbox (required) or not",
    json.pipe(roles),
    {},
  ),
  oidc: setting(
    "an object with issuer (https://…), clientId and groups (a list of objects with group and role, no group twice), and where they differ from the defaults groupsClaim and scopes (with openid)",
    jsonOrNothing.pipe(oidc.optional()),
    undefined,
  ),
  oidcClientSecret: secret(8),
  kasmGroups: setting(
    "a list of objects with group (a group of KASM) and role, no group twice",
    json.pipe(groupRoles),
    [],
  ),
  gatewayToken: secret(24),
  providerKeys: setting(
    "an object of provider keys by the names OpenClaw knows, such as ANTHROPIC_API_KEY, each a text of 8 or more characters without spaces",
    json.pipe(z.partialRecord(z.enum(providerKeyNames), z.string().regex(/^[\x21-\x7e]{8,}$/))),
    {},
  ),
  openclawConfig: setting(
    "a JSON object in the form of openclaw.json",
    json.pipe(z.record(z.string(), z.unknown())),
    {},
  ),
  containerName: text("a Docker container name", dockerName, "openclaw"),
  networkName: setting(
    "a Docker network name other than bridge, host and none",
    z
      .string()
      .regex(dockerName)
      .refine((name) => !["bridge", "host", "none"].includes(name)),
    "openclaw-net",
  ),
  networkSubnet: setting(
    "a private IPv4 subnet of 8 to 29 bits such as 10.99.0.0/24, or nothing",
    z.literal("").or(privateSubnet),
    "",
  ),
  port: setting("a whole number from 1 to 65535", wholeNumber(1, 65535), defaults.port),
  publishAddresses: setting(
    "a list of one to four IPv4 addresses of the host, none twice",
    json.pipe(
      z
        .array(ipv4)
        .min(1)
        .max(4)
        .refine((list) => new Set(list).size === list.length),
    ),
    [...defaults.publishAddresses],
  ),
  basePath: text(
    "nothing, or a path such as /openclaw that starts with a slash and does not end with one, other than the gateway's /healthz",
    /^(?!\/(healthz|down\.json)(\/|$))((\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+)?$/,
    "",
  ),
  allowedOrigins: setting(
    "a list of origins such as https://kasm.example.com, without a path",
    json.pipe(z.array(origin)),
    [],
  ),
  openPaths: setting(
    "an object with webhooks and api, lists of paths such as /hooks and /v1, none twice and none /healthz",
    json.pipe(openPaths),
    openPaths.parse({}),
  ),
  directory: setting(usableDirectory, directory, defaults.directory),
  dataVolume: text("a Docker volume name, or nothing", /^([a-zA-Z0-9][a-zA-Z0-9_.-]{1,62})?$/, ""),
  removeDataOnDestroy: setting(
    "true or false",
    z.enum(["true", "false"]).transform((value) => value === "true"),
    false,
  ),
  offsite: setting(
    "an object with endpoint (https://host[:port]) and bucket, and where they differ from the defaults prefix (a path such as kasm/openclaw), time (HH:MM in UTC), keep with daily (1 or more), weekly and monthly, maxAgeHours (25 or more) and proxy (http://host:port)",
    jsonOrNothing.pipe(offsite.optional()),
    undefined,
  ),
  offsiteAccessKey: secret(3),
  offsiteSecretKey: secret(8),
  // The storage's owner can try as many as he likes.
  offsitePassword: secret(20),
  instances: setting(
    "a list of up to 100 names of lower-case letters and digits, each 1 to 20 characters long and starting with a letter, none twice; or in place of a name an object with name and host, one of openclaw:hosts",
    json.pipe(
      z
        .array(instance)
        .max(100)
        .refine((list) => new Set(list.map(({ name }) => name)).size === list.length),
    ),
    [],
  ),
  plan: setting("small, medium or large", z.enum(gatewayPlanNames), "small"),
  desktopPlan: setting("none, one, five or ten", z.enum(["none", ...desktopPlanNames]), "none"),
  browser: setting(
    "sidecar or none, or plan for what the plan says",
    z.enum(["plan", "none", "sidecar"]),
    "plan",
  ),
  cpus: setting(
    "a whole number of processor cores from 1 to 256, or 0 for what the plan says",
    wholeNumber(0, 256),
    0,
  ),
  memoryMb: setting(
    `a whole number of MiB from ${leastMemoryMb.toString()} (OpenClaw alone takes about 1000) to 1048576, or 0 for what the plan says`,
    wholeNumber(0, 1048576).refine((mb) => mb === 0 || mb >= leastMemoryMb),
    0,
  ),
  host: setting(
    "an object with address, port (22), user (root), hostKey or hostKeyFile, and privateKey or privateKeyFile (the SSH agent without either), and jump with the first four of a server in between; or address, an alias, and sshConfigFile that has it; or nothing for this machine",
    jsonOrNothing.pipe(host.optional()),
    undefined,
  ),
  hosts: setting(
    "an object of servers by names of lower-case letters and digits, each in the form of openclaw:host, and with privateAddress, its IPv4 address in the network that it shares with KASM, unless openclaw:overlay joins them",
    json.pipe(hosts),
    {},
  ),
  overlay: setting(
    "an object with name, the network's name in the swarm, and if needed encrypted (true or false), hostSubnet, the subnet of the hosts' addresses for each other such as 10.0.0.0/24, and mtu, 576 to 9000; or nothing",
    jsonOrNothing.pipe(overlay.optional()),
    undefined,
  ),
  kasmUrl: setting(
    "the address at which people open KASM such as https://kasm.example.com, without a path, or nothing",
    z.union([z.literal(""), origin]),
    "",
  ),
  kasmDirectory: setting(
    "an absolute path such as /data/kasm, without a link to a parent",
    hostPath,
    defaults.kasmDirectory,
  ),
  nginxRoute: setting(
    "an object with mode (none, path or serverName), and where they differ from the defaults serverName, directory (an absolute path), fileName (ending in .conf), proxyContainer, webServers (a list of hosts of openclaw:hosts, none twice) and privateAddress (an IPv4 address)",
    json.pipe(nginxRoute),
    nginxRoute.parse({}),
  ),
  kasmAgents: setting("a list of hosts of openclaw:hosts, none twice", json.pipe(hostList), []),
  kasmImage: setting(
    "an object with build (true or false), and where they differ from the defaults name, baseImage (with a tag or digest) and push with registry (host[:port][/path]) and username",
    json.pipe(kasmImage),
    kasmImage.parse({}),
  ),
  kasmRegistryPassword: secret(8),
  kasmApiKey: secret(8),
  kasmApiSecret: secret(16),
  kasmApiKeyFile: text("the path of a JSON file, or nothing", /^[^\0\n]*$/, ""),
  kasmCaFile: text("the path of a PEM file, or nothing", /^[^\0\n]*$/, ""),
  kasmFingerprint: setting(
    "the SHA-256 fingerprint of a certificate, 64 hexadecimal digits with or without colons, or nothing",
    z
      .string()
      .regex(/^(([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2})?$/)
      .transform((value) => value.replaceAll(":", "").toLowerCase()),
    "",
  ),
  workspaces: setting(
    "an object with any of browser, desktop and link, each an object with what differs from its defaults; docs/kasm.md#options has the options",
    json.pipe(workspaces),
    {},
  ),
  readyTimeoutSeconds: setting(
    "a whole number of seconds from 10 to 3600",
    wholeNumber(10, 3600),
    defaults.readyTimeoutSeconds,
  ),
};
