import { z } from "zod";

/** An id as it is compared: KASM answers without dashes, takes both, and its database shows dashes. */
export function normaliseId(id: string): string {
  return id.replaceAll("-", "").toLowerCase();
}

/** Passes KASM's check of ids and names nothing: what is asked of it changes nothing. */
export const absentId = "00000000-0000-0000-0000-000000000000";

const id = z.string().transform(normaliseId);
const optionalId = z
  .string()
  .nullish()
  .transform((value) => (value ? normaliseId(value) : ""));
const optionalText = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
/** Numbers come as numbers, and as text where the form in KASM's pages sends text. */
const number = z
  .union([z.number(), z.string()])
  .nullish()
  .transform((value) => Number(value ?? 0));

/** JSON that comes as text or as what the text says; nothing and `""` are an empty object. */
const json = z
  .unknown()
  .optional()
  .transform((value): unknown => {
    if (typeof value !== "string") {
      return value ?? {};
    }
    try {
      return value === "" ? {} : (JSON.parse(value) as unknown);
    } catch {
      // Shown as it is: whatever was declared differs from it.
      return value;
    }
  });

/** A list that comes as a list or as text with a line for each entry. */
const lines = z
  .union([z.array(z.string()), z.string()])
  .nullish()
  .transform((value): readonly string[] => {
    const list = typeof value === "string" ? value.split("\n") : (value ?? []);
    return list.map((entry) => entry.trim()).filter((entry) => entry !== "");
  });

/** A text of a record of any owner: what is no text is not this program's. */
const anyText = z
  .unknown()
  .optional()
  .transform((value) => (typeof value === "string" ? value : ""));

/** A workspace of any owner in the list of all, as far as it tells its owner. The rest is read of own ones only ({@link image}). */
const listedImage = z.looseObject({ image_id: id, notes: anyText });
export type ListedImage = z.output<typeof listedImage>;

/** A workspace as `get_images` tells it; of some seventy fields those that this program declares. */
export const image = z.object({
  image_id: id,
  image_type: z
    .string()
    .nullish()
    .transform((value) => value ?? "Container"),
  name: optionalText,
  friendly_name: optionalText,
  description: optionalText,
  image_src: optionalText,
  enabled: flag,
  available: flag,
  hidden: flag,
  notes: optionalText,
  categories: lines,
  cores: number,
  memory: number,
  cpu_allocation_method: optionalText,
  docker_registry: optionalText,
  docker_user: optionalText,
  persistent_profile_path: optionalText,
  run_config: json,
  exec_config: json,
  volume_mappings: json,
  launch_config: json,
  session_time_limit: number,
  restrict_to_zone: flag,
  zone_id: optionalId,
  restrict_to_server: flag,
  server_id: optionalId,
  gpu_count: number,
  require_gpu: flag,
  restrict_to_network: flag,
  allow_network_selection: flag,
  link_url: optionalText,
});
export type ImageRecord = z.output<typeof image>;

/** Fields of a workspace as they are sent; see {@link ImageRecord} and the form of each in workspaceFields.ts. */
export type ImageFields = Readonly<Record<string, unknown>>;

const group = z.object({
  group_id: id,
  name: anyText,
  is_system: z
    .unknown()
    .optional()
    .transform((value) => value === true),
});
export type Group = z.output<typeof group>;

/** A cast config of any owner in the list of all; see {@link listedImage}. */
const listedCast = z.looseObject({
  cast_config_id: id,
  casting_config_name: anyText,
  key: anyText,
});
export type ListedCast = z.output<typeof listedCast>;

export const castConfig = z.object({
  cast_config_id: id,
  casting_config_name: z.string(),
  key: z.string(),
  image_id: optionalId,
  group_id: optionalId,
  allowed_referrers: lines,
  allow_anonymous: flag,
  allow_resume: flag,
  enable_sharing: flag,
  disable_control_panel: flag,
  disable_tips: flag,
  disable_fixed_res: flag,
  require_recaptcha: flag,
  dynamic_kasm_url: flag,
  kasm_url: optionalText,
  error_url: optionalText,
  limit_sessions: flag,
  limit_ips: flag,
  dynamic_docker_network: flag,
  enforce_client_settings: flag,
});
export type CastRecord = z.output<typeof castConfig>;

/** What the calls answer; they hold more than this, which is ignored. */
export const answers = {
  images: z.object({ images: z.array(listedImage) }),
  image: z.object({ image: z.object({ image_id: id }) }),
  groups: z.object({ groups: z.array(group) }),
  /** A workspace that was added twice is in it twice. */
  groupImages: z.object({ images: z.array(z.object({ image_id: id })) }),
  castConfigs: z.object({ cast_configs: z.array(listedCast) }),
  castConfig: z.object({ cast_config: z.object({ cast_config_id: id }) }),
  nothing: z.object({}),
};
