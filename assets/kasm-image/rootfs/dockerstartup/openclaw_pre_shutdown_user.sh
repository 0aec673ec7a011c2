#!/usr/bin/env bash
# KASM runs this as kasm_pre_shutdown_user.sh before it ends a session. Without it the gateway would be killed: process 1 of a
# session is gone as soon as it has signalled its last child. The startup script itself goes on: under
# DLP_PROCESS_FAIL_SECURE its end would end the session, and with it the upload of the profile that comes next.
supervisor=$(cat "/tmp/openclaw-kasm-$(id -u)/supervisor" 2>/dev/null)
if [ -n "$supervisor" ] && kill -USR1 "$supervisor" 2>/dev/null; then
  timeout 20 sh -c "while [ ! -e '/tmp/openclaw-kasm-$(id -u)/rested' ] && kill -0 $supervisor; do sleep 0.2; done"
fi
kasm_own=$(dirname "$0")/kasm_pre_shutdown_user.kasm.sh
if [ -f "$kasm_own" ]; then exec "$kasm_own" "$@"; fi
