#!/bin/sh
# swarm.sh look|check|apply|remove: a host's part in a Docker swarm.
#   ENCRYPTED     yes: `look` tells too whether the kernel can encrypt
#   PEERS         ADDRESS:PORT of other hosts that `check` tries to reach
#   ADDRESS       at which the other hosts reach this one
#   POOL          the subnet from which a new swarm takes those of its networks
#   MANAGER TOKEN ADDRESS:PORT of the manager of the swarm to join, and its secret; nothing for a new swarm
#   BRIDGE        made: `remove` deletes the bridge that Docker made with the swarm
# `look` prints one `name=value` a line and changes nothing. The secret of a swarm comes by standard input and goes to Docker by
# its socket: `docker swarm join` takes it as an argument only, which every account can read.
set -eu

bridge=docker_gwbridge

fail() {
  echo "$*" >&2
  exit 1
}

state() { docker info --format '{{.Swarm.LocalNodeState}}' </dev/null; }

# In a network namespace of its own, which is gone with the command.
kernel_can() { unshare --net ip "$@" >/dev/null 2>&1 </dev/null; }

# Sockets that a swarm opens, as the kernel writes their ports: listening ones of TCP, all of UDP.
taken() {
  awk -v "protocol=$1" -v "state=$2" '
    BEGIN { name["0949"] = 2377; name["1F0A"] = 7946; name["12B5"] = 4789 }
    { port = $2; sub(/.*:/, "", port) }
    $4 == state && port in name { print "taken=" name[port] "/" protocol }' "/proc/net/$1" "/proc/net/${1}6" 2>/dev/null | sort -u
}

look() {
  echo facts=begin
  command -v ip >/dev/null || echo missing=ip
  ip -o -4 addr show scope global 2>/dev/null | while read -r _ interface _ address _; do
    echo "address=$interface $address $(cat "/sys/class/net/$interface/mtu" 2>/dev/null)"
  done
  ip -o -4 route 2>/dev/null | awk '$1 != "default" { print "route=" $1 }'
  taken tcp 0A
  taken udp 07
  if kernel_can link; then
    kernel_can link add openclaw type vxlan id 1 dstport 4789 dev lo || echo lacks=vxlan
    if [ "$ENCRYPTED" = yes ]; then
      kernel_can xfrm state add src 127.0.0.1 dst 127.0.0.2 proto esp spi 1 reqid 1 mode transport \
        aead 'rfc4106(gcm(aes))' 0x0000000000000000000000000000000000000000 64 || echo lacks=esp
    fi
  fi
  docker info --format 'docker={{.ServerVersion}}
liveRestore={{.LiveRestoreEnabled}}
state={{.Swarm.LocalNodeState}}
manager={{.Swarm.ControlAvailable}}
node={{.Swarm.NodeID}}
nodeAddress={{.Swarm.NodeAddr}}
error={{.Swarm.Error}}' 2>/dev/null </dev/null || return 0
  docker network ls --filter scope=swarm --format 'network={{.Name}}' </dev/null
  nodes=$(docker node ls --quiet 2>/dev/null </dev/null) || nodes=
  # shellcheck disable=SC2086 # a list of words
  [ -z "$nodes" ] || docker node inspect --format 'member={{.ID}} {{.Status.State}} {{with .ManagerStatus}}{{.Addr}}{{else}}-{{end}} {{with .Spec.Labels}}{{index . "openclaw-kasm.stack"}} {{index . "openclaw-kasm.bridge"}}{{end}}' $nodes </dev/null
}

# Prints the peers that this host does not reach. Who says nothing after the connection is reached too.
check() {
  for peer in $PEERS; do
    connected=$(curl --disable --noproxy '*' --silent --connect-timeout 2 --max-time 3 --output /dev/null \
      --write-out '%{num_connects}' "telnet://$peer" </dev/null) || true
    [ "$connected" = 1 ] || echo "$peer" &
  done
  wait
}

join() {
  # shellcheck disable=SC2153 # of the caller
  body="{\"ListenAddr\": \"$ADDRESS:2377\", \"AdvertiseAddr\": \"$ADDRESS\", \"DataPathAddr\": \"$ADDRESS\", \"RemoteAddrs\": [\"$MANAGER\"], \"JoinToken\": \"$TOKEN\"}"
  socket=$(docker context inspect --format '{{.Endpoints.docker.Host}}' </dev/null)
  answer=$(
    curl --disable --noproxy '*' --silent --show-error --write-out '\n%{http_code}' --unix-socket "${socket#unix://}" \
      --header 'Content-Type: application/json' --data-binary @- http://docker/swarm/join <<END
$body
END
  )
  case $answer in
    *200) ;;
    *) fail "it can't join the swarm of $MANAGER: $(printf %s "$answer" | tr '\n' ' ')" ;;
  esac
}

# A join that takes too long goes on by itself.
undo() {
  status=$?
  trap - EXIT
  [ "$status" -eq 0 ] || remove
  exit "$status"
}

apply() {
  # Of a host that is in a swarm already nothing is undone either.
  found=$(state)
  [ "$found" = inactive ] || fail "it is in a swarm already ($found)"
  # A join that waits for its manager can't be taken back while containers run.
  if [ -n "$TOKEN" ]; then
    blocked=$(PEERS=$MANAGER && check)
    [ -z "$blocked" ] || fail "it does not reach $blocked of openclaw:host"
  fi
  if docker network inspect "$bridge" >/dev/null 2>&1 </dev/null; then BRIDGE=kept; else BRIDGE=made; fi
  trap undo EXIT
  trap 'exit 1' HUP INT TERM PIPE
  if [ -n "$TOKEN" ]; then
    join
  else
    # Its answer has the secret in it.
    docker swarm init --advertise-addr "$ADDRESS" --data-path-addr "$ADDRESS" --listen-addr "$ADDRESS:2377" \
      --default-addr-pool "$POOL" --default-addr-pool-mask-length 24 >/dev/null </dev/null
  fi
  docker info --format 'node={{.Swarm.NodeID}}' </dev/null
  echo "bridge=$BRIDGE"
}

# Docker that leaves a swarm forgets the names of running containers on all networks: KASM's nginx would not find KASM's API.
remove() {
  if [ "$(state)" != inactive ]; then
    used=$(docker ps --format '{{.Networks}}' </dev/null | tr ',' '\n' | grep -vxE 'bridge|host|none|docker_gwbridge|' | sort -u | tr '\n' ' ')
    [ -z "$used" ] || fail "it stays in the swarm, because Docker would forget the names of the containers that run on ${used% }: stop them, docker swarm leave --force, start them"
    docker swarm leave --force >/dev/null </dev/null
  fi
  if [ "$BRIDGE" = made ]; then docker network rm "$bridge" >/dev/null 2>&1 </dev/null || true; fi
}

case $1 in
  look) look ;;
  check) check ;;
  apply) apply ;;
  remove) remove ;;
esac
