import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isRunning } from "./process";

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

/** Removes what agents left in a folder that were killed before they could: sockets at which none answers, and numbers of processes. */
export function removeDeadAgents(folder: string): void {
  const files = (path: string) => (existsSync(path) ? readdirSync(path) : []);
  const remove = (...path: string[]) => {
    rmSync(join(folder, ...path), { force: true });
  };
  for (const holder of files(join(folder, "holders"))) {
    if (!isRunning(Number(holder))) {
      remove("holders", holder);
    }
  }
  for (const file of files(folder)) {
    // A socket has this name until its agent holds the key; the number is that of the script that starts it.
    const [, starter] = /^agent-(\d+)$/.exec(file) ?? [];
    if (starter !== undefined && !isRunning(Number(starter))) {
      remove(file);
    }
  }
  if (existsSync(agentSocket(folder)) && !answers(agentSocket(folder))) {
    remove("agent");
  }
}

function answers(socket: string): boolean {
  const env = { ...process.env, SSH_AUTH_SOCK: socket };
  // With 1 ssh-add says that the agent is empty, with 2 that there is none.
  return spawnSync("ssh-add", ["-l"], { env, stdio: "ignore" }).status !== 2;
}
