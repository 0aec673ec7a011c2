#!/bin/sh
# ensure.sh REF UPSTREAM [FROM]: makes sure that the image REF (a name of this project) is on the Docker engine. The tag of REF is
# a hash of all that the image is made from: under another name of this project, the same tag is the same image.
#
#   1. REF exists                   -> nothing to do
#   2. another stack has the same   -> REF is another name for that
#   3. UPSTREAM can be had          -> REF is another name for it
#   4. no registry within reach     -> build.sh builds REF from Debian packages and the npm packages of Node and npm
#
# FROM, the time of a rebuild, is part of the hash. With it UPSTREAM is pulled even if the engine has an image of that name.
#
# The engine is the one that DOCKER_COMMAND (docker, unless set) talks to. Progress goes to stderr, the last line of stdout is REF.
set -eu
# Stays in the caller's folder: DOCKER_COMMAND may name files relative to it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

PULL_SECONDS=${BASE_IMAGE_PULL_SECONDS:-300}

errors=
job=
clean_up() {
  trap '' INT TERM HUP
  if [ -n "$job" ]; then
    kill -TERM "$job" 2>/dev/null || true
    wait "$job" 2>/dev/null || true
  fi
  if [ -n "$errors" ]; then rm -f "$errors"; fi
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A shell runs a trap only after the foreground command has ended; waiting for a background one lets a kill act at once.
pull_upstream() {
  (replace='exec' && within "$PULL_SECONDS" pull --quiet "$UPSTREAM") </dev/null >/dev/null 2>"$errors" &
  job=$!
  code=0
  wait "$job" || code=$?
  job=
  return "$code"
}

borrow() {
  tag=${REF##*:}
  printf '%s\n' "$tag" | grep -qxE '[0-9a-f]{12}' || return 1
  others=$(engine image ls --filter "reference=$NAME_PREFIX*:$tag" --format '{{.Repository}}:{{.Tag}}') || return 1
  other=$(printf '%s\n' "$others" | head -n 1)
  # The image's own stack may remove it after the check above.
  [ -n "$other" ] && engine tag "$other" "$REF" 2>/dev/null || return 1
  say "$REF is $other"
}

# Prints the id of an image, or nothing where the engine has none of that name.
id_of() { engine image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }

# Gives REF to what UPSTREAM names. An image that the engine has under that name keeps it: others may build on it.
pull() {
  present=$(id_of "$UPSTREAM")
  if [ -z "$present" ] || [ -n "$FROM" ]; then
    say "pulling $UPSTREAM (at most $PULL_SECONDS s)"
    errors=$(mktemp "${TMPDIR:-/tmp}/base-image.XXXXXX")
    if ! pull_upstream; then
      message=$(tr '\n' ' ' <"$errors")
      say "can't pull $UPSTREAM: ${message:-no end within $PULL_SECONDS s}"
      # A fresh one from packages is better than an old one.
      if [ -z "$present" ] || can_build; then return 1; fi
      say "using the $UPSTREAM that the engine has"
    fi
  fi
  engine tag "$UPSTREAM" "$REF" || die "could not name $UPSTREAM $REF"
  if [ -z "$present" ]; then
    engine image rm "$UPSTREAM" >/dev/null 2>&1 || true
  elif [ "$(id_of "$UPSTREAM")" != "$present" ]; then
    engine tag "$present" "$UPSTREAM" || die "could not give $UPSTREAM back to the image that had the name"
  fi
  say "$REF is $UPSTREAM"
}

# What build.sh makes can replace this image only.
can_build() { printf '%s\n' "$UPSTREAM" | grep -qE '(^|/)node:26[0-9.]*-bookworm'; }

build() {
  can_build ||
    die "$UPSTREAM can't be pulled, and only node:26…-bookworm… can be built from packages"
  if [ "$(uname -s)" != Linux ] || ! command -v bash >/dev/null; then
    die "$UPSTREAM can't be pulled, and this machine ($(uname -s)) can't build it from Debian's packages, for which it takes Debian or Ubuntu: let the Docker host reach a registry, or name an image that it can pull in openclaw:baseImage"
  fi
  rm -f "$errors"
  trap - EXIT HUP INT TERM
  exec bash "$(dirname "$0")/build.sh" "$REF"
}

[ $# -eq 2 ] || [ $# -eq 3 ] || die 'usage: ensure.sh REF UPSTREAM [FROM]'
REF=$1 UPSTREAM=$2 FROM=${3:-}
check_ref "$REF"
case $UPSTREAM in
  [!A-Za-z0-9]* | *[!A-Za-z0-9._/:@-]*) die "'$UPSTREAM' is not an image name" ;;
esac
check_engine

if has_image "$REF"; then
  say "$REF is there"
elif ! borrow; then
  pull || build
fi
echo "$REF"
