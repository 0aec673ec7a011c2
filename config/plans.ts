import { defaults } from "../components/defaults";
import type { Settings } from "./index";
import { isOnKasmsHost, kasmHost } from "./host";

/** What a stack's gateways get, all of them on a host together, by how many conversations they lead at a time. */
export const gatewayPlans = {
  /** One to five conversations. */
  small: { cpus: defaults.cpus, memoryMb: defaults.memoryMb, browser: "none" },
  /** Five to twenty. */
  medium: { cpus: 4, memoryMb: 8192, browser: "sidecar" },
  /** Twenty and more. */
  large: { cpus: 8, memoryMb: 16_384, browser: "sidecar" },
} as const;

/** What each desktop session gets, and all of them put on the disk, by how many users have one at a time. */
export const desktopPlans = {
  one: { users: 1, cores: 2, memoryMb: 4096, diskMb: 10_240 },
  five: { users: 5, cores: 2, memoryMb: 4096, diskMb: 51_200 },
  ten: { users: 10, cores: 1.6, memoryMb: 4096, diskMb: 102_400 },
} as const;

export const gatewayPlanNames = Object.keys(gatewayPlans) as (keyof typeof gatewayPlans)[];
export const desktopPlanNames = Object.keys(desktopPlans) as (keyof typeof desktopPlans)[];

/** MiB that a gateway has to have: at rest it takes about 1000 (measured). */
export const leastMemoryMb = 2048;

/** The settings with the sizes of their plans wherever none is given by hand. */
export function withPlans(settings: Settings): Settings {
  const { workspaces } = settings;
  const { desktop } = workspaces;
  const plan = desktopPlanOf(settings);
  // With several hosts each has its own share: see config/instances.ts.
  const sized = Object.keys(settings.hosts).length === 0 ? withSizes(settings) : settings;
  return {
    ...sized,
    browser: asksForBrowser(settings) ? "sidecar" : "none",
    workspaces:
      desktop && plan
        ? {
            ...workspaces,
            // With shares, which is a server's own choice unless told otherwise, cores would be no limit.
            desktop: {
              cores: plan.cores,
              memoryMb: plan.memoryMb,
              cpuAllocation: "Quotas",
              ...desktop,
            },
          }
        : workspaces,
  };
}

/** Returns settings with the size of each gateway on their host wherever none is given by hand. */
export function withSizes(settings: Settings): Settings {
  return {
    ...settings,
    cpus: settings.cpus || planned(settings).cpus,
    memoryMb: settings.memoryMb || planned(settings).memoryMb,
  };
}

/** Whether the gateway is to have a browser beside it, by hand or by plan. */
export function asksForBrowser({ browser, plan }: Partial<Settings>): boolean {
  const asked = browser === "plan" && plan ? gatewayPlans[plan].browser : browser;
  return asked === "sidecar";
}

/** What the plan gives each gateway: a share, and never less than a gateway needs. */
function planned(settings: Placed) {
  const { cpus, memoryMb } = gatewayPlans[settings.plan];
  const count = Math.max(1, gatewayCount(settings));
  return {
    cpus: Math.max(1, Math.floor(cpus / count)),
    memoryMb: Math.max(leastMemoryMb, Math.floor(memoryMb / count)),
  };
}

type Placed = Pick<Settings, "plan" | "instances" | "onHost">;

/** How many gateways there are, on one host if the settings are narrowed to it. */
function gatewayCount(settings: Placed): number {
  const { instances, onHost } = settings;
  return instances.length === 0
    ? Number(isOnKasmsHost(settings))
    : instances.filter(({ host = kasmHost }) => onHost === undefined || host === onHost).length;
}

function desktopPlanOf({ desktopPlan }: Pick<Settings, "desktopPlan">) {
  return desktopPlan === "none" ? undefined : desktopPlans[desktopPlan];
}

/** What a host has to have: each amount with the setting that asks for it. */
export interface Needs {
  readonly cores: readonly Part[];
  readonly memoryMb: readonly Part[];
  /** Size of the disk. */
  readonly diskMb: readonly Part[];
}

/** One of several amounts that add up. */
export interface Part {
  readonly by: string;
  readonly amount: number;
}

/** What gateways, browsers and desktops may take together. Desktops count where a plan says how many there are. */
export function needs(settings: Settings): Needs {
  const { cpus, memoryMb, plan, desktopPlan, workspaces } = settings;
  const by = (key: "cpus" | "memoryMb") =>
    settings[key] === planned(settings)[key] ? `plan ${plan}` : key;
  const desktops = desktopPlanOf(settings);
  const count = gatewayCount(settings);
  const browsers = settings.browser === "sidecar" ? [defaults.browser] : [];
  const session = { cores: 0, memoryMb: 0, ...workspaces.desktop };
  // KASM counts a session's memory in megabytes of a million bytes.
  const sessionMb = Math.ceil((session.memoryMb * 1_000_000) / 2 ** 20);
  const part = (amount: number) => ({ by: `desktopPlan ${desktopPlan}`, amount });
  return {
    cores: [
      { by: by("cpus"), amount: cpus * count },
      ...browsers.map((size) => ({ by: "browser", amount: size.cpus * count })),
      ...(desktops ? [part(session.cores * desktops.users)] : []),
    ],
    memoryMb: [
      { by: by("memoryMb"), amount: memoryMb * count },
      ...browsers.map((size) => ({ by: "browser", amount: size.memoryMb * count })),
      ...(desktops ? [part(sessionMb * desktops.users)] : []),
    ],
    diskMb: desktops ? [part(desktops.diskMb)] : [],
  };
}
