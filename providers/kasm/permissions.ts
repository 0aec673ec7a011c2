import { absentId } from "./schemas";

/** Permissions of an API key by KASM's own numbers, with the names that its pages show. */
export const permissions = {
  300: "Users View",
  400: "Groups View",
  401: "Groups Modify",
  441: "Groups Modify System",
  700: "Casting View",
  701: "Casting Modify",
  702: "Casting Create",
  703: "Casting Delete",
  900: "Images View",
  901: "Images Modify",
  902: "Images Create",
  903: "Images Delete",
  904: "Images Modify Resources",
} as const;

export type Permission = keyof typeof permissions;

/** `900 Images View, 901 Images Modify`. */
export function permissionNames(wanted: readonly Permission[]): string {
  return wanted.map((number) => `${number} ${permissions[number]}`).join(", ");
}

/** What a key needs to make, keep and take away a workspace of a type, and who sees it. */
export function workspacePermissions(imageType: string): Permission[] {
  return [900, 901, 902, 903, ...(imageType === "Link" ? [] : [904 as const]), 400, 401, 441];
}

/** The same for a cast config, and for the group that people without a login get. */
export function castPermissions(group: string): Permission[] {
  return [700, 701, 702, 703, ...(group === "" ? [] : [400 as const])];
}

/** What a key needs to tell who is in which groups. */
export const membersPermissions: readonly Permission[] = [300, 400];

/** What each call needs. */
const neededFor: Readonly<Record<string, readonly Permission[]>> = {
  get_images: [900],
  update_image: [901],
  create_image: [902],
  delete_image: [903],
  get_users: [300],
  get_groups: [400],
  get_images_group: [400],
  add_images_group: [401, 441],
  remove_images_group: [401, 441],
  get_cast_configs: [700],
  update_cast_config: [701],
  create_cast_config: [702],
  delete_cast_config: [703],
};

/** Fields of a workspace that need Images Modify Resources as well. */
const resourceFields = [
  "cores",
  "memory",
  "docker_registry",
  "docker_user",
  "docker_token",
  "gpu_count",
];

/** Returns the permissions that a call needs with the given body. */
export function permissionsOf(
  call: string,
  { target_image: image = {} }: { readonly target_image?: object },
): readonly Permission[] {
  const setsResources = resourceFields.some((field) => field in image);
  return [...(neededFor[call] ?? []), ...(setsResources ? [904 as const] : [])];
}

/** A call that shows whether a key has certain permissions, and that changes nothing on any server. */
export interface Probe {
  readonly call: string;
  readonly body: object;
  /** The server refuses the call only if the key has none of them. */
  readonly anyOf: readonly Permission[];
}

const image = { image_id: absentId };

/**
 * Reads, and deletions of records that do not exist. Permissions to create or to modify have no probe: a tolerant
 * server creates a record from an empty `create_*` call, and may from an update of an unknown id.
 */
export const probes: readonly Probe[] = [
  { call: "get_images", body: {}, anyOf: [900] },
  { call: "delete_image", body: { target_image: image }, anyOf: [903] },
  { call: "get_users", body: {}, anyOf: [300] },
  { call: "get_groups", body: {}, anyOf: [400] },
  {
    call: "remove_images_group",
    body: { target_group: { group_id: absentId }, target_image: image },
    anyOf: [401, 441],
  },
  { call: "get_cast_configs", body: {}, anyOf: [700] },
  {
    call: "delete_cast_config",
    body: { target_cast_config: { cast_config_id: absentId } },
    anyOf: [703],
  },
];
