import { $ } from "zx";
import { onTarget } from "../components/host/target";
import { withDeployment } from "./deployment";

/** `npm run logs`: what the gateway's container says, the last lines first and then, when asked, as it comes. */
export async function logs({
  stack,
  follow,
  lines,
}: {
  stack: string;
  follow: boolean;
  lines: string;
}): Promise<void> {
  await withDeployment(stack, async ({ settings, target }) => {
    const options = ["--tail", lines, ...(follow ? ["--follow"] : [])];
    const command = onTarget(target, ["docker", "logs", ...options, settings.containerName]);
    process.exitCode = (await $({ stdio: "inherit", nothrow: true })`${command}`).exitCode ?? 1;
  });
}
