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
