import { namespace, type Settings } from "../config";
import { hostNames, hostOf, hostResource, imagesResource, kasmHost } from "../config/host";
import { instancesOf } from "../config/instances";
import { allAside } from "./placement";
import { UserError } from "../host/userError";

/**
 * Returns the engine's options that leave all of a stack's resources on some hosts as they are, with their routes and tiles:
 * they are neither asked for nor changed, and stay in the state.
 * @throws UserError if there is no such host, or it is KASM's
 */
export function exclusions(settings: Settings, without: readonly string[]): string[] {
  const known = hostNames(settings).filter((name) => name !== kasmHost);
  const unknown = without.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new UserError(
      `--without ${unknown.join(" ")}: expected names of ${namespace}:hosts, which has ${known.join(", ") || "none"}`,
    );
  }
  const gateways = instancesOf(settings).filter(({ name }) =>
    without.includes(hostOf(settings, name)),
  );
  // A move from a host that is left out can't be undone before that one answers.
  const aside = without.length > 0 ? [allAside] : [];
  const names = [
    ...without.flatMap((name) => [hostResource(name), imagesResource(name)]),
    ...gateways.map(({ resource }) => resource),
  ];
  return [...names.flatMap((name) => [`**::${name}`, `**::${name}-*`]), ...aside].flatMap(
    (urns) => ["--exclude", urns],
  );
}
