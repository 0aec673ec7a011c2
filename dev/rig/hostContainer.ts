import { $ } from "zx";

/**
 * What `docker run` needs so that a container can be a whole Docker host, without being privileged: a privileged one is
 * refused on machines that lack a capability themselves. The control groups are the machine's, below `cgroupParent`.
 * @param volume holds the Docker disk of the host
 */
export function hostFlags(cgroupParent: string, volume: string): string[] {
  return [
    "--init",
    ...["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"].flatMap((capability) => ["--cap-add", capability]),
    ...["seccomp", "apparmor", "systempaths"].flatMap((option) => [
      "--security-opt",
      `${option}=unconfined`,
    ]),
    ...["--hostname", "kasm", "--tmpfs", "/run"],
    ...["--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"],
    ...["--volume", `${volume}:/var/lib/docker`],
    ...["--env", `RIG_CGROUP_PARENT=${cgroupParent}`],
  ];
}

/**
 * Makes a network for such a host, so that the Docker inside has all the addresses that a server's Docker has. Those
 * here are set aside for tests (RFC 2544): no other network uses them.
 */
export async function createHostNetwork(name: string): Promise<void> {
  for (let index = 0; index < 256; index++) {
    const subnet = `198.18.${index}.0/24`;
    const made = await $({
      quiet: true,
      nothrow: true,
    })`docker network create --subnet ${subnet} ${name}`;
    if (made.exitCode === 0) {
      return;
    }
    if (!made.stderr.includes("Pool overlaps")) {
      throw new Error(made.stderr.trim());
    }
  }
  throw new Error("all of 198.18.0.0/16 is taken by Docker networks");
}
