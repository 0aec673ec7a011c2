import { spawn } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";

/** A port on this machine's 127.0.0.1 that leads to one that a container can reach, until `close`. */
export async function forwardThrough(
  container: string,
  address: string,
  port: number,
): Promise<{ readonly port: number; close(): void }> {
  const pipe = `exec 3<>/dev/tcp/${address}/${port.toString()}; cat <&3 & cat >&3; kill $!`;
  const server = createServer((socket) => {
    const far = spawn("docker", ["exec", "--interactive", container, "bash", "-c", pipe], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    socket.pipe(far.stdin).on("error", () => socket.destroy());
    far.stdout.pipe(socket).on("error", () => far.stdin.end());
    socket.on("close", () => far.stdin.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
    },
  };
}
