import type * as pulumi from "@pulumi/pulumi";
import { devToolsPort } from "../components/gateway/container";
import type { OpenClawBrowserArgs } from "../components/openClawBrowser";
import type { Settings } from "./index";
import { browserSize } from "./plans";

/** The browser beside a gateway; none where there is no image of one. */
export function browserArgs(
  settings: Settings,
  image: pulumi.Output<string> | undefined,
  networkName: pulumi.Output<string>,
): OpenClawBrowserArgs | undefined {
  return image && { image, networkName, containerName: browserName(settings), ...browserSize };
}

/** Name of the browser's container. */
export function browserName({ containerName }: Pick<Settings, "containerName">): string {
  return `${containerName}-browser`;
}

/** Keys of openclaw.json that {@link openclawConfig} sets for the browser. */
export const browserKeys = [
  "browser.enabled",
  "browser.defaultProfile",
  "browser.profiles.sidecar",
];

/** openclaw.json as the settings give it, and in it the way to the browser. */
export function openclawConfig(settings: Settings): Record<string, unknown> {
  if (settings.browser !== "sidecar") {
    return settings.openclawConfig;
  }
  const name = browserName(settings);
  const { browser = {}, ...rest } = settings.openclawConfig as { browser?: GivenBrowser };
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
