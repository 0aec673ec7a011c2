#!/bin/sh
# A KASM host made of files: shell functions in the place of the commands by which nginx-route.sh reaches it, in front of
# that script. Functions, because a shell for each call would take most of the tests' time. In the folder HOST are
#   conf             nginx's folder; a file in it with the word "refused" is refused
#   loaded           what nginx has loaded of our file
#   networks         the proxy's, a line each
#   forwarder        id of the forwarder, and forwarder-networks its networks, a line each
#   serving          is there while the forwarder serves; stuck while a restart does not help it
#   driver           that of the forwarder's network, bridge unless it is there
#   mounted          from where the proxy's configuration is mounted, HOST unless it is there
#   running gateway  what Docker says of the proxy, and the dashboard's HTTP status; without it the gateway hangs
#   full             is there while the disk is full
#   lenient          is there while nginx takes in a copy what it refuses in its place
#   planted          a shell command that another account runs before each call
#   lock             where it is, it says whether the lock was free at the last request for the dashboard
#   calls count      every call, a line each, written by the functions, and how many they are
#   fatal signal     number of the call after which the script gets that signal

docker() { stand_in docker "$@"; }
curl() { stand_in curl "$@"; }
sleep() { stand_in sleep "$@"; }
cut() { stand_in cut "$@"; }
dd() { stand_in dd "$@"; }
mv() { stand_in mv "$@"; }
ln() { stand_in ln "$@"; }
rm() { stand_in rm "$@"; }
flock() { stand_in flock "$@"; }
cmp() { stand_in cmp "$@"; }

stand_in() {
  if [ -e "$HOST/planted" ]; then sh "$HOST/planted"; fi
  answered=0
  answer "$@" || answered=$?
  called=$*
  case $called in *"$line_end"*) called="${called%%"$line_end"*}..." ;; esac
  printf '%s\n' "$called" >>"$HOST/calls"
  tick count
  if [ -e "$HOST/fatal" ] && [ "$ticks" = "$(cat "$HOST/fatal")" ]; then
    kill -s "$(cat "$HOST/signal")" "$$"
    if [ "$(cat "$HOST/signal")" = KILL ]; then exit 137; fi
  fi
  return "$answered"
}

line_end='
'

answer() {
  case "$*" in
    'docker inspect '*' f1') echo "true $(cat "$HOST/forwarder-networks")" ;;
    'docker inspect '*State.Running*)
      read -r running <"$HOST/running" || true
      echo "running $running"
      echo 'port 443/tcp'
      echo 'address 172.18.0.2'
      while read -r network; do echo "network $network"; done <"$HOST/networks"
      echo "mount $(cat "$HOST/mounted" 2>/dev/null || echo "$HOST") /etc/nginx/conf.d"
      echo 'mount /etc/ssl /etc/ssl'
      ;;
    'docker network inspect '*Driver*) cat "$HOST/driver" 2>/dev/null || echo bridge ;;
    'docker ps --quiet' | 'docker network inspect '*) ;;
    'docker ps '*--filter\ label=openclaw-kasm.stack=dev/openclaw-route) cat "$HOST/forwarder" 2>/dev/null || true ;;
    'docker network connect openclaw-net f1') echo openclaw-net >>"$HOST/forwarder-networks" ;;
    'docker restart '*' f1') if [ ! -e "$HOST/stuck" ]; then : >"$HOST/serving"; fi ;;
    'docker stop '*' f1') command rm -f "$HOST/serving" ;;
    'docker logs '*' f1') echo 'EACCES: permission denied' ;;
    'curl '*--unix-socket\ ./openclaw-route.sock\ *) [ -e "$HOST/serving" ] || return 7 ;;
    'docker network disconnect '*) sed -i "/^$4\$/d" "$HOST/networks" ;;
    'docker exec kasm_proxy nginx -t') ! nginx_refuses >&2 ;;
    'docker exec kasm_proxy sh -c '*)
      if grep -q refused "$HOST/conf/.openclaw.conf.new" && [ ! -e "$HOST/lenient" ]; then refuse openclaw.conf; fi
      ;;
    'docker exec kasm_proxy nginx -s reload')
      if nginx_refuses >/dev/null; then return 1; fi
      command rm -f "$HOST/loaded"
      if [ -e "$HOST/conf/openclaw.conf" ]; then cp "$HOST/conf/openclaw.conf" "$HOST/loaded"; fi
      ;;
    'curl '*/openclaw/.openclaw-kasm-route) loaded_mark ;;
    'curl '*/openclaw/)
      if [ -e "$HOST/lock" ]; then
        if command flock --nonblock "$HOST/run/openclaw-kasm-nginx.lock" true; then echo free; else echo held; fi >"$HOST/lock"
      fi
      cat "$HOST/gateway" 2>/dev/null || { echo 000 && return 28; }
      ;;
    'sleep '*) ;;
    # Each reading of the clock is a second later than the previous one.
    'cut '*) tick clock && echo "$ticks" ;;
    'dd '*)
      command "$@" || return
      file=${2#of=}
      # A full disk accepts new names but no content.
      if [ -e "$HOST/full" ] && [ -s "$file" ]; then : >"$file" && return 1; fi
      ;;
    'docker '* | 'curl '*) return 9 ;;
    *) command "$@" ;;
  esac
}

# Counts in a file, because most calls are made in subshells.
tick() {
  ticks=0
  if [ -e "$HOST/$1" ]; then read -r ticks <"$HOST/$1" || true; fi
  ticks=$((ticks + 1))
  echo "$ticks" >"$HOST/$1"
}

nginx_refuses() {
  refused=$(grep -l refused "$HOST"/conf/*.conf) && refuse "${refused##*/}"
}

refuse() { echo "nginx: [emerg] unknown directive \"refused\" in /etc/nginx/conf.d/containers.d/$1:1"; }

loaded_mark() {
  [ -e "$HOST/loaded" ] || return 0
  while read -r sign word mark; do
    if [ "$sign $word" = '# mark' ]; then echo "$mark"; fi
  done <"$HOST/loaded"
}
