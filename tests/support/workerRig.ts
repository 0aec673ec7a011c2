import { flavours } from "../../dev/rig/images";
import { removeRig, type Rig, type RigOptions, startRig } from "../../dev/rig/rig";
import { docker } from "./docker";

/** Number of the process in which Jest runs this test file, from 1 on: what it starts on this machine is apart by it. */
const worker = Number(process.env.JEST_WORKER_ID ?? "1");

const place = {
  name: `e2e-worker-${worker.toString()}`,
  sshPort: 12220 + worker,
  httpsPort: 18440 + worker,
};

/** The kind of server that rigs are in this run. */
export const flavour: keyof typeof flavours =
  process.env.OPENCLAW_RIG_FLAVOUR === "rolling" ? "rolling" : "static";

/** The KASM of the worker's rig. */
export const { kasmVersion, kasmDirectory } = flavours[flavour];

/** Address of KASM on the rig of this worker. */
export const kasmUrl = `https://127.0.0.1:${place.httpsPort.toString()}`;

/** Starts the rig of this worker as new, whatever an earlier test file left of it. */
export async function startWorkerRig(
  options: Pick<RigOptions, "cores" | "openclaw">,
): Promise<Rig> {
  await removeWorkerRig();
  return await startRig({ ...place, flavour, ...options });
}

/** A second host of this worker. */
const second = {
  name: `${place.name}-two`,
  sshPort: 12320 + worker,
  httpsPort: 18540 + worker,
};

/** Name of the container that a second host of this worker is. */
export const secondContainer = `openclaw-kasm-rig-${second.name}`;

/**
 * Starts a second host as new that the rig of this worker reaches.
 * @returns the host, and its address for that rig
 */
export async function startSecondHost(
  options: Pick<RigOptions, "openclaw">,
): Promise<{ readonly rig: Rig; readonly privateAddress: string }> {
  await removeRig(second.name);
  const rig = await startRig({ ...second, flavour, ...options });
  await docker("network", "connect", secondContainer, `openclaw-kasm-rig-${place.name}`);
  return { rig, privateAddress: await rig.exec("hostname -i | awk '{ print $1 }'") };
}

/** Removes the hosts of this worker. */
export async function removeWorkerRig(): Promise<void> {
  await removeRig(place.name);
  await removeRig(second.name);
}

/** Address of this machine in the rig's network, where the rig's containers reach what a test starts. */
export async function hostAddress(rig: Rig): Promise<string> {
  return await rig.exec("ip route show default | awk '{ print $3 }'");
}
