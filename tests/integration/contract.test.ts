import { removeLeftovers } from "../support/docker";
import { expectContract } from "../support/imageContract";
import { localSettings } from "../support/localGateway";
import { outcome, Project } from "../support/project";

jest.setTimeout(5 * 60_000);

const stack = "contract";
const prefix = "openclaw-e2e-contract";

test("the gateway's image keeps its contract with the light OpenClaw", async () => {
  const project = new Project();
  try {
    await project.checkout("light");
    await removeLeftovers(prefix, stack);
    project.settings(stack, localSettings(prefix, 18184));
    expect(outcome(await project.run("up", "--stack", stack))).toBe("ok");
    await expectContract(prefix);
  } finally {
    await project.run("down", "--delete-data", "--stack", stack);
    project.remove();
  }
});
