#!/usr/bin/env bash
# Shared by rig-boot and rig-prepare; sourced, not run.

say() { printf '%s rig: %s\n' "$(date +%T.%3N)" "$*" >&2; }

# Resolves names for inner containers: Docker's resolver for this container listens on its loopback only.
start_resolver() {
  dnsmasq --keep-in-foreground --no-hosts --bind-dynamic --listen-address=172.17.0.1 --user=root --pid-file= &
}

# Runs in the background; its process id is in $dockerd.
#   --cgroup-parent  the control groups are those of the machine: each rig keeps below one of its own
#   --bip            Docker's bridge has the address that it has on a server
#   --restart=false  start_containers does it, in an order that is another one each time
#   RIG_CORES        processor cores that it sees: Docker refuses a limit above them, which the kernel would keep
start_docker() {
  local as_seen=()
  if [[ -n ${RIG_CORES:-} ]]; then
    as_seen=(strace -D -f --seccomp-bpf -qq -o /dev/null -e trace=sched_getaffinity
      -e "inject=sched_getaffinity:poke_exit=@arg3=$(mask_of "$RIG_CORES")")
  fi
  remove_stale_pid_files
  "${as_seen[@]}" dockerd --cgroup-parent "$RIG_CGROUP_PARENT" --bip 172.17.0.1/16 --dns 172.17.0.1 --restart=false \
    >>/var/log/dockerd.log 2>&1 &
  # shellcheck disable=SC2034 # for who sources this
  dockerd=$!
}

# mask_of CORES: a bit for each, in hexadecimal digits; CORES is a multiple of 8.
mask_of() {
  printf 'f%.0s' $(seq $(($1 / 4)))
}

# A killed engine leaves its pid files, and dockerd takes any process that has got such a number since for itself.
remove_stale_pid_files() {
  local file owner pid
  while read -r file owner; do
    if [[ -e $file ]]; then
      pid=$(<"$file")
      [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$owner" ]] || rm -f "$file"
    fi
  done <<<'/run/docker.pid dockerd
/run/docker/containerd/containerd.pid containerd'
}

wait_for_docker() {
  local tenths
  for ((tenths = 0; tenths < 600; tenths++)); do
    if docker version >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  say 'dockerd does not answer after 60 s; see /var/log/dockerd.log'
  return 1
}
