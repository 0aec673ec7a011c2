import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "zx";
import { ensureLightImage } from "../../dev/rig/images";
import { removeRig, startRig } from "../../dev/rig/rig";
import { dockerInventory, eventually, removeLeftovers } from "../support/docker";
import { localSettings } from "../support/localGateway";
import { outcome, Project, unchanged } from "../support/project";
import { type Registry, startRegistry } from "../support/registry";

jest.setTimeout(10 * 60_000);

// A small image: to compress, send and unpack the real one takes minutes, and none of its content matters here.
const stack = "registry";
const prefix = "openclaw-e2e-registry";
const name = "openclaw-kasm-e2e-registry";
const login = { username: "builder", password: "registry-password-0123" };
const agent = {
  name: "e2e-registry",
  sshPort: 12226,
  httpsPort: 18447,
  flavour: "rolling",
  openclaw: "light",
} as const;

const project = new Project();
const folder = mkdtempSync(join(tmpdir(), prefix));
let registry: Registry;
let reference: string;

const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", stack, ...options);
const output = async (of: string) =>
  (await project.pulumi("stack", "output", of, "--stack", stack)).stdout.trim();

beforeAll(async () => {
  await project.checkout("light");
  await removeLeftovers(prefix, stack);
  registry = await startRegistry(folder, 15000, login);
  const push = { registry: registry.address, username: login.username };
  const baseImage = await ensureLightImage();
  project.settings(stack, {
    ...localSettings(prefix, 18190),
    kasmImage: { build: true, name, baseImage, push },
  });
  await project.pulumi("stack", "init", stack);
  await project.setSecret(stack, "kasmRegistryPassword", login.password);
});

afterAll(async () => {
  await removeRig(agent.name);
  await run("down", "--delete-data");
  project.remove();
  registry.stop();
  rmSync(folder, { recursive: true });
});

test("receives the desktop image with a secret login, and the digest is an output", async () => {
  const first = await run("up");
  reference = await output("kasmImage");

  expect(outcome(first)).toBe("ok");
  expect(reference).toMatch(new RegExp(`^${registry.address}/${name}:2026\\.9\\.6-[0-9a-f]{12}$`));
  expect(await output("kasmImageDigest")).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect((await run("up")).text).toMatch(unchanged);
  const state = await project.pulumi("stack", "export", "--stack", stack);
  expect(first.text + state.text).not.toContain(login.password);
});

test("serves the same image to another server, which starts a container from it", async () => {
  const rig = await startRig(agent);
  // The registry is on this machine's loopback; a tunnel puts it on that of the other server too.
  const tunnel = $({
    quiet: true,
    nothrow: true,
  })`ssh -F none -i ${join(rig.folder, "id_ed25519")} -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -N -R ${registry.address}:${registry.address} -p ${agent.sshPort} kasm-admin@127.0.0.1`;
  try {
    await eventually(
      "the other server is logged in, through the tunnel",
      () =>
        $({
          quiet: true,
          nothrow: true,
          input: login.password,
        })`docker exec --interactive openclaw-kasm-rig-${agent.name} docker login --username ${login.username} --password-stdin ${registry.address}`,
      ({ exitCode }) => exitCode === 0,
    );
    await rig.exec(`docker pull --quiet ${reference}`);
  } finally {
    await tunnel.kill();
  }

  const digest = `docker image inspect --format '{{index .RepoDigests 0}}' ${reference}`;
  expect(await rig.exec(digest)).toBe(
    `${reference.replace(/:[^:]*$/, "")}@${await output("kasmImageDigest")}`,
  );
  expect(await rig.exec(`docker run --rm --entrypoint echo ${reference} started`)).toBe("started");
});

test("down leaves nothing", async () => {
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");

  expect(await dockerInventory(prefix, stack)).toEqual([]);
});
