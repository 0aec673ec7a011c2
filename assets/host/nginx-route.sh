#!/bin/sh
# nginx-route.sh apply|check|look|looks|remove: a file in the configuration of KASM's own nginx that leads to OpenClaw.
#   DIRECTORY FILE       where it stands on this host, and its name
#   STACK                name of the stack that the route is of
#   CONTENT              what it holds; @PORT@, @CERTIFICATE@ and @SOCKET@ are filled in from KASM's own server
#   MARK                 what nginx itself answers at .openclaw-kasm-route below the path, by which the loaded edition is known
#   PROXY                KASM's proxy container
#   FORWARDER SOCKETS    container that leads to the gateway, and the directory with its socket, FORWARDER.sock
#   FORWARDER_OWNER      uid:gid of it
#   NETWORK              the gateway's network. The forwarder is on it, and the proxy is not: KASM needs nothing of ours
#   PROBE_NAME PROBE_PATH   host name (or nothing) and path at which the route has to answer
#   TIMEOUT_SECONDS      how long the dashboard may take to answer behind the route
#   PATIENCE             seconds that each question of a look may take, where it is not to wait for its answer
#   RUN_DIRECTORY        root's own directory for the lock; /run unless set
# KASM is not stopped, its own files are not touched, and what nginx refuses is taken back at once.
#
# KASM's installer leaves its nginx directories writable for every account. So this script works inside the directory that
# it entered and checked, creates files exclusively, and replaces them by renaming: none of that follows a link. A file
# counts only if it is a regular one of a trusted account.
set -eu
umask 022

. ./paths.sh

# Relative to the directory, which is entered first. nginx reads only the first of them: its patterns ask for *.conf and pass
# over names that start with a dot.
name_files() {
  target=./$FILE
  new=./.$FILE.new
  old=./.$FILE.old
}
ownership='# Made by openclaw-kasm'

# --- what is there ----------------------------------------------------------------------------------------------------

# Docker's word on the proxy, a line each, all of it at once: on a busy server each call takes its time.
see_proxy() {
  # shellcheck disable=SC2016 # a template of Docker's
  seen=$(docker inspect --type container --format 'running {{.State.Running}}
{{range $port, $bound := .NetworkSettings.Ports}}{{if $bound}}port {{$port}}
{{end}}{{end}}{{range $name, $network := .NetworkSettings.Networks}}network {{$name}}
address {{$network.IPAddress}}
{{end}}{{range .Mounts}}mount {{.Source}} {{.Destination}}
{{end}}' "$PROXY" 2>/dev/null) || seen=
}

of_proxy() {
  while read -r key value; do
    [ "$key" != "$1" ] || echo "$value"
  done <<END
$seen
END
}

is_running() { [ "$(of_proxy running)" = true ]; }

is_joined() {
  for each in $(of_proxy network); do
    [ "$each" != "$NETWORK" ] || return 0
  done
  return 1
}

# The port on which KASM serves, inside its container.
proxy_port() {
  for port in $(of_proxy port); do
    case $port in */tcp) echo "${port%/tcp}" && return ;; esac
  done
  echo 443
}

# Where the proxy sees the directory of the sockets; nothing where it does not. The deepest mount is the one that counts.
sockets_in_proxy() {
  trace "$SOCKETS"
  of_proxy mount | (
    deepest='' path=''
    while read -r source destination; do
      case $real in
        "$source"/*) if [ ${#source} -gt ${#deepest} ]; then deepest=$source path=$destination${real#"$source"}; fi ;;
      esac
    done
    echo "$path"
  )
}

# Where the proxy says that KASM is installed, in words.
kasm_elsewhere() {
  of_proxy mount | while read -r source destination; do
    case $destination:$source in
      /etc/nginx/conf.d:*/conf/nginx) echo " KASM's nginx reads $source: set openclaw:kasmDirectory to ${source%/*/conf/nginx}" ;;
    esac
  done
}

# Goes into a directory of KASM's, and stops if another account may have led there.
enter() {
  if [ "${entered-}" = "$1" ]; then return; fi
  trace "$1"
  [ -z "$planted" ] || fail "$planted belongs to, or was linked by, another account than root or KASM's: nothing is written there"
  cd -P -- "$1"
  [ "$(pwd -P)" = "$real" ] || fail "$1 was replaced by another directory meanwhile"
  entered=$1
}

is_file() { [ -f "$1" ] && [ ! -L "$1" ] && is_trusted "$(stat -c %u -- "$1")"; }

is_there() { [ -e "$1" ] || [ -L "$1" ]; }

# Of whichever stack: sets `of` to its name, and `leads` to what it leads from. Earlier versions wrote neither.
is_ours() {
  of=$STACK leads=
  is_file "$1" && IFS= read -r first <"$1" || return 1
  case $first in
    "$ownership for stack "*)
      of=${first#"$ownership for stack "}
      leads=${of#*: }
      of=${of%%:*}
      ;;
    "$ownership"*) ;;
    *) return 1 ;;
  esac
}

is_of_this_stack() { is_ours "$1" && [ "$of" = "$STACK" ]; }

# Creates a file with what is read from standard input. What others put in its place is removed first.
create() {
  rm -rf -- "$1"
  dd of="$1" conv=excl status=none 2>/dev/null
}

# Certificate and key as the first of KASM's files has them that has both. Nothing else of a line is taken over.
certificate() {
  for conf in ./*.conf; do
    if ! is_file "$conf" || is_ours "$conf"; then continue; fi
    lines=$(grep -E '^[[:space:]]*ssl_certificate(_key)?[[:space:]]+[A-Za-z0-9_./-]+;[[:space:]]*$' -- "$conf" | awk '!seen[$1]++') || continue
    if [ "$(printf '%s\n' "$lines" | wc -l)" -eq 2 ]; then
      printf '%s\n' "$lines"
      return
    fi
  done
}

render() {
  port=$(proxy_port)
  place=$(sockets_in_proxy)
  printf '%s\n' "$CONTENT" | while IFS= read -r line; do
    case $line in
      *@PORT@*) printf '%s\n' "${line%%@PORT@*}$port${line#*@PORT@}" ;;
      *@SOCKET@*) printf '%s\n' "${line%%@SOCKET@*}$place/$FORWARDER.sock${line#*@SOCKET@}" ;;
      *@CERTIFICATE@*) certificate ;;
      *) printf '%s\n' "$line" ;;
    esac || exit 1
  done
}

# ask PATH CURL'S OPTIONS...: what is answered below the route's path, asked for on the proxy's own address.
ask() {
  path=$1
  shift
  address=
  for address in $(of_proxy address); do break; done
  port=$(proxy_port)
  name=${PROBE_NAME:-$address}
  curl --disable --noproxy "*" --silent --insecure --max-time "${PATIENCE:-5}" "$@" \
    --resolve "$name:$port:$address" "https://$name:$port$PROBE_PATH$path" </dev/null
}

# Only a refused connection counts: a gateway that hangs is no fault of the forwarder's. A relative name, because the
# kernel takes no long path for a socket.
is_served() {
  refused=0
  (
    cd -- "$SOCKETS" 2>/dev/null || exit 7
    curl --disable --noproxy "*" --silent --max-time "${PATIENCE:-5}" --output /dev/null \
      --unix-socket "./$FORWARDER.sock" http://localhost/healthz </dev/null
  ) || refused=$?
  [ "$refused" -ne 7 ]
}

is_loaded() { [ "$(ask .openclaw-kasm-route)" = "$MARK" ]; }

find_state() {
  if [ -d "$DIRECTORY" ] && enter "$DIRECTORY" && is_there "$target"; then
    if is_file "$target" && render | cmp -s - "$target"; then echo 'as declared'; else echo different; fi
  else
    echo missing
  fi
}

# What several looks have in common.
looks() {
  docker() { timeout -s KILL "$PATIENCE" docker "$@"; }
  if docker ps --quiet >/dev/null 2>&1; then see_proxy; else hangs=yes; fi
  see_proxy() { :; }
}

look() {
  name_files
  if [ -n "${hangs-}" ]; then
    echo 'not known: Docker does not answer'
    return
  fi
  see_proxy
  way='does not serve' needs="nothing of ours" nginx='does not serve the route' dashboard='not reached'
  # In a shell of its own, because the problem of a directory that can't be entered is no answer here.
  state=$(find_state 2>/dev/null) || state='in a directory that another account controls'
  if is_joined; then needs="network $NETWORK"; fi
  if is_served; then way=serves; fi
  if is_running; then
    if is_loaded; then
      nginx='serves the route'
      status=$(ask '' --output /dev/null --write-out '%{http_code}') || true
      case ${status:-000} in
        401) dashboard='asks for its login' ;;
        000) ;;
        *) dashboard="answers $status" ;;
      esac
    fi
  fi
  echo "file: $state; forwarder: $way; KASM's proxy needs: $needs; nginx: $nginx; dashboard: $dashboard"
}

# --- changes ----------------------------------------------------------------------------------------------------------

# What nginx says against its configuration goes to `said`. KASM's agent adds and removes files while nginx reads them:
# what fails once may be no fault, unless it is our own file. As long as a bad one exists, no session can be started.
nginx_test() {
  for _ in 1 2 3 4 5; do
    if said=$(docker exec "$PROXY" nginx -t 2>&1); then return 0; fi
    if is_ours_to_blame; then break; fi
    sleep 0.4
  done
  return 1
}

one_line() { printf '%s' "$said" | tr '\n' ' '; }

is_ours_to_blame() { printf '%s\n' "$said" | grep -F '[emerg]' | grep -Fq -e "/$FILE:" -e "/$FILE\""; }

# Has nginx read all of its configuration with the new file in place, in a copy: what it refuses there never stands where
# the start of a session could meet it. Only what it says of our file counts, as the rest changes while it is copied.
rehearse() {
  said=$(docker exec "$PROXY" sh -c '
    copy=/tmp/openclaw-kasm-rehearsal
    rm -rf "$copy"
    trap "rm -rf $copy" EXIT
    cp -a /etc/nginx "$copy" 2>/dev/null
    new=$(find "$copy" -name ".$0.new")
    mv "$new" "$(dirname "$new")/$0"
    find "$copy" -type f -exec sed -i "s,/etc/nginx/,$copy/,g" {} +
    nginx -t -c "$copy/nginx.conf" 2>&1 | sed "s,$copy/,/etc/nginx/,g"' "$FILE" 2>&1) || true
  ! is_ours_to_blame
}

reload() { docker exec "$PROXY" nginx -s reload >/dev/null 2>&1; }

# Seconds that no correction of the clock makes jump.
now() { cut -d. -f1 /proc/uptime; }

# A reload is done by nginx in its own time.
within() {
  seconds=$1
  shift
  end=$(($(now) + seconds))
  until "$@"; do
    [ "$(now)" -lt "$end" ] || return 1
    sleep 0.2
  done
}

# Puts back what was there before the swap; an empty `old` stands for "there was none".
restore() {
  if is_file "$old"; then
    if [ ! -s "$old" ]; then
      rm -rf "$target"
    # Before the swap both are names of one file, which mv refuses.
    elif ! cmp -s "$old" "$target"; then
      mv -fT "$old" "$target"
    fi
    reload || true
  fi
  rm -rf "$old"
}

undo() {
  status=$?
  trap - EXIT
  trap '' HUP INT TERM PIPE
  rm -rf "$new"
  if is_there "$old"; then restore; fi
  exit "$status"
}

# One run at a time. Other accounts could hold a lock on KASM's directory as long as they like.
lock() {
  (umask 077 && : >>"${RUN_DIRECTORY:-/run}/openclaw-kasm-nginx.lock")
  exec 9<"${RUN_DIRECTORY:-/run}/openclaw-kasm-nginx.lock"
  flock -w 120 9 || fail "another run is changing $DIRECTORY and does not end"
  # A run that was killed between the swap and nginx's verdict left the old state here.
  if is_there "$old"; then restore; fi
  rm -rf "$new"
}

# Prints every problem, one a line.
check() {
  name_files
  see_proxy
  command -v curl >/dev/null || echo 'the command curl is needed to see whether the route answers'
  is_running || echo "there is no running container $PROXY: is KASM up, and openclaw:nginxRoute.proxyContainer right?"
  if [ ! -d "$DIRECTORY" ]; then
    echo "there is no directory $DIRECTORY: is KASM installed, and openclaw:nginxRoute.directory right?$(kasm_elsewhere)"
    return
  fi
  if is_running && [ -z "$(sockets_in_proxy)" ]; then
    echo "container $PROXY does not see ${SOCKETS%/*}, from where the route leads on: expected KASM's own directory of nginx as one of its mounts; are openclaw:nginxRoute.directory and proxyContainer right?$(kasm_elsewhere)"
  fi
  enter "$DIRECTORY"
  if is_there "$target" && ! is_ours "$target"; then
    echo "$DIRECTORY/$FILE is there already and was not made by this program: move it away or change openclaw:nginxRoute.fileName"
  fi
  wanted=$(printf '%s\n' "$CONTENT" | sed -n '1s/.*: //p')
  for other in ./*.conf; do
    if is_ours "$other" && [ "$of" != "$STACK" ]; then
      [ "$other" != "$target" ] || echo "$DIRECTORY/$FILE is of stack $of: change openclaw:nginxRoute.fileName"
      [ "$leads" != "$wanted" ] || echo "stack $of has a route from $leads already (${other#./}): change openclaw:nginxRoute"
    fi
  done
  case $CONTENT in
    *@CERTIFICATE@*)
      # The first server that nginx reads answers for every name that no other server claims.
      first=$(export LC_ALL=C && { grep -slE --devices=skip '^[[:space:]]*listen[[:space:]]' -- *.conf; echo "$FILE"; } | sort -u | head -n 1)
      [ "$first" != "$FILE" ] || echo "openclaw:nginxRoute.fileName $FILE would be read before KASM's own server and take its place: expected a name that sorts behind, such as zz-openclaw.conf"
      ;;
  esac
}

# in_old_versions DIRECTORY COMMAND...: runs it in that directory of each version of KASM that was upgraded.
in_old_versions() {
  case $1 in
    */current/*) ;;
    *) return 0 ;;
  esac
  tree=$1 present=$(cd -P -- "$1" 2>/dev/null && pwd -P) || present=
  shift
  for other in "${tree%%/current/*}"/*/"${tree#*/current/}"; do
    [ -d "$other" ] || continue
    (enter "$other" && [ "$(pwd -P)" != "$present" ] && "$@") 2>/dev/null || true
  done
}

# KASM's upgrade goes on in another directory and leaves our file in the old one, and a forwarder that was killed its socket.
forget_old_versions() {
  in_old_versions "$DIRECTORY" forget_file
  in_old_versions "${SOCKETS%/*}" forget_socket
}

forget_file() { if is_of_this_stack "$target"; then rm -f "$target"; fi; }

# `find` follows no link here, whoever plants one.
forget_socket() {
  find "./${SOCKETS##*/}" -maxdepth 1 -type s -name "$FORWARDER.sock*" -delete
  rmdir "./${SOCKETS##*/}"
}

# Everyone may write where KASM's installer left it so, and there the forwarder creates the directory itself. Elsewhere
# root can do it without being led astray.
prepare_sockets() {
  enter "${SOCKETS%/*}"
  [ $((0$(stat -c %a .) & 02)) -eq 0 ] || return 0
  [ -d "./${SOCKETS##*/}" ] || mkdir -m 0755 "./${SOCKETS##*/}"
  chown --no-dereference "$FORWARDER_OWNER" "./${SOCKETS##*/}"
}

forwarder_id() { docker ps --quiet --all --filter "label=openclaw-kasm.stack=$STACK/$FORWARDER"; }

# What the forwarder may have lost: its network, if that was deleted, and its way to KASM's directory, when that was
# replaced.
repair_forwarder() {
  id=$(forwarder_id)
  [ -n "$id" ] || fail "there is no container $FORWARDER of this stack, which leads from KASM's nginx to the gateway"
  # shellcheck disable=SC2016 # a template of Docker's
  placed=$(docker inspect --format '{{.State.Running}} {{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}' "$id")
  case "$placed " in
    *" $NETWORK "*) ;;
    *) docker network connect "$NETWORK" "$id" >/dev/null ;;
  esac
  case $placed in true*) if within 5 is_served; then return; fi ;; esac
  docker restart --time 2 "$id" >/dev/null
  within 20 is_served || fail "container $FORWARDER does not serve $SOCKETS/$FORWARDER.sock; its log says: $(docker logs --tail 3 "$id" 2>&1 | tr '\n' ' ')"
}

apply() {
  name_files
  problems=$(check)
  [ -z "$problems" ] || fail "$problems"
  docker network inspect "$NETWORK" >/dev/null 2>&1 || fail "there is no Docker network $NETWORK on this host"
  enter "$DIRECTORY"
  lock
  (prepare_sockets)
  repair_forwarder
  see_proxy
  trap undo EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
  render | create "$new" || fail "could not write $DIRECTORY/.$FILE.new"
  was=sound
  if ! nginx_test; then
    is_ours_to_blame || fail "nginx refuses KASM's configuration as it is, before any change: $(one_line)"
    was=refused
  fi

  if [ "$was" = refused ] || ! cmp -s "$new" "$target" || ! is_loaded; then swap; fi
  rm -rf "$new"
  trap - EXIT HUP INT PIPE TERM
  forget_old_versions

  # The dashboard may take minutes, in which others have work to do here.
  exec 9<&-
  within "$TIMEOUT_SECONDS" answers || fail "the route is there, and the dashboard does not answer behind it: $(look)$(overlay_hint)"
  release_proxy
  look
}

# Nothing but an answer tells whether UDP passes between the hosts of an overlay network.
overlay_hint() {
  [ "$(docker network inspect --format '{{.Driver}}' "$NETWORK")" != overlay ] ||
    echo ". Between the hosts of network $NETWORK 7946/udp and 4789/udp have to be open: are they?"
}

# Earlier versions joined the proxy to the gateway's network, and without that network KASM could not start.
release_proxy() {
  if is_joined; then docker network disconnect "$NETWORK" "$PROXY" >/dev/null; fi
}

swap() {
  outcome='and the old state is back'
  # A file that nginx refuses is worse than none: it is not restored.
  if [ "$was" = refused ]; then
    outcome='as it refused the file that was there; KASM goes on without'
  else
    rehearse || fail "nginx refuses the route, and nothing is changed: $(one_line)"
  fi
  if [ "$was" = sound ] && is_file "$target"; then ln -fT "$target" "$old"; else create "$old" </dev/null; fi
  mv -fT "$new" "$target"
  { render | cmp -s - "$target" && is_ours "$target"; } || fail "another account changed $DIRECTORY/$FILE meanwhile, $outcome"
  nginx_test || fail "nginx refuses the route, $outcome: $(one_line)"
  reload || fail "nginx could not be told to reload, $outcome"
  within 20 is_loaded || fail "nginx did not take up the route within 20 s, $outcome: $(look)"
  rm -rf "$old"
}

answers() {
  case $(look) in
    *'asks for its login') ;;
    *) return 1 ;;
  esac
}

remove() {
  name_files
  see_proxy
  if [ -d "$DIRECTORY" ]; then
    enter "$DIRECTORY"
    lock
    if is_of_this_stack "$target"; then take_away; fi
  fi
  # It takes its socket with it, and puts no other one there.
  id=$(forwarder_id)
  if [ -n "$id" ]; then docker stop --time 2 "$id" >/dev/null; fi
  (enter "${SOCKETS%/*}" && forget_socket) 2>/dev/null || true
  forget_old_versions
  release_proxy
}

take_away() {
  if ! is_running; then
    rm -rf "$target"
    return
  fi
  was=sound
  nginx_test || was=refused
  mv -fT "$target" "$old"
  if nginx_test; then
    reload || true
    within 20 is_unloaded || true
    rm -rf "$old"
  elif [ "$was" = sound ]; then
    restore
    fail "nginx refuses KASM's configuration without the route, so it stays: $(one_line)"
  else
    rm -rf "$old"
    echo "nginx refuses KASM's configuration with the route and without, so it was not reloaded: $(one_line)" >&2
  fi
}

is_unloaded() { ! is_loaded; }

case $1 in
  apply) apply ;;
  check) check ;;
  look) look ;;
  looks) looks ;;
  remove) remove ;;
esac
