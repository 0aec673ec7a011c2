import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureLightImage } from "../../dev/rig/images";
import type { Rig } from "../../dev/rig/rig";
import { outcome, Project, unchanged } from "../support/project";
import { removeWorkerRig, startWorkerRig } from "../support/workerRig";

jest.setTimeout(10 * 60_000);

/** As many as the memory of a machine for these tests has room for. */
const names = Array.from({ length: 8 }, (_, index) => `g${index.toString()}`);
const gatewayImage = "coollabsio/openclaw:light";

// The engine keeps each state that it writes.
const project = new Project({ PULUMI_RETAIN_CHECKPOINTS: "true" });
let rig: Rig;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", "many", ...options);

/** How often Docker's CLI is called on the host by what is run, and how often ssh logs in. */
async function counted(work: () => Promise<unknown>): Promise<{ calls: string[]; logins: number }> {
  const before = await rig.sshConnections();
  await rig.exec(": >/tmp/docker-calls; chmod 666 /tmp/docker-calls");
  await work();
  const calls = await rig.exec("cat /tmp/docker-calls");
  return { calls: calls.split("\n"), logins: (await rig.sshConnections()) - before };
}
/** How often the engine has written the whole state. */
const stateWrites = () =>
  readdirSync(join(project.folder, "state/openclaw-kasm/stacks/.pulumi/stacks/openclaw")).filter(
    (file) => /^many\.json\.\d+$/.test(file),
  ).length;
const starting = (calls: readonly string[], ...words: string[]) =>
  calls.filter((call) => words.some((word) => call.startsWith(word)));

beforeAll(async () => {
  await project.checkout("light");
  rig = await startWorkerRig({ openclaw: "light", cores: 8 });
  await rig.addImage(await ensureLightImage(), gatewayImage);
  // A command in front of Docker's own, which writes down what it is called for.
  const script = String.raw`printf '#!/bin/sh\necho "$*" | head -n 1 >>/tmp/docker-calls\nexec %s "$@"\n' "$(command -v docker)"`;
  await rig.exec(`${script} >/usr/local/bin/docker; chmod 755 /usr/local/bin/docker`);
  project.settings("many", {
    host: rig.host,
    gatewayImage,
    publishAddresses: ["127.0.0.1"],
    instances: names,
    removeDataOnDestroy: true,
  });
  await project.pulumi("stack", "init", "many");
  await project.setSecret("many", "providerKeys.ANTHROPIC_API_KEY", "sk-scale");
});

afterAll(async () => {
  await removeWorkerRig();
  project.remove();
});

test("many gateways are deployed by one login, and again nothing changes", async () => {
  const first = await counted(async () => {
    expect(outcome(await run("up"))).toBe("ok");
  });
  const writes = stateWrites();
  const again = await counted(async () => {
    expect((await run("up")).text).toMatch(unchanged);
  });

  expect([first.logins, again.logins]).toEqual([1, 1]);
  // With one for each gateway the time would grow with the square of them.
  expect(stateWrites() - writes).toBe(1);
  // Docker's provider asks for each resource by itself, and not by this command.
  expect(starting(again.calls, "container inspect", "network inspect").length).toBeLessThan(6);
});

test("status asks Docker for all of them at once, and all is well", async () => {
  await project.wellStatus("--stack", "many");
  const { calls, logins } = await counted(() => run("status"));

  expect(logins).toBe(1);
  // Each would cost more than all else that is asked.
  expect(starting(calls, "exec --user")).toEqual([]);
  // Eleven for any number of gateways, where each gateway had six of its own.
  expect(starting(calls, "ps", "inspect", "image", "network").length).toBeLessThan(13);
});

test("npm run down takes all of them away", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");
});
