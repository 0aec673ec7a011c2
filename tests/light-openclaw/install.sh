#!/bin/sh
# install.sh VERSION: stands in for assets/gateway-image/openclaw/install.sh and installs the files beside it.
set -eu
cd "$(dirname "$0")"
npm pkg set "version=$1"
chmod 0755 openclaw.mjs
ln -s "$PWD/openclaw.mjs" /usr/local/bin/openclaw
