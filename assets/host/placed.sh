#!/bin/sh
# placed.sh look|remove|hold: finds what a stack has of its gateways on this host by the names of containers, networks and data,
# without Pulumi's state, or removes it. A thing is the stack's own by its label, a gateway's container by its network's; what
# is not is left alone. `look` prints
#   container=NAME ID STATE
#   data=PLACE               for each directory or volume that is not empty
#   empty=PLACE              for each one that is
# and `remove` stops and removes containers, networks and volumes; data only if it is among the VOLUMES. If the container
# STOPPED runs or restarts, nothing is removed. `hold` prints "held", and each line that it reads: those of
# keep-stopped.sh on the gateway's old host. By the line "given" it ends. By "back", or if its standard input ends, also by the death
# of the command on the other end or the loss of the connection, it removes what is there, and what an engine that was killed still
# creates in the seconds after that.
#   STACK                  name of the stack
#   CONTAINERS NETWORKS    names
#   DIRECTORIES VOLUMES    with data
#   STOPPED                name of a container that has to be stopped already
#   LOCK                   name of the lock that the next command on this host holds; see lock.sh
set -eu

key=openclaw-kasm.stack

is_among() { case " $2 " in *" $1 "*) ;; *) return 1 ;; esac }

# Names of the stack's own networks.
own_networks() {
  docker network ls --filter "label=$key" --format "{{.Name}} {{.Label \"$key\"}}" </dev/null |
    while read -r name owner; do
      case $owner in "$STACK"/*) echo "$name" ;; esac
    done
}

# One line `NAME ID STATE` for each.
own_containers() {
  own=$(own_networks | tr '\n' ' ')
  docker ps --all --no-trunc --format "{{.Names}} {{.ID}} {{.State}} {{.Label \"$key\"}} {{.Networks}}" </dev/null |
    while read -r name id state owner network; do
      is_among "$name" "$CONTAINERS" || continue
      # Without a label, read puts the network there.
      case $owner in
        "$STACK"/*) ;;
        */*) continue ;;
        *) is_among "${network:-$owner}" "$own" || continue ;;
      esac
      echo "$name $id $state"
    done
}

own_volumes() {
  docker volume ls --filter "label=$key" --format "{{.Name}} {{.Label \"$key\"}}" </dev/null |
    while read -r name owner; do
      case $owner in "$STACK"/*) if is_among "$name" "$VOLUMES"; then echo "$name"; fi ;; esac
    done
}

# content_of PLACE PATH
content_of() {
  if [ -n "$(ls -A -- "$2")" ]; then echo "data=$1"; else echo "empty=$1"; fi
}

look() {
  own_containers | sed 's/^/container=/'
  for directory in $DIRECTORIES; do
    owner=$(sed -n 's/^stack=//p' "${directory%/*}/.${directory##*/}.openclaw-kasm" 2>/dev/null) || continue
    if [ "$owner" = "$STACK" ] && [ -d "$directory" ] && [ ! -L "$directory" ]; then content_of "$directory" "$directory"; fi
  done
  for volume in $(own_volumes); do
    content_of "$volume" "$(docker volume inspect --format '{{.Mountpoint}}' "$volume" </dev/null)"
  done
}

remove() {
  own_containers | while read -r name id state; do
    # Docker itself refuses one that runs: it may have been started since it was found.
    if [ "$name" = "$STOPPED" ]; then docker rm --volumes "$id" >/dev/null </dev/null; fi
  done
  own_containers | while read -r name id state; do
    if [ "$state" = running ]; then docker stop "$id" >/dev/null </dev/null; fi
    docker rm --force --volumes "$id" >/dev/null </dev/null
    echo "removed=$name"
  done
  for network in $(own_networks); do
    if is_among "$network" "$NETWORKS"; then docker network rm "$network" >/dev/null </dev/null; fi
  done
  for volume in $(own_volumes); do docker volume rm "$volume" >/dev/null </dev/null; done
}

hold() {
  echo held
  trap '' HUP INT TERM PIPE
  while read -r word; do
    if [ "$word" = back ]; then break; fi
    echo "$word" || true
    if [ "$word" = given ]; then exit 0; fi
  done
  if [ "$(id -u)" -eq 0 ]; then folder=/run; else folder=${XDG_RUNTIME_DIR:-$HOME}; fi
  tries=0
  while [ "$tries" -lt 15 ]; do
    (remove) || true
    sleep 1
    # That command removes what it finds, and creates what has to stay.
    if [ -e "${RUN_DIRECTORY:-$folder}/openclaw-kasm-$LOCK.lock" ]; then exit 0; fi
    tries=$((tries + 1))
  done
}

case $1 in
  look) look ;;
  remove) remove ;;
  hold) hold ;;
esac
