#!/bin/sh
# A KASM host made of files, under the names of the commands by which nginx-route.sh reaches it. In the folder HOST are
#   conf             nginx's folder; a file in it with the word "refused" is refused
#   loaded           what nginx has loaded of our file
#   networks         the proxy's, a line each
#   running gateway  what Docker says of the proxy, and the dashboard's HTTP status; without it the gateway hangs
#   full             is there while the disk is full
#   lenient          is there while nginx takes in a copy what it refuses in its place
#   calls            every call, a line each, written by it
#   fatal signal pid number of the call after which the script with that id gets that signal
name=${0##*/}
PATH=/usr/bin:/bin
cd "$HOST" || exit

answer() {
  case "$name $*" in
    'docker inspect '*State.Running*)
      echo "running $(cat running)"
      echo 'port 443/tcp'
      echo 'address 172.18.0.2'
      sed 's/^/network /' networks
      ;;
    'docker ps --quiet' | 'docker network inspect '*) ;;
    'docker network connect '*) echo "$3" >>networks ;;
    'docker network disconnect '*) sed -i "/^$3\$/d" networks ;;
    'docker exec kasm_proxy nginx -t') nginx_test >&2 ;;
    'docker exec kasm_proxy sh -c '*)
      if grep -q refused conf/.openclaw.conf.new && [ ! -e lenient ]; then refuse openclaw.conf; fi
      ;;
    'docker exec kasm_proxy nginx -s reload') nginx_test >/dev/null && load ;;
    'curl '*/openclaw/.openclaw-kasm-route) sed -n 's/^# mark //p' loaded 2>/dev/null ;;
    'curl '*/openclaw/)
      if flock --nonblock conf true; then echo free >lock; else echo held >lock; fi
      cat gateway 2>/dev/null || { echo 000 && return 28; }
      ;;
    'sleep '*) ;;
    # Each look at the clock is a second later than the one before.
    'cut '*) echo >>clock && wc -l <clock ;;
    'cp '* | 'rm '*)
      "$name" "$@"
      if [ -e full ]; then fill "$@"; fi
      ;;
    'docker '* | 'curl '*) return 9 ;;
    *) "$name" "$@" ;;
  esac
}

nginx_test() {
  for file in conf/*.conf; do
    if grep -q refused "$file"; then
      refuse "${file#conf/}"
      return 1
    fi
  done
}

refuse() { echo "nginx: [emerg] unknown directive \"refused\" in /etc/nginx/conf.d/containers.d/$1:1"; }

load() {
  rm -f loaded
  if [ -e conf/openclaw.conf ]; then cp conf/openclaw.conf loaded; fi
}

# A full disk takes new names and no content.
fill() {
  case "$name $*" in
    'rm '*.new) ln -s /dev/full "$2" ;;
    'cp '*)
      : >"$3"
      return 1
      ;;
  esac
}

answer "$@"
status=$?
echo "$name $(echo "$*" | tr '\n' ' ')" >>calls
if [ "$(cat fatal 2>/dev/null)" = "$(wc -l <calls)" ]; then kill -s "$(cat signal)" "$(cat pid)"; fi
exit "$status"
