import { UserError } from "../../host/userError";
import { runAlone } from "../support/runAlone";

test("a second run of tests on a machine is refused", async () => {
  const socket = `\0openclaw-kasm-test-${process.pid.toString()}`;
  await runAlone(socket);

  await expect(runAlone(socket)).rejects.toThrow(UserError);
});
