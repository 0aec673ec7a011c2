#!/bin/sh
# plugins.sh look: prints OpenClaw's own plugins in a gateway's data, `plugin=PACKAGE VERSION` a line, and changes nothing.
#   CONTAINER DATA_USER   the gateway, and the user in it that owns its data
#   PATIENCE              seconds that the question may take
set -u

. ./ask.sh
. ./plugin-versions.sh

look() {
  in_container "$plugin_versions"
}

case $1 in
  look) look ;;
esac
