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

. ./ask.sh

# Requests to this host go through no proxy and follow no ~/.curlrc: both could pass the login on.
local_curl() { curl --disable --noproxy '*' --silent --max-time "$PATIENCE" "$@" 2>/dev/null; }

# Of many gateways each process that a look starts counts: what the shell can do by itself, it does. Parts of a look run side by
# side, so each says a line in one piece.

# --- through the gateway's door ---------------------------------------------------------------------------------------

health() {
  [ "$HEALTH" = json ] || return 0
  printf 'healthz=%s\n' "$(local_curl --write-out ' %{http_code}' "$ORIGIN/healthz" </dev/null | tr -d '\n')"
}

# Only with what the provider says of itself does the door know where to.
sign_on() {
  [ -n "$SIGN_ON" ] || return 0
  printf 'signOn=%s\n' "$(local_curl --header 'Accept: text/html' --output /dev/null --write-out '%{http_code}' "$ORIGIN$BASE_PATH/" </dev/null)"
}

# The page without the login and with it. A healthy gateway may refuse every page, and only who has logged in gets as far as to
# see it. The login is sent to curl over standard input, because all users of the host can read arguments.
page() {
  answer=$({
    printf 'url = "%s"\noutput = /dev/null\nwrite-out = "%%{http_code}\\n"\n' "$ORIGIN$BASE_PATH/"
    [ -z "$PASSWORD" ] || with_login
  } | local_curl --config -)
  echo "stranger=${answer%%"$newline"*}"
  [ -n "$PASSWORD" ] || return 0
  case $answer in
    *openclaw-app*200) echo page=opens ;;
    *) echo "page=${answer##*"$newline"}" ;;
  esac
}

with_login() {
  password=$PASSWORD
  case $password in *[\\\"]*) password=$(printf %s "$password" | sed 's/[\\"]/\\&/g') ;; esac
  printf 'next\nurl = "%s"\nuser = "%s:%s"\nwrite-out = "\\n%%{http_code}"\n' "$ORIGIN$BASE_PATH/" "$USERNAME" "$password"
  printf 'silent\nnoproxy = "*"\nmax-time = %s\n' "$PATIENCE"
}

newline='
'

# --- by Docker --------------------------------------------------------------------------------------------------------

# What all looks have in common: Docker's word on the containers and their images, by two calls. On a busy server each takes
# its time.
looks() {
  engine='' known='' images=''
  ask docker ps --quiet >/dev/null || return 0
  engine=answers
  socket=$(ask docker context inspect --format '{{.Endpoints.docker.Host}}')
  since=$(($(date +%s) - 3600))
  # shellcheck disable=SC2016 # a template of Docker's
  settings='{{range .Config.Env}}environment {{json .}}
{{end}}{{range $name, $value := .Config.Labels}}label {{json (printf "%s=%s" $name $value)}}
{{end}}'
  # shellcheck disable=SC2016,SC2086 # a template, and a list of words
  all=$(ask docker inspect --type container --format '== {{.Name}}
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
  known=yes
  # shellcheck disable=SC2046 # a list of words
  images=$(ask docker image inspect --format "== {{.Id}}
$settings" $(printf '%s\n' "$all" | sed -n 's/^image //p' | sort -u))
}

# see CONTAINER NAME: sets `found` to what Docker said of a container, and variables to some of it. Of a missing one it tells
# as NAME.
see() {
  [ -n "$known" ] || return 1
  found=$(printf '%s\n' "$all" | awk -v name="== /$1" '
    /^== / { on = $0 == name; next }
    on { print }')
  [ -n "$found" ] || { echo "$2=missing" && return 1; }
  image='' id='' pid='' state='' its_health='' facts=''
  while read -r key value; do
    case $key in
      image) image=$value ;;
      id) id=$value ;;
      pid) pid=$value ;;
      state) state=$value ;;
      health) its_health=$value ;;
    esac
    case $key in state | health | restarts | startedAt | cpuLimit | memoryLimit | network)
      facts="$facts$key=$value$newline" ;;
    esac
  done <<END
$found
END
}

# differences NAME ENVIRONMENT: as NAME what of the environment and the labels of `found` is not as its image and its
# declaration have it.
differences() {
  # Only names are told: there are secrets among the values, which are compared here and go nowhere.
  printf '%s\n' "$images" '== declared' "$2" '== found' "$found" | awk -v image="== $image" -v as="$1" '
    /^== / { part = $0; known = known || part == image; next }
    part == "== declared" { side = "expected"; kind = "environment"; setting = $0 }
    part == image || part == "== found" {
      side = part == image ? "expected" : "found"
      kind = $1
      setting = substr($0, length($1) + 2)
    }
    setting != "" && (kind == "environment" || kind == "label") {
      name = kind " " substr(setting, 2, index(setting, "=") - 2)
      names[name]
      said[side, name] = setting
    }
    { setting = "" }
    END {
      if (!known) exit
      for (name in names) {
        if (said["expected", name] == said["found", name]) continue
        how = said["expected", name] == "" ? "" : said["found", name] == "" ? " removed" : " changed"
        print as "=" name how
        count++
      }
      if (!count) print as "=none"
    }' | sort
}

container() {
  [ -n "$state" ] || return 0
  echo "containerId=$id"
  printf %s "$facts"
  differences difference "$ENVIRONMENT"
}

browser() {
  [ -n "$BROWSER" ] && see "$BROWSER" browser || return 0
  echo "browserId=$id"
  echo "browser=$state${its_health:+, $its_health}"
  printf '%s\n' "$found" | sed -n 's/^network /browserNetwork=/p'
  differences browserDifference ''
}

# Prints what a control group has counted, in version 2 or 1; CPU and MEMORY are its directories. Docker's own numbers come
# once a second, and for each container after the other. One look says nothing about the processor, so there are two.
# shellcheck disable=SC2016 # expanded where it runs
counts='
  if [ -e "$cpu/cpu.stat" ]; then
    used() { read -r _ count <"$cpu/cpu.stat" && count=${count}000; }
    usage=memory.current
    inactive=inactive_file
  else
    used() { read -r count <"$cpu/cpuacct.usage"; }
    usage=memory.usage_in_bytes
    inactive=total_inactive_file
  fi
  read -r count <"$memory/$usage" && echo "memoryUsed=$count"
  while read -r name count; do
    [ "$name" != "$inactive" ] || echo "memoryInactive=$count"
  done <"$memory/memory.stat"
  used && read -r time _ </proc/uptime && echo "firstCpu=$count $time"
  sleep 0.4
  used && read -r time _ </proc/uptime && echo "secondCpu=$count $time"'

# Sets `cpu` and `memory` to the directories of the container's control group. There are none where Docker's engine is on
# another machine than this shell, in a virtual one too.
control_group() {
  cpu='' memory=''
  while IFS=: read -r _ controllers path; do
    case $path in *"$id"*) ;; *) continue ;; esac
    case ,$controllers, in
      ,,) cpu=${cpu:-$path} memory=${memory:-$path} ;;
      *,memory,*) memory=/memory$path ;;
      *,cpuacct,*) cpu=/cpuacct$path ;;
    esac
  done <"$proc/$pid/cgroup"
  [ -n "$id" ] && [ -n "$memory" ] || return 1
  cpu=$control_groups$cpu memory=$control_groups$memory
  [ -r "$memory/memory.stat" ]
}

use() {
  [ -n "$state" ] || return 0
  if control_group 2>/dev/null; then
    (eval "$counts") 2>/dev/null
  else
    # shellcheck disable=SC2016 # expanded in the container
    in_container '
      cpu=/sys/fs/cgroup memory=/sys/fs/cgroup
      [ -e "$cpu/cpu.stat" ] || cpu=$cpu/cpuacct memory=$memory/memory
      '"$counts"
  fi
}

# Why a certificate was not trusted lately, in the words of Node's.
distrust() {
  found=$(logged | LC_ALL=C tr -d '\000' |
    LC_ALL=C grep -m 1 -oiE 'unable to verify the first certificate|unable to get (local )?issuer certificate|self[- ]signed certificate( in certificate chain)?|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?')
  [ -z "$found" ] || echo "distrust=$found"
}

# What the gateway logged lately. Docker's CLI takes five times as long to start as curl, and is asked for each gateway here.
logged() {
  case $socket in
    unix://*) local_curl --unix-socket "${socket#unix://}" "http://docker/containers/$CONTAINER/logs?stdout=true&stderr=true&tail=1000&since=$since" ;;
    *) timeout -s KILL "$PATIENCE" docker logs --since "$since" --tail 1000 "$CONTAINER" 2>&1 ;;
  esac </dev/null
}

# What the container of the backups knows of them, and the time here.
offsite() {
  [ -n "$OFFSITE" ] && see "$OFFSITE" offsite || return 0
  echo "offsiteId=$id"
  echo "offsite=$state"
  echo "offsiteNow=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  ask docker exec "$OFFSITE" cat /var/lib/offsite/state
}

# ----------------------------------------------------------------------------------------------------------------------

look() {
  for part in health sign_on page; do "$part" & done
  if [ -n "$engine" ]; then
    echo docker=answers
    state=''
    see "$CONTAINER" state
    for part in container use distrust browser; do "$part" & done
  fi
  wait
  # Last, because the start of a process in each of many containers would take the time of all else.
  [ -z "$engine" ] || offsite
}

case $1 in
  looks) looks ;;
esac
