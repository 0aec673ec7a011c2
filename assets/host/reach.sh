#!/bin/sh
# reach.sh look: asks for the dashboard from KASM's network, as a session does, and changes nothing. Prints the answers, one
# `name=value` a line; `curl N` is curl's exit status in place of an answer.
#   CONTAINER PROXY       the gateway, and KASM's proxy, which is on the network of the sessions
#   PORT BASE_PATH        where the dashboard is published, and its path there
#   USERNAME PASSWORD     its login; no password if none is known
#   CERTIFICATE_NAME      host name for which KASM's nginx is asked for its certificate, or nothing
#   PATIENCE              seconds that each question may take
#   SOCKET_PATIENCE       seconds for the WebSocket, which takes all of them if it is accepted
set -u

# Docker's CLI takes a politer signal as an answer like any other.
ask() { timeout -s KILL "$PATIENCE" "$@" 2>/dev/null </dev/null; }

# Docker's word on both containers, all of it at once: on a busy server each call takes its time.
see() {
  # shellcheck disable=SC2016 # a template of Docker's
  seen=$(ask docker inspect --type container --format '{{$name := .Name}}state {{$name}} {{.State.Status}}
pid {{$name}} {{.State.Pid}}
hosts {{$name}} {{.HostsPath}}
{{range $port, $bound := .NetworkSettings.Ports}}{{if $bound}}port {{$name}} {{$port}}
{{end}}{{end}}{{range $network, $_ := .NetworkSettings.Networks}}network {{$name}} {{$network}}
{{end}}' "$CONTAINER" "$PROXY")
  # 1 says that one of them is missing.
  [ $? -le 1 ]
}

# of CONTAINER KEY: the first value of that key.
of() { printf '%s\n' "$seen" | awk -v name="/$1" -v key="$2" '$1 == key && $2 == name { print $3; exit }'; }

# Runs a command in the network namespace of KASM's proxy: what it sends takes the way of a session's requests, through the
# host's firewall too. The command itself is the host's.
in_kasm() { nsenter "--net=/proc/$pid/ns/net" "$@"; }

# What Docker made of `host-gateway` is in each container that was given the name, and the gateway was.
docker_host() {
  found=$(awk '$2 == "host.docker.internal" { print $1; exit }' "$(of "$CONTAINER" hosts)" 2>/dev/null)
  [ -n "$found" ] || found=$(ask docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' bridge)
  printf '%s\n' "$found"
}

# No request goes through a proxy or follows a ~/.curlrc: both could pass the login on. The login goes to curl over standard
# input, because arguments can be read by everybody on the host.
session_curl() {
  printf 'user = "%s:%s"\n' "$USERNAME" "$(printf %s "$PASSWORD" | sed 's/[\\"]/\\&/g')" |
    in_kasm curl --disable --noproxy '*' --silent --config - \
      --resolve "host.docker.internal:$PORT:$address" "$@" 2>/dev/null
}

page() {
  answer=$(session_curl --max-time "$PATIENCE" --write-out '\n%{http_code}' "$origin$BASE_PATH/")
  status=$?
  case $status$answer in
    0*openclaw-app*200) echo sessionPage=opens ;;
    0*) echo "sessionPage=$(printf %s "$answer" | tail -n 1)" ;;
    *) echo "sessionPage=curl $status" ;;
  esac
}

websocket() {
  answer=$(session_curl --max-time "$SOCKET_PATIENCE" --output /dev/null --write-out '%{http_code}' --http1.1 \
    --header 'Connection: Upgrade' --header 'Upgrade: websocket' --header 'Sec-WebSocket-Version: 13' \
    --header 'Sec-WebSocket-Key: b3BlbmNsYXctcmVhY2gtMQ==' --header "Origin: $origin" "$origin${BASE_PATH:-/}")
  status=$?
  if [ "$answer" = 000 ]; then answer="curl $status"; fi
  echo "sessionSocket=$answer"
}

session() {
  address=$(docker_host)
  echo "sessionAddress=$address"
  network=$(of "$PROXY" network)
  echo "sessionSubnet=$(ask docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' "$network")"
  [ -n "$PASSWORD" ] || return 0
  origin=http://host.docker.internal:$PORT
  page &
  websocket &
  wait
}

# What KASM's own nginx shows, by which a certificate that no authority signed is known elsewhere.
certificate() {
  listening=$(of "$PROXY" port)
  listening=${listening%/tcp}
  # shellcheck disable=SC2086 # two words or none
  shown=$(in_kasm timeout -s KILL "$PATIENCE" openssl s_client -connect "127.0.0.1:${listening:-443}" \
    ${CERTIFICATE_NAME:+-servername $CERTIFICATE_NAME} 2>/dev/null </dev/null |
    openssl x509 -noout -fingerprint -sha256 2>/dev/null)
  [ -z "$shown" ] || echo "certificate=$(printf %s "${shown#*=}" | tr -d : | tr '[:upper:]' '[:lower:]')"
}

look() {
  ask docker ps --quiet >/dev/null && see || return 0
  state=$(of "$PROXY" state)
  echo "proxy=${state:-missing}"
  [ "$state" = running ] || return 0
  pid=$(of "$PROXY" pid)
  if ! in_kasm true 2>/dev/null; then
    echo session=refused
    return
  fi
  certificate &
  session &
  wait
}

case $1 in
  look) look ;;
esac
