#!/bin/sh
# gateway-data.sh looks: prints how much data a gateway has and OpenClaw's own plugins in it, one `name=value` a line, and
# changes nothing.
#   CONTAINER DATA_USER   the gateway, and the user in it that owns its data
#   CONTAINERS            those of all looks
#   PATIENCE              seconds that each question may take
#   PROC                  where the system shows processes; /proc unless set
set -u

proc=${PROC:-/proc}

. ./ask.sh
. ./plugin-versions.sh

# What all looks have in common: the first process of each container, by one call of Docker's.
looks() {
  # shellcheck disable=SC2086 # a list of words
  processes=$(ask docker inspect --type container --format '{{.Name}} {{.State.Pid}}' $CONTAINERS)
}

# Each start of a process in a container costs a server more than all else that status asks of it. So root takes the size where
# the container has its data mounted, which leads nowhere else. What is in there is read in the container only, because links in
# it may lead anywhere.
look() {
  # By the shell itself: of many gateways each process that a look starts counts.
  pid=${processes##*"/$CONTAINER "}
  pid=${pid%%[!0-9]*}
  [ "${pid:-0}" -gt 0 ] || return 0
  data=$proc/$pid/root/data
  size=$(ask du -sk "$data")
  if [ -z "$size" ]; then
    # Not root, or the engine is on another machine than this shell, a virtual one too.
    # shellcheck disable=SC2016 # expanded in the container
    in_container "$plugin_versions"'
      size=$(du -sk /data) && echo "dataKb=${size%%[!0-9]*}"'
    return
  fi
  echo "dataKb=${size%%[!0-9]*}"
  [ ! -d "$data/.openclaw/npm/projects" ] || in_container "$plugin_versions"
}

case $1 in
  looks) looks ;;
esac
