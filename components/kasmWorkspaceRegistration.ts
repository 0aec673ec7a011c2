import * as pulumi from "@pulumi/pulumi";
import { castFields } from "../providers/kasm/castFields";
import { defaultsOf } from "../providers/kasm/fields";
import { KasmCastConfig } from "../providers/kasm/kasmCastConfig";
import { KasmWorkspace, type KasmWorkspaceArgs } from "../providers/kasm/kasmWorkspace";
import { castConfigName, marker } from "../providers/kasm/marker";
import type { Connection } from "../providers/kasm/transport";
import { type JsonObject, workspaceDefaults } from "../providers/kasm/workspaceFields";
import { HostState } from "../providers/hostState";
import { type Host, thisMachine } from "./host";
import { KasmNginxRoute } from "./kasmNginxRoute";
import { OpenClawKasmImage } from "./openClawKasmImage";
import { OpenClawStandalone } from "./openClawStandalone";
import { defaults } from "./defaults";
import { profilesDirectory } from "./hostDirectory";
import { defaultGroups, profilePath, titles } from "./tileDefaults";

/** How KASM's Developer API is reached. */
export interface KasmConnectionArgs {
  /** Address at which people open KASM, without a path. */
  readonly kasmUrl: pulumi.Input<string>;
  /** API key; treated as secret. */
  readonly apiKey: pulumi.Input<string>;
  /** Secret of the API key; treated as secret. */
  readonly apiSecret: pulumi.Input<string>;
  /** PEM of the only authorities to trust. @default Node's own and those of NODE_EXTRA_CA_CERTS */
  readonly caPem?: pulumi.Input<string> | undefined;
  /** SHA-256 of the only certificate to accept, 64 hexadecimal digits. @default none: authorities decide */
  readonly fingerprint?: pulumi.Input<string> | undefined;
}

/** What every tile has. */
export interface TileArgs {
  /** Title. @default "OpenClaw AI Gateway" (browser), "OpenClaw Desktop", "OpenClaw" (link) */
  readonly friendlyName?: string | undefined;
  readonly description?: string | undefined;
  /** URL of a picture, or a path below KASM's own. @default one that KASM brings along */
  readonly thumbnail?: string | undefined;
  /** @default `["AI"]` */
  readonly categories?: readonly string[] | undefined;
  /** Names of the groups that see it. @default `["All Users"]`, as KASM does */
  readonly groups?: readonly string[] | undefined;
  /** Whether it can be started. @default true */
  readonly enabled?: boolean | undefined;
  /** Whether it is kept from the dashboard, for cast links only. @default false */
  readonly hidden?: boolean | undefined;
  /** Id of a workspace in KASM to take over in place of making one; what it has of its own is overwritten, and destroy deletes it. */
  readonly importId?: string | undefined;
}

/** What tiles have that start a session. */
export interface SessionArgs extends TileArgs {
  /** Where the agent pulls the image from, such as https://registry.example.com; `""` for an image that is there. */
  readonly dockerRegistry?: pulumi.Input<string> | undefined;
  /** Login to it; the token is always treated as secret. */
  readonly dockerUser?: pulumi.Input<string> | undefined;
  readonly dockerToken?: pulumi.Input<string> | undefined;
  /** Processor cores of a session. @default 2 */
  readonly cores?: number | undefined;
  /** Megabytes of a million bytes. @default 2768 (browser, as KASM does) or 4096 (desktop) */
  readonly memoryMb?: number | undefined;
  /** `Inherit`, `Quotas` or `Shares`. @default `Inherit`, the server's own choice */
  readonly cpuAllocation?: string | undefined;
  /** Seconds after which a session ends. @default the limit of the user's groups */
  readonly sessionTimeLimitSeconds?: number | undefined;
  /** Id of the only zone, or the only server, that may run it. @default any */
  readonly zoneId?: string | undefined;
  readonly serverId?: string | undefined;
  /** More variables for sessions; they stand in KASM and in the state in clear. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Variables with secrets: taken only with `allowSecretsInRunConfig`. */
  readonly secretEnvironment?: pulumi.Input<Readonly<Record<string, string>>> | undefined;
  /** Whether secrets may stand in run config, where everybody with the right to see images in KASM reads them. @default false */
  readonly allowSecretsInRunConfig?: boolean | undefined;
  /** Seconds that an agent may take until it has the image. @default 300: it may have to pull it */
  readonly availableWithinSeconds?: number | undefined;
}

/** A browser in a session that opens the gateway's dashboard. */
export interface BrowserArgs extends SessionArgs {
  readonly kind: "browser";
  /** What it opens: a gateway on the same host, or an address as sessions reach it. */
  readonly opens: OpenClawStandalone | KasmNginxRoute | string;
  /** The KASM server, of which the default image has the version. @default that of the gateway */
  readonly host?: Host | undefined;
  /** @default kasmweb/chrome in the version of the host's KASM */
  readonly image?: pulumi.Input<string> | undefined;
}

/** A desktop in which OpenClaw runs for one user. */
export interface DesktopArgs extends SessionArgs {
  readonly kind: "desktop";
  /** The agent's host, on which its directories are made. @default this machine */
  readonly host?: Host | undefined;
  /** More agents' hosts, on which they are made too. @default none */
  readonly agents?: readonly Host[] | undefined;
  /** The image, or its name. @default "openclaw-kasm:latest" */
  readonly image?: OpenClawKasmImage | pulumi.Input<string> | undefined;
  /** Directory of the agent's host for each user's home. @default KASM's own profiles/openclaw/{username}; `""` for none */
  readonly persistentProfilePath?: string | undefined;
  /** Directory of the agent's host that all sessions share as ~/openclaw-shared; `""` for none. @default "/opt/openclaw/shared" */
  readonly sharedDirectory?: string | undefined;
  /** Variables of provider keys that users are asked for before the start. @default `["ANTHROPIC_API_KEY"]` */
  readonly askForKeys?: readonly string[] | undefined;
}

/** A link to the dashboard, opened by the user's own browser in a new tab. */
export interface LinkArgs extends TileArgs {
  readonly kind: "link";
  /** What it opens: a route to a gateway, or an address as users reach it. */
  readonly opens: KasmNginxRoute | string;
}

/** A link that starts the workspace without KASM's dashboard: `KASM/#/cast/KEY`. */
export interface CastArgs {
  /** Last part of the link; no two in KASM have the same. */
  readonly key: string;
  /** Whether people without a login may use it. @default false */
  readonly allowAnonymous?: boolean | undefined;
  /** Name of the group that people without a login get. */
  readonly group?: string | undefined;
  /** Host names of the pages from which it may be opened. @default all */
  readonly allowedReferrers?: readonly string[] | undefined;
  /** @default false */
  readonly requireRecaptcha?: boolean | undefined;
  /** Whether it leads to the session that the user already has. @default true */
  readonly allowResume?: boolean | undefined;
  /** @default false */
  readonly enableSharing?: boolean | undefined;
  /** @default false */
  readonly disableControlPanel?: boolean | undefined;
  /** @default true: the link is for people who know where they go */
  readonly disableTips?: boolean | undefined;
  /** @default false */
  readonly disableFixedResolution?: boolean | undefined;
  /** Where people are sent when it does not work. @default KASM's own page */
  readonly errorUrl?: string | undefined;
}

/** Inputs of {@link KasmWorkspaceRegistration}, by the kind of workspace. */
export type KasmWorkspaceRegistrationArgs = (BrowserArgs | DesktopArgs | LinkArgs) & {
  /** How KASM's Developer API is reached. */
  readonly kasm: KasmConnectionArgs;
  /** Cast link, a licensed feature of KASM. @default none */
  readonly cast?: CastArgs | undefined;
};

/**
 * A tile on KASM's dashboard that leads to OpenClaw, and a cast link to it when asked. What KASM has is compared with
 * what is declared at each refresh, field by field; sessions that run are not touched.
 */
export class KasmWorkspaceRegistration extends pulumi.ComponentResource {
  /** KASM's id of the workspace, 32 hexadecimal digits. */
  readonly workspaceId: pulumi.Output<string>;
  /** The cast link; `""` without one. */
  readonly castUrl: pulumi.Output<string>;

  constructor(
    name: string,
    args: KasmWorkspaceRegistrationArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("openclaw:index:KasmWorkspaceRegistration", name, {}, opts);
    const { kasm: given, cast, ...tile } = args;
    const kasm = { ...given, caPem: given.caPem ?? "", fingerprint: given.fingerprint ?? "" };
    const hasSecrets = tile.kind !== "link" && tile.secretEnvironment !== undefined;
    if (hasSecrets && tile.allowSecretsInRunConfig !== true) {
      throw new pulumi.ResourceError(
        "secretEnvironment: found together with no allowSecretsInRunConfig; expected secrets to be kept out of run config, where everybody who may see images in KASM reads them",
        this,
      );
    }

    const workspace = new KasmWorkspace(
      `${name}-workspace`,
      { ...kasm, marker: marker(pulumi.getStack(), name), ...workspaceArgs(tile) },
      {
        parent: this,
        additionalSecretOutputs: hasSecrets ? ["runConfig"] : [],
        dependsOn: dependenciesOf(
          tile,
          tile.kind === "desktop" ? this.directories(name, tile) : [],
        ),
      },
    );
    if (cast) {
      this.castConfig(name, kasm, cast, workspace);
    }

    this.workspaceId = workspace.id;
    this.castUrl = cast
      ? pulumi.interpolate`${kasm.kasmUrl}/#/cast/${cast.key}`
      : pulumi.output("");
    this.registerOutputs({ workspaceId: this.workspaceId, castUrl: this.castUrl });
  }

  /** What KASM mounts into sessions has to be on each agent's host, and to belong to whom it is for. */
  private directories(name: string, tile: DesktopArgs): HostState[] {
    const wanted = [
      { use: "shared", path: sharedPath(tile), owner: "1000:1000" },
      // KASM makes each user's directory in it by itself.
      { use: "profiles", path: profilesDirectory(profilePath(tile)), owner: "0:0" },
    ];
    const hosts = [
      { prefix: "", target: (tile.host ?? thisMachine).target },
      ...(tile.agents ?? []).map((host) => ({ prefix: `${host.name}-`, target: host.target })),
    ];
    return hosts.flatMap(({ prefix, target }) =>
      wanted
        .filter(({ path }) => path !== "")
        .map(
          ({ use, path, owner }) =>
            new HostState(
              `${prefix}${name}-${use}`,
              {
                target,
                script: "session-directory.sh",
                variables: { DIRECTORY: path, OWNER: owner, STACK: pulumi.getStack() },
                expected: `directory: of ${owner}`,
                identity: path,
              },
              { parent: this },
            ),
        ),
    );
  }

  private castConfig(
    name: string,
    kasm: Required<KasmConnectionArgs>,
    cast: CastArgs,
    workspace: KasmWorkspace,
  ): void {
    new KasmCastConfig(
      `${name}-cast`,
      {
        ...kasm,
        ...castDefaults,
        ...given(cast, castDefaults),
        configName: castConfigName(pulumi.getStack(), name),
        workspaceId: workspace.id,
      },
      { parent: this },
    );
  }
}

type Tile = BrowserArgs | DesktopArgs | LinkArgs;

/** An object without the members that are undefined. */
type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Returns the members of an object that are given and are among the known ones. */
function given<T extends object, Known extends object>(
  args: T,
  known: Known,
): Given<Pick<T, keyof T & keyof Known>> {
  const entries = Object.entries(args).filter(
    ([key, value]) => value !== undefined && key in known,
  );
  return Object.fromEntries(entries) as ReturnType<typeof given<T, Known>>;
}

/** A tile appears once what it leads to exists, and is deleted before that is. */
function dependenciesOf(tile: Tile, directories: readonly pulumi.Resource[]): pulumi.Resource[] {
  const named = tile.kind === "desktop" ? tile.image : tile.opens;
  return [...directories, ...(pulumi.Resource.isInstance(named) ? [named] : [])];
}

function addressOf(opens: BrowserArgs["opens"]): pulumi.Input<string> {
  if (typeof opens === "string") {
    return opens;
  }
  return opens instanceof OpenClawStandalone ? opens.sessionUrl : opens.url;
}

function sharedPath({ sharedDirectory = `${defaults.directory}/shared` }: DesktopArgs): string {
  return sharedDirectory;
}

type TileProps = Omit<KasmWorkspaceArgs, keyof Connection | "marker">;

/** What KASM is told of each tile unless something else is given; see also the defaults in workspaceFields.ts. */
const tileDefaults = {
  ...workspaceDefaults,
  groups: defaultGroups,
  importId: "",
  dockerToken: "",
  allowSecretsInRunConfig: false,
  availableWithinSeconds: 0,
};

/** What KASM is told of each cast link unless something else is given. Arguments name a group, and KASM has its id. */
const { groupId: _, ...castFieldDefaults } = defaultsOf(castFields);
const castDefaults = { ...castFieldDefaults, group: "" };

/** Returns everything that KASM is told of a tile. */
export function workspaceArgs(tile: Tile): TileProps {
  switch (tile.kind) {
    case "browser":
      return browser(tile);
    case "desktop":
      return desktop(tile);
    case "link":
      return link(tile);
  }
}

function link(tile: LinkArgs): TileProps {
  return {
    ...tileDefaults,
    ...titled(titles.link, "OpenClaw's dashboard in a new tab", "chrome"),
    ...given(tile, tileDefaults),
    imageType: "Link",
    linkUrl: addressOf(tile.opens),
  };
}

function browser(tile: BrowserArgs): TileProps {
  const { opens } = tile;
  // Linux has no such name by itself.
  const hosts: Record<string, string> =
    opens instanceof OpenClawStandalone || (typeof opens === "string" && reachesHost(opens))
      ? { "host.docker.internal": "host-gateway" }
      : {};
  return {
    ...tileDefaults,
    ...titled(titles.browser, "OpenClaw's dashboard in a browser session", "chrome"),
    // The server is asked only if its answer counts.
    ...(tile.image === undefined && {
      image: pulumi.interpolate`kasmweb/chrome:${kasmOf(tile).kasmVersion}`,
    }),
    dockerRegistry: dockerHub,
    memoryMb: 2768,
    ...given(tile, tileDefaults),
    // KASM's own name of it: image defaults and sessions by link know it as LAUNCH_URL and KASM_URL.
    ...session(tile, { environment: { LAUNCH_URL: addressOf(opens) }, hosts }),
  };
}

function desktop(tile: DesktopArgs): TileProps {
  const { image = `${defaults.kasmImageName}:latest` } = tile;
  const shared = sharedPath(tile);
  return {
    ...tileDefaults,
    ...titled(titles.desktop, "A desktop with OpenClaw of your own", "ubuntu"),
    ...given(tile, tileDefaults),
    ...session(tile, { environment: {}, hosts: {} }),
    image: image instanceof OpenClawKasmImage ? image.reference : image,
    persistentProfilePath: profilePath(tile),
    volumeMappings: shared === "" ? {} : sharedVolume(shared),
    launchConfig: launchForm(tile.askForKeys ?? ["ANTHROPIC_API_KEY"]),
  };
}

function kasmOf({ host, opens }: BrowserArgs): Host {
  return host ?? (opens instanceof OpenClawStandalone ? opens.host : thisMachine);
}

/** The registry of KASM's own workspaces, in the form in which KASM writes it. */
const dockerHub = "https://index.docker.io/v1/";

function titled(friendlyName: string, description: string, picture: string) {
  return { friendlyName, description, thumbnail: `img/thumbnails/${picture}.png` };
}

/** Returns how sessions of a tile start. */
function session(
  tile: SessionArgs,
  own: { environment: Record<string, pulumi.Input<string>>; hosts: Record<string, string> },
) {
  const runConfig = (
    environment: Readonly<Record<string, pulumi.Input<string>>>,
    secrets: Readonly<Record<string, string>>,
  ): JsonObject => ({
    hostname: "kasm",
    environment: { ...environment, ...tile.environment, ...secrets },
    ...(Object.keys(own.hosts).length > 0 ? { extra_hosts: own.hosts } : {}),
  });
  return {
    availableWithinSeconds: tile.availableWithinSeconds ?? 300,
    runConfig:
      tile.secretEnvironment === undefined
        ? runConfig(own.environment, {})
        : pulumi.secret(
            pulumi
              .all([own.environment, tile.secretEnvironment])
              .apply(([environment, secrets]) => runConfig(environment, secrets)),
          ),
    execConfig: { go: startupCommand("go"), assign: startupCommand("assign") },
  };
}

function reachesHost(address: string): boolean {
  return new URL(address).hostname === "host.docker.internal";
}

/** What KASM runs in a session that is opened with an address, or handed to its user; `docker exec` has no shell of its own. */
function startupCommand(action: "go" | "assign"): JsonObject {
  return { cmd: `bash -c '/dockerstartup/custom_startup.sh --${action} --url "$KASM_URL"'` };
}

/** The user of sessions has 1000:1000; a session starts without the directory too. */
function sharedVolume(directory: string): JsonObject {
  return {
    [directory]: {
      bind: "/mnt/openclaw-shared",
      mode: "rw",
      uid: 1000,
      gid: 1000,
      required: false,
      skip_check: false,
    },
  };
}

/** A form in which users may give keys of their own; KASM writes them into a file of their session and keeps none. */
function launchForm(keys: readonly string[]): JsonObject {
  return keys.length === 0
    ? {}
    : {
        file_mapping: { destination: "/tmp/launch_selections.json" },
        launch_form: keys.map((key) => ({
          key: key.toLowerCase(),
          label: key,
          value: "",
          allow_saving: false,
          placeholder: "",
          required: false,
          help: "A key of your own for this session; leave it empty if OpenClaw has one already",
          input_type: "password",
          options: [],
          validator_regex: null,
          validator_regex_description: null,
          display_if: null,
        })),
      };
}
