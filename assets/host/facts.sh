#!/bin/sh
# facts.sh look: prints what a host is like, one `name=value` a line, and changes nothing.
#   CONTAINERS NETWORKS VOLUMES IMAGE   names that are looked up, by which what is found is told
#   DIRECTORY             where the data is or will be
#   DIRECTORIES           those that are made for an account
#   KASM_DIRECTORY        where KASM is installed
#   NEEDS_SUDO            yes: the login user is not root and has to become it
# The first line is `facts=begin`: output before it is from the login shell.
# What Docker says comes last: where the engine hangs, everything else has been said.
set -u

# found KIND TEMPLATE NAME...: what Docker says of its things of one kind, all by one call; nothing of what is not there.
found() {
  kind=$1 template=$2
  shift 2
  [ $# -eq 0 ] || docker "$kind" inspect --format "$template" "$@" 2>/dev/null </dev/null | sed '/^$/d; s,=/,=,'
}

# owner LABELS: a template for the stack that a thing is of, by the label among those that LABELS names.
owner() { printf '{{with %s}}{{index . "openclaw-kasm.stack"}}{{end}}' "$1"; }

facts() {
  echo facts=begin
  for address in 127.0.0.1 $(hostname -I 2>/dev/null); do echo "address=$address"; done
  # Listening sockets as the kernel writes them: hexadecimal ADDRESS:PORT.
  awk '$4 == "0A" { print "listening=" $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
  awk '$1 == "MemAvailable:" { print "availableMb=" int($2 / 1024) }' /proc/meminfo 2>/dev/null

  place=$DIRECTORY
  while [ ! -d "$place" ]; do place=$(dirname "$place"); done
  df -Pk "$place" 2>/dev/null | awk 'NR == 2 { print "dataFreeMb=" int($4 / 1024) }'

  for each in $DIRECTORIES; do
    owner=$(sed -n 's/^stack=//p' "${each%/*}/.${each##*/}.openclaw-kasm" 2>/dev/null) && echo "directory=$each $owner"
  done

  # Each of KASM's versions has a directory of its own.
  [ -L "$KASM_DIRECTORY/current" ] && echo "kasmVersion=$(basename "$(readlink "$KASM_DIRECTORY/current")")"
  for tool in curl flock; do command -v "$tool" >/dev/null || echo "missing=$tool"; done
  if [ "$NEEDS_SUDO" = yes ]; then
    error=$(sudo -n true 2>&1 </dev/null) || echo "sudoError=$(printf %s "$error" | tr '\n' ' ')"
  fi

  if ! command -v docker >/dev/null; then
    echo 'dockerError=the command docker is not installed'
    return
  fi
  # Of a refusal `docker info` says no more than that its template does not fit.
  if ! error=$(docker version --format '{{.Server.Version}}' 2>&1 </dev/null); then
    echo "dockerError=$(printf %s "$error" | tr '\n' ' ')"
    return
  fi
  info=$(docker info --format '{{.ServerVersion}}|{{.NCPU}}|{{.MemTotal}}|{{.DockerRootDir}}
osType {{.OSType}}
lacks {{if not .MemoryLimit}}MemoryLimit{{end}}
lacks {{if not .SwapLimit}}SwapLimit{{end}}
lacks {{if not .CPUCfsQuota}}CpuCfsQuota{{end}}
{{range .SecurityOptions}}security {{.}}
{{end}}' 2>/dev/null </dev/null) || return
  first=$(printf '%s\n' "$info" | sed -n 1p)
  printf '%s\n' "$info" | awk -F'|' '
    NR == 1 { print "docker=" $1 "\ncores=" $2 "\nmemoryMb=" int($3 / 1048576) "\ndockerRoot=" $4 }
    NR > 1 && split($0, words, " ") == 2 { print words[1] "=" words[2] }'
  df -Pk "${first##*|}" 2>/dev/null | awk 'NR == 2 { print "diskMb=" int($2 / 1024) "\nfreeMb=" int($4 / 1024) }'
  # shellcheck disable=SC2016,SC2086 # templates of Docker's, and lists of words
  {
    found container '{{$name := .Name}}container={{$name}} {{.Id}}
{{range .NetworkSettings.Ports}}{{range .}}published={{$name}} {{.HostIp}}:{{.HostPort}}
{{end}}{{end}}' $CONTAINERS
    found network 'network={{.Name}} {{.Id}}' $NETWORKS
    found volume "volume={{.Name}} $(owner .Labels)" $VOLUMES
    found image "image=$IMAGE $(owner .Config.Labels)" $IMAGE
  }
  echo "complete=yes"
}

case $1 in
  look) facts ;;
esac
