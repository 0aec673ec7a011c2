import { removeRig, type Rig, startRig } from "../../dev/rig/rig";
import { words } from "../../host/shell";
import { openclawIn } from "../support/conversation";
import { outcome, Project, unchanged } from "../support/project";
import { type Provider, startProvider } from "../support/provider";

jest.setTimeout(15 * 60_000);

const places = {
  old: { name: "e2e-old", sshPort: 12230, httpsPort: 18450, flavour: "static", openclaw: "light" },
  new: { name: "e2e-new", sshPort: 12231, httpsPort: 18451, flavour: "rolling", openclaw: "light" },
} as const;
type Server = keyof typeof places;

const project = new Project();
let rigs: Record<Server, Rig>;
let provider: Provider;

const stack = "kasm";
const run = (command: string, ...options: string[]) =>
  project.run(command, "--stack", stack, ...options);
const kasmUrl = (server: Server) => `https://127.0.0.1:${places[server].httpsPort.toString()}`;

/** Leads the stack to one of the servers. */
function configure(server: Server): void {
  project.settings(stack, {
    host: rigs[server].host,
    kasmDirectory: rigs[server].kasmDirectory,
    kasmUrl: kasmUrl(server),
    nginxRoute: { mode: "path" },
    memoryMb: 2048,
    openclawConfig: provider.openclawConfig,
  });
}

/** The OpenClaw on a server. */
const openclawOn = (server: Server) =>
  openclawIn("openclaw", (...args) => rigs[server].exec(words(["docker", ...args])));

beforeAll(async () => {
  await project.checkout("light");
  for (const { name } of Object.values(places)) {
    await removeRig(name);
  }
  rigs = { old: await startRig(places.old), new: await startRig(places.new) };
  const gateway = await rigs.old.exec("ip route show default | awk '{ print $3 }'");
  provider = await startProvider(gateway);
  configure("old");
  await project.pulumi("stack", "init", stack);
  await project.setSecret(stack, "providerKeys.ANTHROPIC_API_KEY", "sk-move-key-0123456789");
});

afterAll(async () => {
  await Promise.all(Object.values(places).map(({ name }) => removeRig(name)));
  project.remove();
  provider.stop();
});

test("moves a stack from a lost server to an empty one of the other kind, and its conversation by backup and restore", async () => {
  expect(outcome(await run("up"))).toBe("ok");
  await openclawOn("old").say("take me with you");
  expect(outcome(await run("backup", "--output", "moving.tar.gz"))).toBe("ok");
  // The old server is lost: all that follows has to do without it.
  await removeRig(places.old.name);
  configure("new");

  expect(outcome(await run("up"))).toBe("ok");
  expect(await rigs.new.exec("stat -c '%u:%g' /opt/openclaw /opt/openclaw/data")).toBe(
    "0:0\n1000:1000",
  );
  expect(outcome(await run("restore", "moving.tar.gz"))).toBe("ok");

  expect(await openclawOn("new").remembers("take me with you")).toBe(true);
  await project.wellStatus("--stack", "kasm");
  expect(outcome(await run("preview", "--refresh", "--expect-no-changes"))).toBe("ok");
  expect((await run("up")).text).toMatch(unchanged);
  expect(outcome(await run("down", "--delete-data"))).toBe("ok");
  expect(await rigs.new.exec("ls -A /opt")).not.toContain("openclaw");
  expect(await rigs.new.exec("docker image ls --quiet 'openclaw-kasm/*'")).toBe("");
});
