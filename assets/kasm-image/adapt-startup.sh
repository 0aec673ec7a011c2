#!/usr/bin/env bash
# Build step: has KASM's start-up scripts in DIRECTORY bear with a broken home, and its hooks wait for OpenClaw.
#
#   adapt-startup.sh DIRECTORY TOOLS
set -euo pipefail
shopt -s nullglob
cd "$1"
readonly TOOLS=$2
# Bash's words for reading a file in.
readonly SOURCES='(^|[[:space:];&|(])(source|\.)[[:space:]]+'

for script in *.sh; do
  sed -Ei "s#${SOURCES}[\"']?(~|[$][{]?HOME[}]?)[\"']?/\.bashrc[\"']?#\1source $TOOLS/home-bashrc.sh || true#g" "$script"
  if grep -En "${SOURCES}[^;&|#]*\.bashrc" "$script"; then
    echo "$1/$script reads .bashrc in a way that is not known here" >&2
    exit 1
  fi
done

# KASM runs kasm_pre_shutdown_user.sh where it is; the others only where it has them.
touch -a kasm_pre_shutdown_user.sh
for hook in kasm_pre_shutdown_*.sh kasm_end_session_*.sh; do
  chmod a+rx "$hook"
  mv "$hook" "${hook%.sh}.kasm.sh"
  install -m 0755 "$TOOLS/hook.sh" "$hook"
done
