// The gateway's pause: as long as a connection to its container is open, the gateway there is stopped.
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { Failure } from "./restic.mjs";

const socketFile = "/run/openclaw-pause/socket";

/**
 * Stops the gateway for the time of `work`. However that ends, the gateway is started: also if this process is killed.
 * @param claim written to the data, which from then on names the repository that it is saved in
 * @param work gets the version of OpenClaw
 * @throws Failure if the gateway does not stop, or was started by others before the end
 */
export async function withPause(claim, work) {
  const socket = net.connect(socketFile);
  let isOver = false;
  socket.on("close", () => (isOver = true));
  try {
    await once(socket, "connect");
    socket.write(`${claim}\n`);
    const lines = createInterface({ input: socket });
    const [answer = ""] = await Promise.race([once(lines, "line"), once(socket, "close")]);
    const [, version] = /^paused (\S+)$/.exec(String(answer)) ?? [];
    if (version === undefined) {
      throw new Failure(`the gateway can't be stopped for a backup: ${answer || "no answer"}`);
    }
    const result = await work(version);
    if (isOver) {
      throw new Failure("the gateway was started before its backup was whole");
    }
    return result;
  } catch (error) {
    throw error.syscall === "connect"
      ? new Failure(`the gateway does not run (${error.code}), so its data can't be saved`)
      : error;
  } finally {
    socket.destroy();
  }
}
