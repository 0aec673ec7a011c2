import { writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { defaults } from "../components/defaults";
import { namespace, type Settings } from "../config";
import { ownNames } from "../config/ownNames";
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
  const get = <T>(key: keyof Settings, byDefault: T) =>
    (config[`${namespace}:${key}`] ?? byDefault) as T;
  const name = reviewStack(number);
  const common = {
    containerName: get("containerName", "openclaw"),
    networkName: get("networkName", "openclaw-net"),
    directory: get("directory", defaults.directory),
    dataVolume: get("dataVolume", ""),
    nginxRoute: get("nginxRoute", { mode: "none" } as Settings["nginxRoute"]),
    workspaces: get<Settings["workspaces"]>("workspaces", {}),
  };
  const { dataVolume, directory, nginxRoute, workspaces, ...names } = ownNames(common, name);
  const ports = Math.max(1, get<readonly string[]>("instances", []).length);
  const image = get<{ readonly name?: string } | undefined>("kasmImage", undefined);
  const own = {
    ...names,
    port: 20_000 + ((Number(number) * ports) % 10_000),
    removeDataOnDestroy: true,
    // Data that goes with its stack is not worth a backup, least of all among another stack's.
    ...(get<unknown>("offsite", undefined) !== undefined && { offsite: {} }),
    ...(dataVolume === "" ? { directory } : { dataVolume }),
    ...(nginxRoute.mode !== "none" && { nginxRoute }),
    ...(nginxRoute.mode === "path" && { basePath: `/openclaw-${name}` }),
    // An image has one name for all that build it, and who removes it takes that name away.
    ...(image && {
      kasmImage: { ...image, name: `${image.name ?? defaults.kasmImageName}-${name}` },
    }),
    ...(Object.keys(workspaces).length > 0 && { workspaces: reviewTiles(workspaces, name) }),
  };
  const entries = Object.entries(own).map(
    ([key, value]) => [`${namespace}:${key}`, value] as const,
  );
  return { ...shared, config: Object.fromEntries([...Object.entries(config), ...entries]) };
}

interface Tile {
  readonly importId?: string;
  readonly sharedDirectory?: string;
}

function reviewTiles(workspaces: Settings["workspaces"], name: string): object {
  const tiles = Object.entries(workspaces as Record<string, Tile>);
  return Object.fromEntries(
    // The tile of that id is another stack's.
    tiles.map(([kind, { importId: _, sharedDirectory, ...tile }]) => [
      kind,
      {
        ...tile,
        ...(sharedDirectory && { sharedDirectory: `${sharedDirectory}-${name}` }),
        // Homes are for good.
        ...(kind === "desktop" && { persistentProfilePath: "" }),
      },
    ]),
  );
}
