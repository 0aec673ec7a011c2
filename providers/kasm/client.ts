import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { castConfig } from "./castFields";
import { KasmError } from "./errors";
import type { Members } from "./fields";
import { type Permission, permissionNames, permissionsOf, type Probe, probes } from "./permissions";
import { answers, type Group, type ListedCast, type ListedImage, type User } from "./schemas";
import { type Answer, type Connection, Transport } from "./transport";
import { image, type ImageRecord } from "./workspaceFields";

/** How long to wait for KASM, in milliseconds. */
export interface Patience {
  /** For the answer to one call. */
  readonly answer: number;
  /** Before each further attempt to read what could not be read. */
  readonly readAgain: readonly number[];
  /** For a refused permission: KASM keeps what it knows of a key for about ten seconds. */
  readonly permission: number;
  /** For a workspace to appear after a registration that was not answered in time. */
  readonly late: number;
  /** Between two looks at something that takes its time. */
  readonly look: number;
  /** For an agent to look at an image that took the place of another: until then KASM says what held for that one. */
  readonly agent: number;
}

export const defaultPatience: Patience = {
  answer: 30_000,
  readAgain: [1000, 3000],
  permission: 15_000,
  late: 30_000,
  look: 2000,
  agent: 30_000,
};

/**
 * KASM's API as this program uses it, for KASM 1.16 to 1.19; what the versions have of their own is known here and in
 * the modules beside, nowhere else. Reads are tried again where that may help. What changes something is sent once,
 * except where KASM refused it for want of a permission, or where its answer to the first attempt is a known quirk.
 * @throws KasmError
 */
export class KasmClient {
  private readonly transport: Transport;

  /** @param moreSecrets what an error may not repeat, besides key and secret */
  constructor(
    connection: Connection,
    private readonly patience: Patience = defaultPatience,
    moreSecrets: readonly string[] = [],
  ) {
    this.transport = new Transport(connection, patience.answer, moreSecrets);
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  /** Workspaces of all owners; malformed records of other owners are tolerated. */
  async images(): Promise<ListedImage[]> {
    return (await this.read("get_images", {}, answers.images)).images;
  }

  /** One of them with all that this program declares. */
  wholeImage(listed: ListedImage): ImageRecord {
    return this.parsed("get_images", image, listed);
  }

  /**
   * Registers a workspace and gives its id. When the answer does not come in time it waits for the workspace to turn
   * up, because a run that found nothing and asked again would make a slow server make two. Some servers answer to categories with an exception: then it is
   * registered without them, unless it turns out to be there in spite of the exception.
   * @param fields with `notes` that no other workspace has
   */
  async createImage(fields: Members): Promise<string> {
    try {
      return await this.registerImage(fields);
    } catch (error) {
      const fellOver = isCrash(error) && "categories" in fields;
      if (!isLate(error) && !fellOver) {
        throw error;
      }
      const made = await this.turnsUp(fields.notes, fellOver ? 0 : this.patience.late);
      if (made === undefined && !fellOver) {
        throw error;
      }
      return made ?? (await this.registerImage(without(fields, "categories")));
    }
  }

  /** Changes the given fields of a workspace, and tells whether the server took the categories if they were among them. */
  async updateImage(id: string, fields: Members): Promise<{ readonly tookCategories: boolean }> {
    const update = (some: Members) =>
      this.send("update_image", { target_image: { image_id: id, ...some } }, answers.nothing);
    try {
      await update(fields);
      return { tookCategories: true };
    } catch (error) {
      if (!isCrash(error) || !("categories" in fields)) {
        throw error;
      }
      const others = without(fields, "categories");
      if (Object.keys(others).length > 0) {
        await update(others);
      }
      // Alone, because what passes was no word about categories.
      return { tookCategories: await survives(update({ categories: fields.categories })) };
    }
  }

  async deleteImage(id: string): Promise<void> {
    await this.send("delete_image", { target_image: { image_id: id } }, answers.nothing);
  }

  async groups(): Promise<Group[]> {
    return (await this.read("get_groups", {}, answers.groups)).groups;
  }

  async users(): Promise<User[]> {
    return (await this.read("get_users", {}, answers.users)).users;
  }

  /** How many times a workspace is in a group: KASM adds it as often as it is told to. */
  async timesInGroup(groupId: string, imageId: string): Promise<number> {
    const target = { target_group: { group_id: groupId } };
    const { images } = await this.read("get_images_group", target, answers.groupImages);
    return images.filter(({ image_id }) => image_id === imageId).length;
  }

  async addToGroup(groupId: string, imageId: string): Promise<void> {
    await this.send("add_images_group", membership(groupId, imageId), answers.nothing);
  }

  /** @param times how many times it is in the group; one call takes it out once, or altogether */
  async removeFromGroup(groupId: string, imageId: string, times: number): Promise<void> {
    for (
      let left = times;
      left > 0;
      left = Math.min(left - 1, await this.timesInGroup(groupId, imageId))
    ) {
      await this.send("remove_images_group", membership(groupId, imageId), answers.nothing);
    }
  }

  async castConfigs(): Promise<ListedCast[]> {
    return (await this.read("get_cast_configs", {}, answers.castConfigs)).cast_configs;
  }

  wholeCastConfig(listed: ListedCast): Members {
    return this.parsed("get_cast_configs", castConfig, listed);
  }

  async createCastConfig(fields: Members): Promise<string> {
    const body = { target_cast_config: fields };
    const { cast_config } = await this.send("create_cast_config", body, answers.castConfig);
    return cast_config.cast_config_id;
  }

  async updateCastConfig(id: string, fields: Members): Promise<void> {
    const body = { target_cast_config: { cast_config_id: id, ...fields } };
    await this.send("update_cast_config", body, answers.nothing);
  }

  async deleteCastConfig(id: string): Promise<void> {
    const body = { target_cast_config: { cast_config_id: id } };
    await this.send("delete_cast_config", body, answers.nothing);
  }

  /**
   * Checks the needed permissions of the key as far as that is possible without changing anything in KASM. A missing
   * permission to create or modify is reported by the first call that needs it.
   * @throws KasmError that names every permission that is known to be missing
   */
  async requirePermissions(needed: readonly Permission[]): Promise<void> {
    const deadline = performance.now() + this.patience.permission;
    const asked = probes.filter(({ anyOf }) => anyOf.some((each) => needed.includes(each)));
    let refused = await this.refused(asked);
    while (refused.length > 0 && performance.now() < deadline) {
      await sleep(this.patience.look);
      refused = await this.refused(refused.map(({ probe }) => probe));
    }
    const [first] = refused;
    if (first) {
      const missing = refused
        .flatMap(({ probe }) => probe.anyOf)
        .filter((each) => needed.includes(each));
      const hint =
        refused.length === asked.length
          ? "it has none of those that are needed, or the key or its secret is wrong, disabled or expired"
          : "a Read Only key can't have those that change something";
      const unprobed = needed.filter((each) => !probes.some(({ anyOf }) => anyOf.includes(each)));
      const also =
        unprobed.length > 0
          ? ` It also needs ${permissionNames(unprobed)}, which can't be checked without changing something.`
          : "";
      const what = `the API key lacks ${permissionNames(missing)} (${hint}; KASM says: ${first.reason}).${also} Grant them in KASM under Settings → Developers → the key → Permissions, then run this again`;
      throw this.transport.error("denied", "permissions", what);
    }
  }

  private async refused(
    asked: readonly Probe[],
  ): Promise<{ readonly probe: Probe; readonly reason: string }[]> {
    const reasons = await Promise.all(
      asked.map(async (probe) => {
        const reason = await this.reading(() => this.denialOf(probe));
        return reason === undefined ? [] : [{ probe, reason }];
      }),
    );
    return reasons.flat();
  }

  private async denialOf({ call, body }: Probe): Promise<string | undefined> {
    try {
      return this.denial(await this.transport.post(call, body));
    } catch (error) {
      if (isCrash(error)) {
        // It got past the permission.
        return undefined;
      }
      throw error;
    }
  }

  private async registerImage(fields: Members): Promise<string> {
    const made = await this.send("create_image", { target_image: fields }, answers.image);
    return made.image.image_id;
  }

  /** The id of a workspace with these notes, if there is one before the time is over. */
  private async turnsUp(notes: unknown, time: number): Promise<string | undefined> {
    const deadline = performance.now() + time;
    for (;;) {
      const found = (await this.images()).find((each) => each.notes === notes);
      if (found !== undefined || performance.now() >= deadline) {
        return found?.image_id;
      }
      await sleep(this.patience.look);
    }
  }

  private read<T>(call: string, body: object, schema: z.ZodType<T>): Promise<T> {
    return this.reading(() => this.send(call, body, schema));
  }

  /** Tries again what may pass: a server that starts, a connection that broke. */
  private async reading<T>(ask: () => Promise<T>): Promise<T> {
    for (const pause of this.patience.readAgain) {
      try {
        return await ask();
      } catch (error) {
        if (!passes(error)) {
          throw error;
        }
        await sleep(pause);
      }
    }
    return await ask();
  }

  /** One call and its answer, in the order in which failures hide each other. */
  private async send<T>(call: string, body: object, schema: z.ZodType<T>): Promise<T> {
    const deadline = performance.now() + this.patience.permission;
    let answer = await this.transport.post(call, body);
    while (this.denial(answer) !== undefined && performance.now() < deadline) {
      await sleep(this.patience.look);
      answer = await this.transport.post(call, body);
    }
    const { status } = answer;
    const denied = this.denial(answer);
    if (denied !== undefined) {
      const names = permissionNames(permissionsOf(call, body));
      const what = `KASM does not let this API key do it (status ${status}: ${denied}). It needs ${names}: grant it in KASM under Settings → Developers → the key → Permissions, and check that the key is enabled, not expired and not Read Only`;
      throw this.transport.error("denied", call, what, status);
    }
    const message = answer.body.error_message;
    if (message !== undefined && message !== null) {
      throw this.transport.error("refused", call, `KASM refuses it: ${this.said(message)}`, status);
    }
    if (status >= 400) {
      throw this.transport.error("refused", call, `KASM answered with status ${status}`, status);
    }
    return this.parsed(call, schema, answer.body);
  }

  private parsed<T>(call: string, schema: z.ZodType<T>, body: unknown): T {
    const parsed = schema.safeParse(body);
    if (!parsed.success) {
      const { path = [], message: problem = "" } = parsed.error.issues[0] ?? {};
      const what = `KASM's answer has another form than this program knows (at ${path.join(".")}: ${problem}); it knows KASM 1.16 to 1.19`;
      throw this.transport.error("notKasm", call, what);
    }
    return parsed.data;
  }

  /** Why KASM does not let this key do it, in its own words; nothing where it does. */
  private denial({ status, body }: Answer): string | undefined {
    return status === 401 || status === 403 ? this.said(body.error_message) : undefined;
  }

  /** What KASM says, cut only where no secret can be cut with it. */
  private said(message: unknown): string {
    return typeof message === "string"
      ? this.transport.redact(message).slice(0, 300)
      : "no reason given";
  }
}

/** Whether a change is made without an exception in KASM. */
async function survives(change: Promise<unknown>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (isCrash(error)) {
      return false;
    }
    throw error;
  }
}

function membership(groupId: string, imageId: string): object {
  return { target_group: { group_id: groupId }, target_image: { image_id: imageId } };
}

function without(fields: Members, key: string): Members {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== key));
}

/** Opens a client for the time of `work`; patience and secrets are those of {@link KasmClient}. */
export async function withKasm<T>(
  connection: Connection,
  patience: Patience,
  work: (client: KasmClient) => Promise<T>,
  moreSecrets?: readonly string[],
): Promise<T> {
  const client = new KasmClient(connection, patience, moreSecrets);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** An exception in KASM itself; a higher status is kasm_proxy's, which does not reach KASM. */
function isCrash(error: unknown): boolean {
  return error instanceof KasmError && error.failure === "crashed" && error.status === 500;
}

/** The time was over, this program's or kasm_proxy's, and KASM may still be at it. */
function isLate(error: unknown): boolean {
  return error instanceof KasmError && (error.failure === "late" || error.status === 504);
}

function passes(error: unknown): boolean {
  return (
    error instanceof KasmError &&
    ["unreachable", "lost", "crashed"].includes(error.failure) &&
    !isCrash(error)
  );
}
