#!/bin/sh
# ready.sh apply|look: waits until people really reach OpenClaw's dashboard through each published address. The gateway's
# health alone is no proof: it stays green while every page is refused, so the page and a WebSocket are asked for too.
#   ADDRESSES BASE_PATH PORT   where the dashboard is published
#   USERNAME PASSWORD          its login
#   HEALTH                     json: /healthz must say in JSON that all is well; page: the image can't be asked that way
#   TIMEOUT_SECONDS            how long all of it may take
#   CONTAINER                  the gateway's container: a state that no waiting changes ends the wait
#   SIGN_ON                    address of an organisation's login that a browser is sent to, or nothing
#   SECRETS                    one a line; none of them is shown with the container's log
set -eu

# Requests to this host go through no proxy and follow no ~/.curlrc: both could pass the login on.
local_curl() { curl --disable --noproxy '*' --silent --max-time 5 "$@"; }

# The login is sent to curl over standard input, because all users of the host can read arguments.
with_login() {
  printf 'user = "%s:%s"\n' "$USERNAME" "$(printf %s "$PASSWORD" | sed 's/[\\"]/\\&/g')" |
    local_curl --config - --show-error "$@" 2>&1
}

check_health() {
  answer=$(local_curl --show-error --write-out ' %{http_code}' "http://$1/healthz" 2>&1 </dev/null) || true
  case $answer in
    *'"ok":true'*' 200') ;;
    *) echo "/healthz on $1 says: $answer" && return 1 ;;
  esac
}

check_login() {
  code=$(local_curl --output /dev/null --write-out '%{http_code}' "http://$1$BASE_PATH/" </dev/null) || true
  if [ "$code" != 401 ]; then
    echo "the dashboard on $1 answers $code without a login, expected 401"
    return 1
  fi
}

# Only with what the provider says of itself does the door know where to.
check_sign_on() {
  code=$(local_curl --header 'Accept: text/html' --output /dev/null --write-out '%{http_code}' "http://$1$BASE_PATH/" </dev/null) || true
  if [ "$code" != 302 ]; then
    echo "the dashboard on $1 does not lead to the login of $SIGN_ON: it answers $code, and the container's log says why"
    return 1
  fi
}

check_page() {
  page=$(with_login --write-out '\n%{http_code}' "http://$1$BASE_PATH/") || true
  case $page in
    *openclaw-app*200) ;;
    *) echo "the dashboard on $1 answers with $(printf %s "$page" | tail -n 1): $(printf %s "$page" | head -c 300 | tr '\n' ' ')" && return 1 ;;
  esac
}

# An accepted WebSocket stays open, so this takes all of its time: little at first, more where that was not enough.
check_websocket() {
  answer=$(with_login --output /dev/null --write-out ' %{http_code}' --http1.1 --max-time "$patience" \
    --header 'Connection: Upgrade' --header 'Upgrade: websocket' --header 'Sec-WebSocket-Version: 13' \
    --header 'Sec-WebSocket-Key: b3BlbmNsYXctcmVhZHktcA==' --header "Origin: http://$1" \
    "http://$1${BASE_PATH:-/}") || true
  case $answer in
    *' 101') ;;
    *) echo "the dashboard's WebSocket on $1 answers:$(printf %s "$answer" | tr '\n' ' ')" && return 1 ;;
  esac
}

check() {
  for address in $ADDRESSES; do
    if [ "$HEALTH" = json ]; then check_health "$address:$PORT" || return 1; fi
    check_login "$address:$PORT" || return 1
    if [ -n "$SIGN_ON" ]; then check_sign_on "$address:$PORT" || return 1; fi
    check_page "$address:$PORT" || return 1
  done
  # All addresses lead to one nginx: one WebSocket checks all of them.
  check_websocket "${ADDRESSES%% *}:$PORT"
}

# Seconds that no correction of the clock makes jump, where the system counts them.
now() { cut -d. -f1 /proc/uptime 2>/dev/null || date +%s; }

# A Docker that hangs does not hold up the wait.
limited_docker() {
  if command -v timeout >/dev/null; then timeout -s KILL 5 docker "$@"; else docker "$@"; fi </dev/null 2>&1
}

# Sets `final` to the reason why the dashboard will never answer, if there is one.
find_final_state() {
  case $problem in
    *'"status":"refused"'*) final='OpenClaw refuses its configuration or its data' && return ;;
    *'"status":"crashing"'*) final='OpenClaw ends soon after each start' && return ;;
  esac
  if ! found=$(limited_docker inspect --type container "$CONTAINER" \
    --format '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}'); then
    case $found in *'No such'*) final="there is no container $CONTAINER" ;; esac
    return
  fi
  read -r state restarts exit_code is_out_of_memory error <<-END
$found
END
  first_restarts=${first_restarts:-$restarts}
  [ "$is_out_of_memory" != true ] || error="it ran out of memory $error"
  case $state in
    created | exited | dead | paused) final="its container is $state (exit code $exit_code) $error" ;;
    restarting) [ "$restarts" -lt 3 ] || is_looping=yes ;;
  esac
  [ $((restarts - first_restarts)) -lt 3 ] || is_looping=yes
  [ -z "$is_looping" ] || final="its container ends soon after each start (exit code $exit_code) $error"
}

# The end of the container's log: without the front door's own lines, control characters and secrets.
end_of_log() {
  { printf '%s\n' ${SECRETS:+"$SECRETS"} '' && limited_docker logs --tail 200 "$CONTAINER"; } | harmless | awk '
    !is_log { if ($0 == "") is_log = 1; else secrets[++count] = $0; next }
    /^nginx: / { next }
    {
      line = $0
      for (i = 1; i <= count; i++) {
        clean = ""
        while ((at = index(line, secrets[i]))) {
          clean = clean substr(line, 1, at - 1) "[secret]"
          line = substr(line, at + length(secrets[i]))
        }
        line = clean line
      }
      print "  " substr(line, 1, 500)
    }' | tail -n 20
}

# What the gateway answers and logs is not to steer the terminal that shows it: no control characters, those of two bytes
# (C1) neither, and none that turn the direction of writing.
harmless() {
  tr -d '\000-\010\013-\037\177' |
    LC_ALL=C sed "$(printf 's/\302[\200-\237]//g; s/\342\200[\216\217\252-\256]//g; s/\342\201[\246-\251]//g')"
}

fail() {
  printf '%s\n' "$1" | harmless >&2
  log=$(end_of_log)
  [ -z "$log" ] || printf 'The end of the log of container %s:\n%s\n' "$CONTAINER" "$log" >&2
  exit 1
}

apply() {
  if ! command -v curl >/dev/null; then
    echo 'curl is needed on this host to see whether the dashboard answers' >&2
    exit 1
  fi
  deadline=$(($(now) + TIMEOUT_SECONDS))
  patience=0.3
  final='' is_looping=''
  until problem=$(check); do
    case $problem in
      *WebSocket*) patience=$((${patience%.*} < 5 ? ${patience%.*} + 1 : 5)) ;;
    esac
    find_final_state
    [ -z "$final" ] || fail "OpenClaw can't get ready: $final"
    [ "$(now)" -lt "$deadline" ] || fail "OpenClaw did not get ready within $TIMEOUT_SECONDS s: $problem"
    sleep 0.5
  done
  echo "the dashboard answers on $(for address in $ADDRESSES; do printf 'http://%s:%s%s/ ' "$address" "$PORT" "$BASE_PATH"; done)"
}

# Of several dashboards at a time only what is well is said, because each that is not needs its own words.
look() {
  if (apply) >/dev/null 2>&1; then echo ready=yes; fi
}

case $1 in
  apply) apply ;;
  look) look ;;
esac
