import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { $ } from "zx";
import { ensureDocker } from "../../host/docker";
import { runHostScript } from "../../host/run";
import { ensureDebianPackages } from "../../host/packages";
import { UserError } from "../../host/userError";
import { readinessVariables } from "../../components/gateway/readiness";
import { ensureToolchain, type Toolchain, toolchainEnv } from "../../toolchain/index";
import { docker, get } from "../../tests/support/docker";
import { Project } from "../../tests/support/project";
import { ensureLightImage } from "../rig/images";
import { removeRig, type Rig, startRig } from "../rig/rig";
import {
  type Comparison,
  comparisonTable,
  type Growth,
  growthTable,
  type Logins,
  loginsTable,
  misses,
  withTables,
} from "./table";
import { progress } from "../../host/terminal";

const ours = {
  containerName: "openclaw-bench",
  networkName: "openclaw-bench-net",
  dataVolume: "openclaw-bench-data",
  port: 18190,
  publishAddresses: ["127.0.0.1"],
  memoryMb: 2048,
};
const theirs = { containerName: "openclaw-bench-compose", port: 18191 };
const keptImage = "openclaw-kasm/bench-gateway:kept";
/** Those of docker-compose's gateway; ours generates its own. */
const login = { username: "admin", password: "bench-password-0123" };
const providerKeyName = "ANTHROPIC_API_KEY";
const providerKeyPath = ["--path", `openclaw:providerKeys.${providerKeyName}`];
const token = "bench-gateway-token-0123456789abcd";
const place = { name: "bench", sshPort: 12240, httpsPort: 18460 };
/** In the rig's own Docker, where no other image of that name is. */
const lightImage = "coollabsio/openclaw:light";
const keptLight = "openclaw-bench:kept";

/**
 * `npm run bench`: the program beside an empty one and beside docker-compose, in one run on one machine, so that the
 * ratios hold where the seconds don't. With `write` the tables of docs/development.md are updated.
 */
export async function bench(options: {
  rounds: string;
  instances: string;
  write: boolean;
}): Promise<void> {
  const rounds = wholeNumbers("--rounds", options.rounds)[0] ?? 1;
  const counts = wholeNumbers("--instances", options.instances);
  await ensureDocker();
  await ensureDebianPackages({ "docker-compose": "docker-compose" });
  const toolchain = await ensureToolchain(progress);
  // It has the base image too, which docker-compose does not build.
  const light = await ensureLightImage();

  const comparisons = await besideOthers(toolchain, rounds);
  const { growth, logins } = await onServer(toolchain, light, counts);

  const tables = [comparisonTable(comparisons), loginsTable(logins), growthTable(growth)];
  console.log(tables.join("\n\n"));
  if (options.write) {
    const page = "docs/development.md";
    writeFileSync(page, withTables(readFileSync(page, "utf8"), tables));
  }
  const missed = misses(comparisons, logins);
  if (missed.length > 0) {
    throw new UserError(`Slower than wanted:\n${missed.map((each) => `  - ${each}`).join("\n")}`);
  }
}

function wholeNumbers(option: string, text: string): number[] {
  const numbers = text.split(",").map(Number);
  if (numbers.some((each) => !Number.isInteger(each) || each < 1 || each > 100)) {
    throw new UserError(`${option} ${text}: expected whole numbers from 1 to 100`);
  }
  return numbers;
}

/** A checkout with a state of its own, on which the CLI is run directly: npm's own start is not measured. */
class Checkout {
  readonly project = new Project();
  private readonly env: NodeJS.ProcessEnv;

  constructor(private readonly toolchain: Toolchain) {
    const state = join(this.project.folder, "state");
    mkdirSync(state);
    this.env = {
      ...toolchainEnv(toolchain),
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE: "bench",
    };
  }

  async pulumi(...args: string[]): Promise<void> {
    await this.pulumiReading("", ...args);
  }

  /** Runs the CLI with `input` on its standard input. */
  async pulumiReading(input: string, ...args: string[]): Promise<void> {
    const { exitCode, stdout, stderr } = await $({
      cwd: this.project.folder,
      env: this.env,
      quiet: true,
      nothrow: true,
      input,
    })`${this.toolchain.pulumi} ${args} --stack dev --non-interactive`;
    if (exitCode !== 0) {
      throw new Error(`pulumi ${args.join(" ")} failed:\n${stdout}${stderr}`);
    }
  }

  async setProviderKey(key: string): Promise<void> {
    await this.pulumiReading(key, "config", "set", "--secret", ...providerKeyPath);
  }

  async empty(...args: string[]): Promise<void> {
    await this.pulumi(...args, "--cwd", "dev/bench/empty");
  }
}

/** Ours and theirs in turns, so that both have the same share of what else the machine does. */
async function besideOthers(toolchain: Toolchain, rounds: number): Promise<Comparison[]> {
  const checkout = new Checkout(toolchain);
  const { project } = checkout;
  const compose = new Compose(project.folder);
  const times = new Map<string, { ours: number[]; theirs: number[] }>();
  const note = (what: string, side: "ours" | "theirs", spent: number) => {
    const entry = times.get(what) ?? { ours: [], theirs: [] };
    entry[side].push(spent);
    times.set(what, entry);
  };
  try {
    await project.checkout("real");
    project.settings("dev", ours);
    await checkout.pulumi("stack", "init");
    await checkout.empty("stack", "init");

    progress("Building what both sides start from");
    await checkout.empty("up", "--yes");
    await checkout.pulumi("up", "--yes");
    const image = await docker("inspect", "--format", "{{.Image}}", ours.containerName);
    await docker("tag", image, keptImage);
    await checkout.pulumi("destroy", "--yes");
    await docker("volume", "rm", "--force", ours.dataVolume);

    for (let round = 1; round <= rounds; round++) {
      progress(`Round ${round.toString()} of ${rounds.toString()}`);
      note("first `up`, until the dashboard answers", "theirs", await timed(() => compose.up()));
      note(
        "first `up`, until the dashboard answers",
        "ours",
        await beside(theirs, () => checkout.pulumi("up", "--yes", "--skip-preview")),
      );

      const preview = "`preview` without changes";
      note(preview, "theirs", await timed(() => checkout.empty("preview")));
      note(preview, "ours", await timed(() => checkout.pulumi("preview")));
      const unchanged = "`up` without changes";
      note(unchanged, "theirs", await timed(() => checkout.empty("up", "--yes")));
      note(unchanged, "ours", await timed(() => checkout.pulumi("up", "--yes")));

      // The change that everybody makes, and that leaves OpenClaw's own configuration as it is: a changed one has OpenClaw
      // look through all of its data at the next boot, whoever starts it.
      const change = "a provider key, until the dashboard answers";
      const boot = "the gateway's downtime meanwhile";
      compose.providerKey = `sk-bench-${round.toString()}`;
      note(change, "theirs", await beside(ours, () => compose.up()));
      await checkout.setProviderKey(compose.providerKey);
      const down = downtime(ours.port);
      note(
        change,
        "ours",
        await beside(theirs, () => checkout.pulumi("up", "--yes", "--skip-preview")),
      );
      note(boot, "ours", await down.seconds());
      await docker("stop", theirs.containerName);
      note(boot, "theirs", await beside(ours, () => compose.start()));

      note("`destroy`", "theirs", await timed(() => compose.down()));
      note(
        "`destroy`",
        "ours",
        await timed(() => checkout.pulumi("destroy", "--yes", "--skip-preview")),
      );
      await docker("volume", "rm", "--force", ours.dataVolume);
      await checkout.pulumi("config", "rm", ...providerKeyPath);
      compose.providerKey = undefined;
    }
  } finally {
    await compose.down().catch(() => undefined);
    await checkout.pulumi("destroy", "--yes").catch(() => undefined);
    await $({ quiet: true, nothrow: true })`docker volume rm --force ${ours.dataVolume}`;
    await $({ quiet: true, nothrow: true })`docker image rm ${keptImage}`;
    project.remove();
  }
  const asked: [what: string, beside: string, wanted?: number][] = [
    ["first `up`, until the dashboard answers", "docker-compose", 1.3],
    ["`preview` without changes", "an empty program"],
    ["`up` without changes", "an empty program", 1.5],
    ["a provider key, until the dashboard answers", "docker-compose"],
    ["the gateway's downtime meanwhile", "its own boot", 1.2],
    ["`destroy`", "docker-compose"],
  ];
  return asked.map(([what, beside, wanted]) => ({
    what,
    beside,
    ...(times.get(what) ?? { ours: [], theirs: [] }),
    ...(wanted === undefined ? {} : { wanted }),
  }));
}

/** The same container by docker-compose, from the image that ours has built. */
class Compose {
  providerKey: string | undefined;
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = join(folder, "bench-compose");
  }

  /** Deploys what the files say and waits as ours does. */
  async up(): Promise<void> {
    this.write();
    await this.run("up", "--detach");
    const { exitCode, stderr } = await runHostScript(
      {},
      {
        script: "ready.sh",
        action: "apply",
        variables: readinessVariables(
          { ...ours, ...theirs, imageKind: "built", basePath: "", readyTimeoutSeconds: 180 },
          { ...login, secrets: "" },
        ) as Record<string, string>,
      },
    );
    if (exitCode !== 0) {
      throw new Error(stderr);
    }
  }

  async down(): Promise<void> {
    await this.run("down", "--volumes");
  }

  /** Starts its container, which exists, and waits for the gateway's answer. */
  async start(): Promise<void> {
    await docker("start", theirs.containerName);
    await answers(theirs.port);
  }

  private async run(...args: string[]): Promise<void> {
    await $({
      cwd: this.folder,
      quiet: true,
    })`docker-compose --project-name openclaw-bench ${args}`;
  }

  private write(): void {
    mkdirSync(this.folder, { recursive: true });
    const inputs = {
      "settings.json": {
        username: login.username,
        basePath: "",
        allowedOrigins: [`http://127.0.0.1:${theirs.port.toString()}`],
      },
      "secrets.json": {
        password: login.password,
        gatewayToken: token,
        providerKeys: this.providerKey === undefined ? {} : { [providerKeyName]: this.providerKey },
      },
    };
    for (const [name, content] of Object.entries(inputs)) {
      writeFileSync(join(this.folder, name), JSON.stringify(content));
      chmodSync(join(this.folder, name), name === "secrets.json" ? 0o600 : 0o644);
    }
    const { containerName, port } = theirs;
    const service = {
      image: keptImage,
      container_name: containerName,
      hostname: containerName,
      restart: "unless-stopped",
      init: true,
      // What the mounted files hold is a change to docker-compose only where it is in the file too.
      labels: { key: this.providerKey ?? "none" },
      ports: [`127.0.0.1:${port.toString()}:8080`],
      volumes: [
        "data:/data",
        ...Object.keys(inputs).map((name) => `./${name}:/etc/openclaw-gateway/${name}:ro`),
      ],
      mem_limit: `${ours.memoryMb.toString()}m`,
      cpus: 2,
      stop_grace_period: "30s",
      cap_drop: ["ALL"],
      cap_add: ["CHOWN", "KILL", "SETGID", "SETUID"],
      security_opt: ["no-new-privileges:true"],
    };
    const file = { version: "2.4", services: { gateway: service }, volumes: { data: {} } };
    writeFileSync(join(this.folder, "docker-compose.yaml"), stringify(file));
  }
}

/** A KASM-like server with one to many gateways over SSH, a light image in the gateway's place. */
async function onServer(
  toolchain: Toolchain,
  light: string,
  counts: readonly number[],
): Promise<{ growth: Growth[]; logins: Logins[] }> {
  await removeRig(place.name);
  const rig = await startRig(place);
  await rig.addImage(light, keptLight);
  try {
    const growth: Growth[] = [];
    for (const count of counts) {
      progress(`Gateways side by side: ${count.toString()}`);
      growth.push({ count, ...(await fleet(toolchain, rig, count)) });
    }
    progress("Counting SSH logins");
    return { growth, logins: await loginsOf(rig) };
  } finally {
    await removeRig(place.name);
  }
}

/** Makes a project one of a number of light gateways on the server. */
async function useLightGateways(project: Project, rig: Rig, count: number): Promise<void> {
  // It goes with the stack that used it.
  await rig.exec(`docker tag ${keptLight} ${lightImage}`);
  project.settings("dev", {
    host: rig.host,
    gatewayImage: lightImage,
    publishAddresses: ["127.0.0.1"],
    networkSubnet: "10.77.0.0/24",
    instances: Array.from({ length: count }, (_, index) => `g${index.toString()}`),
    removeDataOnDestroy: true,
  });
}

async function fleet(
  toolchain: Toolchain,
  rig: Rig,
  count: number,
): Promise<Omit<Growth, "count">> {
  const checkout = new Checkout(toolchain);
  const { project } = checkout;
  const run = (...args: string[]) => timed(() => checkout.pulumi(...args));
  try {
    await project.checkout("real");
    await useLightGateways(project, rig, count);
    await checkout.pulumi("stack", "init");
    await checkout.setProviderKey("sk-bench");
    return {
      first: await run("up", "--yes", "--skip-preview"),
      unchanged: await run("up", "--yes", "--refresh", "--skip-preview"),
      destroy: await run("destroy", "--yes", "--skip-preview"),
    };
  } finally {
    project.remove();
  }
}

/** How often the commands log in to the server. */
async function loginsOf(rig: Rig): Promise<Logins[]> {
  const project = new Project();
  const during = async (...command: string[]) => {
    const before = await rig.sshConnections();
    const { exitCode, text } = await project.npm(...command);
    if (exitCode !== 0) {
      throw new Error(`npm run ${command.join(" ")} failed:\n${text}`);
    }
    return (await rig.sshConnections()) - before;
  };
  try {
    await project.checkout("real");
    await useLightGateways(project, rig, 1);
    await project.pulumi("stack", "init", "dev");
    await project.setSecret("dev", `providerKeys.${providerKeyName}`, "sk-bench");
    return [
      { what: "first `npm run up`", made: await during("up") },
      { what: "`npm run up` without changes", made: await during("up"), wanted: 3 },
      { what: "`npm run down`", made: await during("down") },
    ];
  } finally {
    project.remove();
  }
}

/** Measures the time of something while the other side's gateway is paused, because a gateway is busy for a while after its start. */
async function beside(
  { containerName }: { containerName: string },
  work: () => Promise<unknown>,
): Promise<number> {
  await docker("pause", containerName);
  try {
    return await timed(work);
  } finally {
    await docker("unpause", containerName);
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

async function answers(port: number): Promise<void> {
  while (!(await isUp(port))) {
    await sleep(50);
  }
}

async function isUp(port: number): Promise<boolean> {
  return (await get(`http://127.0.0.1:${port.toString()}/healthz`)).status === 200;
}

/** Watches a running gateway; returns how long it was down, from its last answer to its next one. */
function downtime(port: number): { seconds(): Promise<number> } {
  const watched = timed(async () => {
    while (await isUp(port)) {
      lastAnswer = performance.now();
      await sleep(50);
    }
    await answers(port);
  });
  let lastAnswer = performance.now();
  const begin = lastAnswer;
  return {
    seconds: async () => (await watched) - (lastAnswer - begin) / 1000,
  };
}
