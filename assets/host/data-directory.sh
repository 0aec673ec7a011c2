#!/bin/sh
# data-directory.sh apply|look|remove: keeps the directory for OpenClaw's files on this host, or takes it away again.
#   DIRECTORY    absolute path; its data/ is what the gateway mounts
#   OWNER        uid:gid of both
#   REMOVE_DATA  true: `remove` deletes the data; otherwise it keeps everything
set -eu

is_directory() { [ -d "$1" ] && [ ! -L "$1" ]; }

# Whether a mode, as stat tells it, lets the owner do everything and strangers change nothing. All else is the user's choice.
is_fit() { [ $((0$1 & 0702)) -eq $((0700)) ]; }

state_of() {
  if is_directory "$1"; then
    mode=$(stat -c %a "$1")
    echo "of $(stat -c %u:%g "$1")$(is_fit "$mode" || echo ", mode $mode")"
  elif [ -e "$1" ] || [ -L "$1" ]; then
    echo 'not a directory'
  else
    echo missing
  fi
}

look() { echo "directory: $(state_of "$DIRECTORY"); data: $(state_of "$DIRECTORY/data")"; }

# A container holds on to the directory that it was started with, also when another one is in its place.
restart_users() {
  for container in $(docker ps --quiet --filter "volume=$DIRECTORY/data"); do
    docker restart "$container" >/dev/null
  done
}

apply() {
  made=no
  for path in "$DIRECTORY" "$DIRECTORY/data"; do
    if [ "$(state_of "$path")" = 'not a directory' ]; then
      echo "$path is there already and is not a directory" >&2
      exit 1
    fi
    is_directory "$path" || { (umask 027 && mkdir -p "$path"); made=yes; }
    # Only the directory itself: what is in it belongs to whoever put it there.
    [ "$(stat -c %u:%g "$path")" = "$OWNER" ] || chown "$OWNER" "$path"
    is_fit "$(stat -c %a "$path")" || chmod u+rwx,o-w "$path"
  done
  if [ "$made" = yes ]; then restart_users; fi
  look
}

remove() {
  if [ "$REMOVE_DATA" != true ]; then
    return
  fi
  rm -rf --one-file-system "$DIRECTORY/data"
  # Somebody else's files in it are a reason to leave the directory, not to fail.
  rmdir "$DIRECTORY" 2>/dev/null || true
}

case $1 in
  apply) apply ;;
  look) look ;;
  remove) remove ;;
esac
