#!/bin/sh
# network.sh apply|look|remove: creates, reads or removes a bridge network on this host's Docker.
#   NETWORK   its name
#   OWNER     stack and name, as its label says
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

apply() {
  before=$(look)
  case $before in
    missing)
      docker network create --driver bridge --label "openclaw-kasm.stack=$OWNER" "$NETWORK" >/dev/null
      reconnect
      ;;
    "bridge network of $OWNER") ;;
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
