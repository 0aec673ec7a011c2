import { compareVersions } from "../backup/backupFile";
import { buildsImage, type Settings } from "../../config";
import { type Look, lookOnHost, patient } from "../../host/run";
import type { HostTarget } from "../../host/target";
import type { Check } from "../status";
import { type HostFacts, parseFacts } from "./host";

/** Returns what assets/host/plugins.sh is asked about a gateway. */
export function pluginsLook(settings: Settings): Look {
  return {
    script: "plugins.sh",
    variables: { CONTAINER: settings.containerName, DATA_USER: dataUser(settings) },
  };
}

/** The user that a gateway runs as: the images' differ, and root in a container may not read everybody's files. */
export function dataUser(settings: Settings): string {
  return buildsImage(settings) ? "1000" : "0";
}

/**
 * Returns a check that names the plugins which are older than the gateway: they are in its data, so another image leaves them
 * as they are. Undefined if there is none.
 * @param facts what assets/host/plugins.sh printed
 */
export function pluginCheck(
  { containerName }: Pick<Settings, "containerName">,
  facts: HostFacts,
  version: string,
): Check | undefined {
  const behind = (facts.get("plugin") ?? [])
    .map((line) => line.split(" ") as [name: string, version: string])
    // Libraries have versions of another kind.
    .filter(([, own]) => isRelease(own) && isRelease(version) && compareVersions(own, version) < 0);
  if (behind.length === 0) {
    return undefined;
  }
  const names = behind.map(([name]) => name).join(" ");
  return {
    name: "plugins",
    value: `${behind.map((each) => each.join(" ")).join(", ")}: older than OpenClaw ${version}; update them on the host with docker exec ${containerName} openclaw plugins update ${names}, then docker restart ${containerName}`,
    state: "info",
  };
}

function isRelease(version: string): boolean {
  return /^20\d\d\.\d+\.\d+/.test(version);
}

/** Seconds that the question may take; who asks has time. */
const seconds = 20;

/** Returns a sentence for each gateway with plugins that stayed behind a version of OpenClaw. */
export async function pluginNotices(
  target: HostTarget,
  gateways: readonly Settings[],
  version: string,
): Promise<string[]> {
  const looks = gateways.map((settings) => patient(pluginsLook(settings), seconds));
  const { said } = await lookOnHost(target, looks, seconds + 5);
  return gateways.flatMap((settings, index) => {
    const check = pluginCheck(settings, parseFacts(said[index] ?? ""), version);
    return check === undefined ? [] : [`Plugins stayed behind: ${check.value}`];
  });
}
