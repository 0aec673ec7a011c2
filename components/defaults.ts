/** What components do if an argument is not given, and the settings that are not given. Each value has its reason. */
export const defaults = {
  /** The newest version that the tests run. */
  openclawVersion: "2026.9.6",
  /** Node 26 is the oldest that OpenClaw's current versions take; the slim variant has what the images add to. */
  baseImage: "node:26-bookworm-slim",
  /** No other well-known service has it. */
  port: 8180,
  /** This machine, and Docker's bridge for KASM's sessions; nothing outside reaches either. */
  publishAddresses: ["127.0.0.1", "172.17.0.1"],
  /** The name that other gateways with a login use. */
  username: "admin",
  /** One to five conversations at a time. */
  cpus: 2,
  memoryMb: 4096,
  /** A first start on slow disks took 70 s. */
  readyTimeoutSeconds: 180,
  /** Where servers keep what no package manages. */
  directory: "/opt/openclaw",
  /** KASM's own name of it. */
  proxyContainer: "kasm_proxy",
  /** Where KASM's installer puts it. */
  kasmDirectory: "/opt/kasm",
  /** Version of KASM's images where the server can't be asked for its own: the one that the tests build on. */
  kasmVersion: "1.17.0",
  kasmImageName: "openclaw-kasm",
  /** A handful of pages. */
  browser: { cpus: 1, memoryMb: 2048 },
  /** Every provider knows these scopes, and refuses unknown ones; most name groups so. */
  oidc: { groupsClaim: "groups", scopes: ["openid", "email", "profile"] },
  /**
   * People sleep then in most of Europe and America; a week of days, a month of weeks and half a year. restic takes about
   * 200 MiB, and more with many files.
   */
  offsite: {
    time: "03:00",
    keep: { daily: 7, weekly: 4, monthly: 6 },
    cpus: 1,
    memoryMb: 1024,
  },
} as const;
