#!/bin/sh
# remove.sh REF: takes a base image that ensure.sh made off the engine. No complaint when it is gone already.
set -eu
# Stays in the caller's folder: DOCKER_COMMAND may name files relative to it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

[ $# -eq 1 ] || die 'usage: remove.sh REF'
check_ref "$1"
check_engine

if ! has_image "$1"; then
  say "$1 is not there: nothing to remove"
elif ! message=$(engine image rm "$1" 2>&1); then
  # Another process may have removed it after the check above.
  if has_image "$1"; then die "could not remove $1: $message"; fi
else
  say "removed $1"
fi
echo "$1"
