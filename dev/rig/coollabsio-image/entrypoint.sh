#!/bin/bash
# The order of the image's own entrypoint; without a token or a provider key it ends before anything starts.
set -e

if [[ -z ${OPENCLAW_GATEWAY_TOKEN:-} ]]; then
  echo 'OPENCLAW_GATEWAY_TOKEN is required' >&2
  exit 1
fi
if [[ -z ${ANTHROPIC_API_KEY:-}${OPENAI_API_KEY:-} ]]; then
  echo 'at least one provider key is required' >&2
  exit 1
fi
mkdir -p "$OPENCLAW_STATE_DIR" "$OPENCLAW_WORKSPACE_DIR"
chmod 700 "$OPENCLAW_STATE_DIR"
node /app/configure.mjs
chmod 600 "$OPENCLAW_STATE_DIR/openclaw.json"

printf '%s:%s\n' "${AUTH_USERNAME:-admin}" "$(openssl passwd -apr1 "$AUTH_PASSWORD")" >/etc/nginx/.htpasswd
sed "s/TOKEN/$OPENCLAW_GATEWAY_TOKEN/" /app/nginx.conf >/etc/nginx/nginx.conf
# It does not start while the name "browser" is unknown, and that ends the entrypoint.
nginx
exec openclaw gateway run
