import { type CastInputs, castProvider } from "../../../components/kasmApi/castProvider";
import {
  type WorkspaceInputs,
  workspaceProvider,
} from "../../../components/kasmApi/workspaceProvider";
import { cast, desktop, image, link } from "./declared";
import { Engine } from "./engine";
import {
  type Fault,
  makeCertificate,
  removeCertificates,
  type Row,
  shortPatience,
  StandIn,
} from "./standIn";

/** Another seed, another story: KASM_SEED=7 npm run unit -- randomOperations */
const seed = Number(process.env.KASM_SEED ?? 1);
const steps = 250;

const kasm = new StandIn(makeCertificate("kasm"));

beforeAll(() => kasm.start());
afterAll(async () => {
  await kasm.stop();
  removeCertificates();
});

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function numbers(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A program with two tiles and a cast link, and all that may happen to them. */
class Story {
  private readonly next = numbers(seed);
  private readonly patience = { ...shortPatience, answer: 1500, late: 1500 };
  private readonly desktops = new Engine<WorkspaceInputs>(workspaceProvider(this.patience));
  private readonly links = new Engine<WorkspaceInputs>(workspaceProvider(this.patience));
  private readonly casts = new Engine<CastInputs>(castProvider(this.patience));
  private desktop = desktop(kasm.connection);
  private link = link(kasm.connection);
  private cast = cast(kasm.connection, "");
  private isDeclared = true;
  readonly log: string[] = [];

  async step(): Promise<void> {
    const what = this.pick([
      "change",
      "edit",
      "edit",
      "refresh",
      "up",
      "disturb",
      "disturb",
      "disturb",
      "kill",
      "destroy",
      "settle",
    ] as const);
    this.log.push(what);
    await this[what]();
    for (const { notes } of [this.desktop, this.link]) {
      expect((await kasm.find("images", { notes })).length).toBeLessThanOrEqual(1);
    }
  }

  /** Without disturbance, one run brings KASM to what is declared. */
  async settle(): Promise<void> {
    await kasm.faults();
    await this.refreshAll();
    await this.upAll();
    await this.compare();
    expect(await this.refreshAll()).toEqual([]);
  }

  private async destroyAll(): Promise<void> {
    await this.refreshAll();
    await this.casts.destroy();
    await this.links.destroy();
    await this.desktops.destroy();
  }

  /** Without disturbance, nothing is left. */
  async end(): Promise<void> {
    await kasm.faults();
    await this.destroyAll();
    this.isDeclared = false;
    await this.compare();
  }

  private change(): void {
    const zoneId = "5f1d0c3964d24a338d442f2b5a0a0001";
    this.desktop = {
      ...this.desktop,
      ...this.pick<Partial<WorkspaceInputs>>([
        { cores: this.pick([1, 2, 4.5]) },
        { memoryMb: this.pick([2048, 4096]) },
        { categories: this.pick([[], ["AI"], ["AI", "Development"]]) },
        { groups: this.pick([[], ["All Users"], ["Administrators", "All Users"]]) },
        { runConfig: this.pick([{}, { hostname: "kasm" }, { environment: { A: "1" } }]) },
        { zoneId: this.pick(["", zoneId]) },
        { sessionTimeLimitSeconds: this.pick([0, 60, 3600]) },
        { enabled: this.pick([true, false]) },
        { image: this.pick([image, "kasmweb/chrome:1.17.0"]) },
        { description: this.pick(["", 'with "quotes", ümlauts\nand lines']) },
      ]),
    };
    this.link = { ...this.link, linkUrl: this.pick(["https://a.example/", "https://b.example/"]) };
    this.cast = {
      ...this.cast,
      key: this.pick(["openclaw", "claw"]),
      group: this.pick(["", "All Users"]),
    };
    this.isDeclared = true;
  }

  /** What an admin does in KASM's pages. */
  private async edit(): Promise<void> {
    const notes = this.pick([this.desktop.notes, this.link.notes]);
    const [row] = await kasm.find("images", { notes });
    if (row === undefined) {
      return;
    }
    const { image_id } = row;
    const groups = await kasm.find("groups");
    await this.pick([
      () => kasm.update("images", { image_id }, { cores: 16, memory: 1 }),
      () => kasm.update("images", { image_id }, { friendly_name: null, hidden: true }),
      () => kasm.update("images", { image_id }, { run_config: null, volume_mappings: { "/": {} } }),
      () => kasm.update("images", { image_id }, { restrict_to_zone: true, categories: ["Games"] }),
      () => kasm.update("images", { image_id }, { notes: "whose is this?", link_url: "x" }),
      () => kasm.update("images", { image_id }, { enabled: false, name: "gone:1" }),
      () => kasm.insert("group_images", { image_id, group_id: this.pick(groups).group_id }),
      () => kasm.remove("group_images", { image_id }),
      () => kasm.update("cast_configs", {}, { allow_anonymous: false, kasm_url: "x" }),
      () => kasm.remove("cast_configs"),
      async () => {
        await kasm.remove("cast_configs", { image_id });
        await kasm.remove("images", { image_id });
      },
    ])();
  }

  /** A run to which something happens, with more to do than nothing. */
  private async disturb(): Promise<void> {
    await this.pick([
      () => {
        this.change();
        return Promise.resolve();
      },
      () => this.edit(),
      () => kasm.remove("cast_configs").then(() => kasm.remove("images")),
    ])();
    const page = "<H1>Internal Error</H1>";
    const call = this.pick([
      "get_images",
      "create_image",
      "create_image",
      "update_image",
      "delete_image",
      "get_groups",
      "get_images_group",
      "add_images_group",
      "remove_images_group",
      "get_cast_configs",
      "create_cast_config",
      "update_cast_config",
      "delete_cast_config",
      "*",
    ]);
    const kind = this.pick<Omit<Fault, "call">>([
      { kind: "drop" },
      { kind: "cut" },
      { kind: "cut" },
      { kind: "slow", ms: 1700 },
      { kind: "answer", status: 500, body: page },
      { kind: "answer", status: 502, body: page },
      { kind: "answer", status: 403, body: { error_message: "Unauthorized" } },
      { kind: "answer", body: { error_message: "No." } },
      { kind: "answer", body: page },
    ]);
    // The first calls of a name may be questions about permissions.
    const quiet = { call, kind: "slow", ms: 0, times: Math.floor(this.next() * 4) } as const;
    await kasm.faults(quiet, { ...kind, call, times: this.pick([1, 2, 4]) });
    await this.pick([
      () => this.refresh().then(() => this.up()),
      () => this.up(),
      () => this.destroy(),
    ])();
  }

  /** The engine dies after it made something, and before it says so in the state. */
  private async kill(): Promise<void> {
    await this.settle();
    this.pick<{ kept: unknown }>([this.desktops, this.links, this.casts]).kept = undefined;
    await this.upAll();
    await this.compare();
  }

  private async refresh(): Promise<void> {
    await this.disturbed(() => this.refreshAll());
  }

  private async up(): Promise<void> {
    await this.disturbed(() => this.upAll());
  }

  private async destroy(): Promise<void> {
    this.isDeclared = this.next() < 0.5;
    await this.disturbed(() => this.destroyAll());
  }

  private async disturbed(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const message = String(error);
      this.log.push(`  ${message}`);
      // Only what is meant for a person, never a mistake of the program's own.
      expect((error as Error).stack).toBe("");
      expect(message).not.toContain(kasm.apiSecret);
    }
  }

  private async upAll(): Promise<void> {
    if (!this.isDeclared) {
      await this.destroyAll();
      return;
    }
    await this.links.up(this.link);
    await this.desktops.up(this.desktop);
    await this.casts.up({ ...this.cast, workspaceId: this.desktops.kept?.id ?? "" });
  }

  private async refreshAll(): Promise<string[]> {
    return [
      ...(await this.casts.refresh()),
      ...(await this.links.refresh()),
      ...(await this.desktops.refresh()),
    ];
  }

  private async compare(): Promise<void> {
    const images = await kasm.find("images");
    const casts = await kasm.find("cast_configs");
    if (!this.isDeclared) {
      expect([images, casts, await kasm.find("group_images")]).toEqual([[], [], []]);
      return;
    }
    const { desktop: tile, link: other } = this;
    const byNotes = (notes: string) => images.filter((row) => row.notes === notes);
    expect(images).toHaveLength(2);
    expect(byNotes(other.notes)).toMatchObject([
      { friendly_name: "OpenClaw", link_url: other.linkUrl, image_type: "Link", enabled: true },
    ]);
    expect(byNotes(tile.notes)).toMatchObject([rowOf(tile)]);
    expect(await kasm.groupsOf(byNotes(tile.notes)[0]?.image_id)).toEqual(tile.groups);
    expect(await kasm.groupsOf(byNotes(other.notes)[0]?.image_id)).toEqual(other.groups);
    expect(casts).toMatchObject([
      {
        key: this.cast.key,
        image_id: byNotes(tile.notes)[0]?.image_id,
        allow_anonymous: true,
        kasm_url: this.cast.opens,
      },
    ]);
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T;
  }
}

/** What KASM's table has to hold for a tile. */
function rowOf(tile: WorkspaceInputs): Row {
  return {
    image_type: "Container",
    name: tile.image,
    friendly_name: "OpenClaw Desktop",
    description: tile.description,
    cores: tile.cores,
    memory: tile.memoryMb * 1_000_000,
    categories: [...tile.categories],
    run_config: tile.runConfig,
    volume_mappings: tile.volumeMappings,
    session_time_limit: tile.sessionTimeLimitSeconds || null,
    restrict_to_zone: tile.zoneId !== "",
    enabled: tile.enabled,
    hidden: false,
    available: tile.enabled,
  };
}

test(`${steps.toString()} steps of changes, hand edits, faults, refreshes and destroys (seed ${seed.toString()})`, async () => {
  await kasm.reset({ images: [image, "kasmweb/chrome:1.17.0"] });
  const story = new Story();
  try {
    for (let step = 0; step < steps; step++) {
      await story.step();
    }
    await story.settle();
    await story.end();
  } catch (error) {
    console.log(story.log.slice(-25).join("\n"));
    throw error;
  }
}, 300_000);
