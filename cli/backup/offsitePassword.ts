import { z } from "zod";
import { namespace } from "../../config";
import { $ } from "../../host/shellCommand";
import { progress } from "../../host/terminal";
import { UserError } from "../../host/userError";
import type { Deployment } from "../../pulumi/deployment";
import { pulumiJson } from "../../pulumi/engine";
import type { StackState } from "../../pulumi/recovery";

/**
 * Keeps the generated password of backups off the machine before its resource is deleted, as a secret of the stack's
 * settings: the backups outlive the stack, and no one can read them without it.
 */
export async function keepOffsitePassword(
  { engine, stack, settings }: Pick<Deployment, "engine" | "stack" | "settings">,
  { hasOffsitePassword }: Pick<StackState, "hasOffsitePassword">,
): Promise<void> {
  if (!hasOffsitePassword || settings.offsitePassword !== "") {
    return;
  }
  const outputs = await pulumiJson(engine, [
    ...["stack", "output", "--json", "--show-secrets", "--stack", stack],
  ]);
  const { offsitePassword } = z.object({ offsitePassword: z.string().min(1) }).parse(outputs);
  const key = `${namespace}:offsitePassword`;
  const { exitCode, stderr } = await $({
    env: engine.env,
    quiet: true,
    nothrow: true,
    input: offsitePassword,
  })`${engine.pulumi} config set --secret ${key} --stack ${stack}`;
  if (exitCode !== 0) {
    throw new UserError(
      `The password of the off-site backups can't be kept in Pulumi.${stack}.yaml, so nothing is deleted: ${stderr.trim()}`,
    );
  }
  progress(
    `The password of the off-site backups is kept, encrypted, in Pulumi.${stack}.yaml (${key})`,
  );
}
