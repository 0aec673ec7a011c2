import type { Settings } from "../config";
import { type Instance, instancesOf } from "../config/instances";
import { UserError } from "../host/userError";

/**
 * The gateway that a command is for.
 * @throws UserError where the stack has several and none of them is named, or has none of that name
 */
export function chosenInstance(settings: Settings, name: string | undefined): Instance {
  const instances = instancesOf(settings);
  const [only] = instances;
  const chosen =
    name === undefined && instances.length === 1
      ? only
      : instances.find((instance) => instance.name === name);
  if (chosen === undefined) {
    const names = settings.instances.map((each) => each.name).join(", ");
    throw new UserError(
      names === ""
        ? "This stack has no instances with names."
        : `Which one? --instance with one of ${names}`,
    );
  }
  return chosen;
}

/** A stack's outputs as one of its gateways has them: of those that stand by name, its own. */
export function outputsOf(outputs: Record<string, unknown>, { name }: Pick<Instance, "name">) {
  const own = (key: string, value: unknown) =>
    key !== byTile && isRecord(value) && Object.hasOwn(value, name) ? value[name] : value;
  return Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, own(key, value)]));
}

/** This output's names are tiles, and `desktop` is a name that a gateway may have too. */
const byTile = "workspaces";

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
