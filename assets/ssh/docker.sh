#!/usr/bin/env bash
# docker.sh ARGUMENT...: runs Docker's CLI on the server to which SSH_COMMAND leads, a command line for a shell.
set -euo pipefail
ssh=()
eval "ssh=($SSH_COMMAND)"
# ssh hands its arguments to a shell on the other side.
exec "${ssh[@]}" docker "${@@Q}"
