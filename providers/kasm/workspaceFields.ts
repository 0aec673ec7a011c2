import { z } from "zod";
import {
  converted,
  defaultsOf,
  type Field,
  field,
  keysOf,
  membersOf,
  type Members,
  type PropsOf,
} from "./fields";
import { flag, id, json, lines, normaliseId, number, optionalId, optionalText } from "./schemas";

/** Any object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The properties of every workspace. */
const common = {
  /** `Container` or `Link`. */
  imageType: field(
    "image_type",
    z
      .string()
      .nullish()
      .transform((value) => value ?? "Container"),
    "Container",
  ),
  /** Title of the tile. */
  friendlyName: field("friendly_name", optionalText, ""),
  description: field("description", optionalText, ""),
  /** URL of a picture, or a path below KASM's own. */
  thumbnail: field("image_src", optionalText, ""),
  enabled: field("enabled", flag, true),
  /** Whether it is kept from the dashboard. */
  hidden: field("hidden", flag, false),
  /** The first is the one that KASM's list shows. */
  categories: converted("categories", lines, ["AI"], {
    // A list is answered with an exception.
    send: (list: readonly string[]) => list.join("\n"),
    seen: (list) => list,
  }),
  /** What admins read, and by what a stack knows its own. */
  notes: field("notes", optionalText, ""),
};

/** The properties of a workspace that starts a session. */
const ofContainer = {
  /** Docker reference. Not `image_name`, which is silently ignored. */
  image: field("name", optionalText, ""),
  cores: field("cores", number, 2),
  /** Megabytes of a million bytes, as KASM's own pages count. */
  memoryMb: converted("memory", number, 4096, {
    send: (megabytes: number) => megabytes * 1_000_000,
    seen: (bytes) => bytes / 1_000_000,
  }),
  /** `Inherit`, `Quotas` or `Shares`. */
  cpuAllocation: field("cpu_allocation_method", optionalText, "Inherit"),
  /** Where the agent pulls the image from; `""` when it is on the agent's Docker host already. */
  dockerRegistry: orNothing("docker_registry"),
  /** User of the login to `dockerRegistry`; `""` where it needs none. */
  dockerUser: orNothing("docker_user"),
  /** `""` for none. */
  persistentProfilePath: field("persistent_profile_path", optionalText, ""),
  /** Arguments of docker-py's `containers.run`. */
  runConfig: jsonText("run_config"),
  /** Commands by `first_launch`, `go` and `assign`. */
  execConfig: jsonText("exec_config"),
  /** `{bind, mode, uid, gid, required, skip_check}` by directory of the agent's host. */
  volumeMappings: jsonText("volume_mappings"),
  /** `{file_mapping, launch_form}`: a form before the start. */
  launchConfig: jsonText("launch_config"),
  /** Seconds after which a session ends; 0 for the group's own limit. */
  sessionTimeLimitSeconds: converted("session_time_limit", number, 0, {
    // 0 would be a limit: only nothing is none.
    send: (seconds: number) => (seconds === 0 ? null : seconds),
    seen: (seconds) => seconds,
  }),
  /** The only zone or server that may run it; `""` for any. */
  zoneId: restriction("restrict_to_zone", "zone_id"),
  serverId: restriction("restrict_to_server", "server_id"),
  /** OpenClaw needs none; each has to be free on the agent. */
  gpuCount: field("gpu_count", number, 0),
  requireGpu: field("require_gpu", flag, false),
  /** Whether sessions run in chosen Docker networks only, from which the gateway need not be reached. */
  restrictToNetwork: field("restrict_to_network", flag, false),
  /** Whether users choose the network. */
  allowNetworkSelection: field("allow_network_selection", flag, false),
};

/** The properties of a workspace that is a link. */
const ofLink = {
  /** What it opens. */
  linkUrl: field("link_url", optionalText, ""),
};

/** The properties of a workspace; a record holds those of its kind. */
export const workspaceFields = { ...common, ...ofContainer, ...ofLink };

/**
 * A workspace as it is declared and as it was seen: every property always has a value, so that whatever an admin
 * changes in KASM is a difference.
 */
export type WorkspaceProps = PropsOf<typeof workspaceFields>;

/** The values of properties that are not declared. */
export const workspaceDefaults: Omit<WorkspaceProps, "notes"> = defaultsOf(workspaceFields);

/** The properties that a kind of workspace has in KASM; of the others a link keeps whatever KASM gives it. */
export function propertiesOf(imageType: string): readonly (keyof WorkspaceProps)[] {
  return keysOf({ ...common, ...(imageType === "Link" ? ofLink : ofContainer) });
}

/** A workspace as `get_images` answers it; of some seventy members those that this program declares. */
export const image = z.object({
  image_id: id,
  available: flag,
  ...membersOf(workspaceFields),
});
export type ImageRecord = Members & Pick<z.output<typeof image>, "available">;

/** What KASM's own form sends with a new container workspace beyond the properties; KASM itself may change it later. */
export const newContainer = { uncompressed_size_mb: 0 };

/** A text that is not there in place of an empty one. */
function orNothing(name: string): Field<string> {
  return converted(name, optionalText, "", {
    send: (value: string) => (value === "" ? null : value),
    seen: (value) => value,
  });
}

function jsonText(name: string): Field<JsonObject> {
  return converted(
    name,
    json,
    {},
    {
      send: (value: JsonObject) => JSON.stringify(value),
      seen: (value) => value as JsonObject,
    },
  );
}

/** An id that counts only while its switch is on. */
function restriction(switchName: string, idName: string): Field<string> {
  return {
    members: { [switchName]: flag, [idName]: optionalId },
    default: "",
    send: (value) => ({ [switchName]: value !== "", [idName]: value === "" ? null : value }),
    seen: (row) => (row[switchName] ? normaliseId(row[idName] as string) || "none" : ""),
  };
}
