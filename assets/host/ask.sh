# ask.sh: how scripts that look ask something that may hang. Included by scripts of this folder, not run.
#   PATIENCE              seconds that each question may take
#   CONTAINER DATA_USER   for in_container: a gateway, and the user in it that owns its data
# shellcheck shell=sh

# Docker's CLI takes a politer signal as an answer like any other.
ask() { timeout -s KILL "$PATIENCE" "$@" 2>/dev/null </dev/null; }

# in_container COMMANDS: runs them in the gateway. Ended inside as well: with the client alone, what it started would go on in the
# container.
in_container() { ask docker exec --user "$DATA_USER" "$CONTAINER" timeout -s KILL "$PATIENCE" sh -c "$1"; }
