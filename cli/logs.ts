import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { onTarget } from "../host/target";
import { printable } from "../host/printable";
import { lookAtDeployment, onHostOf } from "../pulumi/deployment";
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
  await lookAtDeployment(stack, async (deployment) => {
    const chosen = chosenInstance(deployment.settings, instance);
    const { target } = onHostOf(deployment, chosen);
    const { containerName } = chosen.settings;
    const options = ["--tail", lines, ...(follow ? ["--follow"] : [])];
    const command = onTarget(target, ["docker", "logs", ...options, containerName]);
    process.exitCode = await runPrintably(command);
  });
}

/** Runs a command on this terminal, which obeys nothing that is printed, and returns its exit status. */
export async function runPrintably([program = "", ...args]: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: ["inherit", "pipe", "pipe"] });
  pass(child.stdout, process.stdout);
  pass(child.stderr, process.stderr);
  const [exitCode] = (await once(child, "close")) as [number | null];
  return exitCode ?? 1;
}

function pass(from: Readable, to: Writable): void {
  // A character may come in two pieces.
  from.setEncoding("utf8");
  from.on("data", (text: string) => to.write(printable(text)));
}
