#!/bin/sh
# people.sh apply: tells a running gateway who may come in and the part of its configuration that needs no restart. The
# gateway's image has the program that does it (assets/gateway-image/README.md); it gets its input over standard input.
#   CONTAINER   the gateway's container
#   INPUT       JSON with people, roles and config; secret
set -eu

apply() {
  printf '%s' "$INPUT" |
    docker exec --interactive "$CONTAINER" node /usr/local/lib/gateway-image/people.mjs apply
  echo 'the gateway knows its people'
}

case $1 in
  apply) apply ;;
esac
