import { UserError } from "../../host/userError";
import { runAlone } from "../support/runAlone";

test("refuses a second test run on a machine", async () => {
  const socket = `\0openclaw-kasm-test-${process.pid.toString()}`;
  await runAlone(socket);

  await expect(runAlone(socket)).rejects.toThrow(UserError);
});
