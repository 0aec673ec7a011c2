import { createServer } from "node:net";
import { UserError } from "../../host/userError";

/**
 * Has the names and ports of the tests for this process until it ends. The socket is an abstract one: the kernel takes
 * it back from a killed process too.
 * @throws UserError when another run of tests has them
 */
export async function runAlone(socket = "\0openclaw-kasm-tests"): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const taken =
      "Another run of tests is at work on this machine, with the same names and ports: wait until it has ended, or end it.";
    createServer()
      .once("error", () => {
        reject(new UserError(taken));
      })
      .listen(socket, resolve)
      .unref();
  });
}
