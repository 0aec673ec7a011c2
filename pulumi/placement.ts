import { z } from "zod";
import { containerType, networkType } from "./networks";

/** Types of the resources that are on a host and go with their gateway; its credentials and its route's certificates stay. */
const placedTypes: readonly string[] = [
  containerType,
  networkType,
  "docker:index/volume:Volume",
  "command:local:Command",
  "pulumi-nodejs:dynamic/openclaw:DataDirectory",
];

const resourceSchema = z.looseObject({
  urn: z.string(),
  type: z.string(),
  dependencies: z.array(z.string()).optional(),
  propertyDependencies: z.record(z.string(), z.array(z.string()).nullable()).optional(),
  deletedWith: z.string().optional(),
});
const exportSchema = z.looseObject({
  deployment: z.looseObject({ resources: z.array(resourceSchema).default([]) }).nullable(),
});

/**
 * Takes what a gateway has on hosts out of an exported state: the engine then creates it where the settings place it, and deletes
 * nothing on the host before.
 * @param resource name of the gateway's resource
 * @param leftOut names of the hosts on which everything stays as it is
 * @returns the changed state, or nothing if it has none of it
 */
export function withoutPlaced(
  exported: unknown,
  resource: string,
  leftOut: readonly string[] = [],
): object | undefined {
  const state = exportSchema.parse(exported);
  const resources = state.deployment?.resources ?? [];
  const isPlaced = ({ urn, type }: { urn: string; type: string }) => {
    // On a web server beside KASM's own, the name begins with that of its host.
    const [, server = "", name = ""] = /::(?:host-([a-z0-9]+)-)?([^:]+)$/.exec(urn) ?? [];
    return (
      placedTypes.includes(type) &&
      !leftOut.includes(server) &&
      `${name}-`.startsWith(`${resource}-`)
    );
  };
  const gone = new Set(resources.filter(isPlaced).map(({ urn }) => urn));
  const stays = (urn: string) => !gone.has(urn);
  const kept = resources
    .filter((each) => !isPlaced(each))
    .map((each) => ({
      ...each,
      ...(each.dependencies && { dependencies: each.dependencies.filter(stays) }),
      ...(each.propertyDependencies && {
        propertyDependencies: Object.fromEntries(
          Object.entries(each.propertyDependencies).map(([key, urns]) => [
            key,
            urns?.filter(stays) ?? null,
          ]),
        ),
      }),
      ...(each.deletedWith !== undefined &&
        gone.has(each.deletedWith) && { deletedWith: undefined }),
    }));
  return gone.size === 0
    ? undefined
    : { ...state, deployment: { ...state.deployment, resources: kept } };
}
