import { randomUUID } from "node:crypto";
import { $ } from "zx";

/** Runs a shell script on this machine and returns its output. */
export async function shell(script: string): Promise<string> {
  return (await $({ quiet: true })`sh -c ${script}`).stdout;
}

/**
 * Reads again and again what the processes of a host can be seen to have: the arguments of all, and the environment of
 * those that are in no container, as the gateway is.
 * @param run runs a shell script as root on that host and returns its output
 * @returns stops it, and returns each text that was there, a line each
 */
export function watchProcesses(
  run: (script: string) => Promise<string> = shell,
): () => Promise<string> {
  // Tests that run at the same time watch the same machine.
  const enough = `/run/openclaw-test-${randomUUID()}`;
  const seen = run(`
    own=$(readlink /proc/self/ns/mnt | tr -dc 0-9)
    until [ -e ${enough} ]; do
      cat /proc/[0-9]*/cmdline $(find /proc/[0-9]*/ns/mnt -lname "*$own*" -printf '%h/../environ ') 2>/dev/null
      sleep 0.15
    done | tr '\\0' '\\n' | awk '!seen[$0]++'
    rm ${enough}`);
  return async () => {
    await run(`touch ${enough}`);
    // Pulumi hands a program its settings in this variable; no other process has it.
    return (await seen).replaceAll(/^PULUMI_CONFIG=.*$/gm, "");
  };
}
