#!/usr/bin/env bash
# Prints what is on a rig's host, one `SECTION<tab>ENTRY` a line: run on it, compared before and after.
set -euo pipefail
# shellcheck source=/dev/null # on the rig
. /usr/local/share/kasm_release/release.sh

# entries SECTION FIND-ARGUMENTS: every file, folder and link with mode, owner and content.
entries() {
  local section=$1
  shift
  {
    find "$@" -type f -print0 | xargs --null --no-run-if-empty sha256sum
    find "$@" -printf '%y\t%p\t%m %u:%g\t%l\n'
  } | awk -F '\t' -v section="$section" '
    NF == 1 { hash[substr($0, 67)] = substr($0, 1, 64) }
    $1 == "f" { print section "\t" $2 " " $3 " " hash[$2] }
    $1 == "l" { print section "\t" $2 " -> " $4 }
    $1 != "" && $1 !~ /^[fl]$/ && NF > 1 { print section "\t" $2 " " $1 " " $3 }'
}

list() {
  local section=$1
  shift
  "$@" | sed "s/^/$section\t/"
}

containers() {
  # shellcheck disable=SC2016 # a variable of the template
  docker ps --all --quiet | xargs --no-run-if-empty docker inspect --format \
    '{{.Name}} {{.Config.Image}}{{range $network, $_ := .NetworkSettings.Networks}} {{$network}}{{end}}'
}

# Logs and runtime files of the services are left out: they change without any action.
entries kasm "$KASM_DIRECTORY" -not -path '*/log/*' -not -path '*/tmp/*' -not -name '*.pid'
# These three are written by the engine that runs this host.
entries etc /etc -not -path /etc/hosts -not -path /etc/hostname -not -path /etc/resolv.conf
entries homes /root /home
list containers containers
list networks docker network ls --format '{{.Name}} {{.Driver}}'
list volumes docker volume ls --format '{{.Name}}'
list images docker image ls --format '{{.Repository}}:{{.Tag}} {{.ID}}'
