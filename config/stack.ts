import * as pulumi from "@pulumi/pulumi";
import { namespace, parseSettings, type Settings, SettingsError } from "./index";
import { inClearOf } from "./stackFile";

/**
 * The settings of the stack that this program runs for.
 * @throws pulumi.RunError with every problem at once, which the engine prints without a stack
 */
export function stackSettings(): Settings {
  // The SDK tells which keys are encrypted nowhere else.
  const encrypted = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "[]") as string[];
  const own = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => isOwn(key));
  try {
    return parseSettings({
      values: Object.fromEntries(own.map(([key, value]) => [settingName(key), value])),
      encrypted: encrypted.filter(isOwn).map(settingName),
      inClear: inClearOf(pulumi.getStack()),
    });
  } catch (error) {
    throw error instanceof SettingsError ? new pulumi.RunError(error.message) : error;
  }
}

function isOwn(key: string): boolean {
  return key.startsWith(`${namespace}:`);
}

/** Keys come as `openclaw:port` or in the older form `openclaw:config:port`. */
function settingName(key: string): string {
  return key.slice(key.lastIndexOf(":") + 1);
}
