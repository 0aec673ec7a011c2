#!/usr/bin/env bash
# Runs in a session from its start to its end, in the background of KASM's vnc_startup.sh: keeps OpenClaw's gateway running and its
# dashboard open. KASM never starts it again and, under DLP_PROCESS_FAIL_SECURE, ends the session when it returns: it does not
# return, and no failed command ends it.
#
#   custom_startup.sh                             as vnc_startup.sh calls it
#   custom_startup.sh --go|--assign [--url] URL   as KASM calls it in a session that runs: opens URL beside the dashboard
set -u

readonly TOOLS=/opt/openclaw-kasm
readonly DASHBOARD=http://127.0.0.1:18789/
# Of this session: gone with its container.
readonly RUN=/tmp/openclaw-kasm-$UID
# Of the user: kept with the profile.
readonly KEPT=$HOME/.config/openclaw-kasm
readonly CONFIG=${OPENCLAW_STATE_DIR:-$HOME/.openclaw}/openclaw.json
# What the gateway exits with when it does not accept its configuration: trying again would not help.
readonly REFUSED=78
# An idle gateway ends within 2 s, one in the middle of an answer finishes it first.
readonly GATEWAY_END_SECONDS=15 BROWSER_END_SECONDS=3
# A start takes 5 to 20 s.
readonly LONG_START_SECONDS=90
# A filter that takes longer has failed; the dashboard works without it.
readonly FILTER_SECONDS=60
# KASM ends a session within seconds of its last hook. One that runs for longer goes on.
readonly REST_SECONDS=120
# A directory of the agent's host that all sessions share. It is outside the home, because KASM copies homes.
readonly SHARED=/mnt/openclaw-shared
# For each hook of KASM that runs a file: asks-PID, then rests-PID as soon as nothing writes to the home.
readonly HOOKS=$RUN/hooks
# A new page connects in 3 to 15 s. A page that lost its connection reconnects by itself, less often while it is hidden.
readonly CONNECT_SECONDS=30 RECONNECT_SECONDS=75 CONNECT_TRIES=3

say() { echo "openclaw: $*"; }

# In time and without the lock: a tool that hangs would stop the watch over the gateway, or keep the home locked.
in_time() { timeout --kill-after 2 20 "$@" {lock}<&- </dev/null; }

# ---- the lock on the user's home -----------------------------------------------------------------------------------

# Two gateways on one home would ruin each other's state. The kernel keeps this lock for as long as this script or its gateway
# lives, in whichever container of this host; what a dead session had is free at once. Sets $since where another one has it.
take_lock() {
  local file=$KEPT/session.lock code
  if exec {lock}<>"$file"; then
    flock --nonblock --conflict-exit-code 75 "$lock"
    code=$?
    if [[ $code -eq 75 ]]; then
      since=$(<"$file")
      exec {lock}<&-
      return 1
    fi
    if [[ $code -eq 0 ]]; then
      date '+%Y-%m-%d %H:%M %Z' >"$file"
      in_time node "$TOOLS/forget-dead-session.mjs"
    else
      say "this home's file system has no locks: don't use it in two sessions at once"
    fi
  fi
  locked=yes
}

# ---- children ------------------------------------------------------------------------------------------------------

is_running() { [[ -n $1 ]] && kill -0 "$1" 2>/dev/null; }

# next_delay STARTED LAST: seconds to wait before a child is started again, 0 1 2 4 … 30; one that ran for a minute starts afresh.
next_delay() {
  if ((SECONDS - $1 >= 60)); then
    echo 0
  else
    echo $(($2 < 0 ? 0 : $2 == 0 ? 1 : $2 >= 15 ? 30 : $2 * 2))
  fi
}

# end_group PID SECONDS: ends a child and all that it started, by force when so many seconds are over.
end_group() {
  local pid=$1 tenths
  [[ -n $pid ]] || return 0
  kill -TERM "-$pid" 2>/dev/null
  for ((tenths = 0; tenths < $2 * 10; tenths++)); do
    is_running "$pid" || break
    sleep 0.1
  done
  kill -KILL "-$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
}

gateway='' gateway_state=down gateway_started=0 gateway_delay=-1 gateway_due=0 tried_configuration=''

# What the gateway starts from, as it is now.
configuration() { stat --format '%n %y %s' "$CONFIG" /etc/openclaw-kasm/* 2>/dev/null; }

start_gateway() {
  tried_configuration=$(configuration)
  : >"$RUN/gateway.log"
  connects_seen=0
  setsid "$TOOLS/run-gateway" >>"$RUN/gateway.log" 2>&1 &
  gateway=$!
  gateway_state=starting
  gateway_started=$SECONDS
}

gateway_answers() { curl --disable --noproxy "*" -fsS -m 2 -o /dev/null "${DASHBOARD}startupz" 2>/dev/null; }

after_gateway_end() {
  local code=$1
  # What it had started is still there when it was killed.
  end_group "$gateway" 0
  gateway=''
  # Its code for the browser died with it.
  if [[ $view == dashboard ]]; then hold_page; fi
  if [[ $code -eq $REFUSED ]]; then
    gateway_state=refused
    say 'gateway: STOPPED: it does not accept its configuration; not trying again before that changes'
  else
    gateway_state=down
    gateway_delay=$(next_delay "$gateway_started" "$gateway_delay")
    gateway_due=$((SECONDS + gateway_delay))
    say "gateway: ended with status $code; starting again in $gateway_delay s"
  fi
}

watch_gateway() {
  if is_running "$gateway"; then
    if [[ $gateway_state == starting ]] && gateway_answers; then
      gateway_state=up
      say "gateway: up after $((SECONDS - gateway_started)) s"
      if [[ $view == dashboard ]]; then expect_connection; fi
    fi
  elif [[ -n $gateway ]]; then
    wait "$gateway"
    after_gateway_end $?
  elif [[ $gateway_state == refused ]]; then
    if [[ $(configuration) != "$tried_configuration" ]]; then gateway_state=down; fi
  elif ((SECONDS >= gateway_due)); then
    start_gateway
  fi
}

# What the browser shows: "dashboard", or the title of a message.
view=''
browser='' browser_started=0 browser_delay=-1 browser_due=0

# browse PROFILE ARGUMENT…: Chromium as a child. What an earlier container left in the profile says that it is in use, and it is not:
# the home is this session's by its lock, the other profile is in no other session.
browse() {
  local profile=$1
  shift
  rm -f "$profile"/Singleton*
  # shellcheck disable=SC2086 # a list of words, as in KASM's own images
  setsid chromium --user-data-dir="$profile" --hide-crash-restore-bubble --start-maximized ${APP_ARGS:-} "$@" \
    {lock}<&- >>"$RUN/browser.log" 2>&1 &
  browser=$!
  browser_started=$SECONDS
}

# open_in_browser ADDRESS: in a new tab. Without the socket of a browser that runs, Chromium would not hand the address over but
# become a second browser on the same profile.
open_in_browser() {
  [[ -S $KEPT/browser/SingletonSocket ]] && in_time chromium --user-data-dir="$KEPT/browser" "$1" >/dev/null 2>&1
}

# What the browser is given. Until the gateway answers it is a page that looks once a second whether it has become another one.
readonly PAGE=$RUN/page.html

# Under another name first: the browser may look at any moment.
hold_page() { cp "$TOOLS/starting.html" "$PAGE.new" && mv "$PAGE.new" "$PAGE"; }

write_dashboard_page() {
  if [[ $gateway_state != up ]] || ! in_time node "$TOOLS/dashboard-page.mjs" "$PAGE"; then hold_page; fi
}

# ---- the connection between the dashboard and the gateway ----------------------------------------------------------

# A page can be stuck for good: with the answer of a gateway that was still starting or ending, or with a code that is spent or
# too old. Nothing but the gateway's log tells; how often it had been told there when the page was written is $connects_seen.
connects_seen=0 connect_patience=$CONNECT_SECONDS connect_due=0 connect_tries=0

connects() { grep --count 'webchat connected' "$RUN/gateway.log" 2>/dev/null; }

expect_connection() {
  connect_tries=0
  write_dashboard_page
  connect_due=$((SECONDS + connect_patience))
}

check_connection() {
  if [[ $gateway_state != up ]] || ((connect_tries >= CONNECT_TRIES)) || ! is_running "$browser"; then return; fi
  if (($(connects) > connects_seen)); then
    connect_tries=$CONNECT_TRIES
    connect_patience=$RECONNECT_SECONDS
    # An unused code in the page would log in the next browser that opens it.
    hold_page
  elif ((SECONDS >= connect_due)); then
    connect_tries=$((connect_tries + 1))
    say 'browser: the dashboard has not connected; opening it again'
    write_dashboard_page
    open_in_browser "file://$PAGE"
    connect_due=$((SECONDS + CONNECT_SECONDS))
  fi
}

open_view() {
  view=$1
  if [[ $view == dashboard ]]; then
    connects_seen=$(connects)
    connect_patience=$CONNECT_SECONDS
    expect_connection
    browse "$KEPT/browser" "file://$PAGE"
  else
    in_time node "$TOOLS/message-page.mjs" "$PAGE" "$@"
    browse "$RUN/message-browser" "--app=file://$PAGE"
  fi
}

# show dashboard | show TITLE TEXT [LOG]: whatever is open, or has been closed, this is what is open next.
show() {
  if is_running "$desktop"; then return; fi
  if [[ $view != "$1" ]]; then
    end_group "$browser" "$BROWSER_END_SECONDS"
    browser='' browser_delay=-1 browser_due=0
  elif [[ -n $browser ]] && ! is_running "$browser"; then
    end_group "$browser" 0
    browser=''
    browser_delay=$(next_delay "$browser_started" "$browser_delay")
    browser_due=$((SECONDS + browser_delay))
    say "browser: ended; opening it again in $browser_delay s"
  fi
  if [[ -z $browser ]] && ((SECONDS >= browser_due)); then open_view "$@"; fi
}

# ---- addresses that are to be opened beside the dashboard ----------------------------------------------------------

ask_to_open() {
  local address=${1//$'\n'/}
  # The dashboard is open anyway, and nothing but an address gets into the browser's arguments.
  if [[ -n $address && $address/ != "$DASHBOARD" && $address != "$DASHBOARD" && $address != -* ]]; then
    echo "$address" >>"$RUN/addresses"
  fi
}

open_addresses() {
  local address
  if [[ ! -e $RUN/addresses ]] || ! is_running "$browser"; then return; fi
  mv "$RUN/addresses" "$RUN/addresses.now"
  while read -r address; do
    # The browser may not be ready to take it.
    open_in_browser "$address" || ask_to_open "$address"
  done <"$RUN/addresses.now"
}

# ---- the session ---------------------------------------------------------------------------------------------------

# The gateway must not start before the web filter is ready: it would not know the filter's certificate authority.
wait_for_filter() { if [[ -x /usr/bin/filter_ready ]]; then timeout "$FILTER_SECONDS" /usr/bin/filter_ready; fi; }

wait_for_desktop() { if [[ -x /usr/bin/desktop_ready ]]; then /usr/bin/desktop_ready; fi; }

# Local addresses are not asked through a proxy.
bypass_proxy() {
  local name host
  for name in no_proxy NO_PROXY; do
    for host in localhost 127.0.0.1 ::1; do
      if [[ ",${!name:-}," != *,$host,* ]]; then export "$name=${!name:+${!name},}$host"; fi
    done
  done
}

# link_shared: ~/openclaw-shared leads to the shared directory. A folder of that name holds old copies out of an S3 profile; that,
# and whatever else the user has there, is kept.
link_shared() {
  local link=$HOME/openclaw-shared
  if [[ ! -d $SHARED ]]; then return; fi
  if [[ -L $link && $(readlink "$link") == "$SHARED" ]]; then return; fi
  if [[ -e $link || -L $link ]] && ! rmdir "$link" 2>/dev/null; then
    mv -T --no-clobber "$link" "$link-copy-$(date +%Y%m%d-%H%M%S)"
  fi
  ln -sT "$SHARED" "$link" || say "$link can't lead to $SHARED"
}

end_children() {
  say "ending: $1"
  end_group "$browser" "$BROWSER_END_SECONDS"
  end_group "$gateway" "$GATEWAY_END_SECONDS"
}

stop() {
  end_children 'the session ends'
  exit 0
}

# ---- rest: nothing writes to the home while a hook of KASM copies it -------------------------------------------------

resting='' rest_until=0

# Whether a hook still runs; another process may have got its number since.
is_hook() { tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -Eq '(^|/)kasm_[^/]*\.sh$'; }

# A hook that fails removes its file, because the session then goes on. One that is killed counts as one that succeeded.
must_rest() {
  local file
  for file in "$HOOKS"/*-*; do
    if [[ ! -e $file ]]; then continue; fi
    if is_hook "${file##*-}"; then
      rest_until=$((SECONDS + REST_SECONDS))
    elif ((SECONDS >= rest_until)); then
      rm -f "$file"
      continue
    fi
    return 0
  done
  return 1
}

rest() {
  local file
  if [[ -z $resting ]]; then
    end_children 'KASM copies the home'
    gateway='' gateway_state=down gateway_delay=-1 gateway_due=0
    browser='' browser_delay=-1 browser_due=0 view=''
    hold_page
    # Another session may have the home from now on.
    exec {lock}<&-
    lock=99 locked='' resting=yes
  fi
  for file in "$HOOKS"/asks-*; do
    if [[ -e $file ]]; then mv "$file" "$HOOKS/rests-${file##*-}"; fi
  done
}

# A closed file until there is a lock.
locked='' lock=99 since=''

# It has ended four times in a row, or takes too long.
has_trouble() {
  ((gateway_delay >= 4)) || { [[ $gateway_state == starting ]] && ((SECONDS - gateway_started >= LONG_START_SECONDS)); }
}

# /tmp is the session's memory or the host's disk: a log that has grown large starts anew.
limit_logs() { find "$RUN" -maxdepth 1 -name '*.log' -size +10M -exec truncate --size 0 {} +; }

step() {
  if must_rest; then
    rest
    return
  elif [[ -n $resting ]]; then
    resting=''
    say 'the session goes on'
  fi
  if is_running "$filter"; then return; fi
  if [[ -z $locked ]] && ! take_lock; then
    show 'OpenClaw runs in another session of yours' \
      "It is the one that was started on $since.
Go on there, or end it: OpenClaw then starts here by itself. What is done in two sessions at once would be lost in one of them."
    return
  fi
  limit_logs
  watch_gateway
  if [[ $gateway_state == refused ]]; then
    show 'OpenClaw does not accept its configuration' \
      "It has been stopped, and starts again as soon as ${CONFIG/#"$HOME"/\~} changes.
Correct that file, or try in a terminal: openclaw doctor --fix" "$RUN/gateway.log"
  elif [[ $gateway_state != up ]] && has_trouble; then
    show 'OpenClaw does not start' 'It is tried again and again. This is what it said last:' "$RUN/gateway.log"
  else
    # Also while the gateway starts; an open dashboard connects again by itself.
    show dashboard
    check_connection
    open_addresses
  fi
}

run_session() {
  mkdir -p "$KEPT"
  # A container that is stopped and started again has the files of its earlier run. What KASM asked to open remains.
  find "$RUN" -mindepth 1 -maxdepth 1 ! -name addresses -exec rm -rf {} +
  mkdir "$HOOKS"
  bypass_proxy
  link_shared
  ask_to_open "${KASM_URL:-${LAUNCH_URL:-}}"
  trap stop TERM INT
  # A hook sends it, so that the loop below does not wait for its second to pass.
  trap : USR1
  echo $$ >"$RUN/supervisor"
  wait_for_filter &
  filter=$!
  wait_for_desktop &
  desktop=$!
  while :; do
    step
    # In the background, because a signal waits for a command in the foreground.
    sleep 1 &
    wait $!
  done
}

options=$(getopt -o gau: -l go,assign,url: -n "$0" -- "$@") || exit
eval set -- "$options"
in_running_session='' url=''
while [[ $1 != -- ]]; do
  case $1 in
    -g | --go | -a | --assign) in_running_session=yes ;;
    -u | --url)
      url=$2
      shift
      ;;
  esac
  shift
done

url=${url:-${2:-}}

umask 077
mkdir -p "$RUN"
if [[ -n $in_running_session ]]; then
  ask_to_open "$url"
elif [[ -n ${DISABLE_CUSTOM_STARTUP:-} ]]; then
  exec sleep infinity
else
  run_session
fi
