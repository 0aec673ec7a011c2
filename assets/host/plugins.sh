#!/bin/sh
# plugins.sh look: prints OpenClaw's own plugins in a gateway's data, `plugin=PACKAGE VERSION` a line, and changes nothing.
#   CONTAINER DATA_USER   the gateway, and the user in it that owns its data
#   PATIENCE              seconds that the question may take
set -u

. ./plugin-versions.sh

look() {
  timeout -s KILL "$PATIENCE" docker exec --user "$DATA_USER" "$CONTAINER" timeout -s KILL "$PATIENCE" \
    sh -c "$plugin_versions" 2>/dev/null </dev/null
}

case $1 in
  look) look ;;
esac
