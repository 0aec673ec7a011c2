import { readIfThere } from "./engine";

/**
 * Whether a process is at work. Its number may have gone to another program since, so its name can be asked for too;
 * one that was killed and that nobody has asked after is still listed.
 */
export function isRunning(pid: number, name?: string): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = readIfThere(`/proc/${pid.toString()}/status`);
  return (
    status === undefined ||
    (!/^State:\s+Z/m.test(status) &&
      (name === undefined || new RegExp(`^Name:\\s+${name}$`, "m").test(status)))
  );
}
