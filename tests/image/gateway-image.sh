#!/usr/bin/env bash
# gateway-image.sh IMAGE: proves the contract of assets/gateway-image/README.md on plain Docker, as TAP lines.
# Creates containers, a volume and a network named imgtest-*, and removes them.
set -uo pipefail

[[ $# -eq 1 ]] || { echo 'usage: gateway-image.sh IMAGE' >&2; exit 2; }
readonly IMAGE=$1 ID=imgtest-$$
readonly C=$ID-gateway NET=$ID-net VOLUME=$ID-data
readonly CAPS=(--cap-drop ALL --cap-add CHOWN --cap-add SETUID --cap-add SETGID --cap-add KILL --security-opt no-new-privileges)
readonly PASSWORD=imgtest-password-$RANDOM$RANDOM TOKEN=imgtest-token-$RANDOM$RANDOM KEY=imgtest-key-$RANDOM$RANDOM

work=$(mktemp -d)
clean_up() {
  docker rm -fv "$C" "$ID-other" >/dev/null 2>&1
  docker network rm "$NET" >/dev/null 2>&1
  docker volume rm "$VOLUME" >/dev/null 2>&1
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' INT TERM

count=0
failed=0
# check NAME COMMAND…: one TAP line; the command's output follows if it failed.
check() {
  local name=$1
  shift
  count=$((count + 1))
  if "$@" >"$work/output" 2>&1; then
    echo "ok $count - $name"
  else
    failed=$((failed + 1))
    echo "not ok $count - $name"
    tail -n 20 "$work/output" | sed 's/^/# /'
  fi
}
# is EXPECTED COMMAND…: the command prints exactly that. has/hasnt PATTERN COMMAND…: its output (does not) match.
is() { local want=$1 got; shift; got=$("$@" 2>/dev/null); [[ $got == "$want" ]] || { echo "expected: $want"; echo "got: $got"; return 1; }; }
has() { local pattern=$1 got; shift; got=$("$@" 2>&1 | tr '\n' ' '); grep -Eq -e "$pattern" <<<"$got" || { echo "no match for $pattern in:"; echo "$got"; return 1; }; }
hasnt() { local pattern=$1 got; shift; got=$("$@" 2>&1); ! grep -E -e "$pattern" <<<"$got"; }
fails() { ! "$@"; }

# Inputs, as the program uploads them. The password reaches curl by a file: a test must not be the leak it looks for.
settings() { printf '{"username":"admin","basePath":"%s","allowedOrigins":["http://%s"]}' "$1" "$door" >"$work/settings.json"; }
secrets() { printf '{"password":"%s","gatewayToken":"%s","providerKeys":{"ANTHROPIC_API_KEY":"%s"},"config":%s}' "$1" "$TOKEN" "$KEY" "$2" >"$work/secrets.json"; }
upload() { tar -C "$work" --owner=0 --group=0 --mode=0600 -cf - settings.json secrets.json | docker cp - "$C:/etc/openclaw-gateway"; }
login() { printf 'user = "admin:%s"\n' "$1" >"$work/login"; }

get() { curl -sS -m 10 "$@"; }
status() { get -o /dev/null -w '%{http_code}' "$@"; }
page() { get -K "$work/login" "$@"; }
websocket() {
  get -m 2 -o /dev/null -w '%{http_code}' --http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
    -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: aW1ndGVzdGltZ3Rlc3QxMg==' "$@" || true
}
health() { get -w ' %{http_code} %{content_type}' "http://$door/healthz"; }
other() { docker run --rm --network "$NET" "$IMAGE" curl -sS -m 5 "$@"; }
inside() { docker exec "$C" "$@"; }
config() { docker exec -u node "$C" cat /data/.openclaw/openclaw.json; }
value() { config | node -e 'const path = process.argv[1].split("."); console.log(JSON.stringify(path.reduce((v, k) => v?.[k], JSON.parse(require("fs").readFileSync(0)))))' "$1"; }
pid_of() { inside s6-svstat -o pid "/run/service/$1"; }
signal() { inside sh -c "kill -$1 $(pid_of "$2")"; }

# within SECONDS COMMAND…
within() {
  local end=$((SECONDS + $1)) output
  shift
  while ! output=$("$@" 2>&1); do
    [[ $SECONDS -lt $end ]] || { echo "$output"; docker logs --tail 15 "$C"; return 1; }
    sleep 0.3
  done
}
started() { has '"status":"started".* 200 application/json' health; }
milliseconds() { date +%s%3N; }

# ---- a first start -------------------------------------------------------------------------------------------------
docker network create "$NET" >/dev/null || exit 1
docker create --name "$C" --init --network "$NET" --memory 2g "${CAPS[@]}" -p 127.0.0.1::8080 -v "$VOLUME:/data" "$IMAGE" >/dev/null || exit 1
door=127.0.0.1:0
settings ''
secrets "$PASSWORD" '{}'
login "$PASSWORD"
check 'the inputs can be uploaded before the first start' upload
begin=$(milliseconds)
docker start "$C" >/dev/null
door=$(docker port "$C" 8080)
check 'before the gateway answers, /healthz is JSON with 503' within 60 has '"ok":false.* 503 application/json' health
check '/healthz turns 200' within 120 started
boot=$(($(milliseconds) - begin))
echo "# boot to /healthz 200: $boot ms"

# ---- the front door ------------------------------------------------------------------------------------------------
check 'no login: 401' is 401 status "http://$door/"
check 'wrong password: 401' is 401 status -u admin:wrong "http://$door/"
check 'WebSocket without login: 401' is 401 websocket "http://$door/"
check 'with login: the dashboard' has 'data-openclaw-control-ui-base-path=""' page "http://$door/"
check 'with login: WebSocket upgrade' is 101 websocket -K "$work/login" "http://$door/"
check 'a user name in a header of the client is ignored' is 401 status -H 'X-Forwarded-User: admin' "http://$door/"
check '… also from inside the container' is 401 inside curl -s -o /dev/null -w '%{http_code}' -H 'X-Forwarded-For: 192.0.2.1' -H 'X-Forwarded-User: admin' http://127.0.0.1:18789/control-ui-config.json
check 'the realm is this container'\''s own' has "realm=\"OpenClaw $(docker inspect -f '{{.Config.Hostname}}' "$C")\"" get -I "http://$door/"
check 'proxy headers of a client are ignored' is 200 status -K "$work/login" -H 'X-Forwarded-For: 127.0.0.1' -H 'Forwarded: for=127.0.0.1' -H 'X-Real-IP: 127.0.0.1' "http://$door/"
check '… also for /healthz' is 200 status -H 'X-Forwarded-For: 127.0.0.1' "http://$door/healthz"
check 'the dashboard answers a client in the same network namespace' inside sh -c "printf 'user = \"admin:%s\"' \$(node -p 'require(\"/etc/openclaw-gateway/secrets.json\").password') | curl -fsS -o /dev/null -K - http://127.0.0.1:8080/"
check 'no version in the Server header' hasnt 'nginx/' get -I "http://$door/healthz"
check 'another container reaches /healthz' has '"ok":true' other "http://$C:8080/healthz"
address=$(docker inspect -f "{{(index .NetworkSettings.Networks \"$NET\").IPAddress}}" "$C")
check '18789 is refused from the host' has 'Failed to connect' get "http://$address:18789/healthz"
check '18789 is refused from another container' has 'Failed to connect' other "http://$C:18789/healthz"
check 'docker exec … openclaw gateway health' has 'OK' inside openclaw gateway health

# What nginx passes on of the cookies in $1, with an answer of its own in the gateway's place.
cookies() {
  local conf=/run/nginx/tmp/echo.conf
  docker exec -i -u www-data "$C" sh -c "
    cat >$conf
    nginx -e stderr -c $conf && curl -sS --unix-socket /run/nginx/tmp/echo.sock -H 'Cookie: $1' http://localhost/
    nginx -e stderr -c $conf -s quit" <<'CONF'
pid /run/nginx/tmp/echo.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path /run/nginx/tmp/body;
    proxy_temp_path /run/nginx/tmp/proxy;
    fastcgi_temp_path /run/nginx/tmp/fastcgi;
    uwsgi_temp_path /run/nginx/tmp/uwsgi;
    scgi_temp_path /run/nginx/tmp/scgi;
    map '' $forwarded_proto { default http; }
    include /run/nginx/start.conf;
    server {
        listen unix:/run/nginx/tmp/echo.sock;
        return 200 "$gateway_cookies";
    }
}
CONF
}
sessions() { printf '__openclaw_session_%s=1; ' $(seq "$1"); }
check 'the gateway gets no session of an organisation'\''s login, of another gateway either' is '; a=1; b=2; c=3' cookies '__openclaw_session_x=1; a=1; __openclaw_state_y_z=2; b=2; __openclaw_session_z=3; c=3'
check '… of ten gateways' is '; a=1' cookies "$(sessions 10)a=1"
check '… and no cookie at all with more sessions than it can take out' is '' cookies "$(sessions 20)a=1"

# ---- guesses -------------------------------------------------------------------------------------------------------
# A neighbour on the gateway's network, such as a proxy, names the client; this host is one.
as() { local client=$1; shift; status -H "X-Forwarded-For: $client" "$@" "http://$door/"; }
for _ in $(seq 120); do as 198.51.100.9 -u admin:wrong; done >/dev/null
# Two a second are still answered.
check 'a client that guesses is refused' within 10 is 429 as 198.51.100.9 -u admin:wrong
check '… with the right password too' within 10 is 429 as 198.51.100.9 -K "$work/login"
check '… and without a password gets 401' is 401 as 198.51.100.9
check 'another client can log in meanwhile' is 200 as 198.51.100.10 -K "$work/login" -c "$work/cookies"
check '… and from the blocked address too, with its cookie' is 200 as 198.51.100.9 -K "$work/login" -b "$work/cookies"
many() { for _ in $(seq 150); do as 198.51.100.10 -K "$work/login" -b "$work/cookies"; echo; done | sort -u; }
check '… and sends many requests without a limit' is 200 many
check 'a wrong password gets no cookie' hasnt '[Ss]et-[Cc]ookie' get -I -u admin:wrong "http://$door/"
check 'the log has the client address from a host of the network' has 'nginx: 198\.51\.100\.9 admin "GET /" 429' docker logs "$C"
inside curl -s -o /dev/null -H 'X-Forwarded-For: 198.51.100.66' http://127.0.0.1:8080/
check '… and none from other senders' hasnt '198\.51\.100\.66' docker logs "$C"

# ---- users of processes, secrets -----------------------------------------------------------------------------------
processes() { docker top "$C" -eo pid,uid,args | tail -n +2; }
check 'the gateway runs as uid 1000' has ' 1000 +openclaw' processes
check 'nginx has no process of root' hasnt ' 0 +nginx' processes
check 'no secret in docker inspect' hasnt 'imgtest-(password|token|key)-' docker inspect "$C" "$IMAGE"
check 'no secret in docker history' hasnt 'imgtest-(password|token|key)-' docker history --no-trunc "$IMAGE"
check 'no secret in the log' hasnt 'imgtest-(password|token|key)-' docker logs "$C"
check 'no secret in any process argument' hasnt 'imgtest-(password|token|key)-' sh -c 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\0" "\n"'
# Every process of the container but the gateway and its children.
environments() { docker top "$C" -eo pid,uid | awk '$2 != 1000 && NR > 1 { print $1 }' | while read -r pid; do tr '\0' '\n' <"/proc/$pid/environ"; done; }
if [[ $(id -u) -eq 0 ]]; then check 'no secret in the environment of other processes' hasnt 'imgtest-(password|token|key)-' environments; fi
check 'no secret in the data' fails docker exec -u node "$C" grep -rqE 'imgtest-(password|token|key)-' /data/.openclaw
check 'the gateway can not read the password' fails docker exec -u node "$C" cat /etc/openclaw-gateway/secrets.json
check '… nor its hash' fails docker exec -u node "$C" cat /run/nginx/htpasswd
user_header() { docker exec -u www-data "$C" cat /run/nginx/user-header.conf; }
check 'the header with the user has a random name' has '^proxy_set_header x-openclaw-user-[0-9a-f]{32} ' user_header
check '… that is in no file that the gateway can read' fails docker exec -u node "$C" grep -rqs x-openclaw-user- /data /run
header_before=$(user_header)
check 'nginx can not read the configuration' fails docker exec -u www-data "$C" cat /run/gateway-image/config.json
check 'openclaw.json is for its owner only' is '600 1000' docker exec -u node "$C" stat -c '%a %u' /data/.openclaw/openclaw.json

# ---- processes that die --------------------------------------------------------------------------------------------
signal STOP gateway
check 'gateway stopped with SIGSTOP: 503 with JSON' within 60 has '"ok":false.* 503 application/json' health
signal CONT gateway
check '… and 200 after SIGCONT' within 60 started
killed=$(pid_of nginx)
signal KILL nginx
again() { [[ $(pid_of nginx) -gt 0 && $(pid_of nginx) != "$killed" ]] && started; }
check 'nginx restarts when it is killed' within 60 again
new=$(pid_of nginx)
sleep 4
check '… once, without a loop' is "$new" pid_of nginx
signal KILL gateway
check 'gateway killed: 503 with JSON' within 60 has '"ok":false.* 503 application/json' health
check 'the gateway restarts when it is killed' within 120 started
check '… and the log reports it' has 'gateway: was killed by signal 9' docker logs "$C"

# ---- configuration -------------------------------------------------------------------------------------------------
restart() {
  upload && docker restart -t 20 "$C" >/dev/null || return 1
  door=$(docker port "$C" 8080) # a free port was asked for: it changes
}
check 'trusted-proxy login' is '"trusted-proxy"' value gateway.auth.mode
check 'no base path, no key' is undefined value gateway.controlUi.basePath
config >"$work/before.json"
docker exec -u node "$C" node -e '
  const fs = require("fs"), file = "/data/.openclaw/openclaw.json", config = JSON.parse(fs.readFileSync(file));
  config.ui = { seamColor: "#123456" }; fs.writeFileSync(file, JSON.stringify(config));'
settings /openclaw
secrets "$PASSWORD" '{"logging":{"consoleLevel":"warn"},"gateway":{"bind":"lan","controlUi":{"communityInvite":false}}}'
check 'restart with a base path and more configuration' restart
check 'it starts again' within 120 started
check 'base path: the dashboard' has 'data-openclaw-control-ui-base-path="/openclaw"' page "http://$door/openclaw/"
check 'base path: WebSocket without a slash at the end' is 101 websocket -K "$work/login" "http://$door/openclaw"
check 'base path: / redirects there, with login' is '302 /openclaw/' page -o /dev/null -w '%{http_code} %header{location}' "http://$door/"
check 'base path: / without login is 401' is 401 status "http://$door/"
check 'base path: 401 without login below it' is 401 status "http://$door/openclaw/"
check 'additional configuration exists' is '"warn"' value logging.consoleLevel
check 'the user'\''s own key is kept' is '"#123456"' value ui.seamColor
check 'a managed key can not be overridden' is '"loopback"' value gateway.bind
check '… and the log says so' has 'config.gateway.bind is set by this image' docker logs "$C"
settings ''
secrets "$PASSWORD" '{}'
check 'restart without them' restart
check 'it starts again' within 120 started
check 'base path removed' is undefined value gateway.controlUi.basePath
check 'additional configuration removed' is undefined value logging
check '… all of it' is undefined value gateway.controlUi.communityInvite
sum=$(config | sha256sum)

secrets "$PASSWORD-new" '{"thereIsNoSuchKey":true}'
check 'configuration that the gateway refuses (exit 78)' restart
check '/healthz: 503, refused' within 60 has '"status":"refused".* 503 application/json' health
sleep 8
stops() { docker logs "$C" 2>&1 | grep -c 'gateway: STOPPED'; }
check 'the gateway is not restarted in a loop' is 1 stops
secrets "$PASSWORD-new" '{}'
check 'repaired, with a new password' restart
check 'it starts again' within 120 started
new_header() { [[ $(user_header) != "$header_before" ]]; }
check 'the header with the user has another name at each start' new_header
same_sum() { [[ $(config | sha256sum) == "$sum" ]]; }
check 'nothing of that is left in the configuration' same_sum
check 'the old password does not work' is 401 status -K "$work/login" "http://$door/"
login "$PASSWORD-new"
check 'the new one does' is 200 status -K "$work/login" "http://$door/"

# ---- the end -------------------------------------------------------------------------------------------------------
docker stop -t 20 "$C" >/dev/null
check 'stops by itself on SIGTERM' is 0 docker inspect -f '{{.State.ExitCode}}' "$C"

# ---- inputs that are wrong -----------------------------------------------------------------------------------------
once() { docker run --rm --name "$ID-other" --init "${CAPS[@]}" "$@"; }
check 'missing secrets: names the file' has 'secrets.json: is missing' once "$IMAGE"
echo '{"password":"imgtest-password-in-a-broken-file"' >"$work/broken.json"
broken() { once -v "$work/broken.json:/etc/openclaw-gateway/secrets.json:ro" "$IMAGE"; }
check 'broken JSON: names the file' has 'secrets.json: is not valid JSON' broken
check '… without its content' hasnt 'imgtest-password' broken
echo '{"password":"11-letters!","providerKeys":{"PATH":"/x","lower":"y"},"tokn":1}' >"$work/broken.json"
check 'wrong keys: names each' has 'unknown key "tokn"' broken
check '… the short password' has 'secrets.json: password' broken
check '… and what is no provider key' has 'providerKeys.PATH' broken

size=$(docker image inspect -f '{{.Size}}' "$IMAGE")
echo "# image: $((size / 1000000)) MB"
check 'image under 1.5 GB' test "$size" -lt 1500000000

echo "1..$count"
[[ $failed -eq 0 ]]
