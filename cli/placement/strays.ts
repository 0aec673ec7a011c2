import { hostNames, hostOf, hostSetting } from "../../config/host";
import { type Instance, instancesOf } from "../../config/instances";
import { progress } from "../../host/terminal";
import { UserError } from "../../host/userError";
import { type Deployment, onHosts } from "../../pulumi/deployment";
import type { StackState } from "../../pulumi/recovery";
import type { HostFacts } from "../preflight/host";
import { findPlaced, placedIn, removePlaced } from "./placed";
import { hostWord } from "./task";

/**
 * Removes gateways from hosts on which they are not placed any more, such as one that was lost when its gateway moved. Two
 * gateways with the same data must not run. The data stays.
 * @throws UserError if a gateway is still to be moved to where the settings place it
 */
export async function removeStrays(
  deployment: Deployment,
  { containers }: Pick<StackState, "containers">,
): Promise<void> {
  const { settings, stack } = deployment;
  if (hostNames(settings).length === 1) {
    return;
  }
  for (const { name, settings: own } of instancesOf(settings)) {
    const place = hostOf(settings, name);
    const known = containers.find((each) => each.name === own.containerName);
    if (known !== undefined && known.host !== place) {
      throw new UserError(
        `${name} is on ${hostSetting(known.host)}, and openclaw:instances places it on ${hostSetting(place)}. With its data it gets there by npm run move -- ${name} ${hostWord(place)} --stack ${stack}`,
      );
    }
  }
  const looks = onHosts(deployment).map(async ({ host }) => {
    const elsewhere = strayable(deployment, host);
    return { host, elsewhere, found: await findPlaced(deployment, elsewhere, host) };
  });
  for (const { host, elsewhere, found } of await Promise.all(looks)) {
    for (const [index, { containers: strays, data }] of found.entries()) {
      const instance = elsewhere[index];
      if (instance === undefined || strays.length === 0) {
        continue;
      }
      await removePlaced(deployment, instance, host, "gateway");
      const place = hostOf(settings, instance.name);
      progress(
        `Removed ${strays.map(({ name }) => name).join(", ")} from ${hostSetting(host)}: ${instance.name} is on ${hostSetting(place)}${
          data === undefined
            ? ""
            : `. Its old data stays in ${data}; npm run move -- ${instance.name} ${hostWord(place)} --stack ${stack} saves it to a file and deletes it there`
        }`,
      );
    }
  }
}

/** Returns the gateways that are placed on other hosts than this one. Their names are the same on every host. */
export function strayable({ settings }: Pick<Deployment, "settings">, host: string): Instance[] {
  return instancesOf(settings).filter(({ name }) => hostOf(settings, name) !== host);
}

/** Returns what `status` says of gateways that a host has and that are placed elsewhere. */
export function strayChecks(
  { settings, stack }: Pick<Deployment, "settings" | "stack">,
  host: string,
  facts: HostFacts,
): { instance: string; name: string; value: string; state: "bad" | "info" }[] {
  return strayable({ settings }, host).flatMap((instance) => {
    const { containers, data } = placedIn(facts, instance, host);
    const place = hostOf(settings, instance.name);
    const check = { instance: instance.name, name: "left behind" };
    return [
      ...containers.map(({ name, state }) => ({
        ...check,
        value: `${name} (${state}), although it is on ${hostSetting(place)}: npm run up -- --stack ${stack} removes it`,
        state: "bad" as const,
      })),
      ...(data === undefined
        ? []
        : [
            {
              ...check,
              value: `data in ${data}, although it is on ${hostSetting(place)}: npm run move -- ${instance.name} ${hostWord(place)} --stack ${stack} saves it to a file and deletes it`,
              state: "info" as const,
            },
          ]),
    ];
  });
}
