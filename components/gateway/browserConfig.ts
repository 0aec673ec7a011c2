import { devToolsPort } from "./container";

/** Keys of openclaw.json that {@link withBrowser} sets. */
export const browserKeys = [
  "browser.enabled",
  "browser.defaultProfile",
  "browser.profiles.sidecar",
];

/**
 * Adds the way to a browser sidecar to openclaw.json.
 * @param name of the sidecar's container
 */
export function withBrowser(
  config: Record<string, unknown>,
  name: string,
): Record<string, unknown> {
  const { browser = {}, ...rest } = config as { browser?: GivenBrowser };
  return {
    ...rest,
    browser: {
      ...browser,
      enabled: true,
      defaultProfile: "sidecar",
      profiles: {
        ...browser.profiles,
        sidecar: { cdpUrl: `http://${name}:${devToolsPort.toString()}` },
      },
      // OpenClaw connects to no private address that is not on this list, its browser's neither.
      ssrfPolicy: {
        ...browser.ssrfPolicy,
        allowedHostnames: [name, ...(browser.ssrfPolicy?.allowedHostnames ?? [])],
      },
    },
  };
}

/** The parts of a given configuration that the browser's own are added to. */
interface GivenBrowser {
  readonly profiles?: object;
  readonly ssrfPolicy?: { readonly allowedHostnames?: readonly string[] };
}
