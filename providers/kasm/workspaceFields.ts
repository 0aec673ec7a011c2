import { type Field, type Fields, plain } from "./fields";
import { type ImageRecord, normaliseId } from "./schemas";

/** Any object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * A workspace as it is declared and as it was seen: every property always has a value, so that whatever an admin
 * changes in KASM is a difference.
 */
export interface WorkspaceProps {
  /** `Container` or `Link`. */
  readonly imageType: string;
  /** Title of the tile. */
  readonly friendlyName: string;
  readonly description: string;
  /** URL of a picture, or a path below KASM's own. */
  readonly thumbnail: string;
  readonly enabled: boolean;
  /** Whether it is kept from the dashboard. */
  readonly hidden: boolean;
  /** The first is the one that KASM's list shows. */
  readonly categories: readonly string[];
  /** What admins read, and by what a stack knows its own. */
  readonly notes: string;
  /** Docker reference; `""` for a link. */
  readonly image: string;
  readonly cores: number;
  /** Megabytes of a million bytes, as KASM's own pages count. */
  readonly memoryMb: number;
  /** `Inherit`, `Quotas` or `Shares`. */
  readonly cpuAllocation: string;
  /** Where the agent pulls the image from; `""` when it is on the agent's Docker host already. */
  readonly dockerRegistry: string;
  /** User of the login to `dockerRegistry`; `""` where it needs none. */
  readonly dockerUser: string;
  /** `""` for none. */
  readonly persistentProfilePath: string;
  /** Arguments of docker-py's `containers.run`. */
  readonly runConfig: JsonObject;
  /** Commands by `first_launch`, `go` and `assign`. */
  readonly execConfig: JsonObject;
  /** `{bind, mode, uid, gid, required, skip_check}` by directory of the agent's host. */
  readonly volumeMappings: JsonObject;
  /** `{file_mapping, launch_form}`: a form before the start. */
  readonly launchConfig: JsonObject;
  /** Seconds after which a session ends; 0 for the group's own limit. */
  readonly sessionTimeLimitSeconds: number;
  /** The only zone or server that may run it; `""` for any. */
  readonly zoneId: string;
  readonly serverId: string;
  /** OpenClaw needs none; each has to be free on the agent. */
  readonly gpuCount: number;
  readonly requireGpu: boolean;
  /** Whether sessions run in chosen Docker networks only, from which the gateway need not be reached. */
  readonly restrictToNetwork: boolean;
  /** Whether users choose the network. */
  readonly allowNetworkSelection: boolean;
  /** What a link opens. */
  readonly linkUrl: string;
}

type Row = ImageRecord;

/** The form in which each property is sent and comes back: texts of JSON, bytes, and pairs of a switch and an id. */
export const workspaceFields: Fields<WorkspaceProps, Row> = {
  imageType: plain("image_type"),
  friendlyName: plain("friendly_name"),
  description: plain("description"),
  thumbnail: plain("image_src"),
  enabled: plain("enabled"),
  hidden: plain("hidden"),
  categories: {
    // A list is answered with an exception.
    send: (list) => ({ categories: list.join("\n") }),
    seen: (row) => row.categories,
  },
  notes: plain("notes"),
  // Not image_name, which is silently ignored.
  image: plain("name"),
  cores: plain("cores"),
  memoryMb: {
    send: (megabytes) => ({ memory: megabytes * 1_000_000 }),
    seen: (row) => row.memory / 1_000_000,
  },
  cpuAllocation: plain("cpu_allocation_method"),
  dockerRegistry: orNothing("docker_registry"),
  dockerUser: orNothing("docker_user"),
  persistentProfilePath: plain("persistent_profile_path"),
  runConfig: json("run_config"),
  execConfig: json("exec_config"),
  volumeMappings: json("volume_mappings"),
  launchConfig: json("launch_config"),
  sessionTimeLimitSeconds: {
    // 0 would be a limit: only nothing is none.
    send: (seconds) => ({ session_time_limit: seconds === 0 ? null : seconds }),
    seen: (row) => row.session_time_limit,
  },
  zoneId: restriction("restrict_to_zone", "zone_id"),
  serverId: restriction("restrict_to_server", "server_id"),
  gpuCount: plain("gpu_count"),
  requireGpu: plain("require_gpu"),
  restrictToNetwork: plain("restrict_to_network"),
  allowNetworkSelection: plain("allow_network_selection"),
  linkUrl: plain("link_url"),
};

/** The properties that a kind of workspace has in KASM; of the others a link keeps whatever KASM gives it. */
export function propertiesOf(imageType: string): readonly (keyof WorkspaceProps)[] {
  const shared = [
    "imageType",
    "friendlyName",
    "description",
    "thumbnail",
    "enabled",
    "hidden",
    "categories",
    "notes",
  ] as const;
  return imageType === "Link"
    ? [...shared, "linkUrl"]
    : [
        ...shared,
        "image",
        "cores",
        "memoryMb",
        "cpuAllocation",
        "dockerRegistry",
        "dockerUser",
        "persistentProfilePath",
        "runConfig",
        "execConfig",
        "volumeMappings",
        "launchConfig",
        "sessionTimeLimitSeconds",
        "zoneId",
        "serverId",
        "gpuCount",
        "requireGpu",
        "restrictToNetwork",
        "allowNetworkSelection",
      ];
}

/** What KASM's own form sends with a new container workspace beyond the properties; KASM itself may change it later. */
export const newContainer = { uncompressed_size_mb: 0 };

/** The values of properties that a kind does not have, and of those that no kind has otherwise. */
export const absent: Omit<WorkspaceProps, "notes"> = {
  imageType: "",
  friendlyName: "",
  description: "",
  thumbnail: "",
  enabled: true,
  hidden: false,
  categories: [],
  image: "",
  cores: 0,
  memoryMb: 0,
  cpuAllocation: "",
  dockerRegistry: "",
  dockerUser: "",
  persistentProfilePath: "",
  runConfig: {},
  execConfig: {},
  volumeMappings: {},
  launchConfig: {},
  sessionTimeLimitSeconds: 0,
  zoneId: "",
  serverId: "",
  gpuCount: 0,
  requireGpu: false,
  restrictToNetwork: false,
  allowNetworkSelection: false,
  linkUrl: "",
};

/** A text that is not there in place of an empty one. */
function orNothing(name: "docker_registry" | "docker_user"): Field<string, Row> {
  return {
    send: (value) => ({ [name]: value === "" ? null : value }),
    seen: (row) => row[name],
  };
}

function json(
  name: "run_config" | "exec_config" | "volume_mappings" | "launch_config",
): Field<JsonObject, Row> {
  return {
    send: (value) => ({ [name]: JSON.stringify(value) }),
    seen: (row) => row[name] as JsonObject,
  };
}

/** An id that counts only while its switch is on. */
function restriction(
  flag: "restrict_to_zone" | "restrict_to_server",
  id: "zone_id" | "server_id",
): Field<string, Row> {
  return {
    send: (value) => ({ [flag]: value !== "", [id]: value === "" ? null : value }),
    seen: (row) => (row[flag] ? normaliseId(row[id]) || "none" : ""),
  };
}
