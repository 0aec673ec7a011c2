import { createHash } from "node:crypto";
import type { Rig } from "../../dev/rig/rig";
import { eventually } from "./docker";
import type { KasmServer } from "./kasmServer";
import { kasmDirectory } from "./workerRig";

const stop = `${kasmDirectory}/bin/stop`;

/** What happens to KASM before its administrator starts it; each order has some of it. */
const steps: Record<string, string> = {
  stopped: stop,
  "its containers made anew": "docker compose down",
  "its networks made anew": `
    docker compose down
    for network in kasm_default_network kasm_sidecar_network; do
      docker network rm $network
      docker network create $network
    done`,
  "the gateway restarted meanwhile": `${stop}; docker restart --time 2 openclaw`,
  "the forwarder killed meanwhile": `${stop}; docker kill openclaw-route; docker start openclaw-route`,
  upgraded: "/usr/local/share/kasm_release/upgrade.sh",
};

/**
 * Does four of these to KASM, in an order of the seed's. Expects each time that it comes up, that the route
 * answers within 10 s of that by itself, and that KASM answers all that time; and at the end that a session starts.
 */
export async function makeKasmAnew(rig: Rig, server: KasmServer, seed: number): Promise<void> {
  for (const step of shuffled(Object.keys(steps), seed).slice(0, 4)) {
    await rig.exec(`
      set -e
      cd "$(readlink -f ${kasmDirectory}/current)/docker"
      ${steps[step] ?? ""}
      ${kasmDirectory}/bin/start`);
    await eventually(
      `KASM answers: ${step}`,
      () => server.kasmStatus(),
      (status) => status === 200,
    );
    const kasm = new Set<number>();
    await eventually(
      `the route answers: ${step}`,
      async () => {
        kasm.add(await server.kasmStatus());
        return await server.statusOf("/openclaw/");
      },
      (status) => status === 401,
      10,
    );
    // 0 is an answer that a busy machine did not give in time.
    expect([step, [...kasm].filter((status) => status !== 0)]).toEqual([step, [200]]);
  }
  await rig.stopSession(await rig.startSession());
}

/** The same order for the same seed. */
function shuffled(items: readonly string[], seed: number): string[] {
  const rank = (item: string) =>
    createHash("sha256").update(`${seed.toString()} ${item}`).digest("hex");
  return [...items].sort((one, other) => (rank(one) < rank(other) ? -1 : 1));
}
