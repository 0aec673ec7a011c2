import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withNetworks } from "../../../pulumi/networks";
import { outcome, Project } from "../../support/project";

jest.setTimeout(240_000);

const project = new Project({ PULUMI_CONFIG_PASSPHRASE: "passphrase-of-the-state-before" });

/**
 * The state of a stack on a KASM server, as the last version before `config/`, `host/` and `providers/` exported it after its
 * first `up`. Secrets and addresses are made up; scripts and serialised providers are left out, as a preview only
 * compares them.
 */
const stateBefore = readFileSync(join(__dirname, "stateBefore.json"), "utf8");

/** What there was not: KASM's version is asked of the server, and dynamic resources have a provider of their own. */
const meantToCreate = ["host-kasm-version", "openclaw-dynamic"];

/**
 * Changes since then that are meant to replace a container: images have new contents, core dumps are off, the uploaded
 * configuration has the route's origin, and the forwarder's program is in its command.
 */
const meantToReplace: Readonly<Record<string, readonly string[]>> = {
  "openclaw-container": ["image", "ulimits", "uploads"],
  "openclaw-route-forwarder": ["image", "command"],
};

interface Step {
  readonly op: string;
  readonly urn: string;
  readonly replaceReasons?: readonly string[];
}

const nameOf = ({ urn }: Step) => urn.split("::").at(-1) ?? "";

/** Images and the check of the dashboard, which follow from the contents of the images. */
const rebuilt = /RemoteImage::|BaseImage::|-kasm-image-names$|local:Command::/;

/** Describes why a step does more to a resource than update it; nothing for what is meant. */
function replacements(step: Step): string[] {
  const { op, replaceReasons = [] } = step;
  const meant = meantToReplace[nameOf(step)] ?? [];
  const reasons = replaceReasons.filter((reason) => !meant.includes(reason));
  const isMeant =
    (op === "replace" && reasons.length === 0) ||
    (op === "create" && meantToCreate.includes(nameOf(step)));
  return ["same", "update"].includes(op) || isMeant
    ? []
    : [`${op} ${nameOf(step)}: ${reasons.join(", ")}`];
}

/** Previews `up` of today's program on a state, without a connection to its server. */
async function preview(state: string): Promise<Step[]> {
  const file = join(project.folder, "state.json");
  writeFileSync(file, state);
  const imported = await project.pulumi("stack", "import", "--file", file, "--stack", "rig");
  expect(outcome(imported)).toBe("ok");
  const { stdout, exitCode, text } = await project.pulumi("preview", "--json", "--stack", "rig");
  expect(exitCode === 0 ? "ok" : text).toBe("ok");
  return (JSON.parse(stdout) as { steps: Step[] }).steps;
}

beforeAll(async () => {
  await project.checkout("real");
  const key = join(project.folder, "api_key.json");
  writeFileSync(
    key,
    JSON.stringify({ api_key: "api-key-0123", api_key_secret: "api-secret-0123456789" }),
  );
  project.settings("rig", {
    host: {
      address: "kasm.example.com",
      user: "kasm-admin",
      hostKey: `ssh-ed25519 ${"A".repeat(68)}`,
    },
    kasmUrl: "https://kasm.example.com",
    kasmApiKeyFile: "api_key.json",
    kasmFingerprint: "00".repeat(32),
    nginxRoute: { mode: "path" },
    kasmImage: { build: true },
    workspaces: { browser: { cast: { key: "openclaw" } }, desktop: {}, link: {} },
    memoryMb: 2048,
  });
  await project.pulumi("stack", "init", "rig");
  await project.setSecret("rig", "providerKeys.ANTHROPIC_API_KEY", "sk-provider-0123456789");
  await project.setSecret("rig", "password", "password-0123");
});
afterAll(() => {
  project.remove();
});

test("container, network, data, route and tiles of the version before are not replaced", async () => {
  const network = {
    host: "",
    containerName: "openclaw",
    networkName: "openclaw-net",
    owner: "rig/openclaw-net",
    id: "0123456789ab",
  };
  const steps = await preview(JSON.stringify(withNetworks(JSON.parse(stateBefore), [network])));

  // A preview does not list what stays the same; what it does not recognise, it creates and deletes.
  expect(steps.filter(({ urn }) => !rebuilt.test(urn)).flatMap(replacements)).toEqual([]);
});
