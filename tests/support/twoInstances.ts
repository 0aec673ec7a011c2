import type { Rig } from "../../dev/rig/rig";
import { kasmDirectory, kasmUrl } from "./workerRig";

/** Names of the two gateways. */
export const instances = ["alice", "bob"];

/** Expects that `up` printed the addresses of both. */
export function expectBothTold(text: string): void {
  expect(text).toContain("OpenClaw is up.");
  for (const name of instances) {
    expect(text).toContain(`Instance      ${name}`);
    expect(text).toContain(`Dashboard     ${kasmUrl}/openclaw/${name}/`);
  }
}

/** Expects that each has the given cores (in Docker's unit) and bytes, and a network, a port and data of its own. */
export async function expectParts(rig: Rig, nanoCpus: number, bytes: number): Promise<void> {
  const format =
    '{{.Name}} {{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.NetworkMode}} {{range .Mounts}}{{.Source}}{{end}} {{(index (index .HostConfig.PortBindings "8080/tcp") 0).HostPort}}';
  const rows = await rig.exec(`docker inspect --format '${format}' openclaw-alice openclaw-bob`);

  expect(rows.split("\n")).toEqual([
    `/openclaw-alice ${nanoCpus} ${bytes} openclaw-net-alice /opt/openclaw-alice/data 8180`,
    `/openclaw-bob ${nanoCpus} ${bytes} openclaw-net-bob /opt/openclaw-bob/data 8181`,
  ]);
}

/** Expects that of bob only the data is left, and that alice's route is; removes the data. */
export async function expectOnlyAlice(rig: Rig): Promise<void> {
  expect(await rig.exec("docker ps --all --format '{{.Names}}'")).not.toContain("openclaw-bob");
  expect(await rig.exec("ls /opt/openclaw-bob")).toBe("data");
  expect(await rig.exec(`ls ${kasmDirectory}/current/conf/nginx/containers.d`)).toBe(
    "openclaw-alice.conf",
  );
  await rig.exec("rm -r /opt/openclaw-bob");
}
