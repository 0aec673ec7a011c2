#!/bin/sh
# Build step: starts the gateway on a new and on a used state folder, asks it something and pairs a browser, so that the code
# that this needs is in the compile cache.
set -eu
HOME=$(mktemp -d)
export HOME OPENCLAW_GATEWAY_TOKEN=only-for-this-build-step
mkdir "$HOME/.openclaw"
echo '{"gateway":{"mode":"local","bind":"loopback"},"update":{"checkOnStart":false}}' >"$HOME/.openclaw/openclaw.json"

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
  node --input-type=module --eval '
    import { createRequire } from "node:module";
    const require = createRequire("/opt/openclaw/node_modules/openclaw/package.json");
    await (await import(require.resolve("openclaw/plugin-sdk/device-bootstrap"))).issueDeviceBootstrapToken();'
  kill -TERM "$gateway"
  wait "$gateway" || true
}
start_and_stop
start_and_stop
rm -rf "$HOME" /tmp/openclaw* /tmp/.openclaw*
