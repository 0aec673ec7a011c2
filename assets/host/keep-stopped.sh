#!/bin/sh
# keep-stopped.sh hold: keeps a gateway stopped until its standard input ends, also by the death of the command on the other
# end or the loss of the connection. Then the gateway is started again, unless it was removed meanwhile. By the line "given" it is
# given away: its container is removed, and never started again.
# It prints "stopped" once the gateway is stopped, "given" once it is given away, and "back" before it is started again.
#   CONTAINER  id of the gateway's container
set -eu

finish() {
  status=$?
  trap '' HUP INT TERM PIPE
  echo back 2>/dev/null || true
  docker start "$CONTAINER" >/dev/null 2>&1 </dev/null || true
  exit "$status"
}

require_stopped() {
  if [ "$(docker inspect --format '{{.State.Running}}' "$CONTAINER" </dev/null)" != false ]; then
    echo "$CONTAINER goes on running" >&2
    exit 1
  fi
}

hold() {
  trap finish EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap '' PIPE
  docker stop "$CONTAINER" >/dev/null </dev/null
  require_stopped
  echo stopped
  while read -r word; do
    if [ "$word" = given ]; then give; fi
  done
}

give() {
  # Something else may have started it.
  require_stopped
  # The other host waits for this line, and what follows takes longer. A line that can't be written has given nothing.
  echo given
  trap - EXIT
  trap '' HUP INT TERM
  docker rm --volumes "$CONTAINER" >/dev/null </dev/null
  exit 0
}

case $1 in
  hold) hold ;;
esac
