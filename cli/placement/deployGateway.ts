import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { hostSetting } from "../../config/host";
import { withPlace } from "../../config/placement";
import type { Hold } from "../../host/held";
import { UserError } from "../../host/userError";
import { importState, runPulumiHolding } from "../../pulumi/engine";
import { placedTargets, withPlacedAside } from "../../pulumi/placement";
import { awaitReady } from "../up";
import { exported, instanceAt, type Move, settingsFile } from "./task";

/**
 * Deploys the gateway alone at its destination, and waits until its dashboard answers. What it has on its old host is set aside in
 * Pulumi's state, and the settings name that host until the gateway is given away.
 * @param held what stays held until the engine has ended, also if this process is killed
 */
export async function deployGateway(task: Move, held: readonly Hold[]): Promise<void> {
  const { current, moved, name, stack, to } = task;
  const { engine } = current;
  const instance = instanceAt(task, to);
  const state = withPlacedAside(await exported(current), instance.resource, to);
  const file = join(".build/move", settingsFile(stack));
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, withPlace(readFileSync(settingsFile(stack), "utf8"), name, to));
    await importState(engine, stack, JSON.stringify(state));
    const args = [
      ...["up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", stack],
      ...["--config-file", file],
      ...placedTargets(instance.resource),
    ];
    const inputs = held.map(({ input }) => input);
    if ((await runPulumiHolding(engine, args, inputs)) !== 0) {
      throw new UserError(
        `Deploying ${name} on ${hostSetting(to)} failed; see the Pulumi output above.`,
      );
    }
    await awaitReady(moved, [instance]);
  } finally {
    rmSync(file, { force: true });
  }
}
