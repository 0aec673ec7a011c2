import { type CastInputs, castProvider } from "../../../providers/kasm/castProvider";
import { type WorkspaceInputs, workspaceProvider } from "../../../providers/kasm/workspaceProvider";
import { normaliseId } from "../../../providers/kasm/schemas";
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
const { KASM_SEED } = process.env;
const seeds = KASM_SEED === undefined ? [1, 2, 3] : [Number(KASM_SEED)];
const steps = 200;
const chrome = "kasmweb/chrome:1.17.0";
const zone = "5f1d0c39-64d2-4a33-8d44-2f2b5a0a0001";
const agent = { images: [image, chrome] };

const kasm = new StandIn(makeCertificate("kasm"));
const renewed = makeCertificate("renewed");

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
  private readonly patience = { ...shortPatience, answer: 1000, late: 1500 };
  private readonly desktops = new Engine<WorkspaceInputs>(workspaceProvider(this.patience));
  private readonly links = new Engine<WorkspaceInputs>(workspaceProvider(this.patience));
  private readonly casts = new Engine<CastInputs>(castProvider(this.patience));
  private desktop = desktop(kasm.connection, { availableWithinSeconds: 0.1 });
  private link = link(kasm.connection);
  private cast = cast(kasm.connection, "");
  private isDeclared = true;
  readonly log: string[] = [];

  constructor(private readonly next: () => number) {}

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
      this.next() < 0.3 ? "outage" : "missingImage",
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
    const zoneId = normaliseId(zone);
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
        { image: this.pick([image, chrome]) },
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
    const changes: Row[] = [
      { friendly_name: null, hidden: true },
      { categories: ["Games"], image_src: null },
      { notes: "changed by hand", description: null },
      { enabled: false },
    ];
    const ownChanges: Row[] =
      row.image_type === "Link"
        ? [{ link_url: "x" }]
        : [
            { cores: 16, memory: 1, cpu_allocation_method: "Shares" },
            { run_config: null, volume_mappings: { "/": {} } },
            { exec_config: {}, launch_config: null, persistent_profile_path: null },
            { restrict_to_zone: true, restrict_to_network: true, gpu_count: 1 },
            { name: "gone:1", docker_registry: "https://elsewhere.example", docker_user: "x" },
          ];
    await this.pick([
      () => kasm.update("images", { image_id }, this.pick(changes)),
      () => kasm.update("images", { image_id }, this.pick(ownChanges)),
      () => kasm.update("images", { image_id }, this.pick(ownChanges)),
      () => kasm.insert("group_images", { image_id, group_id: this.pick(groups).group_id }),
      () => kasm.remove("group_images", { image_id }),
      () => kasm.update("cast_configs", {}, { allow_anonymous: false, kasm_url: "x" }),
      () => kasm.update("cast_configs", {}, { limit_sessions: true, allowed_referrers: [] }),
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
      { kind: "slow", ms: 1200 },
      { kind: "answer", status: 500, body: page },
      { kind: "answer", status: 502, body: page },
      { kind: "answer", status: 401, body: { error_message: "Unauthorized" } },
      { kind: "answer", status: 403, body: { error_message: "Unauthorized" } },
      { kind: "answer", body: { error_message: "No." } },
      { kind: "answer", body: page },
    ]);
    // The fault may hit a later call of that name.
    const quiet = { call, kind: "slow", ms: 0, times: Math.floor(this.next() * 4) } as const;
    const times = kind.kind === "slow" ? 1 : this.pick([1, 2, 4]);
    await kasm.faults(quiet, { ...kind, call, times });
    await this.run();
  }

  private async run(): Promise<void> {
    await this.pick([
      () => this.refresh().then(() => this.up()),
      () => this.up(),
      () => this.destroy(),
    ])();
  }

  /** Stops and starts KASM; another server may answer in its place meanwhile. */
  private async outage(): Promise<void> {
    await kasm.faults();
    this.change();
    await kasm.outage(() => this.run(), agent, this.pick([undefined, renewed]));
  }

  /** The agent's host loses the images for the time of a run. */
  private async missingImage(): Promise<void> {
    await kasm.options({ images: [] });
    await this.run();
    await kasm.options(agent);
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
    const tiles = await Promise.all(
      images.map(async ({ image_id, ...row }) => ({
        ...row,
        groups: await kasm.groupsOf(image_id),
      })),
    );
    const ofKind = (type: string) => tiles.filter((row: Row) => row.image_type === type);
    expect(tiles).toHaveLength(2);
    expect(ofKind("Link")).toEqual([linkRow(this.link)]);
    expect(ofKind("Container")).toEqual([desktopRow(this.desktop)]);
    const groups = await kasm.find("groups");
    expect(
      casts.map(({ cast_config_id: _, image_id, group_id, ...row }) => ({
        ...row,
        starts: images.find((image) => image.image_id === image_id)?.notes,
        group: groups.find((group) => group.group_id === group_id)?.name ?? "",
      })),
    ).toEqual([castRow(this.cast, this.desktop)]);
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T;
  }
}

/** What KASM's table has to hold for tiles of all kinds, and the groups that see them. */
function tileRow(tile: WorkspaceInputs): Row {
  return {
    image_type: tile.imageType,
    friendly_name: tile.friendlyName,
    description: tile.description,
    image_src: tile.thumbnail,
    enabled: tile.enabled,
    hidden: tile.hidden,
    categories: tile.categories,
    notes: tile.notes,
    groups: tile.groups,
    available: tile.imageType === "Container" && tile.enabled,
    // KASM's values for fields that are not sent.
    cpu_allocation_method: "Inherit",
    restrict_to_network: false,
    restrict_to_server: false,
    restrict_to_zone: tile.zoneId !== "",
  };
}

function linkRow(tile: WorkspaceInputs): Row {
  return { ...tileRow(tile), link_url: tile.linkUrl };
}

function desktopRow(tile: WorkspaceInputs): Row {
  return {
    ...tileRow(tile),
    name: tile.image,
    cores: tile.cores,
    memory: tile.memoryMb * 1_000_000,
    docker_registry: null,
    docker_user: null,
    docker_token: null,
    persistent_profile_path: tile.persistentProfilePath,
    run_config: tile.runConfig,
    exec_config: tile.execConfig,
    volume_mappings: tile.volumeMappings,
    launch_config: tile.launchConfig,
    session_time_limit: tile.sessionTimeLimitSeconds || null,
    zone_id: tile.zoneId === "" ? null : zone,
    server_id: null,
    gpu_count: 0,
    require_gpu: false,
    allow_network_selection: false,
    uncompressed_size_mb: 0,
  };
}

function castRow(link: CastInputs, tile: WorkspaceInputs): Row {
  return {
    casting_config_name: link.configName,
    key: link.key,
    starts: tile.notes,
    group: link.group,
    allowed_referrers: link.allowedReferrers,
    allow_anonymous: link.allowAnonymous,
    require_recaptcha: link.requireRecaptcha,
    allow_resume: link.allowResume,
    enable_sharing: link.enableSharing,
    disable_control_panel: link.disableControlPanel,
    disable_tips: link.disableTips,
    disable_fixed_res: link.disableFixedResolution,
    kasm_url: link.opens,
    dynamic_kasm_url: link.linkMayNameUrl,
    error_url: link.errorUrl,
    limit_sessions: false,
    limit_ips: false,
    dynamic_docker_network: false,
    enforce_client_settings: false,
  };
}

test.each(seeds)(
  `${steps.toString()} steps of changes, hand edits, faults, refreshes and destroys (seed %d)`,
  async (seed) => {
    await kasm.reset(agent);
    const story = new Story(numbers(seed));
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
  },
  120_000,
);
