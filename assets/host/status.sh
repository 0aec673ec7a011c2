#!/bin/sh
# status.sh looks: prints how a gateway is, one `name=value` a line, and changes nothing.
#   CONTAINER DATA_USER   the gateway, and the user in it that owns its data
#   ORIGIN BASE_PATH      where the host reaches it, http://ADDRESS:PORT, and the path of its dashboard there
#   HEALTH                json: /healthz says in JSON how it is; page: the image can't be asked that way
#   USERNAME PASSWORD     the dashboard's login; no password where none is known
#   CONTAINERS            those of all looks
#   ENVIRONMENT           what the container was given, a line of JSON for each "NAME=VALUE"
#   BROWSER               the browser's container beside it, or nothing
#   OFFSITE               the container of its backups off the machine, or nothing
#   SIGN_ON               address of an organisation's login that browsers are sent to, or nothing
#   PATIENCE              seconds that each question may take: a gateway or an engine that hangs is just when people ask
#   PROC CONTROL_GROUPS   where the system shows processes and control groups; /proc and /sys/fs/cgroup unless set
set -u

proc=${PROC:-/proc}
control_groups=${CONTROL_GROUPS:-/sys/fs/cgroup}

# The CLI takes a politer signal as an answer like any other.
ask() { timeout -s KILL "$PATIENCE" "$@" 2>/dev/null </dev/null; }

# Requests to this host go through no proxy and follow no ~/.curlrc: both could pass the login on.
local_curl() { curl --disable --noproxy '*' --silent --max-time "$PATIENCE" "$@" 2>/dev/null; }

# --- through the gateway's door ---------------------------------------------------------------------------------------

health() {
  [ "$HEALTH" = json ] || return 0
  printf 'healthz='
  local_curl --write-out ' %{http_code}' "$ORIGIN/healthz" </dev/null | tr -d '\n'
  echo
}

stranger() {
  printf 'stranger=%s\n' "$(local_curl --output /dev/null --write-out '%{http_code}' "$ORIGIN$BASE_PATH/" </dev/null)"
}

# Only with what the provider says of itself does the door know where to.
sign_on() {
  [ -n "$SIGN_ON" ] || return 0
  printf 'signOn=%s\n' "$(local_curl --header 'Accept: text/html' --output /dev/null --write-out '%{http_code}' "$ORIGIN$BASE_PATH/" </dev/null)"
}

# A healthy gateway may refuse every page, and only who has logged in gets as far as to see it.
# The login is sent to curl over standard input, because all users of the host can read arguments.
page() {
  [ -n "$PASSWORD" ] || return 0
  answer=$(printf 'user = "%s:%s"\n' "$USERNAME" "$(printf %s "$PASSWORD" | sed 's/[\\"]/\\&/g')" |
    local_curl --config - --write-out '\n%{http_code}' "$ORIGIN$BASE_PATH/")
  case $answer in
    *openclaw-app*200) echo page=opens ;;
    *) echo "page=$(printf %s "$answer" | tail -n 1)" ;;
  esac
}

# --- by Docker --------------------------------------------------------------------------------------------------------

# What all looks have in common: Docker's word on the containers and their images, by two calls. On a busy server each takes
# its time.
looks() {
  engine='' known='' images=''
  ask docker ps --quiet >/dev/null || return 0
  engine=answers
  # shellcheck disable=SC2016 # a template of Docker's
  settings='{{range .Config.Env}}environment {{json .}}
{{end}}{{range $name, $value := .Config.Labels}}label {{json (printf "%s=%s" $name $value)}}
{{end}}'
  # shellcheck disable=SC2016,SC2086 # a template, and a list of words
  found=$(ask docker inspect --type container --format '== {{.Name}}
image {{.Image}}
id {{.Id}}
pid {{.State.Pid}}
state {{.State.Status}}
health {{if index .State "Health"}}{{.State.Health.Status}}{{end}}
restarts {{.RestartCount}}
startedAt {{.State.StartedAt}}
cpuLimit {{.HostConfig.NanoCpus}}
memoryLimit {{.HostConfig.Memory}}
{{range $name, $_ := .NetworkSettings.Networks}}network {{$name}}
{{end}}'"$settings" $CONTAINERS)
  # 1 says that one of them is missing. Of those that can't be checked in time nothing is known.
  [ $? -le 1 ] || return 0
  known=yes all=$found
  # shellcheck disable=SC2046 # a list of words
  images=$(ask docker image inspect --format "== {{.Id}}
$settings" $(of_all image | sort -u))
}

# The values of a key of all containers.
of_all() { printf '%s\n' "$all" | sed -n "s/^$1 //p"; }

# part TEXT NAME: what Docker said of that one.
part() {
  printf '%s\n' "$1" | awk -v name="== $2" '
    /^== / { on = $0 == name; next }
    on { print }'
}

# of KEY: its values in `found`.
of() { printf '%s\n' "$found" | sed -n "s/^$1 //p"; }

# see CONTAINER NAME: sets `found` to what Docker said of a container. Of a missing one it tells as NAME.
see() {
  [ -n "$known" ] || return 1
  found=$(part "$all" "/$1")
  [ -n "$found" ] || { echo "$2=missing" && return 1; }
}

is_there() { see "$CONTAINER" state >/dev/null; }

# differences NAME ENVIRONMENT: as NAME what of the environment and the labels of `found` is not as its image and its
# declaration have it.
differences() {
  expected=$(part "$images" "$(of image)")
  [ -n "$expected" ] || return 0
  # Only names are told: there are secrets among the values, which are compared here and go nowhere.
  {
    printf '%s\n' "$expected" | sed 's/^/expected /'
    printf '%s\n' "$2" | sed 's/^/expected environment /'
    printf '%s\n' "$found" | sed -nE '/^(environment|label) /s/^/found /p'
  } | awk '
    $3 == "" { next }
    {
      setting = substr($0, length($1) + 2)
      name = $2 " " substr($3, 2, index($3, "=") - 2)
      names[name]
      said[$1, name] = setting
    }
    END {
      for (name in names) {
        if (said["expected", name] == said["found", name]) continue
        how = said["expected", name] == "" ? "" : said["found", name] == "" ? " removed" : " changed"
        print name how
        count++
      }
      if (!count) print "none"
    }' | sort | sed "s/^/$1=/"
}

container() {
  see "$CONTAINER" state || return 0
  echo "containerId=$(of id)"
  printf '%s\n' "$found" | sed -nE 's/^(state|health|restarts|startedAt|cpuLimit|memoryLimit|network) /\1=/p'
  differences difference "$ENVIRONMENT"
}

browser() {
  [ -n "$BROWSER" ] && see "$BROWSER" browser || return 0
  its_health=$(of health)
  echo "browserId=$(of id)"
  echo "browser=$(of state)${its_health:+, $its_health}"
  of network | sed 's/^/browserNetwork=/'
  differences browserDifference ''
}

# Prints what a control group has counted, in version 2 or 1; CPU and MEMORY are its directories. Docker's own numbers come
# once a second, and for each container after the other. One look says nothing about the processor, so there are two.
# shellcheck disable=SC2016 # expanded where it runs
counts='
  if [ -e "$cpu/cpu.stat" ]; then
    used() { sed -n "s/^usage_usec \(.*\)/\1000/p" "$cpu/cpu.stat"; }
    usage=memory.current
    inactive=inactive_file
  else
    used() { cat "$cpu/cpuacct.usage"; }
    usage=memory.usage_in_bytes
    inactive=total_inactive_file
  fi
  echo "memoryUsed=$(cat "$memory/$usage")"
  echo "memoryInactive=$(sed -n "s/^$inactive //p" "$memory/memory.stat")"
  echo "firstCpu=$(used)" "$(cut -d" " -f1 /proc/uptime)"
  sleep 0.4
  echo "secondCpu=$(used)" "$(cut -d" " -f1 /proc/uptime)"'

# Sets `cpu` and `memory` to the directories of the container's control group. There are none where Docker's engine is on
# another machine than this shell, in a virtual one too.
control_group() {
  groups=$(grep -F "$(of id)" "$proc/$(of pid)/cgroup" 2>/dev/null) || return 1
  case $groups in
    *:memory:*)
      cpu=/cpuacct$(printf '%s\n' "$groups" | sed -nE 's/^[0-9]+:([a-z]+,)*cpuacct(,[a-z]+)*://p')
      memory=/memory$(printf '%s\n' "$groups" | sed -n 's/^[0-9]*:memory://p')
      ;;
    *) cpu=${groups#*::} memory=${groups#*::} ;;
  esac
  cpu=$control_groups$cpu memory=$control_groups$memory
  [ -r "$memory/memory.stat" ]
}

use() {
  is_there || return 0
  if control_group; then
    (eval "$counts") 2>/dev/null
  else
    # shellcheck disable=SC2016 # expanded in the container
    in_container '
      cpu=/sys/fs/cgroup memory=/sys/fs/cgroup
      [ -e "$cpu/cpu.stat" ] || cpu=$cpu/cpuacct memory=$memory/memory
      '"$counts"
  fi
}

# Ended inside as well: with the client alone, what it started would go on in the container.
in_container() { ask docker exec --user "$DATA_USER" "$CONTAINER" timeout -s KILL "$PATIENCE" sh -c "$1"; }

# Why a certificate was not trusted lately, in the words of Node's.
distrust() {
  timeout -s KILL "$PATIENCE" docker logs --since 1h --tail 1000 "$CONTAINER" 2>&1 </dev/null |
    grep -m 1 -oiE 'unable to verify the first certificate|unable to get (local )?issuer certificate|self[- ]signed certificate( in certificate chain)?|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?' |
    sed 's/^/distrust=/'
}

# What the container of the backups knows of them, and the time here.
offsite() {
  [ -n "$OFFSITE" ] && see "$OFFSITE" offsite || return 0
  echo "offsiteId=$(of id)"
  echo "offsite=$(of state)"
  echo "offsiteNow=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  ask docker exec "$OFFSITE" cat /var/lib/offsite/state
}

# ----------------------------------------------------------------------------------------------------------------------

# Each part is said in one piece.
say() {
  said=$("$@")
  printf '%s\n' "$said"
}

look() {
  for part in health stranger sign_on page; do say "$part" & done
  if [ -n "$engine" ]; then
    echo docker=answers
    for part in container browser use distrust; do say "$part" & done
  fi
  wait
  # Last, because the start of a process in each of many containers would take the time of all else.
  [ -z "$engine" ] || say offsite
}

case $1 in
  looks) looks ;;
esac
