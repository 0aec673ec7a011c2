import type { CastInputs } from "../../../providers/kasm/castProvider";
import type { Connection } from "../../../providers/kasm/transport";
import type { WorkspaceInputs } from "../../../providers/kasm/workspaceProvider";

/** The image that the stand-in's agent has. */
export const image = "openclaw-kasm:latest";

/** A desktop with something in every property. */
export function desktop(
  connection: Connection,
  changes: Partial<WorkspaceInputs> = {},
): WorkspaceInputs {
  const marker = changes.marker ?? "managed by openclaw-kasm: test/openclaw-desktop";
  return {
    ...connection,
    marker,
    imageType: "Container",
    friendlyName: "OpenClaw Desktop",
    description: "A desktop with OpenClaw in it",
    thumbnail: "img/thumbnails/ubuntu.png",
    enabled: true,
    hidden: false,
    categories: ["AI", "Development"],
    notes: marker,
    image,
    cores: 2,
    memoryMb: 4096,
    cpuAllocation: "Inherit",
    dockerRegistry: "",
    dockerUser: "",
    dockerToken: "",
    persistentProfilePath: "/opt/kasm/profiles/openclaw/{username}",
    runConfig: { hostname: "kasm", environment: { LAUNCH_URL: "http://127.0.0.1:18789/" } },
    execConfig: { go: { cmd: "bash -c 'true'" } },
    volumeMappings: {
      "/opt/openclaw/shared": {
        bind: "/mnt/openclaw-shared",
        mode: "rw",
        uid: 1000,
        gid: 1000,
      },
    },
    launchConfig: { launch_form: [] },
    sessionTimeLimitSeconds: 3600,
    zoneId: "",
    serverId: "",
    gpuCount: 0,
    requireGpu: false,
    restrictToNetwork: false,
    allowNetworkSelection: false,
    linkUrl: "",
    groups: ["All Users"],
    importId: "",
    allowSecretsInRunConfig: false,
    availableWithinSeconds: 1,
    ...changes,
  };
}

/** A link with something in every property that links have. */
export function link(
  connection: Connection,
  changes: Partial<WorkspaceInputs> = {},
): WorkspaceInputs {
  const marker = changes.marker ?? "managed by openclaw-kasm: test/openclaw-link";
  return {
    ...desktop(connection, { marker }),
    imageType: "Link",
    friendlyName: "OpenClaw",
    image: "",
    cores: 0,
    memoryMb: 0,
    cpuAllocation: "",
    persistentProfilePath: "",
    runConfig: {},
    execConfig: {},
    volumeMappings: {},
    launchConfig: {},
    sessionTimeLimitSeconds: 0,
    linkUrl: "https://kasm.example.com/openclaw/",
    ...changes,
  };
}

/** A cast config with something in every property. */
export function cast(
  connection: Connection,
  workspaceId: string,
  changes: Partial<CastInputs> = {},
): CastInputs {
  return {
    ...connection,
    configName: "openclaw-kasm: test/openclaw-desktop",
    key: "openclaw",
    workspaceId,
    group: "All Users",
    allowedReferrers: ["portal.example.com"],
    allowAnonymous: true,
    requireRecaptcha: false,
    allowResume: true,
    enableSharing: false,
    disableControlPanel: true,
    disableTips: true,
    disableFixedResolution: false,
    opens: "http://host.docker.internal:8180/",
    linkMayNameUrl: false,
    errorUrl: "https://portal.example.com/sorry",
    limitSessions: false,
    limitIps: false,
    linkMayNameNetwork: false,
    enforceClientSettings: false,
    ...changes,
  };
}
