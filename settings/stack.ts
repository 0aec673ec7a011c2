import * as pulumi from "@pulumi/pulumi";
import { namespace, parseSettings, type Settings } from "./index";

/**
 * The settings of the stack that this program runs for.
 * @throws SettingsError with every problem at once
 */
export function stackSettings(): Settings {
  const prefix = `${namespace}:`;
  const encrypted = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "[]") as string[];
  const own = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  return parseSettings({
    values: Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value])),
    encrypted: encrypted.map((key) => key.slice(prefix.length)),
  });
}
