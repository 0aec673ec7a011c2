#!/bin/sh
# session-directory.sh apply|look|remove: keeps a directory of this host that KASM mounts into sessions.
#   DIRECTORY  absolute path
#   OWNER      uid:gid of it
set -eu

look() {
  if [ -d "$DIRECTORY" ] && [ ! -L "$DIRECTORY" ]; then
    echo "directory: of $(stat -c %u:%g "$DIRECTORY")"
  else
    echo "directory: missing"
  fi
}

apply() {
  if [ -L "$DIRECTORY" ] || { [ -e "$DIRECTORY" ] && [ ! -d "$DIRECTORY" ]; }; then
    echo "$DIRECTORY is there already and is not a directory" >&2
    exit 1
  fi
  [ -d "$DIRECTORY" ] || (umask 022 && mkdir -p "$DIRECTORY")
  # Only the directory itself: what is in it belongs to whoever put it there.
  [ "$(stat -c %u:%g "$DIRECTORY")" = "$OWNER" ] || chown "$OWNER" "$DIRECTORY"
  look
}

# What users put into it is theirs: only empty directories go, this one and those above it that are left with nothing.
remove() {
  path=$DIRECTORY
  while [ "${path%/*}" != "" ] && rmdir "$path" 2>/dev/null; do
    path=${path%/*}
  done
}

case $1 in
  apply) apply ;;
  look) look ;;
  remove) remove ;;
esac
