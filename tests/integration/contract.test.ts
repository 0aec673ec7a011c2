import { $ } from "zx";
import { docker, removeLeftovers } from "../support/docker";
import { outcome, Project } from "../support/project";

jest.setTimeout(5 * 60_000);

const stack = "contract";
const prefix = "openclaw-e2e-contract";

test("the gateway's image keeps its contract with a light OpenClaw too", async () => {
  const project = new Project();
  try {
    await project.checkout("light");
    await removeLeftovers(prefix, stack);
    project.settings(stack, {
      containerName: prefix,
      networkName: `${prefix}-net`,
      dataVolume: `${prefix}-data`,
      port: 18184,
      publishAddresses: ["127.0.0.1"],
      memoryMb: 2048,
    });
    expect(outcome(await project.run("up", "--stack", stack))).toBe("ok");
    const image = await docker("inspect", "--format", "{{.Image}}", prefix);
    const contract = await $({
      quiet: true,
      nothrow: true,
    })`bash tests/image/gateway-image.sh ${image}`;

    expect(contract.stdout.match(/^not ok .*(\n# .*)*/gm) ?? []).toEqual([]);
    expect(contract.stdout.match(/^ok /gm)?.length).toBeGreaterThan(30);
    expect(contract.exitCode).toBe(0);
  } finally {
    await project.run("down", "--delete-data", "--stack", stack);
    project.remove();
  }
});
