import { flavours } from "../../dev/rig/images";
import { removeRig, type Rig, type RigOptions, startRig } from "../../dev/rig/rig";
import { docker } from "./docker";

/** Number of the process in which Jest runs this test file, from 1 on: what it starts on this machine is apart by it. */
const worker = Number(process.env.JEST_WORKER_ID ?? "1");

/** The kind of server that rigs are in this test file; jest.config.js says which files are on which. */
const flavour: keyof typeof flavours =
  process.env.OPENCLAW_RIG_FLAVOUR === "rolling" ? "rolling" : "static";

/** Name, ports and kind of the rig of this worker. */
export const workerPlace = {
  name: `e2e-worker-${worker.toString()}`,
  sshPort: 12220 + worker,
  httpsPort: 18440 + worker,
  flavour,
};

/** The KASM of the worker's rig. */
export const { kasmVersion, kasmDirectory } = flavours[flavour];

/** Address of KASM on the rig of this worker. */
export const kasmUrl = `https://127.0.0.1:${workerPlace.httpsPort.toString()}`;

/** Starts the rig of this worker as new, whatever an earlier test file left of it. */
export async function startWorkerRig(
  options: Pick<RigOptions, "cores" | "openclaw">,
): Promise<Rig> {
  await removeWorkerRig();
  return await startRig({ ...workerPlace, ...options });
}

/** More hosts of this worker. */
export const otherHosts = ["two", "three", "four"] as const;
type OtherHost = (typeof otherHosts)[number];

/** Network of the rig of this worker, in which its other hosts are too. */
export const network = `openclaw-kasm-rig-${workerPlace.name}`;

/** Returns the name of the container that another host of this worker is. */
export function containerOf(host: OtherHost): string {
  return `${network}-${host}`;
}

/**
 * Starts another host as new, in the network of the rig of this worker.
 * @param options.kasm whether KASM runs there, as on one more of its web servers. Default: no
 * @returns the host, and its address in that network
 */
export async function startOtherHost(
  host: OtherHost,
  { kasm = false, ...options }: Pick<RigOptions, "openclaw"> & { readonly kasm?: boolean },
): Promise<{ readonly rig: Rig; readonly privateAddress: string }> {
  const name = `${workerPlace.name}-${host}`;
  const offset = 100 * otherHosts.indexOf(host) + worker;
  await removeRig(name);
  const ports = { sshPort: 12320 + offset, httpsPort: 18540 + offset };
  const rig = await startRig({ name, ...ports, flavour, ...options });
  if (!kasm) {
    await rig.exec("docker ps --all --quiet | xargs docker rm --force --volumes");
  }
  await docker("network", "connect", network, containerOf(host));
  const format = `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
  return { rig, privateAddress: await docker("inspect", "--format", format, containerOf(host)) };
}

/** Subnet in which the hosts of this worker reach each other. */
export async function hostSubnet(): Promise<string> {
  const format = "{{(index .IPAM.Config 0).Subnet}}";
  return await docker("network", "inspect", "--format", format, network);
}

/** Removes the hosts of this worker. */
export async function removeWorkerRig(): Promise<void> {
  for (const host of otherHosts) {
    await removeRig(`${workerPlace.name}-${host}`);
  }
  await removeRig(workerPlace.name);
}

/** What is on a rig's host, without profiles: they are the users' own. */
export async function inventoryWithoutProfiles(rig: Rig): Promise<Record<string, string[]>> {
  const { kasm = [], ...rest } = await rig.inventory();
  return { ...rest, kasm: kasm.filter((line) => !line.includes(`${kasmDirectory}/profiles`)) };
}

/** Address of this machine in the rig's network, where the rig's containers reach what a test starts. */
export async function hostAddress(rig: Rig): Promise<string> {
  return await rig.exec("ip route show default | awk '{ print $3 }'");
}
