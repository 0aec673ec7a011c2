#!/bin/sh
# keep-stopped.sh hold: keeps a gateway stopped until its standard input ends, also by the death of the command on the other
# end or the loss of the connection. Then the gateway is started again, unless it was removed meanwhile.
# It prints "stopped" once the gateway is stopped.
#   CONTAINER  id of the gateway's container
set -eu

finish() {
  status=$?
  trap '' HUP INT TERM PIPE
  docker start "$CONTAINER" >/dev/null 2>&1 </dev/null || true
  exit "$status"
}

hold() {
  trap finish EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  docker stop "$CONTAINER" >/dev/null </dev/null
  if [ "$(docker inspect --format '{{.State.Running}}' "$CONTAINER" </dev/null)" != false ]; then
    echo "$CONTAINER goes on running" >&2
    exit 1
  fi
  echo stopped
  cat >/dev/null
}

case $1 in
  hold) hold ;;
esac
