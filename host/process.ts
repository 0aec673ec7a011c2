import { readIfThere } from "./files";

/**
 * Whether a process is at work. Its number may have gone to another program since, so its name can be asked for too;
 * a killed one is listed until its parent has read its status.
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

/** When a process was started, by which it differs from an earlier one of its number; nothing where the system does not tell. */
export function startTime(pid: number): string {
  const stat = readIfThere(`/proc/${pid.toString()}/stat`) ?? "";
  // The second field is a name in parentheses, which may hold anything.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
