import { nobody } from "./schemas";

/** Permissions of an API key by KASM's own numbers, with the names that its pages show. */
export const permissions = {
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

/** What each call needs; the second where the field or the group asks for it. */
export const neededFor: Readonly<Record<string, readonly Permission[]>> = {
  get_images: [900],
  update_image: [901, 904],
  create_image: [902, 904],
  delete_image: [903],
  get_groups: [400],
  get_images_group: [400],
  add_images_group: [401, 441],
  remove_images_group: [401, 441],
  get_cast_configs: [700],
  update_cast_config: [701],
  create_cast_config: [702],
  delete_cast_config: [703],
};

/** A call that KASM only gets as far as the permission with: what it is about does not exist, or is not said. */
export interface Probe {
  readonly call: string;
  readonly body: object;
}

const image = { image_id: nobody };
const cast = { cast_config_id: nobody };

/** Group "All Users", which has this id on every KASM and is a system group. */
const allUsers = "68d557ac-4cac-42cc-a9f3-1c7c853de0f3";

/** @param ordinaryGroup id of a group that is no system group, where there is one: only with it KASM looks at 401 alone */
export function probe(permission: Permission, ordinaryGroup: string = nobody): Probe {
  return permission === 401
    ? {
        call: "add_images_group",
        body: { target_group: { group_id: ordinaryGroup }, target_image: image },
      }
    : probes[permission];
}

const probes: Readonly<Record<Exclude<Permission, 401>, Probe>> = {
  400: { call: "get_groups", body: {} },
  441: {
    call: "add_images_group",
    body: { target_group: { group_id: allUsers }, target_image: image },
  },
  700: { call: "get_cast_configs", body: {} },
  701: { call: "update_cast_config", body: { target_cast_config: cast } },
  702: { call: "create_cast_config", body: {} },
  703: { call: "delete_cast_config", body: { target_cast_config: cast } },
  900: { call: "get_images", body: {} },
  901: { call: "update_image", body: { target_image: image } },
  902: { call: "create_image", body: {} },
  903: { call: "delete_image", body: { target_image: image } },
  904: { call: "update_image", body: { target_image: { ...image, cores: 1 } } },
};
