import { spawnSync } from "node:child_process";
import { join } from "node:path";

const script = join(__dirname, "../assets/ssh/key-agent.sh");

/** The socket of the agents that {@link startKeyAgent} starts in a folder. */
export function agentSocket(folder: string): string {
  return join(folder, "agent");
}

/**
 * Puts a private key into an SSH agent of its own, so that no file holds it. It ends within a second after the processes
 * that need it, even if they are killed.
 * @param holder number of the process that needs the key
 * @returns what ssh-add says if it can't use the key
 */
export function startKeyAgent(folder: string, key: string, holder: number): string | undefined {
  // In a session of its own: Ctrl-C ends the engine, which still needs the key to do so, but no agent.
  const options = { input: key, encoding: "utf8", detached: true } as const;
  const { status, stderr, error } = spawnSync("sh", [script, folder, holder.toString()], options);
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}
