#!/bin/sh
# status.sh look: prints how a gateway is, one `name=value` a line, and changes nothing.
#   CONTAINER DATA_USER   the gateway, and the user in it that owns its data
#   ORIGIN BASE_PATH      where the host reaches it, http://ADDRESS:PORT, and the path of its dashboard there
#   HEALTH                json: /healthz says in JSON how it is; page: the image can't be asked that way
#   USERNAME PASSWORD     the dashboard's login; no password where none is known
#   ENVIRONMENT           what the container was given, a line of JSON for each "NAME=VALUE"
#   BROWSER               the browser's container beside it, or nothing
#   OFFSITE               the container of its backups off the machine, or nothing
#   SIGN_ON               address of an organisation's login that browsers are sent to, or nothing
#   PATIENCE              seconds that each question may take: a gateway or an engine that hangs is just when people ask
set -u

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

# shellcheck disable=SC2016 # a template of Docker's
settings='{{range .Config.Env}}environment {{json .}}
{{end}}{{range $name, $value := .Config.Labels}}label {{json (printf "%s=%s" $name $value)}}
{{end}}'

# about CONTAINER NAME TEMPLATE DIFFERENCE ENVIRONMENT: what the template makes of it, and as DIFFERENCE what of its
# environment and its labels is not as its image and its declaration have it; or that NAME is missing. Of one that can't be
# checked in time nothing is known. All by two calls: on a busy server each takes its time.
about() {
  found=$(ask docker inspect --type container --format "{{.Image}}
$3$settings" "$1")
  case $? in
    0) ;;
    1) echo "$2=missing" && return ;;
    *) return ;;
  esac
  printf '%s\n' "$found" | sed -E '1d; /^(environment|label) /d'
  expected=$(ask docker image inspect --format "$settings" "$(printf '%s\n' "$found" | head -n 1)") || return
  # Only names are told: there are secrets among the values, which are compared here and go nowhere.
  {
    printf '%s\n' "$expected" | sed 's/^/expected /'
    printf '%s\n' "$5" | sed 's/^/expected environment /'
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
    }' | sort | sed "s/^/$4=/"
}

container() {
  # shellcheck disable=SC2016
  about "$CONTAINER" state 'containerId={{.Id}}
state={{.State.Status}}
health={{if index .State "Health"}}{{.State.Health.Status}}{{end}}
restarts={{.RestartCount}}
startedAt={{.State.StartedAt}}
cpuLimit={{.HostConfig.NanoCpus}}
memoryLimit={{.HostConfig.Memory}}
{{range $name, $_ := .NetworkSettings.Networks}}network={{$name}}
{{end}}' difference "$ENVIRONMENT"
}

browser() {
  [ -n "$BROWSER" ] || return 0
  # shellcheck disable=SC2016
  about "$BROWSER" browser 'browserId={{.Id}}
browser={{.State.Status}}{{if .State.Health}}, {{.State.Health.Status}}{{end}}
{{range $name, $_ := .NetworkSettings.Networks}}browserNetwork={{$name}}
{{end}}' browserDifference ''
}

# What the container's control group has counted, in version 2 or 1. Docker's own numbers come once a second, and for each
# container after the other. One look says nothing about the processor, so there are two.
use() {
  # shellcheck disable=SC2016 # expanded in the container
  ask docker exec "$CONTAINER" timeout -s KILL "$PATIENCE" sh -c '
    cd /sys/fs/cgroup
    if [ -e cpu.stat ]; then
      cpu() { sed -n "s/^usage_usec \(.*\)/\1000/p" cpu.stat; }
      usage=memory.current
      stat=memory.stat
      inactive=inactive_file
    else
      cpu() { cat cpuacct/cpuacct.usage; }
      usage=memory/memory.usage_in_bytes
      stat=memory/memory.stat
      inactive=total_inactive_file
    fi
    echo "memoryUsed=$(cat $usage)"
    echo "memoryInactive=$(sed -n "s/^$inactive //p" $stat)"
    echo "firstCpu=$(cpu)" "$(cut -d" " -f1 /proc/uptime)"
    sleep 0.4
    echo "secondCpu=$(cpu)" "$(cut -d" " -f1 /proc/uptime)"'
}

# Why a certificate was not trusted lately, in the words of Node's.
distrust() {
  timeout -s KILL "$PATIENCE" docker logs --since 1h --tail 1000 "$CONTAINER" 2>&1 </dev/null |
    grep -m 1 -oiE 'unable to verify the first certificate|unable to get (local )?issuer certificate|self[- ]signed certificate( in certificate chain)?|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?' |
    sed 's/^/distrust=/'
}

# What the container of the backups knows of them, and the time here.
offsite() {
  [ -n "$OFFSITE" ] || return 0
  state=$(ask docker inspect --type container --format '{{.Id}} {{.State.Status}}' "$OFFSITE")
  case $? in
    0) ;;
    1) echo offsite=missing && return ;;
    *) return ;;
  esac
  echo "offsiteId=${state% *}"
  echo "offsite=${state#* }"
  echo "offsiteNow=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  ask docker exec "$OFFSITE" cat /var/lib/offsite/state
}

data() {
  # Ended inside as well: with the client alone, what it started would go on in the container.
  size=$(ask docker exec --user "$DATA_USER" "$CONTAINER" timeout -s KILL "$PATIENCE" du -sk /data) || return
  echo "dataKb=${size%%[!0-9]*}"
}

# ----------------------------------------------------------------------------------------------------------------------

# Each part is said in one piece.
say() {
  said=$("$@")
  printf '%s\n' "$said"
}

look() {
  for part in health stranger sign_on page; do say "$part" & done
  if ask docker ps --quiet >/dev/null; then
    echo docker=answers
    for part in container browser offsite use distrust data; do say "$part" & done
  fi
  wait
}

case $1 in
  look) look ;;
esac
