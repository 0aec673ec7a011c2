#!/bin/sh
# network.sh apply|look|remove: keeps a bridge network on this host's Docker, or takes it away again.
#   NETWORK   its name
#   OWNER     stack and name, as its label says
#   SUBNET    its addresses, ADDRESS/BITS, or nothing for some of Docker's own choice
set -eu

# By a list, not by `inspect`: a Docker that does not answer is a failure and not an absent network.
look() {
  # A pattern, in which a dot would stand for any character.
  pattern=$(printf %s "$NETWORK" | sed 's/\./\\./g')
  found=$(docker network ls --filter "name=^$pattern\$" --format '{{.Driver}} network of {{.Label "openclaw-kasm.stack"}}')
  echo "${found:-missing}"
}

# A stopped container of a network that was deleted knows it by its id, and does not start on another of the same name.
reconnect() {
  for container in $(docker ps --all --quiet --filter "network=$NETWORK"); do
    docker network connect "$NETWORK" "$container"
  done
}

# A network keeps the addresses that it was created with.
check_subnet() {
  [ -n "$SUBNET" ] || return 0
  found=$(docker network inspect --format '{{range .IPAM.Config}}{{.Subnet}} {{end}}' "$NETWORK")
  case " $found" in
    *" $SUBNET "*) ;;
    *)
      echo "network $NETWORK has the subnet ${found% }, expected $SUBNET: npm run down, which keeps the data, then npm run up" >&2
      exit 1
      ;;
  esac
}

apply() {
  before=$(look)
  case $before in
    missing)
      docker network create --driver bridge --label "openclaw-kasm.stack=$OWNER" ${SUBNET:+--subnet "$SUBNET"} "$NETWORK" >/dev/null
      reconnect
      ;;
    "bridge network of $OWNER") check_subnet ;;
    *)
      echo "there is a network named $NETWORK that is not $OWNER's: remove it, or choose another name" >&2
      exit 1
      ;;
  esac
  look
}

remove() {
  before=$(look)
  if [ "$before" = "bridge network of $OWNER" ]; then
    docker network rm "$NETWORK" >/dev/null
  fi
}

case $1 in
  apply) apply ;;
  look) look ;;
  remove) remove ;;
esac
