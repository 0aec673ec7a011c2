import * as pulumi from "@pulumi/pulumi";
import { stateByScript } from "../../providers/hostState";
import { run } from "../../providers/observedStateProvider";
import { valueOf } from "../unit/mocks";
import { shellOnTarget } from "../../host/target";

const ssh = { options: ["-F", "none"], alias: "server", needsSudo: true };

test("every script that manages state on a server has a timeout there", async () => {
  const { command } = stateByScript({
    target: { ssh },
    script: "kasm-image.sh",
    variables: {},
    expected: "",
    identity: "",
  });

  for (const action of ["apply", "look", "remove"] as const) {
    const words = await valueOf(pulumi.output(command(action)));

    expect(words.slice(4)).toEqual([
      "sudo",
      "-n",
      "timeout",
      "--kill-after=30",
      "600",
      "sh",
      "-s",
      "--",
      action,
    ]);
  }
});

test("a short script has a timeout that leaves time for its clean-up", () => {
  expect(shellOnTarget({ ssh }, "look", { asRoot: false, seconds: 2 })).toContain("--kill-after=1");
});

describe("a command that does not end", () => {
  test.each([
    ["by itself", "sleep 30"],
    ["and leaves a child that has its output", "sleep 30 & wait"],
    ["despite SIGTERM", "trap : TERM; sleep 30; sleep 30"],
  ])("%s fails after a timeout", async (_, script) => {
    const started = performance.now();

    await expect(run(["sh", "-c", script], { stdin: "", seconds: 0.3 })).rejects.toThrow(
      "sh did not end within 0.3 s",
    );
    expect(performance.now() - started).toBeLessThan(3000);
  });
});
