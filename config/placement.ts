import { parseDocument } from "yaml";
import { hostNames, hostSetting, kasmHost } from "./host";
import { namespace, type Settings } from "./index";

/** Returns the host that a name or a setting such as `openclaw:hosts.two` is of, or nothing if there is none. */
export function hostNamed(settings: Settings, text: string): string | undefined {
  const names = hostNames(settings).filter((name) => name !== kasmHost);
  return [...names, kasmHost].find((name) => (name || hostSetting(kasmHost)) === text);
}

/** Returns a stack's settings with an instance on another host. */
export function placedOn(settings: Settings, instance: string, host: string): Settings {
  const instances = settings.instances.map((each) =>
    each.name === instance ? entry(instance, host) : each,
  );
  return { ...settings, instances };
}

function entry(name: string, host: string): Settings["instances"][number] {
  return host === kasmHost ? { name } : { name, host };
}

/**
 * Returns the text of a stack's file with an instance on another host. All else stays as it is, comments too.
 * @throws Error if the file has no list of instances with it
 */
export function withPlace(text: string, instance: string, host: string): string {
  const document = parseDocument(text);
  const { config = {} } = document.toJS() as { config?: Record<string, unknown> };
  const key = Object.keys(config).find(
    (each) => each.startsWith(`${namespace}:`) && each.endsWith(":instances"),
  );
  const value = key === undefined ? undefined : config[key];
  // A list that was set by the CLI may be the text of one.
  const list = typeof value === "string" ? (JSON.parse(value) as unknown) : value;
  const index = Array.isArray(list) ? list.findIndex((each) => nameOf(each) === instance) : -1;
  if (key === undefined || !Array.isArray(list) || index < 0) {
    throw new Error(`${namespace}:instances has no ${instance}`);
  }
  const placed = entry(instance, host);
  const item = host === kasmHost ? instance : placed;
  if (typeof value === "string") {
    const changed = (list as unknown[]).map((each, at) => (at === index ? item : each));
    document.setIn(["config", key], JSON.stringify(changed));
  } else {
    document.setIn(["config", key, index], document.createNode(item, { flow: true }));
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function nameOf(item: unknown): unknown {
  return typeof item === "object" && item !== null && "name" in item ? item.name : item;
}
