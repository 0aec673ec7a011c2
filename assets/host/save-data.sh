#!/bin/sh
# save-data.sh apply: writes a backup of the gateway's data to standard output. The gateway is stopped meanwhile: only then
# are its databases and files of one moment, and only then has it given its data free for another host.
#   CONTAINER          the gateway
#   HELPER             name of the container in which the data is read
#   MOUNT IMAGE        where the data is, as docker run --mount takes it, and the gateway's image
#   PROGRAM METADATA   the text of assets/data-container/data.sh, and what the backup is to say of itself
#   LIMIT_SECONDS      how long reading it may take
#   AFTERWARDS         start: a gateway that ran is started again; stay: it is left stopped, unless something went wrong
set -eu

ran=no
guard=
finish() {
  status=$?
  trap '' HUP INT TERM PIPE
  if [ -n "$guard" ]; then kill "$guard" 2>/dev/null || true; fi
  if [ "$ran" = yes ]; then
    docker rm --force --volumes "$HELPER" >/dev/null 2>&1 </dev/null || true
    if [ "$AFTERWARDS" = start ] || [ "$status" -ne 0 ]; then
      docker start "$CONTAINER" >/dev/null </dev/null
    fi
  fi
  exit "$status"
}

apply() {
  if docker container inspect "$HELPER" >/dev/null 2>&1 </dev/null; then
    echo "the data is being worked on already, by the container $HELPER" >&2
    exit 1
  fi
  trap finish EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
  case $(docker inspect --format '{{.State.Status}}' "$CONTAINER" </dev/null) in
    running | restarting)
      # Not a child of this shell: it outlives this shell, also one that is killed with all its children.
      # shellcheck disable=SC2016 # its own variables
      guard=$(setsid sh -c 'echo "$$"
        exec >/dev/null 2>&1
        while kill -0 "$1"; do sleep 1; done
        docker rm --force --volumes "$2"
        docker start "$3"
        docker rm --force --volumes "$2"' guard "$$" "$HELPER" "$CONTAINER" </dev/null &)
      ran=yes
      docker stop "$CONTAINER" >/dev/null </dev/null
      ;;
  esac
  # Without a log, because Docker would write all that passes into it.
  docker run --rm --name "$HELPER" --network none --log-driver none --no-healthcheck --user 0 \
    --mount "$MOUNT,readonly" --entrypoint timeout "$IMAGE" "$LIMIT_SECONDS" sh -c "$PROGRAM" data.sh save "$METADATA" </dev/null &
  wait $!
}

case $1 in
  apply) apply ;;
esac
