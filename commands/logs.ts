import { $ } from "zx";
import { onTarget } from "../components/host/target";
import { lookAtDeployment } from "./deployment";
import { chosenInstance } from "./instance";

/** `npm run logs`: what the gateway's container says, the last lines first and then, when asked, as it comes. */
export async function logs({
  stack,
  follow,
  lines,
  instance,
}: {
  stack: string;
  instance?: string;
  follow: boolean;
  lines: string;
}): Promise<void> {
  await lookAtDeployment(stack, async ({ settings, target }) => {
    const { containerName } = chosenInstance(settings, instance).settings;
    const options = ["--tail", lines, ...(follow ? ["--follow"] : [])];
    const command = onTarget(target, ["docker", "logs", ...options, containerName]);
    process.exitCode = (await $({ stdio: "inherit", nothrow: true })`${command}`).exitCode ?? 1;
  });
}
