#!/bin/sh
# lock.sh hold: holds a lock on this host until its standard input ends, also by the death of the command on the other end.
# It prints "locked" once it has the lock, and fails with the holder's name if another command has it.
#   NAME           what is locked, by the name of a gateway's container
#   HOLDER         who asks, for the message to others
#   RUN_DIRECTORY  where the lock's file is; /run unless set, where other accounts can't write
set -eu
umask 077

if [ "$(id -u)" -eq 0 ]; then folder=/run; else folder=${XDG_RUNTIME_DIR:-$HOME}; fi
file=${RUN_DIRECTORY:-$folder}/openclaw-kasm-$NAME.lock

inode() { stat --dereference --format=%d:%i "$1"; }

hold() {
  if ! command -v flock >/dev/null; then
    echo 'the command flock is needed and not there' >&2
    exit 1
  fi
  while :; do
    exec 9>>"$file"
    if ! flock --nonblock 9; then
      echo "$NAME is being worked on: $(cat "$file")" >&2
      exit 1
    fi
    # The holder before may have deleted the file since it was opened: then this is a lock on nothing.
    if [ "$(inode "$file" 2>/dev/null)" = "$(inode /proc/self/fd/9)" ]; then break; fi
  done
  trap 'rm -f "$file"' EXIT
  echo "$HOLDER" >"$file"
  echo locked
  cat >/dev/null
}

case $1 in
  hold) hold ;;
esac
