#!/bin/sh
# session-directory.sh apply|look|remove: keeps a directory of this host that KASM mounts into sessions.
#   DIRECTORY  absolute path
#   OWNER      uid:gid of it
#   STACK      name of the stack that it is for
set -eu

. ./owned-directory.sh

look() { echo "directory: $(state_of "$DIRECTORY")"; }

apply() {
  # shellcheck disable=SC2153 # the script's own variables come over standard input
  keep_directory "$DIRECTORY" "$OWNER" 0755
  look
}

# What users put into it is theirs, so only empty directories are removed.
remove() { remove_empty "$DIRECTORY"; }

case $1 in
  apply) apply ;;
  look) look ;;
  remove) remove ;;
esac
