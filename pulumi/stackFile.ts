import { checkEach } from "../config";
import { inClear, plainSettings } from "../config/stackFile";
import { UserError } from "../host/userError";
import { readIfThere } from "../host/files";

/**
 * Looks at a stack's file as far as that goes without the engine, which may take minutes to make.
 * @throws UserError if the file does not exist
 * @throws SettingsError with what is wrong with settings that are not encrypted
 */
export function checkStackFile(stack: string): void {
  const text = readIfThere(`Pulumi.${stack}.yaml`);
  if (text === undefined) {
    throw new UserError(
      `There is no Pulumi.${stack}.yaml with the settings of stack "${stack}". Copy Pulumi.kasm.yaml.example to it for a KASM server.`,
    );
  }
  checkEach({ values: plainSettings(text), encrypted: [], inClear: inClear(text) });
}
