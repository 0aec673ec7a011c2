#!/bin/sh
# data-directory.sh apply|look|remove: keeps the directory for OpenClaw's files on this host, or removes it.
#   DIRECTORY    absolute path of root's; its data/ is what the gateway mounts
#   OWNER        uid:gid of data/
#   STACK        name of the stack that it is for
#   REMOVE_DATA  true: `remove` deletes the data; otherwise it keeps everything
set -eu

. ./owned-directory.sh

data=$DIRECTORY/data

# Prints a mode in which the owner lacks rights or others can write. All else is the user's choice.
unfit_mode() {
  mode=$(stat -c %a -- "$data")
  [ $((0$mode & 0702)) -eq $((0700)) ] || echo "$mode"
}

look() {
  unfit=
  if is_directory "$data"; then unfit=$(unfit_mode); fi
  echo "data: $(state_of "$data")${unfit:+, mode $unfit}"
}

# A running container keeps the directory that it was started with, even after another one has taken its place.
restart_users() {
  for container in $(docker ps --quiet --filter "volume=$data"); do
    docker restart "$container" >/dev/null
  done
}

apply() {
  # shellcheck disable=SC2153 # the script's own variables come over standard input
  keep_directory "$data" "$OWNER" 0750
  [ -z "$(unfit_mode)" ] || chmod u+rwx,o-w "$data"
  if [ "$made" = yes ]; then restart_users; fi
  look
}

remove() {
  if [ "$REMOVE_DATA" != true ] || [ ! -d "$DIRECTORY" ]; then
    return
  fi
  require_guarded "$data" "$OWNER"
  require_own "$data"
  [ ! -e "$data" ] || [ -n "$(recorded "$data" stack)" ] || fail "$data has no record of stack $STACK, so it is not deleted"
  rm -rf --one-file-system "$data"
  rm -f "$(record_of "$data")"
  # Other files in the directory are a reason to keep it, not to fail.
  rmdir "$DIRECTORY" 2>/dev/null || true
}

case $1 in
  apply) apply ;;
  look) look ;;
  remove) remove ;;
esac
