import { daysSince } from "../../components/days";
import type { Settings } from "../../config";
import { buildsImage } from "../../config";
import { compareVersions } from "../backup/backupFile";
import type { HostFacts } from "./host";
import { publishedTags } from "./npmRegistry";
import type { Look } from "../../host/run";
import type { StackState } from "../../pulumi/stackState";
import type { Check } from "../status";

/** Returns what assets/host/images.sh is asked about a stack's images. */
export function imagesLook({ images }: Pick<StackState, "images">): Look {
  const lines = images.map(({ kind, id }) => `${kind} ${id}`);
  return { script: "images.sh", variables: { IMAGES: lines.join("\n") } };
}

/**
 * Returns a check for each of a stack's images: how old its packages are.
 * @param facts what assets/host/images.sh printed
 * @param maxDays days after which an image is too old; 0 for none
 */
export function imageChecks(
  { images }: Pick<StackState, "images">,
  facts: HostFacts,
  maxDays: number,
): Check[] {
  const times = new Map(
    (facts.get("image") ?? []).map((line) => line.split("\t") as [string, string]),
  );
  return images.map(({ kind }) => {
    const name = `${kind} image`;
    const time = Date.parse(times.get(kind) ?? "");
    if (Number.isNaN(time)) {
      return { name, value: "age not known", state: "info" };
    }
    const days = Math.max(0, daysSince(time));
    const age = `packages of ${new Date(time).toISOString().slice(0, 10)}, ${days.toString()} days old`;
    if (maxDays === 0) {
      return { name, value: age, state: "info" };
    }
    return days > maxDays
      ? { name, value: `${age}; openclaw:maxImageDays is ${maxDays.toString()}`, state: "bad" }
      : { name, value: age, state: "ok" };
  });
}

/** Asks the npm registry whether there is a newer OpenClaw than the settings name. It fails nothing. */
export async function newerOpenclaw(settings: Settings, seconds: number): Promise<Check> {
  return newerCheck(settings, await publishedTags(seconds));
}

/** @param tags versions by tag, undefined if the registry does not answer */
export function newerCheck(
  settings: Pick<Settings, "gatewayImage" | "openclawVersion">,
  tags: ReadonlyMap<string, string> | undefined,
): Check {
  const named = (entries: readonly (readonly [string, string])[]) =>
    entries.map(([tag, version]) => `${version} (${tag})`).join(", ");
  const check = (value: string): Check => ({ name: "newer OpenClaw", value, state: "info" });
  if (tags === undefined) {
    return check("not known: the npm registry does not answer");
  }
  const { gatewayImage } = settings;
  const current = buildsImage(settings)
    ? settings.openclawVersion
    : /:(\d+\.\d+\.\d+[^:]*)$/.exec(gatewayImage)?.[1];
  if (current === undefined) {
    return check(`not known for ${gatewayImage}; published: ${named([...tags]) || "none"}`);
  }
  const newer = [...tags].filter(([, version]) => compareVersions(version, current) > 0);
  return check(named(newer) || "none");
}
