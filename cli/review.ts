import { writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { defaults } from "../components/defaults";
import { titles } from "../components/tileDefaults";
import { namespace } from "../config";
import { UserError } from "../host/userError";
import { progress } from "../host/terminal";
import { readIfThere } from "../host/files";

/** A stack's file. */
export interface StackFile {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly encryptionsalt?: string;
}

const template = "Pulumi.review.yaml";

/** `npm run review`: the settings of a pull request's own stack, made from those that all review stacks share. */
export function review(number: string): void {
  if (!/^[1-9]\d{0,8}$/.test(number)) {
    throw new UserError(`${JSON.stringify(number)} is not the number of a pull request.`);
  }
  const text = readIfThere(template);
  if (text === undefined) {
    throw new UserError(
      `There is no ${template} with the settings that review stacks share. Copy Pulumi.kasm.yaml.example to it.`,
    );
  }
  const file = `Pulumi.${reviewStack(number)}.yaml`;
  writeFileSync(file, stringify(reviewSettings(parse(text) as StackFile, number)));
  progress(`Wrote ${file}`);
}

/** Name of a pull request's stack. */
export function reviewStack(number: string): string {
  return `pr-${number}`;
}

/**
 * The shared settings with names, port, data, route, image and tiles of the pull request's own, so that any number of
 * review stacks stand on one host, beside one that is for good. Their data goes with them. Secrets stay as they are: the file's salt fits them under any name.
 */
export function reviewSettings(shared: StackFile, number: string): StackFile {
  const config = shared.config ?? {};
  const get = (key: string) => config[`${namespace}:${key}`];
  const name = reviewStack(number);
  const directory = get("directory") as string | undefined;
  const instances = get("instances") as readonly string[] | undefined;
  const ports = Math.max(1, instances?.length ?? 0);
  const own = {
    containerName: `openclaw-${name}`,
    networkName: `openclaw-net-${name}`,
    port: 20_000 + ((Number(number) * ports) % 10_000),
    removeDataOnDestroy: true,
    ...(get("dataVolume")
      ? { dataVolume: `openclaw-data-${name}` }
      : { directory: `${directory ?? defaults.directory}-${name}` }),
    ...ownRoute(get("nginxRoute"), name),
    ...ownImage(get("kasmImage"), name),
    ...ownTiles(get("workspaces"), name),
  };
  const entries = Object.entries(own).map(
    ([key, value]) => [`${namespace}:${key}`, value] as const,
  );
  return { ...shared, config: Object.fromEntries([...Object.entries(config), ...entries]) };
}

function ownRoute(route: unknown, name: string): Record<string, unknown> {
  const { mode, serverName } = (route ?? {}) as { mode?: string; serverName?: string };
  switch (mode) {
    case "path":
      return {
        basePath: `/openclaw-${name}`,
        nginxRoute: { ...(route as object), fileName: `openclaw-${name}.conf` },
      };
    case "serverName":
      return {
        nginxRoute: {
          ...(route as object),
          serverName: `${name}.${serverName ?? ""}`,
          fileName: `zz-openclaw-${name}.conf`,
        },
      };
    default:
      return {};
  }
}

/** An image has one name for all that build it, and who removes it takes that name away. */
function ownImage(image: unknown, name: string): Record<string, unknown> {
  const { name: shared } = (image ?? {}) as { name?: string };
  return image === undefined
    ? {}
    : { kasmImage: { ...(image as object), name: `${shared ?? defaults.kasmImageName}-${name}` } };
}

/** What a tile has that only one can have, or that people tell it by. */
interface Tile {
  readonly friendlyName?: string;
  readonly importId?: string;
  readonly cast?: { readonly key: string };
  readonly sharedDirectory?: string;
}

function ownTiles(workspaces: unknown, name: string): Record<string, unknown> {
  if (workspaces === undefined) {
    return {};
  }
  const tiles = Object.entries(workspaces as Partial<Record<keyof typeof titles, Tile>>);
  return {
    workspaces: Object.fromEntries(
      tiles.map(([kind, tile]) => [kind, ownTile(kind as keyof typeof titles, tile, name)]),
    ),
  };
}

function ownTile(kind: keyof typeof titles, tile: Tile, name: string): Tile {
  // The tile of that id is another stack's.
  const { importId: _, cast, sharedDirectory, ...rest } = tile;
  return {
    ...rest,
    friendlyName: `${tile.friendlyName ?? titles[kind]} (${name})`,
    ...(cast && { cast: { ...cast, key: `${cast.key}-${name}` } }),
    ...(sharedDirectory && { sharedDirectory: `${sharedDirectory}-${name}` }),
    // Homes are for good.
    ...(kind === "desktop" && { persistentProfilePath: "" }),
  };
}
