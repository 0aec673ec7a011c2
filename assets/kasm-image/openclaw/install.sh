#!/bin/sh
# install.sh VERSION: build step that installs npm openclaw, from the folder that this file is in. The lockfile beside it names
# the packages of one version with their hashes. Those of another version are chosen by npm, which checks the registry's hashes.
# docs/decisions/0020-images-on-current-packages.md
set -eu
version=$1
cd "$(dirname "$0")"

# Of all packages none may run a script at its installation, and each has to run on this Node.
install() {
  npm "$@" --ignore-scripts --engine-strict --omit=dev \
    --no-audit --no-fund --no-update-notifier --loglevel=error --cache /tmp/npm
}
if [ "$(npm pkg get dependencies.openclaw)" = "\"$version\"" ]; then
  install ci
else
  rm package-lock.json
  npm pkg set "dependencies.openclaw=$version"
  install install
fi
# OpenClaw's own script is the one that is needed: OpenClaw does not count as installed without it.
npm rebuild --loglevel=error --cache /tmp/npm openclaw
ln -s "$PWD/node_modules/openclaw/openclaw.mjs" /usr/local/bin/openclaw
rm -rf /tmp/npm /tmp/node-compile-cache "$HOME/.npm"
