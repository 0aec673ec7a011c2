import { setTimeout as sleep } from "node:timers/promises";
import Table from "cli-table3";
import { ownLabel, otherStack, stackKey } from "../components/stackLabel";
import { namespace } from "../config";
import { hostResource, hostSetting, kasmHost, overlayHosts } from "../config/host";
import { HostError } from "../host/hostError";
import { withHostLocks } from "../host/lock";
import { dockerOn, runHostScript } from "../host/run";
import { progress, say } from "../host/terminal";
import { UserError } from "../host/userError";
import { accessProblem, type Deployment, onHosts, withDeployment } from "../pulumi/deployment";
import { beforeInterruption } from "../pulumi/interruption";
import { type HostFacts, parseFacts } from "./preflight/host";
import {
  advertisedAddress,
  engineProblems,
  freePool,
  membershipProblems,
  type Member,
  membersOf,
  one,
  onOverlayHosts,
  otherSwarm,
  type Overlay,
  portProblems,
  swarmFacts,
  type SwarmHost,
  swarmPorts,
  swarmProblems,
  type There,
  withSwarmFacts,
} from "./preflight/swarm";

/** A node that {@link join} made. */
type Node = Pick<Member, "id" | "hasOwnBridge">;

/** `npm run hosts`, alone or with what to do. */
export async function hosts(
  action: "join" | "leave" | undefined,
  { stack }: { readonly stack: string },
): Promise<void> {
  await (action === undefined ? show : { join, leave }[action])(stack);
}

/** Shows what each of a stack's hosts is like; exits with 0 only if nothing is wrong with them. */
async function show(stack: string): Promise<void> {
  await withDeployment(stack, async (deployment) => {
    const { settings } = deployment;
    const { overlay = { encrypted: false }, hosts: servers } = settings;
    const names = overlayHosts(settings);
    const rows = await Promise.all(
      onHosts(deployment).map(async (there) => {
        const problem = await accessProblem(there);
        const facts: HostFacts =
          problem === undefined ? await swarmFacts(there, overlay) : new Map();
        return { there, problem, facts };
      }),
    );
    const table = new Table({
      head: ["host", "server", "Docker", "swarm", "address", "ports taken"],
      style: { head: [], border: [] },
    });
    for (const { there, problem, facts } of rows) {
      const { host, settings: own } = there;
      const isManager = one(facts, "manager") === "true";
      table.push([
        host || "KASM's",
        `${own.host?.address ?? "this machine"}, ${problem === undefined ? "reachable" : "not reachable"}`,
        one(facts, "docker") || "-",
        one(facts, "state") === "active"
          ? isManager
            ? "manager"
            : "worker"
          : one(facts, "state") || "-",
        servers[host]?.privateAddress ?? (one(facts, "nodeAddress") || "-"),
        // In a swarm the ports are the swarm's own.
        one(facts, "state") === "inactive" ? facts.get("taken")?.join(", ") || "none" : "-",
      ]);
    }
    say(table.toString());
    const lost = rows.flatMap(({ problem }) => problem ?? []);
    const inOverlay = rows.filter(({ there }) => names.includes(there.host));
    const found = inOverlay.map(({ there, facts }) => ({ ...there, facts }));
    const problems =
      lost.length > 0 || settings.overlay === undefined
        ? lost
        : await swarmProblems(found, settings.overlay, stack);
    problems.forEach((problem) => {
      say(`  - ${problem}`);
    });
    process.exitCode = problems.length > 0 ? 1 : 0;
  });
}

/** Makes one swarm of the hosts that `openclaw:overlay` joins. A swarm that exists is used. */
async function join(stack: string): Promise<void> {
  await withDeployment(stack, async (deployment) => {
    const overlay = overlayFor(deployment);
    const { kasm, others } = await lookAt(deployment, overlay);
    refuseToJoin([kasm, ...others], overlay, stack);
    await withHostLocks([kasm, ...others], "hosts -- join", async () => {
      await joinAll(kasm, others, overlay);
    });
    say(
      `All hosts of ${namespace}:overlay are in one Docker swarm. Next: npm run up -- --stack ${stack}`,
    );
  });
}

/** Takes out of the swarm the hosts that {@link join} has put there. */
async function leave(stack: string): Promise<void> {
  await withDeployment(stack, async (deployment) => {
    const { kasm, others } = await lookAt(deployment, overlayFor(deployment));
    const members = membersOf(kasm.facts);
    const isOwn = ({ owner }: Member) => owner !== "" && otherStack(owner, stack) === undefined;
    const leaving = [...others, kasm].flatMap((there) => {
      const member = members.find(({ id }) => id === one(there.facts, "node"));
      return member !== undefined && isOwn(member) ? [{ there, member }] : [];
    });
    const networks = (kasm.facts.get("network") ?? []).filter((name) => name !== "ingress");
    const stay = members.filter((member) => !leaving.some((each) => each.member === member));
    const dissolves = leaving.some(({ there }) => there === kasm);
    if (leaving.length === 0) {
      throw new UserError(`Stack ${stack} has put none of its hosts in a swarm.`);
    }
    if (networks.length > 0 || (dissolves && stay.length > 0)) {
      throw new UserError(
        networks.length > 0
          ? `The swarm still has the network ${networks.join(", ")}: delete it first, npm run down -- --stack ${stack} if it is this stack's. Nothing has been changed.`
          : `The swarm has ${stay.length.toString()} more nodes, and this stack's openclaw:host manages it. Nothing has been changed.`,
      );
    }
    await withHostLocks([kasm, ...others], "hosts -- leave", async () => {
      for (const { there, member } of leaving) {
        await takeOut(kasm, there, member);
      }
    });
  });
}

function overlayFor({ settings }: Deployment): Overlay {
  if (settings.overlay === undefined) {
    throw new UserError(
      `${namespace}:overlay: found nothing; expected the network that is to join the hosts, for example {"name": "openclaw-hosts"} (docs/operations.md#hosts-in-a-swarm)`,
    );
  }
  return settings.overlay;
}

/** @throws HostError if a host is not reachable */
async function lookAt(deployment: Deployment, overlay: Overlay) {
  const hosts = onOverlayHosts(deployment);
  const lost = (await Promise.all(hosts.map(accessProblem))).flatMap((each) => each ?? []);
  if (lost.length > 0) {
    throw new HostError(lost);
  }
  const found = await withSwarmFacts(hosts, overlay);
  const [kasm, ...others] = found;
  if (kasm?.host !== kasmHost) {
    throw new Error("KASM's host is not among those of the overlay network");
  }
  return { kasm, others };
}

function isOutside({ facts }: SwarmHost): boolean {
  return one(facts, "state") === "inactive";
}

/** @throws HostError with everything that prevents a swarm of the hosts */
function refuseToJoin(found: readonly There[], overlay: Overlay, stack: string): void {
  const [kasm, ...others] = found;
  const joining = found.filter(isOutside);
  const inside = found.filter((each) => !isOutside(each));
  const problems = [
    ...found.flatMap((each) => engineProblems(each, overlay)),
    ...(kasm && isOutside(kasm)
      ? others.filter((each) => !isOutside(each)).map(({ host }) => otherSwarm(host))
      : membershipProblems(inside, stack)),
    ...joining.flatMap((each) => {
      const advertised = advertisedAddress(each, overlay);
      const taken = each.facts.get("taken") ?? [];
      return [
        ...("problem" in advertised ? [advertised.problem] : []),
        ...(taken.length > 0
          ? [
              `${hostSetting(each.host)}: another program has ${taken.join(", ")}: a swarm needs ${swarmPorts}`,
            ]
          : []),
      ];
    }),
    ...(freePool(found) === undefined
      ? [
          `the hosts have routes to all of 10.200.0.0 to 10.254.255.255: expected a free /16 for ${namespace}:overlay`,
        ]
      : []),
  ];
  if (problems.length > 0) {
    throw new HostError(problems);
  }
}

/** Joins the hosts that are in no swarm, or none of them: those that joined leave again if another one can't. */
async function joinAll(kasm: There, others: readonly There[], overlay: Overlay): Promise<void> {
  const undo: (() => Promise<unknown>)[] = [];
  let current: Promise<unknown> = Promise.resolve();
  const undoAll = async () => {
    await Promise.allSettled([current]);
    for (const step of undo.splice(0).reverse()) {
      await step().catch((error: unknown) => {
        progress(error instanceof Error ? error.message : String(error));
      });
    }
  };
  const goOn = beforeInterruption(undoAll);
  try {
    for (const there of [kasm, ...others].filter(isOutside)) {
      progress(
        there === kasm ? "Making a Docker swarm on KASM's host" : `Joining host ${there.host}`,
      );
      const putting = putIn(there, kasm, others, overlay).then((made) => {
        // What fails in putIn is undone there.
        undo.push(async () => {
          await takeOut(kasm, there, made);
        });
        return made;
      });
      current = putting;
      await mark(kasm, there, await putting);
    }
    await requireJoined(kasm, others, overlay);
  } catch (error) {
    await undoAll();
    throw error;
  } finally {
    goOn();
  }
}

/** Starts the swarm on KASM's host, or joins another one to it. */
async function putIn(
  there: There,
  kasm: There,
  others: readonly There[],
  overlay: Overlay,
): Promise<Node> {
  const advertised = advertisedAddress(there, overlay);
  const { stdout, stderr, exitCode } = await runHostScript(there.target, {
    script: "swarm.sh",
    action: "apply",
    variables: {
      ADDRESS: "address" in advertised ? advertised.address : "",
      POOL: freePool([kasm, ...others]) ?? "",
      ...(there === kasm ? { MANAGER: "", TOKEN: "" } : await invitation(kasm)),
    },
    asRoot: true,
    seconds: 60,
  });
  if (exitCode !== 0) {
    throw new UserError(
      `${hostSetting(there.host)}: ${stderr.trim() || "no answer"}. Hosts that joined and can leave do so; run this again once it is mended. ${
        there === kasm ? "" : "Is 2377/tcp of openclaw:host open to it?"
      }`.trim(),
    );
  }
  const made = parseFacts(stdout);
  return { id: one(made, "node"), hasOwnBridge: one(made, "bridge") === "made" };
}

/** Returns what a host needs to join a swarm, of which the token is a secret. */
async function invitation(kasm: There): Promise<{ MANAGER: string; TOKEN: string }> {
  const facts = await swarmFacts(kasm, { encrypted: false });
  const manager = membersOf(facts).find(({ id }) => id === one(facts, "node"));
  const { stdout, stderr } = await dockerOn(
    kasm.target,
    "swarm",
    "join-token",
    "--quiet",
    "worker",
  );
  if (manager?.joinedAt === undefined || stdout.trim() === "") {
    throw new UserError(`openclaw:host: its swarm takes no workers: ${stderr.trim()}`);
  }
  return { MANAGER: manager.joinedAt, TOKEN: stdout.trim() };
}

/** Has the swarm keep which stack put a node there. */
async function mark(kasm: There, there: There, { id, hasOwnBridge }: Node): Promise<void> {
  const { value } = ownLabel(there.stack, hostResource(there.host));
  const bridge = hasOwnBridge ? "made" : "kept";
  const labels = [`${stackKey}=${value}`, `openclaw-kasm.bridge=${bridge}`];
  const add = labels.flatMap((label) => ["--label-add", label]);
  const { exitCode, stderr } = await dockerOn(kasm.target, "node", "update", ...add, id);
  if (exitCode !== 0) {
    throw new UserError(`${hostSetting(there.host)}: its node can't be labelled: ${stderr.trim()}`);
  }
}

/** @throws UserError if a host is not heard of in the swarm, or does not reach the others */
async function requireJoined(kasm: There, others: readonly There[], overlay: Overlay) {
  const there = [kasm, ...others];
  const look = () => withSwarmFacts(there, overlay);
  let found = await look();
  // The manager hears from a new node within seconds.
  for (let tries = 0; tries < 10 && membershipProblems(found, kasm.stack).length > 0; tries++) {
    await sleep(1000);
    found = await look();
  }
  const problems = [
    ...membershipProblems(found, kasm.stack),
    ...(await portProblems(found, overlay)),
  ];
  if (problems.length > 0) {
    throw new UserError(
      [
        "The hosts can't be joined; those that can leave the swarm do so:",
        ...problems.map((each) => `  - ${each}`),
      ].join("\n"),
    );
  }
}

async function takeOut(kasm: There, there: There, { id, hasOwnBridge }: Node): Promise<void> {
  const { host, target } = there;
  progress(`Taking ${host ? `host ${host}` : "KASM's host"} out of the swarm`);
  const { exitCode, stderr } = await runHostScript(target, {
    script: "swarm.sh",
    action: "remove",
    variables: { BRIDGE: hasOwnBridge ? "made" : "" },
    asRoot: true,
    seconds: 60,
  });
  if (exitCode !== 0) {
    throw new UserError(`${hostSetting(host)}: it can't leave the swarm: ${stderr.trim()}`);
  }
  if (there !== kasm) {
    await dockerOn(kasm.target, "node", "rm", "--force", id);
  }
}
