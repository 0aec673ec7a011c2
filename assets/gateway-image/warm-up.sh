#!/bin/sh
# Build step: starts the gateway on a new and on a used state folder and asks it something, so that the code that this
# needs is in the compile cache.
set -eu
HOME=$(mktemp -d)
export HOME OPENCLAW_STATE_DIR="$HOME/state" OPENCLAW_WORKSPACE_DIR="$HOME/workspace"
mkdir "$OPENCLAW_STATE_DIR"
echo '{"gateway":{"mode":"local","bind":"loopback"},"update":{"checkOnStart":false}}' >"$OPENCLAW_STATE_DIR/openclaw.json"
export OPENCLAW_GATEWAY_TOKEN=only-for-this-build-step

start_and_stop() {
  openclaw gateway run --port 18789 --bind loopback &
  gateway=$!
  tries=0
  until curl --disable --noproxy '*' -fsS -o /dev/null http://127.0.0.1:18789/startupz 2>/dev/null; do
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
}
start_and_stop
start_and_stop
rm -rf "$HOME" /tmp/openclaw* /tmp/.openclaw*
