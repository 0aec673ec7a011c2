# plugin-versions.sh: what a gateway's container is asked about OpenClaw's own plugins in its data. Included by scripts of this
# folder, not run.
# shellcheck shell=sh

# Prints `plugin=PACKAGE VERSION` a line. A plugin that is installed is in the data, so it stays as it is when the image changes.
# The data is the agents' too: only what looks like a name and a version is printed.
# shellcheck disable=SC2016,SC2034 # expanded in the container, and used by the scripts that include this one
plugin_versions='
    for file in /data/.openclaw/npm/projects/*/node_modules/@openclaw/*/package.json; do
      [ -f "$file" ] || continue
      package=${file%/package.json}
      version=$(head -c 100000 "$file" | sed -nE "s/^ *\"version\": *\"([^\"]*)\".*/\1/p" | head -n 1)
      echo "plugin=@openclaw/${package##*/} $version"
    done | sed -nE "/^plugin=@openclaw\/[a-z0-9._-]{1,100} [0-9A-Za-z.+-]{1,50}\$/p" | sort -u'
