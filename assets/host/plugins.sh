#!/bin/sh
# plugins.sh look: prints OpenClaw's own plugins in a gateway's data, `plugin=PACKAGE VERSION` a line, and changes nothing.
#   CONTAINER DATA_USER   the gateway, and the user in it that owns its data
#   PATIENCE              seconds that the question may take
set -u

# A plugin that is installed is in the data, so it stays as it is when the image changes. The data is the agents' too: only
# what looks like a name and a version is printed.
look() {
  # shellcheck disable=SC2016 # expanded in the container
  timeout -s KILL "$PATIENCE" docker exec --user "$DATA_USER" "$CONTAINER" timeout -s KILL "$PATIENCE" sh -c '
    for file in /data/.openclaw/npm/projects/*/node_modules/@openclaw/*/package.json; do
      [ -f "$file" ] || continue
      package=${file%/package.json}
      version=$(head -c 100000 "$file" | sed -nE "s/^ *\"version\": *\"([^\"]*)\".*/\1/p" | head -n 1)
      echo "plugin=@openclaw/${package##*/} $version"
    done' 2>/dev/null </dev/null |
    sed -nE '/^plugin=@openclaw\/[a-z0-9._-]{1,100} [0-9A-Za-z.+-]{1,50}$/p' | sort -u
}

case $1 in
  look) look ;;
esac
