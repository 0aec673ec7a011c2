#!/bin/sh
# key-agent.sh FOLDER HOLDER: puts the private key on standard input into an SSH agent at FOLDER/agent, so that no file
# holds it. HOLDER is the number of a process that needs it. Agents in FOLDER end with the last of these, however that
# one ends. It is run on the machine of the command, in a session of its own: no signal of the terminal ends an agent.
set -eu

folder=$1
holder=$2

umask 077
mkdir -p "$folder/holders"
: >"$folder/holders/$holder"

# Each call brings an agent of its own, which then takes the place of the one before: that may be about to end.
socket=$folder/agent-$$
rm -f "$socket"
agent=$(ssh-agent -s -a "$socket" | sed -n 's/^SSH_AGENT_PID=\([0-9]*\);.*/\1/p')
trap 'kill "$agent"; rm -f "$socket"' EXIT
SSH_AUTH_SOCK=$socket SSH_ASKPASS_REQUIRE=never ssh-add -q -
mv -f "$socket" "$folder/agent"
trap - EXIT
own=$(ls -i "$folder/agent")

{
  while
    sleep 1
    for file in "$folder"/holders/*; do
      kill -0 "${file##*/}" || rm -f "$file"
    done
    [ -n "$(ls "$folder/holders")" ]
  do :; done
  kill "$agent" || true
  # ssh-agent removes its socket under the first name only.
  [ "$(ls -i "$folder/agent")" != "$own" ] || rm -f "$folder/agent"
} </dev/null >/dev/null 2>&1 &
