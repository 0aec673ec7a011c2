import { z } from "zod";

/** An id as it is compared: KASM answers without dashes, takes both, and its database shows dashes. */
export function normaliseId(id: string): string {
  return id.replaceAll("-", "").toLowerCase();
}

/** Passes KASM's check of ids and names nothing: what is asked of it changes nothing. */
export const absentId = "00000000-0000-0000-0000-000000000000";

export const id = z.string().transform(normaliseId);
export const optionalId = z
  .string()
  .nullish()
  .transform((value) => (value ? normaliseId(value) : ""));
export const optionalText = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
export const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
/** Numbers come as numbers, and as text where the form in KASM's pages sends text. */
export const number = z
  .union([z.number(), z.string()])
  .nullish()
  .transform((value) => Number(value ?? 0));

/** JSON that comes as text or as what the text says; nothing and `""` are an empty object. */
export const json = z
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
export const lines = z
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

/** A workspace of any owner in the list of all, as far as it tells its owner. The rest is read of own ones only. */
const listedImage = z.looseObject({ image_id: id, notes: anyText });
export type ListedImage = z.output<typeof listedImage>;

const group = z.object({
  group_id: id,
  name: anyText,
  is_system: z
    .unknown()
    .optional()
    .transform((value) => value === true),
});
export type Group = z.output<typeof group>;

/** A user, as far as a login of the same name is concerned. */
const user = z.object({
  username: z.string(),
  disabled: flag,
  locked: flag,
  groups: z
    .array(z.object({ group_id: id }))
    .nullish()
    .transform((value) => value ?? []),
});
export type User = z.output<typeof user>;

/** A cast config of any owner in the list of all; see {@link listedImage}. */
const listedCast = z.looseObject({
  cast_config_id: id,
  casting_config_name: anyText,
  key: anyText,
});
export type ListedCast = z.output<typeof listedCast>;

/** What the calls answer; they hold more than this, which is ignored. */
export const answers = {
  images: z.object({ images: z.array(listedImage) }),
  image: z.object({ image: z.object({ image_id: id }) }),
  groups: z.object({ groups: z.array(group) }),
  users: z.object({ users: z.array(user) }),
  /** A workspace that was added twice is in it twice. */
  groupImages: z.object({ images: z.array(z.object({ image_id: id })) }),
  castConfigs: z.object({ cast_configs: z.array(listedCast) }),
  castConfig: z.object({ cast_config: z.object({ cast_config_id: id }) }),
  nothing: z.object({}),
};
