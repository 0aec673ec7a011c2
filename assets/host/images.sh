#!/bin/sh
# images.sh look: prints of when the packages in images are, one `image=NAME<tab>TIME` a line, and changes nothing.
#   IMAGES     a line `NAME IMAGE` for each
#   PATIENCE   seconds that each question may take
#
# The time is that of the last step of a build that called apt-get: the step may come from the build cache, and the image
# itself is then younger than its packages. Without such a step it is the image's own.
set -u

. ./ask.sh

age() {
  steps=$(ask docker history --no-trunc --human=false --format '{{.CreatedAt}} {{.CreatedBy}}' "$2") || return
  printf '%s\n' "$steps" | awk -v name="$1" '
    $1 ~ /^[0-9]+-[0-9]+-[0-9]+T/ && own == "" { own = $1 }
    /apt-get/ && packages == "" { packages = $1 }
    END { if (own != "") printf "image=%s\t%s\n", name, packages == "" ? own : packages }'
}

look() {
  # On an engine that hangs one question is enough.
  ask docker ps --quiet >/dev/null || return
  printf '%s\n' "$IMAGES" | while read -r name image; do
    if [ -n "$image" ]; then age "$name" "$image"; fi
  done
}

case $1 in
  look) look ;;
esac
