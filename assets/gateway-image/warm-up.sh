#!/bin/sh
# Build step: starts the gateway once and runs the commands people use, so that their code is in the compile cache.
set -eu
HOME=$(mktemp -d)
export HOME OPENCLAW_STATE_DIR="$HOME/state" OPENCLAW_WORKSPACE_DIR="$HOME/workspace"
mkdir "$OPENCLAW_STATE_DIR"
echo '{"gateway":{"mode":"local","bind":"loopback"},"update":{"checkOnStart":false}}' >"$OPENCLAW_STATE_DIR/openclaw.json"
export OPENCLAW_GATEWAY_TOKEN=only-for-this-build-step

openclaw gateway run --port 18789 --bind loopback &
gateway=$!
tries=0
until curl -fsS -o /dev/null http://127.0.0.1:18789/startupz 2>/dev/null; do
  tries=$((tries + 1))
  if [ "$tries" -gt 120 ] || ! kill -0 "$gateway"; then
    echo 'the gateway did not start' >&2
    exit 1
  fi
  sleep 1
done
openclaw gateway health
kill -TERM "$gateway"
wait "$gateway" || true
rm -rf "$HOME" /tmp/openclaw*
