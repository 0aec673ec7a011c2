#!/bin/sh
# reach.sh looks: asks for the dashboard from KASM's network, as a session does, and changes nothing. Prints the answers, one
# `name=value` a line; `curl N` is curl's exit status in place of an answer.
#   CONTAINERS            the gateways of all looks
#   PROXY                 KASM's proxy, which is on the network of the sessions
#   PORT BASE_PATH        where the dashboard is published, and its path there
#   USERNAME PASSWORD     its login; no password if none is known
#   CERTIFICATE           ask: KASM's nginx is asked for its certificate
#   CERTIFICATE_NAME      host name for which it is asked, or nothing
#   PATIENCE              seconds that each question may take
#   SOCKET_PATIENCE       seconds for the WebSocket, which takes all of them if it is accepted
set -u

. ./ask.sh

# What all looks have in common: Docker's word on the containers, all of it at once, and the addresses of sessions.
looks() {
  state='' in_network=''
  ask docker ps --quiet >/dev/null || return 0
  # shellcheck disable=SC2016,SC2086 # a template of Docker's, and a list of words
  seen=$(ask docker inspect --type container --format '{{$name := .Name}}state {{$name}} {{.State.Status}}
pid {{$name}} {{.State.Pid}}
hosts {{$name}} {{.HostsPath}}
{{range $port, $bound := .NetworkSettings.Ports}}{{if $bound}}port {{$name}} {{$port}}
{{end}}{{end}}{{range $network, $_ := .NetworkSettings.Networks}}network {{$name}} {{$network}}
{{end}}' $CONTAINERS "$PROXY")
  # 1 says that one of them is missing.
  [ $? -le 1 ] || return 0
  state=$(of "$PROXY" state)
  state=${state:-missing}
  [ "$state" = running ] || return 0
  pid=$(of "$PROXY" pid)
  in_kasm true 2>/dev/null || return 0
  in_network=yes
  address=$(docker_host)
  network=$(of "$PROXY" network)
  subnet=$(ask docker network inspect --format '{{(index .IPAM.Config 0).Subnet}}' "$network")
}

# of CONTAINER KEY: the first value of that key.
of() { printf '%s\n' "$seen" | awk -v name="/$1" -v key="$2" '$1 == key && $2 == name { print $3; exit }'; }

# Runs a command in the network namespace of KASM's proxy: what it sends takes the way of a session's requests, through the
# host's firewall too. The command itself is the host's.
in_kasm() { nsenter "--net=/proc/$pid/ns/net" "$@"; }

# What Docker made of `host-gateway` is in each container that was given the name, and gateways were.
docker_host() {
  # shellcheck disable=SC2046 # a list of words
  found=$(awk '$2 == "host.docker.internal" { print $1; exit }' $(printf '%s\n' "$seen" | awk '$1 == "hosts" { print $3 }') 2>/dev/null)
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
  echo "sessionAddress=$address"
  echo "sessionSubnet=$subnet"
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
  [ -n "$state" ] || return 0
  echo "proxy=$state"
  [ "$state" = running ] || return 0
  if [ -z "$in_network" ]; then
    echo session=refused
    return
  fi
  [ -z "$CERTIFICATE" ] || certificate &
  session &
  wait
}

case $1 in
  looks) looks ;;
esac
