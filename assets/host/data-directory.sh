#!/bin/sh
# data-directory.sh apply|remove: makes the directory for OpenClaw's files on this host, or takes it away again.
#   DIRECTORY    absolute path; its data/ is what the gateway mounts
#   OWNER        uid:gid of both
#   REMOVE_DATA  true: `remove` deletes the data; otherwise it keeps everything
set -eu

apply() {
  for path in "$DIRECTORY" "$DIRECTORY/data"; do
    if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then
      echo "$path is there already and is not a directory" >&2
      exit 1
    fi
    [ -d "$path" ] || (umask 027 && mkdir -p "$path")
    # Only the directory itself: what is in it belongs to whoever put it there.
    [ "$(stat -c %u:%g "$path")" = "$OWNER" ] || chown "$OWNER" "$path"
  done
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
  remove) remove ;;
esac
